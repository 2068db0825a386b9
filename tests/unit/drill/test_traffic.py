"""Records become calls that say what decides and what came of it, and nothing else."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.gateway.test_replay import recorded
from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, Decision, GateRecord
from tierwise.core.errors import StoreError
from tierwise.core.grant import Grant
from tierwise.core.label import Label, Tier
from tierwise.core.rollout import RolloutRecord
from tierwise.core.usage import Usage
from tierwise.drill.traffic import Call, Gathering, Traffic, usage_of
from tierwise.ledger.encode import encode_decision


def gathered(*decisions: Decision) -> Traffic:
    gathering = Gathering()
    gathering.add(map(encode_decision, decisions))
    return gathering.traffic()


def attempt(verdict: str, started: float = 0.0, gate: str | None = None, usage: Usage | None = None) -> AttemptRecord:
    judged = None if gate is None else GateRecord(name="empty", verdict="fail" if gate == "fail" else "pass")
    return AttemptRecord(
        endpoint="out", model="far", tier=Tier.FRONTIER, started=started, duration_ms=1500.0, first_byte_ms=250.5,
        verdict=verdict, gate=judged, usage=usage,
    )  # fmt: skip


def answered(*attempts: AttemptRecord, ts: float = 0.0, outcome: str = "answered") -> Decision:
    return msgspec.structs.replace(
        recorded("far"), attempts=attempts, outcome=outcome, ts=ts, total_cost_usd=Decimal(0)
    )


@pytest.mark.parametrize(
    ("verdict", "gate", "ended"),
    [
        ("ok", "pass", "answered"),
        ("escalate", "fail", "gate"),
        ("next", None, "failed"),
        ("retry_same", None, "failed"),
        ("stop", None, "stopped"),
        ("cancelled", None, "left"),
    ],
)
def test_an_attempt_ended_as_its_verdict_says(verdict: str, gate: str | None, ended: str) -> None:
    (call,) = gathered(answered(attempt(verdict, gate=gate))).calls
    assert [one.ended for one in call.tries] == [ended]


def test_times_are_whole_microseconds_from_the_first_attempt_on() -> None:
    (call,) = gathered(answered(attempt("next", 100.25), attempt("ok", 102.0), ts=100.0)).calls
    assert call.at_us == 100_250_000 and call.took_us == 1_750_000 + 1_500_000
    assert [(one.starts_us, one.took_us, one.first_us) for one in call.tries] == [
        (0, 1_500_000, 250_500),
        (1_750_000, 1_500_000, 250_500),
    ]


def test_calls_come_in_the_order_of_time_and_share_what_they_have_in_common() -> None:
    later, sooner = (answered(attempt("ok", at)) for at in (5.0, 3.0))
    odd = msgspec.structs.replace(recorded("far", Label.RESTRICTED), outcome="refused", ts=4.0)
    found = gathered(later, sooner, odd)
    assert [call.at_us for call in found.calls] == [3_000_000, 4_000_000, 5_000_000]
    assert [call.kind for call in found.calls] == [0, 1, 0] and len(found.kinds) == 2


def test_what_no_caller_waited_for_is_skipped_and_counted() -> None:
    dry = msgspec.structs.replace(recorded(), outcome="dry_run")
    copy = msgspec.structs.replace(answered(attempt("ok")), rollout=RolloutRecord(release=1, arm="shadow", of="x"))
    tried = msgspec.structs.replace(answered(attempt("ok")), rollout=RolloutRecord(release=1, arm="canary"))
    found = gathered(dry, copy, tried)
    assert (len(found.calls), found.skipped) == (1, 2)


def test_what_a_key_denied_is_known_from_its_record() -> None:
    narrow = Grant(name="k", models=("mid", "near"), label=Label.RESTRICTED)
    (kind,) = gathered(msgspec.structs.replace(recorded(grant=narrow), outcome="refused")).kinds
    assert kind.key == "k" and set(kind.models or ()) == {"mid", "near"} and not kind.low
    (kind,) = gathered(msgspec.structs.replace(recorded(), outcome="refused")).kinds
    assert kind.models is None


def test_the_source_names_exactly_these_bytes() -> None:
    def digest(*records: bytes) -> str:
        gathering = Gathering()
        gathering.add(records)
        return gathering.source(0.0, 0, len(records)).sha256

    one, other = (encode_decision(answered(attempt("ok", at))) for at in (1.0, 2.0))
    assert digest(one, other) != digest(other, one) != digest(other) != digest()
    with pytest.raises(StoreError):
        digest(b"{}")


def test_tokens_are_the_models_own_else_the_last_on_record_else_an_estimate() -> None:
    mine, last = Usage(input=1), Usage(input=2, estimated=True)
    (call,) = gathered(answered(attempt("next", usage=mine), attempt("ok", usage=last))).calls
    call = Call(*(getattr(call, name) for name in call.__struct_fields__[:-1]), (call.tries[0], _as(call, "mid")))
    features = Features(input_tokens_est=0, max_output_tokens=7)
    assert usage_of(call, "far", features) == (mine, False)
    assert usage_of(call, "near", features) == (last, True)
    bare = msgspec.structs.replace(call, tries=())
    assert usage_of(bare, "far", features) == (Usage(input=call.read, output=7, estimated=True), True)


def _as(call: Call, model: str) -> object:
    return msgspec.structs.replace(call.tries[1], model=model)
