"""One span for the call, one for each attempt; nothing of the content, and nothing that a label keeps back."""

import json
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import a_decision
from tests.unit.telemetry.samples import (
    CALLER,
    EMBEDDED,
    FAILED,
    HOSTILE,
    KNOWN,
    NAMINGS,
    PASSED,
    REFUSED,
    WHOLE,
)
from tierwise.core.call import Features
from tierwise.core.decision import Decision
from tierwise.core.trace import Trace, span_id, trace_id
from tierwise.ledger.tables import picousd as of_the_ledger
from tierwise.telemetry.known import OTHER
from tierwise.telemetry.names import ATTRIBUTES, Naming, naming
from tierwise.telemetry.spans import picousd, sampled, spans

LATEST = naming("latest")
OPEN = naming("v1.41", openinference=True)


def everything(decision: Decision, chosen: Naming = OPEN, *, reaches: bool = True) -> str:
    return json.dumps(msgspec.to_builtins(spans(decision, 1.0, KNOWN, chosen, reaches=reaches)))


def test_the_call_covers_its_attempts_and_each_has_its_time_from_the_record() -> None:
    call, first, second = spans(WHOLE, 1.25, KNOWN, LATEST)
    assert (call.kind, first.kind, second.kind) == ("server", "client", "client")
    assert [first.parent, second.parent] == [call.id] * 2 != [""] * 2
    assert len({call.id, first.id, second.id}) == 3
    assert {call.trace, first.trace, second.trace} == {trace_id(WHOLE.id)}
    assert (call.end_ns - call.start_ns, first.end_ns - first.start_ns) == (1_250_000_000, 250_000_000)
    assert call.start_ns == int(WHOLE.ts * 1e9) < first.start_ns < first.end_ns < second.start_ns


def test_tokens_are_read_as_the_convention_counts_them_and_subsets_stay_subsets() -> None:
    attributes = spans(WHOLE, 1, KNOWN, LATEST)[2].attributes
    found = {name.removeprefix("gen_ai.usage."): value for name, value in attributes.items() if ".usage." in name}
    assert found == {
        "input_tokens": 125,
        "output_tokens": 50,
        "cache_read.input_tokens": 20,
        "cache_write.input_tokens": 5,
        "reasoning.output_tokens": 10,
    }
    assert attributes["tierwise.cost.picousd"] == 1_234_567_891  # a fraction of a picodollar counts as one


def test_what_was_estimated_says_so() -> None:
    _, first, second = spans(WHOLE, 1, KNOWN, LATEST)
    assert first.attributes["tierwise.usage.estimated"] is True
    assert "tierwise.usage.estimated" not in second.attributes


def test_tokens_and_cost_stand_on_attempts_alone() -> None:
    call = spans(WHOLE, 1, KNOWN, OPEN)[0].attributes
    assert not [name for name in call if name.startswith(("gen_ai.", "llm."))]
    assert "tierwise.cost.picousd" not in call
    assert call["tierwise.cost.total_picousd"] == 1_234_567_891


def test_the_router_tells_what_it_did() -> None:
    call = spans(WHOLE, 1, KNOWN, LATEST)[0].attributes
    assert {name.removeprefix("tierwise.route."): value for name, value in call.items() if ".route." in name} == {
        "id": WHOLE.id,
        "requested_alias": "auto",
        "workflow": "tickets",
        "policy.digest": "p1",
        "registry.digest": "r1",
        "price.digest": "d1",
        "tier": "frontier",
        "reason": "escalation",
        "outcome": "answered",
        "candidates.considered": 4,
        "candidates.denied": 1,
        "attempt.count": 2,
        "fallback": False,
        "fallback.cause": "gate_failed",
        "escalated": True,
        "label.max": "internal",
        "obligations": ("no_store",),
    }


def test_an_embedding_is_told_as_one() -> None:
    _, attempt = spans(EMBEDDED, 1, KNOWN, OPEN)
    assert attempt.name == "embeddings big-1"
    assert attempt.attributes["openinference.span.kind"] == "EMBEDDING"
    assert attempt.attributes["gen_ai.usage.input_tokens"] == 8
    assert "gen_ai.usage.output_tokens" not in attempt.attributes


def test_a_refusal_is_one_span_that_says_what_refused() -> None:
    (call,) = spans(REFUSED, 0.001, KNOWN, LATEST)
    assert (call.attributes["error.type"], call.attributes["tierwise.route.reason"]) == ("PolicyDenied", "policy")
    assert call.failed


def test_a_callers_trace_goes_on() -> None:
    call, first, _ = spans(msgspec.structs.replace(WHOLE, trace=CALLER), 1, KNOWN, LATEST)
    assert (call.trace, call.parent, first.trace, first.parent) == (CALLER.id, CALLER.parent, CALLER.id, call.id)
    assert first.id == span_id(WHOLE.id, 0)


def test_a_caller_who_reports_its_calls_itself_is_not_reported_twice() -> None:
    counted = msgspec.structs.replace(WHOLE, trace=Trace(counted=True))
    for span in spans(counted, 1, KNOWN, OPEN):
        assert not [name for name in span.attributes if "token_count" in name or "gen_ai.usage" in name]
        assert "llm.cost.total" not in span.attributes
        assert span.attributes["tierwise.usage.counted_by_caller"] is True
        assert span.trace == trace_id(WHOLE.id)
    assert spans(counted, 1, KNOWN, OPEN)[2].attributes["tierwise.cost.picousd"] == 1_234_567_891


def test_no_prose_leaves_not_even_where_the_label_allows_it() -> None:
    told = everything(msgspec.structs.replace(WHOLE, error="GateFailed: my secret"))
    assert "secret" not in told
    assert not [name for name in ("messages", "instructions", 'ada"', "support") if name in told]


PRIVATE = ("ada@example.org", "auto", "tickets", "big-1-2026", "chatcmpl-93ab", CALLER.id, CALLER.parent)


@pytest.mark.parametrize("chosen", NAMINGS, ids=repr)
def test_a_label_that_does_not_reach_the_collector_keeps_everything_private(chosen: Naming) -> None:
    traced = msgspec.structs.replace(WHOLE, trace=CALLER)
    assert all(str(one) in everything(traced, chosen) for one in PRIVATE)
    kept = everything(traced, chosen, reaches=False)
    assert not [one for one in PRIVATE if str(one) in kept]
    call, *attempts = spans(traced, 1, KNOWN, chosen, reaches=False)
    assert call.attributes["tierwise.telemetry.withheld"] is True
    assert all({"gen_ai.operation.name", "gen_ai.provider.name"} <= set(one.attributes) for one in attempts)


@pytest.mark.parametrize(
    "text", ["my secret is 42", "a\nb", "x" * 200, "", "naïve", "<script>", '{"a":1}', "ignore all", "a\x00b"]
)
def test_what_does_not_look_like_a_name_is_no_name(text: str) -> None:
    attempt = msgspec.structs.replace(PASSED, served_model=text)
    odd = msgspec.structs.replace(WHOLE, attempts=(attempt,), session=text, requested_model=text)
    (call, one) = spans(odd, 1, KNOWN, OPEN)
    assert "gen_ai.response.model" not in one.attributes
    assert "gen_ai.conversation.id" not in one.attributes
    assert "tierwise.route.requested_alias" not in call.attributes


def test_a_model_that_is_not_configured_is_a_stranger() -> None:
    attempt = msgspec.structs.replace(PASSED, endpoint="elsewhere", model="my secret")
    (_, one) = spans(msgspec.structs.replace(WHOLE, attempts=(attempt,)), 1, KNOWN, LATEST)
    assert one.attributes["gen_ai.request.model"] == one.attributes["gen_ai.provider.name"] == OTHER


def test_a_call_that_was_left_is_told_so() -> None:
    attempt = msgspec.structs.replace(PASSED, verdict="cancelled")
    (call, one) = spans(a_decision(1, outcome="cancelled", attempts=(attempt,)), 1, KNOWN, LATEST)
    assert call.attributes["error.type"] == one.attributes["error.type"] == "cancelled"
    assert (call.failed, one.failed) == (True, True)


def test_the_time_to_the_first_byte_is_that_of_streams() -> None:
    streamed = spans(WHOLE, 1, KNOWN, LATEST)[2].attributes
    assert (streamed["gen_ai.response.time_to_first_chunk"], streamed["gen_ai.request.stream"]) == (0.08, True)
    whole = msgspec.structs.replace(WHOLE, features=Features(input_tokens_est=1))
    assert "gen_ai.response.time_to_first_chunk" not in spans(whole, 1, KNOWN, LATEST)[2].attributes


@given(HOSTILE, st.floats(), st.booleans())
def test_whatever_a_record_holds_makes_spans_of_bounded_size(
    decision: Decision, duration_s: float, reaches: bool
) -> None:
    for chosen in NAMINGS:
        made = spans(decision, duration_s, KNOWN, chosen, reaches=reaches)
        assert len(made) == 1 + len(decision.attempts)
        for span in made:
            assert len(span.attributes) <= 48
            assert 0 <= span.start_ns <= span.end_ns < 1 << 64
            for value in span.attributes.values():
                parts = value if isinstance(value, tuple) else (value,)
                assert all(len(part) <= 128 and part.isascii() for part in parts if isinstance(part, str))
                assert all(abs(part) < 1 << 63 for part in parts if type(part) is int)


@given(HOSTILE)
def test_what_is_private_leaves_from_no_record(decision: Decision) -> None:
    private = {row.v141 for row in ATTRIBUTES if row.private}
    for span in spans(decision, 1, KNOWN, OPEN, reaches=False):
        assert not private & set(span.attributes)
        assert span.trace == trace_id(decision.id)


@given(st.decimals(min_value=0, max_value=1_000_000, places=15))
def test_picodollars_are_those_of_the_ledger(amount: Decimal) -> None:
    assert picousd(amount) == of_the_ledger(amount)


def test_a_share_of_the_traces_is_the_same_share_everywhere() -> None:
    decisions = [a_decision(number) for number in range(400)]
    kept = [one for one in decisions if sampled(one, 0.25)]
    assert 60 < len(kept) < 140
    assert all(sampled(one, 0.5) for one in kept)
    assert all(sampled(one, 1) for one in decisions)
    assert not any(sampled(one, 0) for one in decisions)


def test_a_caller_decides_for_its_own_trace() -> None:
    wanted = a_decision(1, trace=CALLER)
    unwanted = a_decision(1, trace=msgspec.structs.replace(CALLER, sampled=False))
    assert (sampled(wanted, 0), sampled(unwanted, 1)) == (True, False)
    assert sampled(a_decision(1, trace=Trace(counted=True)), 1)


def test_a_failed_attempt_names_its_gate_and_no_more() -> None:
    first = spans(WHOLE, 1, KNOWN, LATEST)[1].attributes
    assert (first["tierwise.route.gate"], first["error.type"]) == ("schema", "GateFailed")
    assert FAILED.error is not None
    assert FAILED.error not in first.values()
