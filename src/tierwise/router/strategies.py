"""In which order are the eligible models tried? One pure function per strategy.

A strategy gets only candidates that policy and the hard filters allow; it returns them in order, with words why.
`draw` in [0, 1) is the only randomness, owned by the caller and logged, so that a replay gives the same order.
Invariant: the result holds every candidate once; probabilities of being first add up to 1.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tierwise.router.candidate import Candidate, Need, late, sufficient

ZERO = Decimal(0)
UNKNOWN_LATENCY_MS = float("inf")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Candidates in order of trial, the probability of each to be first, and the reason for the first."""

    candidates: tuple[Candidate, ...]
    probabilities: tuple[float, ...]
    reason: str


def _strongest_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Order by measured quality where all have one, else by declared strength, then tier, then price.

    A measured quality is not compared with an unknown one: that would rank tested models by being tested.
    """
    if all(c.quality is not None for c in candidates):
        return sorted(candidates, key=lambda c: (c.quality or 0.0, _declared(c)), reverse=True)
    return sorted(candidates, key=_declared, reverse=True)


def declared(candidate: Candidate) -> tuple[float, int]:
    """Order by declared strength, then by tier: what is left where nothing was measured."""
    return (-1.0 if candidate.strength is None else candidate.strength, candidate.tier.rank)


def _declared(candidate: Candidate) -> tuple[float, int, Decimal]:
    return (*declared(candidate), candidate.cost_usd or ZERO)


def _latency(candidate: Candidate) -> float:
    return UNKNOWN_LATENCY_MS if candidate.latency_ms is None else candidate.latency_ms


def _cheapness(candidate: Candidate) -> tuple[Decimal, int, float]:
    """Cheapest first; what has no price and no own cost counts as nothing, then the nearest tier, then the fastest."""
    return (candidate.cost_usd or ZERO, candidate.tier.rank, _latency(candidate))


def certain(ordered: Sequence[Candidate], reason: str) -> Order:
    """Return the order in which nothing is left to chance."""
    chances = tuple(1.0 if place == 0 else 0.0 for place in range(len(ordered)))
    return Order(candidates=tuple(ordered), probabilities=chances, reason=reason)


def led(order: Order, first: Candidate, reason: str, chance: float) -> Order:
    """Return the order with this one before the others: it is first with this chance, else the order holds."""
    places = [p for p, c in enumerate(order.candidates) if c is not first]
    own = sum(p for c, p in zip(order.candidates, order.probabilities, strict=True) if c is first)
    rest = 1 - chance
    return Order(
        candidates=(first, *(order.candidates[p] for p in places)),
        probabilities=(chance + rest * own, *(rest * order.probabilities[p] for p in places)),
        reason=reason,
    )


def _timely(ordered: Sequence[Candidate], need: Need) -> list[Candidate]:
    """Put those first that are expected within the call's target, as they are ordered; then the rest, soonest first."""
    if need.latency_ms is None:
        return list(ordered)
    return [c for c in ordered if not late(c, need)] + sorted((c for c in ordered if late(c, need)), key=_latency)


def _told(reason: str, ordered: Sequence[Candidate], timely: Sequence[Candidate], need: Need) -> str:
    """Add who would have been first, had its answer not been expected too late."""
    if not ordered or ordered[0] is timely[0] or not late(ordered[0], need):
        return reason
    passed = ordered[0]
    within = "within" if not late(timely[0], need) else "as nobody is, the soonest is first; not within"
    return f"{reason} {within} {_s(need.latency_ms)}: {passed.model} is expected to take {_s(passed.latency_ms)}"


def _s(ms: float | None) -> str:
    return f"{(ms or 0.0) / 1000:.3g} s"


def _in_step(ordered: Sequence[Candidate]) -> list[Candidate]:
    """Keep those that a certificate was issued for in its order, in the places that they have together."""
    steps = iter(sorted((c for c in ordered if c.step is not None), key=lambda c: c.step or 0))
    return [next(steps) if c.step is not None else c for c in ordered]


def cheapest_sufficient(candidates: Sequence[Candidate], need: Need, _draw: float) -> Order:
    """Take the cheapest whose evidence suffices; start with the strongest where there is no evidence."""
    enough = sorted((c for c in candidates if sufficient(c, need)), key=_cheapness)
    strongest = _strongest_first([c for c in candidates if c not in enough])
    rest = _timely(strongest, need)
    if not enough:
        told = "no candidate has evidence of sufficient quality, so the strongest is first"
        return certain(rest, _told(told, strongest, rest, need))
    cheapest, timely = _in_step(enough), _in_step(_timely(enough, need))
    told = f"the cheapest of {len(enough)} with evidence of sufficient quality"
    return certain(timely + rest, _told(told, cheapest, timely, need))


def best(candidates: Sequence[Candidate], need: Need, _draw: float) -> Order:
    """Take the strongest: measured quality, then declared strength, then tier."""
    strongest = _strongest_first(candidates)
    timely = _timely(strongest, need)
    return certain(timely, _told("the strongest of those allowed", strongest, timely, need))


def fastest(candidates: Sequence[Candidate], _need: Need, _draw: float) -> Order:
    """Take the one whose answer is expected first; where that is not known they come last, nearest tier first."""
    ordered = sorted(candidates, key=lambda c: (_latency(c), c.tier.rank))
    return certain(ordered, "the one whose answer is expected first")


def cascade(candidates: Sequence[Candidate], need: Need, draw: float) -> Order:
    """Try from the cheapest up; the quality gates decide who answers, so no prior evidence is asked for.

    Where a certificate is in force its steps come first, and after them whoever may do without: by evidence.
    """
    steps = sorted((c for c in candidates if c.step is not None), key=lambda c: c.step or 0)
    if steps:
        others = cheapest_sufficient([c for c in candidates if c.step is None], need, draw).candidates
        return certain([*steps, *others], "the first step of the certificate; its gate passes on what is not certified")
    ordered = sorted(candidates, key=lambda c: (c.cost_usd or ZERO, c.tier.rank, _declared(c)))
    return certain(ordered, "the cheapest first; the quality gates pass it on if it is not good enough")


def weighted(candidates: Sequence[Candidate], _need: Need, draw: float) -> Order:
    """Draw the first with probability by weight; the others follow by falling weight."""
    total = sum(c.weight for c in candidates)
    if total <= 0:
        return certain(candidates, "none that may answer has a weight, so in the order written")
    chances = [c.weight / total for c in candidates]
    point, first = draw, len(candidates) - 1
    for place, chance in enumerate(chances):
        point -= chance
        if point < 0:
            first = place
            break
    others = sorted((p for p in range(len(candidates)) if p != first), key=lambda p: -candidates[p].weight)
    places = [first, *others]
    return Order(
        candidates=tuple(candidates[p] for p in places),
        probabilities=tuple(chances[p] for p in places),
        reason=f"drawn with probability {chances[first]:.3g}",
    )


def frugal(candidates: Sequence[Candidate], need: Need) -> Order:
    """Spend as little as the evidence of quality allows, whatever the strategy: what comes after a soft limit.

    The cheapest that suffices is first, unmetered ones before any other; where nothing has evidence, what costs nothing
    comes before what is metered, which is left for when that fails.
    """
    enough = _in_step(sorted((c for c in candidates if sufficient(c, need)), key=lambda c: (c.metered, *_cheapness(c))))
    rest = [c for c in candidates if c not in enough]
    free = _strongest_first([c for c in rest if not c.metered])
    dear = sorted((c for c in rest if c.metered), key=_cheapness)
    what = (
        "the cheapest with evidence of sufficient quality" if enough else "what costs nothing" if free else "cheapest"
    )
    return certain([*enough, *free, *dear], f"a budget has reached its soft limit: {what} first")


STRATEGIES: dict[str, Callable[[Sequence[Candidate], Need, float], Order]] = {
    "cheapest_sufficient": cheapest_sufficient,
    "best": best,
    "fastest": fastest,
    "cascade": cascade,
    "weighted": weighted,
}
