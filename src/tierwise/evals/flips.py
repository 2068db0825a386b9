"""What would have to change for the verdict to turn? The nearest points, found on the full rule.

Each knob (a criterion, a price, the review load) is moved away from what it is, all others held, in growing steps on
both sides; where the ruling changes, halving finds the point. Invariant: on this side of a point the ruling is the
present one, and just beyond it the one that is named.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import NamedTuple

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.evals.amounts import amount
from tierwise.evals.card import Flip, rounded
from tierwise.evals.reckon import Prices
from tierwise.evals.rule import Case, Ruling, rule

NEAREST = 3
FAR = 100.0
PRECISION = 1e-7
FROM_ZERO_USD = (1e-4, 1e4)
"""Where a knob stands at 0 there is no step in proportion: it is tried from the one to the other."""


class Knob(NamedTuple):
    """Something to turn: its value now, its bounds, and the ruling at another value."""

    name: str
    unit: str
    now: float
    low: float
    high: float
    at: Callable[[float], Ruling]


def flips(case: Case, criteria: Criteria, ruling: Ruling) -> tuple[Flip, ...]:
    """Return the nearest flip points; those of knobs that stand at 0 come last."""
    there = _place(ruling)
    every = list(knobs(case, criteria))
    moving = [(knob, up) for knob in every if knob.now > 0 for up in (True, False)]
    found: list[tuple[float, Flip]] = []
    inner = 1.0
    for factor in _factors():
        for knob, up in list(moving):
            near, far = (knob.now * inner, knob.now * factor) if up else (knob.now / inner, knob.now / factor)
            far = min(far, knob.high) if up else max(far, knob.low)
            if far == near:
                moving.remove((knob, up))
            elif _place(knob.at(far)) != there:
                flip = _flip(knob, near, far, there)
                found.append((max(flip.at, knob.now) / max(1e-300, min(flip.at, knob.now)), flip))
                moving.remove((knob, up))
        if len(found) >= NEAREST or not moving:
            break
        inner = factor
    nearest = [flip for _, flip in sorted(found, key=lambda one: (one[0], one[1].knob))]
    if len(nearest) < NEAREST:
        nearest += list(_from_zero([knob for knob in every if knob.now == 0], there))
    return tuple(nearest[:NEAREST])


def knobs(case: Case, criteria: Criteria) -> Iterator[Knob]:
    """Return what may be turned."""
    prices = Prices.of(criteria)

    def criterion(name: str, unit: str, low: float = 0.0, high: float = 1e12) -> Iterator[Knob]:
        value = getattr(criteria, name)
        if value is None:
            return
        kind = type(value)

        def at(new: float) -> Ruling:
            given = Decimal(repr(new)) if kind is Decimal else new
            changed = msgspec.structs.replace(criteria, **{name: given})
            return rule(case, changed, Prices.of(changed))

        yield Knob(name, unit, float(value), low, high, at)

    def factor(name: str, told: str) -> Knob:
        def at(new: float) -> Ruling:
            return rule(case, criteria, msgspec.structs.replace(prices, factors={name: new}))

        return Knob(told, "times", 1.0, 1e-12, 1e12, at)

    yield from criterion("margin", "score", high=0.999999)
    yield from criterion("max_missing", "share", high=1.0)
    yield from criterion("max_wrong", "share", high=0.999999)
    yield from criterion("max_latency_ms_p95", "ms", low=1e-9)
    yield from criterion("max_cost_per_accepted_usd", "USD")
    yield from criterion("max_review_minutes_per_100", "minutes")
    yield from criterion("error_cost_usd", "USD")
    yield from criterion("review_usd_per_hour", "USD")
    yield from criterion("min_items", "items", low=1.0)
    yield from criterion("stop_after_items", "items", low=1.0)
    for way in (case.base, *(way for way in case.ways if not way.way.cascade)):
        if way.way.known_cost and float(way.means[0]) > 0:
            yield factor(way.way.seen.subject.name, f"price of {way.way.seen.subject.name}")
    if any(float(way.means[3]) > 0 and way.way.seen.minutes[2] for way in (case.base, *case.ways)):

        def at(new: float) -> Ruling:
            return rule(case, criteria, msgspec.structs.replace(prices, review=new))

        yield Knob("share of tasks that a person reviews", "times", 1.0, 0.0, 1e12, at)


def _factors() -> Iterator[float]:
    """Steps of 1 % to the double, of 5 % to ten times, of 20 % beyond."""
    factor = 1.0
    while factor < FAR:
        factor *= 1.01 if factor < 2 else 1.05 if factor < 10 else 1.2
        yield factor


def _place(ruling: Ruling) -> tuple[str, str | None]:
    """Return what is told of a ruling: where nothing can be told yet, it is all one which way came nearest to it."""
    return ruling.kind, None if ruling.kind == "not_enough_evidence" else ruling.choice


def _flip(knob: Knob, near: float, far: float, there: tuple[str, str | None]) -> Flip:
    """Halve the way between a point of the present ruling and one of another."""
    beyond = knob.at(far)
    while abs(far - near) > PRECISION * max(abs(far), abs(near)):
        middle = (near + far) / 2
        if _place(ruled := knob.at(middle)) == there:
            near = middle
        else:
            far, beyond = middle, ruled
    return Flip(
        knob=knob.name,
        now=rounded(knob.now),
        at=rounded(far),
        unit=knob.unit,
        kind=beyond.kind,
        choice=beyond.choice,
        told=_told(knob, far, beyond),
    )


def _from_zero(still: list[Knob], there: tuple[str, str | None]) -> Iterator[Flip]:
    for knob in still:
        near, far = 0.0, FROM_ZERO_USD[0] if knob.unit == "USD" else knob.high / 1e6
        most = FROM_ZERO_USD[1] if knob.unit == "USD" else knob.high
        while far <= most:
            if _place(knob.at(far)) != there:
                yield _flip(knob, near, far, there)
                break
            near, far = far, far * 1.2


def _told(knob: Knob, at: float, beyond: Ruling) -> str:
    side = "above" if at > knob.now else "below"
    choice = f" ({beyond.choice})" if beyond.choice and beyond.kind == "expand" else ""
    named = knob.name if " " in knob.name else knob.name.removesuffix("_usd").replace("_", " ")
    return f"becomes {beyond.kind.replace('_', ' ')}{choice} with {named} {side} {amount(at, knob.unit)}"
