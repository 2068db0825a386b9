"""What survives, at which quality, cost and latency, and what does not, why? Sums over two runs of the same traffic.

The first run is today's, under the same rules without any change, so that what differs is the scenario's doing alone.
Invariant: every call counts once on each side; what is not known is counted as not known and is in no sum.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar, get_args

import msgspec

from tierwise.core.decision import Outcome
from tierwise.core.label import Label
from tierwise.drill.deciding import Evidence
from tierwise.drill.play import Came, Played
from tierwise.drill.proofs import Proof
from tierwise.drill.traffic import US_PER_MS, Traffic
from tierwise.gateway.rules import Rules

MOST_LOSSES, EXAMPLES, MOST_MOVES = 200, 5, 200
NOBODY = "–"
ZERO = Decimal(0)
Number = TypeVar("Number", int, float)


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds in the middle, of nineteen in twenty, and at most; None where nothing is known."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    most_ms: float | None = None


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """What calls came to. `estimated` of them have tokens that nobody measured, `unmetered` no price.

    `evidence` counts answers by what is known of their quality; `least_quality` is the lowest that is proven of any
    certified one, relative to the baseline. `late` are answers after the workflow's `latency_ms`, `untimed` those of
    models that nobody has timed.
    """

    calls: int
    outcomes: dict[Outcome, int]
    cost_usd: Decimal
    unmetered: int
    estimated: int
    evidence: dict[Evidence, int]
    least_quality: float | None
    took: Spread
    waited: Spread
    late: int
    untimed: int

    @property
    def answered(self) -> int:
        """Answers that passed, as the workflow wants them."""
        return self.outcomes.get("answered", 0)


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow's calls, or all of them, on both sides."""

    name: str
    today: Sum
    drill: Sum


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that are answered today and not in the drill, for one reason. `ids` are some of them, in the ledger."""

    workflow: str
    label: Label
    outcome: Outcome
    cause: str
    by: dict[str, str]
    calls: int
    reason: str
    ids: tuple[str, ...]


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """Answers that another model gives in the drill."""

    before: str
    after: str
    calls: int


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint on both sides. `slots` None: nobody said how many answers it makes at once, so that nobody waits.

    More at once than on record is more than was measured: an engine that is fuller answers each call more slowly.
    `busy` is the share of the time from the first call to the last in which its slots were taken.
    """

    endpoint: str
    asked: tuple[int, int]
    slots: tuple[int | None, int | None]
    most_at_once: tuple[int, int]
    busy: tuple[float | None, float | None]
    waited: tuple[int, int]
    longest_wait_ms: tuple[float, float]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """How today's run compares with the record itself: `alike` of `calls` asked the same models in the same order.

    `error` is how far their times in the run are from those on record, as a share: the middle one, and that of
    nineteen in twenty.
    """

    calls: int
    alike: int
    error_p50: float | None
    error_p95: float | None


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a drill says. `wanted` are the drill's calls whose like is answered today; of them `survives` are
    answered in the drill too, `same` by the same model."""

    wanted: int
    survives: int
    same: int
    whole: Group
    workflows: tuple[Group, ...]
    losses: tuple[Loss, ...]
    moves: tuple[Move, ...]
    loads: tuple[Load, ...]
    certificates: tuple[Proof, ...]
    check: Check
    skipped: int

    @property
    def lost(self) -> int:
        """How many calls that are answered today are not answered in the drill."""
        return self.wanted - self.survives


def found(traffic: Traffic, rules: Rules, today: Played, drill: Played, proofs: tuple[Proof, ...]) -> Findings:
    """Compare today's run and the drill's; `rules` are those without any change.

    Each copy of a call in the drill is held against the one call of today that it is a copy of.
    """
    pairs = [(today.came[after.at], after) for after in drill.came]
    answered = [(before, after) for before, after in pairs if before.outcome == "answered"]
    kept = [(before, after) for before, after in answered if after.outcome == "answered"]
    moves = Counter((str(before.model), str(after.model)) for before, after in kept if before.model != after.model)
    names = sorted({traffic.kinds[call.kind].workflow or NOBODY for call in traffic.calls})
    return Findings(
        wanted=len(answered),
        survives=len(kept),
        same=sum(before.model == after.model for before, after in kept),
        whole=_group("all", traffic, rules, today.came, drill.came),
        workflows=tuple(
            _group(name, traffic, rules, *(_within(name, traffic, run.came) for run in (today, drill)))
            for name in names
        ),
        losses=_losses(traffic, [after for _, after in answered if after.outcome != "answered"]),
        moves=tuple(
            Move(before=before, after=after, calls=count)
            for (before, after), count in sorted(moves.items(), key=lambda one: (-one[1], one[0]))[:MOST_MOVES]
        ),
        loads=tuple(_load(name, today, drill) for name in sorted(today.lines)),
        certificates=proofs,
        check=_check(traffic, today.came),
        skipped=traffic.skipped,
    )


def _flow(traffic: Traffic, came: Came) -> str:
    return traffic.kinds[traffic.calls[came.at].kind].workflow or NOBODY


def _within(name: str, traffic: Traffic, came: Sequence[Came]) -> list[Came]:
    return [one for one in came if _flow(traffic, one) == name]


def _group(name: str, traffic: Traffic, rules: Rules, today: Sequence[Came], drill: Sequence[Came]) -> Group:
    return Group(name=name, today=_sum(traffic, rules, today), drill=_sum(traffic, rules, drill))


def _sum(traffic: Traffic, rules: Rules, came: Sequence[Came]) -> Sum:
    good = [one for one in came if one.outcome == "answered"]
    served = [one for one in good if one.took_us is not None]
    qualities = [one.quality for one in good if one.evidence == "certified" and one.quality is not None]
    outcomes, evidence = Counter(one.outcome for one in came), Counter(one.evidence for one in good)
    return Sum(
        calls=len(came),
        outcomes={name: outcomes[name] for name in get_args(Outcome) if outcomes[name]},
        cost_usd=sum((one.cost_usd for one in came), ZERO),
        unmetered=sum(one.unmetered for one in came),
        estimated=sum(one.estimated for one in came),
        evidence={name: evidence[name] for name in get_args(Evidence) if evidence[name]},
        least_quality=min(qualities, default=None),
        took=_spread(one.took_us for one in served if one.took_us is not None),
        waited=_spread(one.waited_us for one in served),
        late=sum(_late(traffic, rules, one) for one in served),
        untimed=len(good) - len(served),
    )


def _late(traffic: Traffic, rules: Rules, came: Came) -> bool:
    flow = rules.workflows.get(_flow(traffic, came))
    limit = None if flow is None else flow.latency_ms
    return limit is not None and came.took_us is not None and came.took_us > limit * US_PER_MS


def _spread(times_us: Iterable[int]) -> Spread:
    times = sorted(times_us)
    if not times:
        return Spread()
    return Spread(
        p50_ms=_rank(times, 50) / US_PER_MS, p95_ms=_rank(times, 95) / US_PER_MS, most_ms=times[-1] / US_PER_MS
    )


def _rank(ordered: Sequence[Number], percent: int) -> Number:
    """Return the smallest value that at least so many percent do not exceed."""
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _losses(traffic: Traffic, lost: Iterable[Came]) -> tuple[Loss, ...]:
    groups: dict[tuple[object, ...], list[Came]] = {}
    for one in lost:
        label = traffic.kinds[traffic.calls[one.at].kind].label
        groups.setdefault((_flow(traffic, one), label, one.outcome, one.cause, one.by), []).append(one)
    found = [
        Loss(
            workflow=_flow(traffic, came[0]),
            label=traffic.kinds[traffic.calls[came[0].at].kind].label,
            outcome=came[0].outcome,
            cause=came[0].cause,
            by=dict(came[0].by),
            calls=len(came),
            reason=came[0].reason,
            ids=tuple(dict.fromkeys(traffic.calls[one.at].id for one in came))[:EXAMPLES],
        )
        for came in groups.values()
    ]
    return tuple(sorted(found, key=lambda one: (-one.calls, one.ids))[:MOST_LOSSES])


def _load(name: str, today: Played, drill: Played) -> Load:
    before, after = today.lines[name], drill.lines[name]
    return Load(
        endpoint=name,
        asked=(today.asked[name], drill.asked[name]),
        slots=(before.slots, after.slots),
        most_at_once=(before.most, after.most),
        busy=(_busy(today, name), _busy(drill, name)),
        waited=(before.waited, after.waited),
        longest_wait_ms=(before.longest_us / US_PER_MS, after.longest_us / US_PER_MS),
    )


def _busy(played: Played, name: str) -> float | None:
    line = played.lines[name]
    return round(line.busy_us / (line.slots * played.lasted_us), 6) if line.slots and played.lasted_us else None


def _check(traffic: Traffic, came: Sequence[Came]) -> Check:
    alike, errors = 0, []
    for one in came:
        call = traffic.calls[one.at]
        if not call.tries or tuple(tried.model for tried in call.tries) != one.asked:
            continue
        alike += 1
        if one.took_us is not None and call.took_us:
            errors.append(abs(one.took_us - call.took_us) / call.took_us)
    errors.sort()
    return Check(
        calls=sum(bool(call.tries) for call in traffic.calls),
        alike=alike,
        error_p50=round(_rank(errors, 50), 6) if errors else None,
        error_p95=round(_rank(errors, 95), 6) if errors else None,
    )
