from typing import Any

import msgspec
import pytest

from tierwise.core.answer import Answer, Choice, ToolCall
from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision, GateRecord, Labelled
from tierwise.core.label import Label, Tier
from tierwise.evals.outcome import Heard, accepted, outcome_of, text_of


def attempt(**fields: Any) -> AttemptRecord:
    return AttemptRecord(endpoint="e", model="m", tier=Tier.LOCAL, started=0.0, **fields)


def decision(*attempts: AttemptRecord, outcome: Any = "answered", excluded_by: str | None = None) -> Decision:
    return Decision(
        id="d", ts=0.0, requested_model="m", caller_wire="chat", features=Features(input_tokens_est=1),
        label=Labelled(value=Label.PUBLIC), attempts=attempts, outcome=outcome,
        candidates=(CandidateRecord(model="m", endpoint="e", tier=Tier.LOCAL, allowed=False, excluded_by=excluded_by),),
    )  # fmt: skip


def heard(choice: Choice | None, *attempts: AttemptRecord, **fields: Any) -> Heard:
    answer = None if choice is None else Answer(choices=(choice,))
    return Heard(answer=answer, decision=decision(*attempts, **fields))


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (Choice(text="yes", finish="stop"), "answered"),
        (Choice(text=" \n"), "unparsed"),
        (Choice(refusal="I will not."), "refusal"),
        (Choice(text="I cannot help with that."), "refusal"),
        (Choice(text="ye", finish="content_filter"), "refusal"),
        (Choice(text="ye", finish="length"), "truncated"),
        (Choice(tool_calls=(ToolCall(name="f", arguments="{}"),)), "answered"),
    ],
)
def test_what_came_has_a_class(choice: Choice, expected: str) -> None:
    assert outcome_of(heard(choice, attempt()))[0] == expected


@pytest.mark.parametrize(
    ("gate", "expected"),
    [("json", "unparsed"), ("schema", "unparsed"), ("truncated", "truncated"), ("empty", "unparsed"),
     ("refusal", "refusal"), ("min_logprob", "answered"), ("repetition", "answered")],
)  # fmt: skip
def test_a_withheld_answer_is_missing_only_where_it_could_not_be_used(gate: str, expected: str) -> None:
    failed = attempt(gate=GateRecord(name=gate, verdict="fail", detail="x"), error="GateFailed: x")
    assert outcome_of(heard(Choice(text="yes"), failed, outcome="failed"))[0] == expected
    # A server tells the class of what it withheld, and keeps the words.
    without = outcome_of(heard(None, failed, outcome="failed"))[0]
    assert without == ("failed" if expected == "answered" else expected)


@pytest.mark.parametrize(
    ("error", "expected"),
    [("TimedOut: too slow", "timeout"), ("PolicyDenied: no", "denied"), ("BudgetExceeded: spent", "denied"),
     ("Overloaded 503: full", "failed"), ("BadReply: junk", "failed"), (None, "failed")],
)  # fmt: skip
def test_an_attempt_that_failed_says_how(error: str | None, expected: str) -> None:
    assert outcome_of(heard(None, attempt(error=error), outcome="failed"))[0] == expected


def test_who_was_never_asked_was_denied_or_rested() -> None:
    denied = heard(None, outcome="refused", excluded_by="ceiling")
    resting = heard(None, outcome="refused", excluded_by="health")
    assert (outcome_of(denied)[0], denied.resting) == ("denied", False)
    assert (outcome_of(resting)[0], resting.resting) == ("failed", True)
    assert heard(None, attempt(error="RateLimited 429: later"), outcome="failed").resting
    assert not heard(Choice(text="x"), attempt()).resting


def test_gates_accept_or_do_not_or_were_not_asked() -> None:
    assert accepted(None) is accepted(attempt()) is None
    assert accepted(attempt(gate=GateRecord(name="none", verdict="pass"))) is None
    assert accepted(attempt(gate=GateRecord(name="empty", verdict="pass"))) is True
    assert accepted(attempt(gate=GateRecord(name="min_logprob", verdict="fail"))) is False


def test_half_a_character_can_be_written_down() -> None:
    assert msgspec.json.encode(text_of(Choice(text="a\ud800b"))) == b'"a?b"'
