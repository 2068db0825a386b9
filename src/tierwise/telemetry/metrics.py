"""How much, how fast, how dear, how good? Counts of decisions, as families under our names and under the conventions'.

Counting is a few dictionary steps; families are made only when somebody asks. A label's value is of a closed set or
from the configuration, anything else is `other`: no traffic can make a series.
Invariant: no global registry; every decision is counted, whatever becomes of its spans.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal

from tierwise.core.decision import AttemptRecord, Decision, of_policy
from tierwise.telemetry.causes import OTHER, VERDICTS, error_of, failed_gate, moves, reason_of
from tierwise.telemetry.families import Family, Point, text
from tierwise.telemetry.known import NONE, Known, Served
from tierwise.telemetry.names import METRICS, Metric, Naming

SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(float(4**power) for power in range(14))
WRITES = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""The first two are those that the conventions advise."""
BUCKETS = ("input", "output", "cache_read", "cache_write", "reasoning")
_TOLD = {
    "input": "Tokens read, cached ones too.",
    "output": "Tokens written, reasoning too.",
    "cache_read": "Of the tokens read, those from a cache.",
    "cache_write": "Of the tokens read, those into a cache.",
    "reasoning": "Of the tokens written, those of reasoning.",
}
_MOVES = {
    "retry": ("tierwise.retries", "Second attempts at the same model."),
    "fallback": ("tierwise.fallbacks", "Moves to another model after a failure."),
    "escalation": ("tierwise.escalations", "Moves to another model after an answer that was not good enough."),
}
Key = tuple[str, ...]


class Histogram:
    """Numbers by bucket, and their sum."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds, self.counts, self.total = bounds, [0] * (len(bounds) + 1), 0.0

    def add(self, number: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, number)] += 1
        self.total += number

    def point(self, **labels: str | int) -> Point:
        """Return it as it stands."""
        return Point(labels=labels, value=self.total, counts=tuple(self.counts))


class _Tally:
    """What one model did, of one operation."""

    __slots__ = (
        "cost", "durations", "first_chunk", "gates", "input", "operation", "output", "own", "served", "suspicious",
        "tokens", "unknown", "verdicts",
    )  # fmt: skip

    def __init__(self, served: Served, operation: str) -> None:
        self.served, self.operation = served, operation
        self.verdicts: defaultdict[str, int] = defaultdict(int)
        self.durations: defaultdict[str | None, Histogram] = defaultdict(lambda: Histogram(SECONDS))
        self.first_chunk = Histogram(SECONDS)
        self.input, self.output = Histogram(TOKENS), Histogram(TOKENS)
        self.tokens: defaultdict[Key, list[int]] = defaultdict(lambda: [0] * len(BUCKETS))
        self.cost: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.own: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.gates: defaultdict[str, int] = defaultdict(int)
        self.unknown, self.suspicious = Decimal(0), 0

    def count(self, decision: Decision, attempt: AttemptRecord, workflow: str) -> None:
        """Count one attempt."""
        self.verdicts[attempt.verdict if attempt.verdict in VERDICTS else OTHER] += 1
        if attempt.duration_ms is not None:
            self.durations[error_of(attempt)[0]].add(attempt.duration_ms / 1000)
        if decision.features.stream and attempt.first_byte_ms:
            self.first_chunk.add(attempt.first_byte_ms / 1000)
        if attempt.cost_usd:
            self.cost[workflow] += attempt.cost_usd
        if attempt.own_usd:
            self.own[workflow] += attempt.own_usd
        if attempt.unknown_usd:
            self.unknown += attempt.unknown_usd
        gate = failed_gate(attempt)
        if gate is not None:
            self.gates[gate] += 1
        self.suspicious += attempt.suspicion is not None
        if attempt.usage is not None:
            self._read(decision, attempt)

    def _read(self, decision: Decision, attempt: AttemptRecord) -> None:
        usage, features = attempt.usage, decision.features
        if usage is None:
            return
        plain = not features.images and not features.files
        tokens = self.tokens["estimated" if usage.estimated else "reported", "text" if plain else "unknown"]
        tokens[0] += usage.read
        tokens[1] += usage.written
        tokens[2] += usage.cache_read
        tokens[3] += usage.cache_write + usage.cache_write_1h
        tokens[4] += usage.reasoning
        self.input.add(usage.read)
        self.output.add(usage.written)


class Metrics:
    """The counters of one process. Not thread-safe: count and make families in the same thread."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._decisions: defaultdict[Key, int] = defaultdict(int)
        self._workflows: defaultdict[Key, int] = defaultdict(int)
        self._moves: defaultdict[Key, int] = defaultdict(int)
        self._denials: defaultdict[Key, int] = defaultdict(int)
        self._latency: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(SECONDS))
        self._writes: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(WRITES))
        self._tallies: dict[Key, _Tally] = {}
        self._watched: list[Callable[[], Family]] = []

    def count(self, decision: Decision, duration_s: float) -> None:
        """Count a decision whose outcome is known, with the time from the request to the end of the answer."""
        steps = tuple(moves(decision)) if len(decision.attempts) > 1 else ()
        tier = decision.attempts[-1].tier.value if decision.attempts else NONE
        workflow = self._known.workflow(decision.workflow)
        self._decisions[tier, decision.outcome, reason_of(decision, steps), decision.label.value.value] += 1
        self._workflows[workflow, decision.outcome] += 1
        self._latency[tier].add(duration_s)
        operation = "embeddings" if decision.features.embeddings else "chat"
        for attempt in decision.attempts:
            self._tally(attempt.endpoint, attempt.model, operation).count(decision, attempt, workflow)
        for step in steps:
            self._moves[step.kind, step.cause, step.before.tier.value, step.after.tier.value] += 1
        for candidate in decision.candidates:
            if not candidate.allowed and of_policy(candidate.excluded_by):
                self._denials[(candidate.excluded_by or "").partition(":")[0], candidate.tier.value] += 1

    def wrote(self, what: str, seconds: float) -> None:
        """Count how long a call waited for the ledger; `what` is one of a closed set."""
        self._writes[what].add(seconds)

    def watch(self, made: Callable[[], Family]) -> None:
        """Show one more family, made when somebody asks."""
        self._watched.append(made)

    def render(self) -> bytes:
        """Return everything as Prometheus text."""
        return text(self.families())

    def families(self) -> Iterator[Family]:
        """Give everything that is counted, under our names."""
        yield _counter("tierwise.decisions", "Calls, by the tier that was asked last.", self._decisions,
                       ("tier", "outcome", "reason", "label"))  # fmt: skip
        yield _counter("tierwise.workflow.calls", "Calls by workflow.", self._workflows, ("workflow", "outcome"))
        latency = tuple(one.point(tier=tier) for tier, one in sorted(self._latency.items()))
        yield _histogram("tierwise.latency", "From the request to the end of the answer.", latency)
        yield from self._of_attempts()
        for kind, (name, told) in _MOVES.items():
            found = {key[1:]: number for key, number in self._moves.items() if key[0] == kind}
            yield _counter(name, told, found, ("cause", "from", "to"))
        yield _counter("tierwise.policy.denials", "Candidates that policy excluded.", self._denials, ("by", "tier"))
        writes = tuple(one.point(what=what) for what, one in sorted(self._writes.items()))
        yield _histogram("tierwise.ledger.write", "How long calls waited for the ledger.", writes, WRITES)
        yield from (made() for made in self._watched)

    def conventions(self, naming: Naming) -> Iterator[Family]:
        """Give what the GenAI conventions have a metric for, under their names."""
        latest = naming.profile == "latest"
        merged: dict[str, Family] = {}
        for row in METRICS:
            for operation in ("chat", "embeddings"):
                name = row.v141 if not latest else row.latest if operation == "chat" else row.latest_embeddings
                points = tuple(self._conventional(row, operation, latest=latest)) if name is not None else ()
                if name is not None and points:
                    before = merged[name].points if name in merged else ()
                    bounds = () if row.kind == "counter" else SECONDS if row.unit == "s" else TOKENS
                    merged[name] = Family(
                        name=name, kind=row.kind, unit=row.unit, text=row.text, points=before + points, bounds=bounds
                    )
        yield from merged.values()

    def _conventional(self, row: Metric, operation: str, *, latest: bool) -> Iterator[Point]:
        for tally in self._tallies.values():
            if tally.operation != operation:
                continue
            base = _described(tally.served, operation)
            match row.fact:
                case "duration":
                    for error, histogram in tally.durations.items():
                        yield histogram.point(**base, **({} if error is None else {"error.type": error}))
                case "first_chunk" if any(tally.first_chunk.counts):
                    yield tally.first_chunk.point(**base)
                case "input" | "output" if any(tally.input.counts) and (operation == "chat" or row.fact == "input"):
                    kind = {} if latest else {"gen_ai.token.type": row.fact}
                    yield (tally.input if row.fact == "input" else tally.output).point(**base, **kind)
                case fact if row.kind == "counter":
                    place = BUCKETS.index(fact.removesuffix("_sum"))
                    for modality, number in _by(tally.tokens, 1, place):
                        yield Point(labels={**base, "gen_ai.token.modality": modality}, value=number)

    def _tally(self, endpoint: str, model: str, operation: str) -> _Tally:
        served = self._known.served(endpoint, model)
        key = (served.endpoint, served.model, operation)
        found = self._tallies.get(key)
        if found is None:
            found = self._tallies[key] = _Tally(served, operation)
        return found

    def _of_attempts(self) -> Iterator[Family]:
        tallies = [(_where(one), one) for one in sorted(self._tallies.values(), key=_place)]
        verdicts = tuple(
            Point(labels={**where, "verdict": verdict}, value=number)
            for where, one in tallies
            for verdict, number in sorted(one.verdicts.items())
        )
        yield Family(name="tierwise.attempts", kind="counter", text="Attempts, by what followed.", points=verdicts)
        durations = tuple(
            histogram.point(**where, error=error or NONE)
            for where, one in tallies
            for error, histogram in one.durations.items()
        )
        yield _histogram("tierwise.attempt.duration", "How long attempts took.", durations)
        firsts = tuple(one.first_chunk.point(**where) for where, one in tallies if any(one.first_chunk.counts))
        yield _histogram("tierwise.attempt.first_chunk", "To the first byte of a stream.", firsts)
        for place, bucket in enumerate(BUCKETS):
            points = tuple(
                Point(labels={**where, "source": source}, value=number)
                for where, one in tallies
                for source, number in _by(one.tokens, 0, place)
            )
            yield Family(name=f"tierwise.tokens.{bucket}", kind="counter", text=_TOLD[bucket], points=points)
        yield from _of_money(tallies)
        gates = tuple(
            Point(labels={**where, "gate": gate}, value=number)
            for where, one in tallies
            for gate, number in sorted(one.gates.items())
        )
        yield Family(name="tierwise.gate.failures", kind="counter", text="Answers that failed a gate.", points=gates)
        odd = tuple(Point(labels=where, value=one.suspicious) for where, one in tallies if one.suspicious)
        yield Family(
            name="tierwise.suspicious", kind="counter", text="Answers whose own numbers do not add up.", points=odd
        )


def _of_money(tallies: Iterable[tuple[dict[str, str], _Tally]]) -> Iterator[Family]:
    tallies = list(tallies)
    yield _money("tierwise.cost", "What attempts cost.", ((where, one.cost) for where, one in tallies))
    told = "What attempts cost of machines of one's own, waiting, power and what they were bought for; no bill."
    yield _money("tierwise.cost.own", told, ((where, one.own) for where, one in tallies))
    unknown = tuple(Point(labels=where, value=one.unknown) for where, one in tallies if one.unknown)
    told = "What attempts may have cost at most whose bill was never told."
    yield Family(name="tierwise.cost.unknown", unit="USD", kind="counter", text=told, points=unknown)


def _money(name: str, told: str, found: Iterable[tuple[dict[str, str], Mapping[str, Decimal]]]) -> Family:
    points = tuple(
        Point(labels={**where, "workflow": workflow}, value=amount)
        for where, amounts in found
        for workflow, amount in sorted(amounts.items())
    )
    return Family(name=name, unit="USD", kind="counter", text=told, points=points)


def _by(tokens: dict[Key, list[int]], part: int, place: int) -> list[tuple[str, int]]:
    found: defaultdict[str, int] = defaultdict(int)
    for key, numbers in tokens.items():
        found[key[part]] += numbers[place]
    return sorted(found.items())


def _described(served: Served, operation: str) -> dict[str, str | int]:
    """Return a model in the words of the conventions."""
    found: dict[str, str | int] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": served.provider,
        "gen_ai.request.model": served.name,
    }
    if served.address is not None and served.port is not None:
        found |= {"server.address": served.address, "server.port": served.port}
    return found


def _place(tally: _Tally) -> Key:
    return (tally.served.endpoint, tally.served.model, tally.operation)


def _where(tally: _Tally) -> dict[str, str]:
    return {"endpoint": tally.served.endpoint, "model": tally.served.model, "operation": tally.operation}


def _counter(name: str, told: str, numbers: dict[Key, int], labels: Key) -> Family:
    points = tuple(
        Point(labels=dict(zip(labels, values, strict=True)), value=number) for values, number in sorted(numbers.items())
    )
    return Family(name=name, kind="counter", text=told, points=points)


def _histogram(name: str, told: str, points: tuple[Point, ...], bounds: tuple[float, ...] = SECONDS) -> Family:
    return Family(name=name, kind="histogram", unit="s", text=told, points=points, bounds=bounds)
