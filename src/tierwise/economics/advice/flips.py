"""What would have to change for the answer to turn? The nearest point of each input, exactly, on the whole model.

Each input is moved away from what it is, all others held, its range in proportion. Between two edges (where a count of
machines or a gate changes) every plan costs a straight line, so that the cheapest changes only where two lines cross.
Invariant: from the present value up to a flip the answer is the present one, and just beyond it the one that is named.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import msgspec

from tierwise.economics.advice.organisation import Organisation, Quote, Site
from tierwise.economics.advice.plans import NEITHER, Answer, Layout, Sum, decimal, plans

FAR = 10
"""How many times more or less than now is looked at."""
WINDOW = Fraction(21, 20)
ONE = Fraction(1)


class Flip(msgspec.Struct, frozen=True, kw_only=True):
    """Where the answer turns: `answer` None is that no plan is permitted any more."""

    knob: str
    unit: str
    now: Decimal
    at: Decimal
    above: bool
    answer: Answer | None


class _Line(NamedTuple):
    """A plan between two edges: its cost and what its limits leave over, at both ends."""

    answer: Answer
    usd: tuple[Fraction, Fraction]
    over: tuple[tuple[Fraction, Fraction], ...]


class Knob(NamedTuple):
    """Something to move by a factor. `lines` is all plans between two factors, `edges` where they are not straight.

    `still` says where surely nothing turns, so that nobody need look closer.
    """

    name: str
    unit: str
    now: Decimal
    lines: Callable[[Fraction, Fraction], list[_Line]]
    edges: Callable[[Fraction, Fraction], Iterable[Fraction]]
    still: Callable[[Fraction, Fraction, Answer | None], bool] | None = None
    highest: Fraction = Fraction(FAR)


def flips(organisation: Organisation, answer: Answer | None) -> tuple[Flip, ...]:
    """Return the nearest flip of each input on both sides, the nearest of all first."""
    found: list[tuple[Fraction, Flip]] = []
    for knob in knobs(organisation):
        for up in (True, False):
            if (met := _first(knob, answer, up)) is not None:
                at, beyond = met
                flip = Flip(
                    knob=knob.name, unit=knob.unit, now=knob.now, at=knob.now * decimal(at), above=up, answer=beyond
                )  # fmt: skip
                found.append((max(at, 1 / at), flip))
    return tuple(flip for _, flip in sorted(found, key=lambda one: (one[0], one[1].knob)))


def _first(knob: Knob, answer: Answer | None, up: bool) -> tuple[Fraction, Answer | None] | None:
    end = knob.highest if up else Fraction(1, FAR)
    near, window = ONE, WINDOW
    while near != end:
        far = end if knob.still is None else min(near * window, end) if up else max(near / window, end)
        if knob.still is not None and knob.still(near, far, answer):
            near, window = far, window**2
            continue
        if knob.still is not None and window > WINDOW:
            window = WINDOW  # it was too wide to be sure
            continue
        between = sorted(set(knob.edges(min(near, far), max(near, far))), reverse=not up)
        for here, there in pairwise((near, *between, far)):
            if (met := _between(knob.lines(here, there), here, there, answer)) is not None:
                return met
        near = far
    return None


def _between(
    lines: list[_Line], near: Fraction, far: Fraction, answer: Answer | None
) -> tuple[Fraction, Answer | None] | None:
    """Walk from one edge to the next. Places between are told as shares of the way."""
    turns = {Fraction(0), ONE}
    for line in lines:
        for here, there in line.over:
            if (here < 0) != (there < 0) and here != there:
                turns.add(here / (here - there))
    for begins, ends in pairwise(sorted(turns)):
        middle = (begins + ends) / 2
        allowed = [line for line in lines if all(_on(one, middle) >= 0 for one in line.over)]
        if (met := _walked(allowed, begins, ends, answer)) is not None:
            return near + (far - near) * met[0], met[1]
    return None


def _walked(
    lines: Sequence[_Line], begins: Fraction, ends: Fraction, answer: Answer | None
) -> tuple[Fraction, Answer | None] | None:
    """Follow the lowest line; return where it is first one of another answer."""
    if not lines:
        return None if answer is None else (begins, None)
    at = begins
    # Of two that cost the same the present answer stays.
    lowest = min(lines, key=lambda line: (_on(line.usd, at), line.usd[1] - line.usd[0], line.answer != answer))
    while lowest.answer == answer:
        slope = lowest.usd[1] - lowest.usd[0]
        nearest: tuple[Fraction, Fraction, bool, _Line] | None = None
        for line in lines:
            falls = slope - (line.usd[1] - line.usd[0])
            if falls <= 0:
                continue
            crosses = at + (_on(line.usd, at) - _on(lowest.usd, at)) / falls
            if nearest is None or (crosses, -falls, line.answer != answer) < nearest[:3]:
                nearest = crosses, -falls, line.answer != answer, line
        if nearest is None or nearest[0] >= ends:
            return None
        at, lowest = nearest[0], nearest[3]
    return at, lowest.answer


def _on(ends: tuple[Fraction, Fraction], share: Fraction) -> Fraction:
    return ends[0] + (ends[1] - ends[0]) * share


# what may be moved


def knobs(organisation: Organisation) -> Iterator[Knob]:
    """Return every input that can turn the answer."""
    yield from _counted(organisation)
    for server in organisation.servers:
        yield from _money(organisation, server)
    yield from _limits(organisation)
    yield from _thresholds(organisation)


def _counted(organisation: Organisation) -> Iterator[Knob]:
    """Move the volume, and what machines carry: counts of machines change at known points."""
    tallies = _undominated(_tallied(organisation, plans(organisation)))
    volume = organisation.tokens_per_month
    loads: dict[str, set[Fraction]] = {one.name: set() for one in organisation.machine}
    for tally in tallies:
        for tokens, sum_ in ((volume.value, tally.month), (tally.volume, tally.capital)):
            for step in sum_.steps if sum_ else ():
                loads[step.name] |= {Fraction(tokens) * step.each} - {Fraction(0)}
    units = [1 / load for load in sorted(set().union(*loads.values()))]

    def at(factor: Fraction) -> list[_Reckoned]:
        return _reckoned(organisation, tallies, factor)

    def still(near: Fraction, far: Fraction, answer: Answer | None) -> bool:
        return _still([_bounded(organisation, tallies, end) for end in (near, far)], answer)

    yield Knob(
        "tokens_per_month", "tokens", volume.value, _straight(at), lambda low, high: _multiples(units, low, high), still
    )  # fmt: skip
    for machine in organisation.machine:
        yield _carries(organisation, machine, tallies, sorted(loads[machine.name]))


def _carries(organisation: Organisation, machine: Site, tallies: Sequence["_Tally"], loads: Sequence[Fraction]) -> Knob:
    """Counts of machines go with one over what one of them carries."""
    units = [1 / load for load in loads]

    def at(factor: Fraction) -> list[_Reckoned]:
        return _reckoned(organisation, tallies, ONE, {machine.name: factor})

    def edges(low: Fraction, high: Fraction) -> Iterator[Fraction]:
        return (1 / edge for edge in _multiples(units, 1 / high, 1 / low))

    def still(near: Fraction, far: Fraction, answer: Answer | None) -> bool:
        ends = [_bounded(organisation, tallies, ONE, {machine.name: end}) for end in (near, far)]
        return _still(ends, answer)

    return Knob(f"{machine.name}: tokens", "tokens", machine.tokens.value, _straight(at), edges, still)


def _multiples(units: Iterable[Fraction], low: Fraction, high: Fraction) -> Iterator[Fraction]:
    """Give the multiples of some units that lie between two numbers."""
    for unit in units:
        yield from (unit * count for count in range(int(low // unit) + 1, int(-(-high // unit))))


class _Bounds(NamedTuple):
    """What a plan costs at least and at most at one point, and whether its limits surely hold, or may."""

    answer: Answer
    least: Fraction
    most: Fraction
    surely: bool
    maybe: bool


def _bounded(
    organisation: Organisation, tallies: Iterable["_Tally"], volume: Fraction, carries: Mapping[str, Fraction] = NEITHER
) -> list[_Bounds]:
    now, capital, hours = organisation.tokens_per_month.value, organisation.capital_usd, organisation.hours_per_month
    found: list[_Bounds] = []
    for one in tallies:
        surely = maybe = hours is None or one.hours <= hours
        if capital is not None and one.capital is not None:
            least, most = one.capital.bounds(Fraction(one.volume) * volume, carries)
            surely, maybe = surely and most <= capital, maybe and least <= capital
        found.append(_Bounds(one.answer, *one.month.bounds(Fraction(now) * volume, carries), surely, maybe))
    return found


def _still(ends: Sequence[Sequence[_Bounds]], answer: Answer | None) -> bool:
    """Say whether one plan of the answer surely stays below all others between two ends: bounds are straight."""
    both = list(zip(*ends, strict=True))
    others = [pair for pair in both if pair[0].answer != answer and any(one.maybe for one in pair)]
    if answer is None:
        return not others
    able = [pair for pair in both if pair[0].answer == answer and all(one.surely for one in pair)]
    lowest = min(able, key=lambda pair: pair[0].most + pair[1].most, default=None)
    return lowest is not None and all(
        mine.most < other.least for pair in others for mine, other in zip(lowest, pair, strict=True)
    )


def _money(organisation: Organisation, server: Site | Quote) -> Iterator[Knob]:
    """Move the price of a server, and what it costs besides."""
    rates = ("usd_once", "usd_per_month") if isinstance(server, Site) else ("input_usd_per_mtok", "output_usd_per_mtok")
    besides = ("set_up_usd", "base_usd_per_month")
    yield from _scaled(organisation, server, f"{server.name}: price", rates)
    yield from _scaled(organisation, server, f"{server.name}: what it costs besides", besides)


def _scaled(organisation: Organisation, server: Site | Quote, name: str, fields: Sequence[str]) -> Iterator[Knob]:
    if not any(getattr(server, field).value for field in fields):
        return

    def at(factor: Fraction) -> list[_Reckoned]:
        moved = {field: getattr(server, field).times(decimal(factor)) for field in fields}
        changed = _with(organisation, server, msgspec.structs.replace(server, **moved))
        return _reckoned(changed, _tallied(changed, plans(changed)))

    yield Knob(name, "times", Decimal(1), _straight(at), _none)


def _with(organisation: Organisation, server: Site | Quote, changed: Site | Quote) -> Organisation:
    kind = "machine" if isinstance(server, Site) else "offer"
    every = tuple(changed if one is server else one for one in getattr(organisation, kind))
    return msgspec.structs.replace(organisation, **{kind: every})


def _limits(organisation: Organisation) -> Iterator[Knob]:
    """Move what may be spent at once, and the people."""
    found = _tallied(organisation, plans(organisation))
    for field, unit in (("capital_usd", "USD"), ("hours_per_month", "hours")):
        limit: Decimal | None = getattr(organisation, field)
        if limit:

            def at(factor: Fraction, field: str = field, limit: Decimal = limit) -> list[_Reckoned]:
                return _reckoned(msgspec.structs.replace(organisation, **{field: limit * decimal(factor)}), found)

            yield Knob(field, unit, limit, _straight(at), _none)


def _thresholds(organisation: Organisation) -> Iterator[Knob]:
    """Move what a work asks of quality and time: gates change where a figure of a server stands."""
    careful = organisation.risk == "careful"
    for number, work in enumerate(organisation.work):
        for field, unit in (("needs", "share right"), ("latency_ms", "ms")):
            limit: Decimal | None = getattr(work, field)
            if not limit:
                continue
            figures = [
                one.quality.get(work.name) if field == "needs" else one.latency_ms for one in organisation.servers
            ]
            known = [one for one in figures if one is not None]
            bounds = [(one.least if field == "needs" else one.most) if careful else one.value for one in known]
            stands = sorted({Fraction(bound) / Fraction(limit) for bound in bounds})

            def at(
                factor: Fraction, number: int = number, field: str = field, limit: Decimal = limit
            ) -> list[_Reckoned]:
                moved = msgspec.structs.replace(organisation.work[number], **{field: limit * decimal(factor)})
                works = (*organisation.work[:number], moved, *organisation.work[number + 1 :])
                changed = msgspec.structs.replace(organisation, work=works)
                return _reckoned(changed, _tallied(changed, plans(changed)))

            def edges(low: Fraction, high: Fraction, stands: list[Fraction] = stands) -> list[Fraction]:
                return [one for one in stands if low < one < high]

            highest = min(Fraction(FAR), 1 / Fraction(limit)) if field == "needs" else Fraction(FAR)
            yield Knob(f"{work.name}: {field}", unit, limit, _straight(at), edges, None, highest)


class _Tally(NamedTuple):
    """A plan whose servers are permitted: its sums, the volume at which its capital is asked, the hours it takes."""

    answer: Answer
    month: Sum
    capital: Sum | None
    volume: Decimal
    hours: Decimal


class _Reckoned(NamedTuple):
    """What a plan costs at one point, and what its limits leave over."""

    answer: Answer
    usd: Fraction
    over: tuple[Fraction, ...]


def _tallied(organisation: Organisation, found: Iterable[Layout]) -> list[_Tally]:
    careful, volume, limited = organisation.risk == "careful", organisation.tokens_per_month, organisation.capital_usd
    return [
        _Tally(
            plan.answer,
            plan.bill.month(),
            None if limited is None else plan.bill.capital("dearest" if careful else "value"),
            volume.most if careful else volume.value,
            plan.bill.hours.most if careful else plan.bill.hours.value,
        )
        for plan in found
        if plan.state == "passed"
    ]


def _undominated(tallies: Iterable[_Tally]) -> list[_Tally]:
    """Leave out what another beats at every volume: the same machines, and no cheaper base nor tokens."""
    alike: dict[object, list[_Tally]] = {}
    for one in sorted(tallies, key=lambda one: (one.month.base, one.month.rate)):
        kept = alike.setdefault((one.month.steps, one.capital, one.hours), [])
        if all(one.month.rate < other.month.rate or _ties(one, other) for other in kept):
            kept.append(one)
    return [one for kept in alike.values() for one in kept]


def _ties(one: _Tally, other: _Tally) -> bool:
    """Say whether two plans of different answers cost the same: which of them is present is asked later."""
    return one.answer != other.answer and one.month == other.month


def _reckoned(
    organisation: Organisation,
    tallies: Iterable[_Tally],
    volume: Fraction = ONE,
    carries: Mapping[str, Fraction] = NEITHER,
) -> list[_Reckoned]:
    """Reckon plans at so many times the volume, with machines that carry so many times as much."""
    now, capital, hours = organisation.tokens_per_month.value, organisation.capital_usd, organisation.hours_per_month
    return [
        _Reckoned(
            one.answer,
            one.month.at(Fraction(now) * volume, carries),
            (
                *(
                    ()
                    if capital is None or one.capital is None
                    else (Fraction(capital) - one.capital.at(Fraction(one.volume) * volume, carries),)
                ),
                *(() if hours is None else (Fraction(hours - one.hours),)),
            ),
        )
        for one in tallies
    ]


def _straight(at: Callable[[Fraction], list[_Reckoned]]) -> Callable[[Fraction, Fraction], list[_Line]]:
    """Make lines of a reckoning: from two points inside, drawn out to both ends."""

    def lines(near: Fraction, far: Fraction) -> list[_Line]:
        third = (far - near) / 3
        return [
            _Line(here.answer, _drawn(here.usd, there.usd), tuple(map(_drawn, here.over, there.over)))
            for here, there in zip(at(near + third), at(far - third), strict=True)
        ]

    return lines


def _drawn(first: Fraction, second: Fraction) -> tuple[Fraction, Fraction]:
    return 2 * first - second, 2 * second - first


def _none(_low: Fraction, _high: Fraction) -> Iterator[Fraction]:
    return iter(())
