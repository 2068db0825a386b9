"""The text agrees with what was counted, and no input makes the number of series grow without bound."""

from decimal import Decimal

from prometheus_client.parser import text_string_to_metric_families

from tests.unit.ledger.samples import a_decision
from tierwise.core.decision import AttemptRecord, GateRecord
from tierwise.core.label import Tier
from tierwise.ledger.metrics import MAX_ENDPOINTS, Metrics

FAILED = AttemptRecord(
    endpoint="here",
    model="small",
    tier=Tier.LOCAL,
    started=1.5,
    verdict="next",
    gate=GateRecord(name="logprob", verdict="fail"),
)
PASSED = AttemptRecord(
    endpoint="away", model="big", tier=Tier.FRONTIER, started=1.5, verdict="ok", cost_usd=Decimal("0.25")
)


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def test_what_was_counted_is_shown() -> None:
    metrics = Metrics(lambda: 3)
    metrics.count(a_decision(1, attempts=(FAILED, PASSED)), 0.02)
    metrics.count(a_decision(2), 0.003)
    metrics.count(a_decision(3, attempts=(), outcome="refused"), 400.0)
    found = samples(metrics)
    assert found["tierwise_decisions_total", "answered", "frontier"] == 1
    assert found["tierwise_decisions_total", "refused", "none"] == 1
    assert found["tierwise_attempts_total", "here", "next"] == 1
    assert found["tierwise_attempts_total", "here", "ok"] == 1
    assert found["tierwise_cost_usd_total", "away"] == 0.25
    assert found["tierwise_escalations_total",] == 1
    assert found["tierwise_latency_seconds_bucket", "0.005"] == 1
    assert found["tierwise_latency_seconds_bucket", "0.025"] == 2
    assert found["tierwise_latency_seconds_bucket", "300.0"] == 2
    assert found["tierwise_latency_seconds_bucket", "+Inf"] == 3
    assert found["tierwise_latency_seconds_count",] == 3
    assert found["tierwise_ledger_pending_rows",] == 3


def test_nothing_counted_yet_is_still_text() -> None:
    assert samples(Metrics(lambda: 0))["tierwise_latency_seconds_count",] == 0


def test_two_of_them_do_not_share_anything() -> None:
    one, two = Metrics(lambda: 0), Metrics(lambda: 0)
    one.count(a_decision(1), 0.1)
    assert samples(two)["tierwise_latency_seconds_count",] == 0


def test_the_number_of_series_has_a_bound() -> None:
    metrics = Metrics(lambda: 0)
    for number in range(MAX_ENDPOINTS + 50):
        attempt = AttemptRecord(
            endpoint=f"e{number}", model="m", tier=Tier.LOCAL, started=0.0, verdict=f"v{number}", cost_usd=Decimal(1)
        )
        metrics.count(a_decision(number, attempts=(attempt,)), 0.1)
    found = samples(metrics)
    assert sum(name[0] == "tierwise_attempts_total" for name in found) == MAX_ENDPOINTS + 1
    assert found["tierwise_attempts_total", "other", "other"] == 50
    assert found["tierwise_cost_usd_total", "other"] == 50
