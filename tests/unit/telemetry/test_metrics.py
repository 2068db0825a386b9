"""The text agrees with what was counted, and no input makes the number of series grow without bound."""

from collections.abc import Iterable
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.ledger.samples import a_decision
from tests.unit.telemetry.samples import EMBEDDED, FAILED, HOSTILE, KNOWN, PASSED, PROFILES, REFUSED, WHOLE
from tierwise.core.decision import Decision
from tierwise.telemetry.families import Family, Point, gauge, text
from tierwise.telemetry.metrics import Metrics
from tierwise.telemetry.names import naming

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def counted(*decisions: Decision, seconds: float = 0.02) -> Metrics:
    metrics = Metrics(KNOWN)
    for decision in decisions:
        metrics.count(decision, seconds)
    return metrics


def samples(metrics: Metrics) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def one(found: Samples, name: str, **labels: str) -> float:
    """Return the sum of the series that have these labels."""
    fitting = [
        value for (this, theirs), value in found.items() if this == name and labels.items() <= dict(theirs).items()
    ]
    assert fitting, f"no {name} with {labels}"
    return sum(fitting)


def test_what_was_counted_is_shown() -> None:
    found = samples(counted(WHOLE, EMBEDDED, REFUSED))
    assert one(found, "tierwise_decisions_total", tier="frontier", outcome="answered", reason="escalation") == 1
    assert (
        one(found, "tierwise_decisions_total", tier="none", outcome="refused", reason="policy", label="restricted") == 1
    )
    assert one(found, "tierwise_workflow_calls_total", workflow="tickets") == 1
    assert one(found, "tierwise_workflow_calls_total", workflow="none") == 2
    assert one(found, "tierwise_attempts_total", endpoint="here", model="small", verdict="escalate") == 1
    assert one(found, "tierwise_attempts_total", endpoint="away", model="big", verdict="ok") == 2
    assert one(found, "tierwise_escalations_total", **{"cause": "gate_failed", "from": "local", "to": "frontier"}) == 1
    assert one(found, "tierwise_gate_failures_total", gate="schema") == 1
    assert one(found, "tierwise_policy_denials_total", by="rule", tier="frontier") == 1
    assert one(found, "tierwise_latency_seconds_count") == 3
    assert one(found, "tierwise_attempt_duration_seconds_count", error="GateFailed") == 1
    assert one(found, "tierwise_attempt_duration_seconds_sum", model="big", operation="chat") == 0.7
    assert one(found, "tierwise_attempt_first_chunk_seconds_count") == 2


def test_tokens_are_counted_with_their_subsets_and_their_source() -> None:
    found = samples(counted(WHOLE))
    assert one(found, "tierwise_tokens_input_total", source="reported") == 125
    assert one(found, "tierwise_tokens_input_total", source="estimated") == 125
    assert one(found, "tierwise_tokens_output_total", model="big") == 50
    assert one(found, "tierwise_tokens_cache_read_total", model="big") == 20
    assert one(found, "tierwise_tokens_cache_write_total", model="big") == 5
    assert one(found, "tierwise_tokens_reasoning_total", model="big") == 10


def test_money_is_shown_to_the_last_digit() -> None:
    cent = msgspec.structs.replace(PASSED, cost_usd=Decimal("0.000000000001"))
    text_of = counted(WHOLE, *[a_decision(n, attempts=(cent,)) for n in range(3)]).render().decode()
    assert (
        'tierwise_cost_usd_total{endpoint="away",model="big",operation="chat",workflow="tickets"} 0.0012345678901\n'
        in text_of
    )
    assert 'workflow="none"} 0.000000000003\n' in text_of


def test_machines_of_ones_own_cost_what_no_bill_says() -> None:
    ours = msgspec.structs.replace(PASSED, cost_usd=None, own_usd=Decimal("0.000000000003"))
    found = samples(counted(*[a_decision(n, attempts=(ours,)) for n in range(3)]))
    assert one(found, "tierwise_cost_own_usd_total", workflow="none") == pytest.approx(9e-12)


def test_a_retry_is_no_fallback() -> None:
    again = msgspec.structs.replace(FAILED, gate=None, error="Overloaded 503: x", verdict="retry_same")
    found = samples(counted(a_decision(1, attempts=(again, again, PASSED))))
    assert one(found, "tierwise_retries_total", cause="server_error") == 1
    assert one(found, "tierwise_fallbacks_total", cause="server_error") == 1


def test_buckets_hold_what_is_at_most_their_bound() -> None:
    metrics = counted(*(a_decision(n, attempts=()) for n in range(3)), seconds=0.02)
    metrics.count(a_decision(9, attempts=()), 400.0)
    found = samples(metrics)
    assert one(found, "tierwise_latency_seconds_bucket", le="0.01") == 0
    assert one(found, "tierwise_latency_seconds_bucket", le="0.02") == 3
    assert one(found, "tierwise_latency_seconds_bucket", le="81.92") == 3
    assert one(found, "tierwise_latency_seconds_bucket", le="+Inf") == 4


def test_waiting_for_the_ledger_is_counted() -> None:
    metrics = Metrics(KNOWN)
    metrics.wrote("outcome", 0.002)
    assert one(samples(metrics), "tierwise_ledger_write_seconds_bucket", what="outcome", le="0.0025") == 1


def test_two_of_them_do_not_share_anything() -> None:
    assert counted(WHOLE).render() != Metrics(KNOWN).render()


def test_what_is_watched_is_asked_for_each_time() -> None:
    metrics, numbers = Metrics(KNOWN), iter((3, 4))
    metrics.watch(lambda: gauge("tierwise.ledger.pending_rows", "t", next(numbers)))
    assert [one(samples(metrics), "tierwise_ledger_pending_rows") for _ in range(2)] == [3, 4]


def keys_of(families: Iterable[Family]) -> set[tuple[str, tuple[object, ...]]]:
    return {(family.name, (*point.labels.items(),)) for family in families for point in family.points}


@given(st.lists(HOSTILE, max_size=4))
def test_no_traffic_can_make_a_series(decisions: list[Decision]) -> None:
    metrics = counted(*decisions)
    words = {"here", "away", "small", "big", "small-7b", "big-1", "tickets", "engine", "vendor.outside", "api.example"}
    names = {str(value) for family in metrics.families() for point in family.points for value in point.labels.values()}
    for profile in PROFILES:
        names |= {str(v) for f in metrics.conventions(naming(profile)) for p in f.points for v in p.labels.values()}
    assert names <= words | CLOSED
    assert samples(metrics) is not None  # whatever was counted can be read


CLOSED = {
    "none", "other", "443", "chat", "embeddings", "local", "self_hosted", "frontier", "public", "internal", "confidential",
    "restricted", "pending", "answered", "flagged", "review", "refused", "failed", "broken", "cancelled", "interrupted",
    "dry_run", "cheapest_sufficient", "best", "fastest", "cascade", "weighted", "pinned", "fallback", "escalation", "policy",
    "budget", "limit", "no_candidate", "busy", "ok", "retry_same", "next", "stop", "escalate", "_OTHER", "reported",
    "estimated", "text", "unknown", "input", "output", "ceiling", "rule", "key", "pseudonymise", "gate_failed",
}  # fmt: skip


def test_ten_thousand_strangers_make_no_more_series_than_one() -> None:
    def strange(number: int) -> Decision:
        attempt = msgspec.structs.replace(
            FAILED, endpoint=f"e{number}", model=f"m{number}", verdict=f"v{number}", error=f"Error{number}: x"
        )
        return a_decision(number, attempts=(attempt,), workflow=f"w{number}", session=f"s{number}", key_id=f"k{number}")

    many, one = (keys_of(counted(*map(strange, range(count))).families()) for count in (10_000, 1))
    assert len(many) == len(one)  # and no list of ten thousand where they differ
    assert many == one


@pytest.mark.parametrize("nasty", ['a"b', "a\\b", "a\nb", 'a"} 1\nevil 1'])
def test_a_label_cannot_end_its_line(nasty: str) -> None:
    family = Family(name="a.b", kind="counter", text="t", points=(Point(labels={"x": nasty}, value=1),))
    (read,) = text_string_to_metric_families(text([family]).decode())
    assert [(sample.labels, sample.value) for sample in read.samples] == [({"x": nasty}, 1.0)]
