"""Expand, adjust, stop, or not enough evidence? The rule, from ways that were reckoned to one ruling.

Gates first, one after the other and none made up for by another; of what passes them all, what no other way beats in
everything; of that the cheapest, where money ties the simplest, then the quickest.
Invariant: `expand` names a way all of whose gates are passed, and nothing that is not known is taken for favourable.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.evals.card import Kind
from tierwise.evals.gates import Finding, Looks, findings, level_of, own_findings, proofs
from tierwise.evals.reckon import Bounded, Prices, Reckoned

SAME = 1e-9


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What is ruled on: the ways and the baseline. `planned` is the number of items meant to be seen, where somebody
    looked before the end, else None; `whole`: all of them were.
    """

    ways: tuple[Reckoned, ...]
    base: Reckoned
    planned: int | None
    whole: bool


class Ruling(NamedTuple):
    """The verdict, and what it followed from."""

    kind: Kind
    choice: str | None
    why: str
    found: Mapping[str, tuple[Finding, ...]]
    base: tuple[Finding, ...]
    front: tuple[str, ...]
    level: float


def rule(case: Case, criteria: Criteria, prices: Prices) -> Ruling:
    """Apply the rule."""
    if not case.base.items:
        return Ruling("not_enough_evidence", None, "nothing", {}, (), (), 1 - criteria.confidence)
    proven, looks = proofs(case.ways, criteria, case.planned), Looks(case.planned, case.whole)
    found = {way.name: findings(way, criteria, prices, way.name in proven, looks) for way in case.ways}
    own = own_findings(case.base, criteria, prices)
    passing = [way for way in case.ways if _all(found[way.name])]
    front = _front(passing, prices)
    kind, choice, why = _verdict(case, criteria, prices, _Sorted(passing, front, found, own))
    return Ruling(
        kind, choice, why, found, own, tuple(way.name for way in front), level_of(case.ways, proven, criteria)
    )


class _Sorted(NamedTuple):
    passing: Sequence[Reckoned]
    front: Sequence[Reckoned]
    found: Mapping[str, tuple[Finding, ...]]
    own: tuple[Finding, ...]


def _verdict(case: Case, criteria: Criteria, prices: Prices, seen: _Sorted) -> tuple[Kind, str | None, str]:
    alive = [way for way in case.ways if not _any(seen.found[way.name], "failed") and way not in seen.passing]
    if any(one.name == "missing" and one.state != "passed" for one in seen.own):
        # Against a baseline that did not answer nothing is better or worse.
        return "not_enough_evidence", None, "baseline"
    if seen.passing:
        return _gain(case, prices, seen, alive)
    if (
        criteria.stop_after_items is not None
        and case.base.items >= criteria.stop_after_items
        and not any(_state(seen.found[way.name], "quality") == "passed" for way in case.ways)
    ):
        return "stop", None, "items"
    if alive:
        return "not_enough_evidence", min(alive, key=lambda way: _open_count(seen.found[way.name])).name, "open"
    if not case.ways or all(_state(seen.found[way.name], "quality") == "failed" for way in case.ways):
        return "stop", None, "worse"
    mendable = [way for way in case.ways if _state(seen.found[way.name], "quality") != "failed"]
    return "adjust", min(mendable, key=lambda way: _mends(seen.found[way.name])).name, "limits"


def _gain(case: Case, prices: Prices, seen: _Sorted, alive: Sequence[Reckoned]) -> tuple[Kind, str | None, str]:
    """Something is proven: is it also worth it?"""
    barred = any(one.state == "failed" for one in seen.own)
    best = seen.front[0]
    saving = best.saving(prices)
    if barred:
        return "expand", best.name, "baseline barred"
    if saving is None:
        return "not_enough_evidence", best.name, "price"
    gain = gained(best, saving)
    if gain.value > 0:
        return "expand", best.name, "cheaper" if gain is saving else "quicker"
    if alive:
        return "not_enough_evidence", alive[0].name, "open"
    if gain.high < 0 or gain.high == gain.low:
        return "stop", None, "no gain"
    return "not_enough_evidence", best.name, "gain"


def gained(way: Reckoned, saving: Bounded) -> Bounded:
    """Return what counts as the gain: the money, or where both cost the same the time."""
    same = abs(saving.value) <= SAME and saving.high - saving.low <= SAME
    return way.faster if same else saving


def _front(passing: Sequence[Reckoned], prices: Prices) -> list[Reckoned]:
    """Return what no other way beats in cost, time and quality at once, the cheapest first."""
    keys = {way.name: _key(way, prices) for way in passing}
    kept = [
        way
        for way in passing
        if not any(_beats(keys[other.name], keys[way.name]) for other in passing if other is not way)
    ]
    return sorted(kept, key=lambda way: (*keys[way.name], way.name))


def _key(way: Reckoned, prices: Prices) -> tuple[float, float, float, float]:
    cost = way.cost(prices)
    quality = way.worst.mean if way.worst is not None else -1.0
    return (float("inf") if cost is None else round(cost[0], 6), _parts(way), way.time_ms.value, -quality)


def _parts(way: Reckoned) -> int:
    """Count what must run for a way: of two that cost the same the simpler is better, before a hair's time."""
    subject = way.way.seen.subject
    return len(subject.bundle.models) + subject.language_model + way.way.cascade


def _beats(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def _all(found: Sequence[Finding]) -> bool:
    return all(one.state in ("passed", "unset") for one in found)


def _any(found: Sequence[Finding], state: str) -> bool:
    return any(one.state == state for one in found)


def _state(found: Sequence[Finding], name: str) -> str:
    return next(one.state for one in found if one.name == name)


def _open_count(found: Sequence[Finding]) -> int:
    return sum(one.state == "open" for one in found)


def _mends(found: Sequence[Finding]) -> tuple[bool, int]:
    """Order ways by what stands between them and a yes: proven quality first, then the fewest limits broken."""
    return _state(found, "quality") != "passed", sum(one.state == "failed" for one in found)
