"""What a record's prose says becomes a word of a closed set, whatever the prose."""

import msgspec
import pytest
from hypothesis import given

from tests.unit.ledger.samples import a_decision
from tests.unit.telemetry.samples import FAILED, HOSTILE, PASSED, WHOLE
from tierwise.core import errors
from tierwise.core.decision import Decision, GateRecord
from tierwise.gateway.attempt import told
from tierwise.telemetry.causes import ANY_ERROR, CAUSES, REASONS, cause_of, end_of, error_of, moves, reason_of


def failing(error: str) -> Decision:
    attempt = msgspec.structs.replace(FAILED, gate=None, error=error, verdict="next")
    return a_decision(1, attempts=(attempt, PASSED))


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (errors.TimedOut("first byte"), "timeout"),
        (errors.RateLimited("later", status=429), "rate_limit"),
        (errors.Overloaded("broken", status=503), "server_error"),
        (errors.Unreachable("refused"), "unreachable"),
        (errors.Unauthorized("no", status=401), "unauthorized"),
        (errors.ContextTooLong("long", status=400), "context"),
        (errors.BadReply("html"), "bad_reply"),
        (errors.Refused("no", status=422), "refusal"),
        (errors.ConfigError("no key"), "misconfigured"),
        (errors.PolicyDenied("another release", rule="r"), "policy"),
        (errors.BudgetExceeded("spent", limit="1", spent="1", estimate="1"), "budget"),
    ],
)
def test_each_failure_is_told_by_its_class_as_the_gateway_writes_it(error: errors.TierwiseError, cause: str) -> None:
    decision = failing(told(error))
    (step,) = moves(decision)
    assert (step.kind, step.cause) == ("fallback", cause)
    assert error_of(decision.attempts[0]) == (type(error).__name__, getattr(error, "status", None))


def test_a_second_attempt_at_the_same_model_is_a_retry() -> None:
    (step,) = moves(
        a_decision(1, attempts=(FAILED, msgspec.structs.replace(FAILED, verdict="ok", error=None, gate=None)))
    )
    assert step.kind == "retry"


@pytest.mark.parametrize(("gate", "cause"), [("schema", "gate_failed"), ("refusal", "refusal"), ("empty", "empty")])
def test_a_gate_that_failed_is_an_escalation(gate: str, cause: str) -> None:
    attempt = msgspec.structs.replace(FAILED, gate=GateRecord(name=gate, verdict="fail"))
    decision = a_decision(1, attempts=(attempt, PASSED))
    (step,) = moves(decision)
    assert (step.kind, step.cause) == ("escalation", cause)
    assert reason_of(decision, (step,)) == "escalation"


@pytest.mark.parametrize(
    ("changes", "end"),
    [
        ({"outcome": "answered"}, None),
        ({"outcome": "review"}, None),
        ({"outcome": "cancelled"}, "cancelled"),
        ({"outcome": "interrupted", "error": "the process ended"}, "interrupted"),
        ({"outcome": "failed", "error": "AllAttemptsFailed: TimedOut: x"}, "AllAttemptsFailed"),
        ({"outcome": "failed", "error": "my secret: x"}, ANY_ERROR),
        ({"outcome": "broken", "error": None}, ANY_ERROR),
    ],
)
def test_how_a_call_ended(changes: dict[str, object], end: str | None) -> None:
    assert end_of(a_decision(1, **changes)) == end


def test_a_refusal_says_what_refused() -> None:
    refused = {"attempts": (), "outcome": "refused"}
    assert reason_of(a_decision(1, error="BudgetExceeded: x", **refused), ()) == "budget"
    assert reason_of(a_decision(1, error="Nonsense", **refused), ()) == "other"
    assert reason_of(msgspec.structs.replace(WHOLE, attempts=(PASSED,)), ()) == "cascade"


@given(HOSTILE)
def test_only_words_of_closed_sets_come_out(decision: Decision) -> None:
    steps = tuple(moves(decision))
    assert reason_of(decision, steps) in REASONS
    assert all(cause_of(attempt) in CAUSES for attempt in decision.attempts)
    ends = {end_of(decision), *(error_of(attempt)[0] for attempt in decision.attempts)} - {None}
    assert all(end in vars(errors) or end in (ANY_ERROR, "cancelled", "interrupted") for end in ends)
