"""How much, how fast, how dear? Counters of decisions, shown as Prometheus text.

Counting is a few dictionary steps; families are built only when somebody asks. Label values come from closed sets and
from the configured endpoints; whatever goes beyond `MAX_ENDPOINTS` names is counted under `other`.
Invariant: no global registry, and the number of time series has a bound.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from tierwise.core.decision import STOPPED, AttemptRecord, Decision
from tierwise.core.errors import Verdict
from tierwise.ledger.tables import tier_of

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_ENDPOINTS = 256
OTHER = "other"
LATENCY_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_VERDICTS = frozenset((*(verdict.value for verdict in Verdict), STOPPED))


class Metrics(Collector):
    """The counters of one process. Not thread-safe: count and render in the same thread."""

    def __init__(self, pending_rows: Callable[[], int]) -> None:
        """`pending_rows` says how many ledger rows wait for the disk; it is asked when the text is made."""
        self._pending_rows = pending_rows
        self._decisions: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._attempts: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._cost_usd: defaultdict[str, Decimal] = defaultdict(Decimal)
        self._escalations = 0
        self._latency = [0] * (len(LATENCY_BUCKETS_S) + 1)
        self._latency_sum_s = 0.0
        self._endpoints: set[str] = set()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def count(self, decision: Decision, duration_s: float) -> None:
        """Count a decision whose outcome is known, with the time from the request to the end of the answer."""
        self._decisions[tier_of(decision) or "none", decision.outcome] += 1
        self._latency[bisect_left(LATENCY_BUCKETS_S, duration_s)] += 1
        self._latency_sum_s += duration_s
        for attempt in decision.attempts:
            self._count_attempt(attempt)

    def render(self) -> bytes:
        """Return everything as Prometheus text (`CONTENT_TYPE`)."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Build the families; called by the registry."""
        decisions = CounterMetricFamily(
            "tierwise_decisions", "Calls by tier of the last attempt and outcome.", labels=["tier", "outcome"]
        )
        for pair, number in sorted(self._decisions.items()):
            decisions.add_metric(pair, number)
        yield decisions
        attempts = CounterMetricFamily(
            "tierwise_attempts", "Attempts by endpoint and what followed.", labels=["endpoint", "verdict"]
        )
        for pair, number in sorted(self._attempts.items()):
            attempts.add_metric(pair, number)
        yield attempts
        cost = CounterMetricFamily("tierwise_cost_usd", "Known cost of attempts in US dollars.", labels=["endpoint"])
        for endpoint, amount in sorted(self._cost_usd.items()):
            cost.add_metric([endpoint], float(amount))
        yield cost
        yield CounterMetricFamily(
            "tierwise_escalations",
            "Answers that failed a quality gate and were asked for elsewhere.",
            self._escalations,
        )
        yield self._latency_family()
        yield GaugeMetricFamily(
            "tierwise_ledger_pending_rows", "Ledger rows that wait for the disk.", self._pending_rows()
        )

    def _count_attempt(self, attempt: AttemptRecord) -> None:
        endpoint = attempt.endpoint
        if endpoint not in self._endpoints:
            endpoint = self._admit(endpoint)
        verdict = attempt.verdict if attempt.verdict in _VERDICTS else OTHER
        self._attempts[endpoint, verdict] += 1
        if attempt.cost_usd:
            self._cost_usd[endpoint] += attempt.cost_usd
        if attempt.gate is not None and attempt.gate.verdict == "fail" and verdict == Verdict.NEXT:
            self._escalations += 1

    def _admit(self, endpoint: str) -> str:
        if len(self._endpoints) >= MAX_ENDPOINTS:
            return OTHER
        self._endpoints.add(endpoint)
        return endpoint

    def _latency_family(self) -> Metric:
        buckets: list[tuple[str, float]] = []
        below = 0
        for bound, number in zip((*map(str, LATENCY_BUCKETS_S), "+Inf"), self._latency, strict=True):
            below += number
            buckets.append((bound, below))
        return HistogramMetricFamily(
            "tierwise_latency_seconds",
            "From the request to the end of the answer, as the gateway sees it.",
            buckets=buckets,
            sum_value=self._latency_sum_s,
        )
