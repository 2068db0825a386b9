"""What would have to change for the answer to turn? The nearest point of each input, exactly, on the whole model.

Each input is moved away from what it is, all others held, its range in proportion. Between two edges (where a count of
machines or a gate changes) every plan costs a straight line, so that the cheapest changes only where two lines cross.
Invariant: from the present value up to a flip the answer is the present one, and just beyond it the one that is named.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

import msgspec

from tierwise.economics.advice.organisation import Machine, Offer, Organisation
from tierwise.economics.advice.plans import Answer, Bill, Plan, decimal, plans

FAR = 10
"""How many times more or less than now is looked at."""
MOST_EDGES = 400
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
    """Something to move by a factor. `lines` is all plans between two factors, `edges` where they are not straight."""

    name: str
    unit: str
    now: Decimal
    lines: Callable[[Fraction, Fraction], list[_Line]]
    edges: Callable[[bool], Iterator[Fraction]]
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
    edges = [ONE]
    for edge in knob.edges(up):
        edges.append(edge)
        if len(edges) > MOST_EDGES:
            break
    else:
        edges.append(knob.highest if up else Fraction(1, FAR))
    for near, far in pairwise(edges):
        if near != far and (met := _between(knob.lines(near, far), near, far, answer)) is not None:
            return met
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
    lowest = min(lines, key=lambda line: (_on(line.usd, at), line.usd[1] - line.usd[0]))
    while lowest.answer == answer:
        slope = lowest.usd[1] - lowest.usd[0]
        nearest: tuple[Fraction, Fraction, _Line] | None = None
        for line in lines:
            falls = slope - (line.usd[1] - line.usd[0])
            if falls <= 0:
                continue
            crosses = at + (_on(line.usd, at) - _on(lowest.usd, at)) / falls
            if nearest is None or (crosses, -falls) < (nearest[0], nearest[1]):
                nearest = crosses, -falls, line
        if nearest is None or nearest[0] >= ends:
            return None
        at, lowest = nearest[0], nearest[2]
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
    found = [plan for plan in plans(organisation) if plan.state == "passed"]
    ends = [organisation.tokens_per_month.value]
    if organisation.capital_usd is not None and organisation.risk == "careful":
        ends.append(organisation.tokens_per_month.most)
    loads = {  # of each machine what one carries, as a share of what it must: at the values, and where it is dearest
        whole.name: {
            Fraction(carries) / (Fraction(volume) * one.share)
            for plan in found
            if (one := plan.bill.wholes.get(whole.name)) is not None and one.share
            for volume, carries in zip(ends, (one.tokens.value, one.tokens.least), strict=False)
        }
        for plan in found
        for whole in plan.bill.wholes.values()
    }
    every = sorted(set().union(*loads.values()))
    volume = organisation.tokens_per_month.value
    yield Knob(
        "tokens_per_month", "tokens", volume,
        _straight(lambda factor: _reckoned(organisation, found, factor)), lambda up: _multiples(every, up),
    )  # fmt: skip
    for machine in organisation.machine:
        own = [1 / load for load in loads.get(machine.name, ())]
        yield Knob(
            f"{machine.name}: tokens", "tokens", machine.tokens.value,
            _straight(lambda factor, name=machine.name: _reckoned(organisation, _carrying(found, name, factor))),
            lambda up, own=own: (1 / edge for edge in _multiples(own, not up)),
        )  # fmt: skip


def _multiples(units: Sequence[Fraction], up: bool) -> Iterator[Fraction]:
    """Give the multiples of some units, beginning at 1 and going up or down, up to `FAR` times."""
    sign = 1 if up else -1
    ahead = [(sign * unit * (unit_count := (1 // unit + 1 if up else -(-1 // unit) - 1)), unit) for unit in units]
    heapq.heapify(ahead)
    before = ONE
    while ahead:
        place, unit = ahead[0]
        edge = sign * place
        if not Fraction(1, FAR) <= edge <= FAR:
            return
        if edge != before:
            yield (before := edge)
        heapq.heapreplace(ahead, (place + unit, unit))


def _carrying(found: Sequence[Plan], name: str, factor: Fraction) -> Iterator[Plan]:
    """Let a machine carry so many times as much: the same as asking it for so much less."""
    for plan in found:
        if (whole := plan.bill.wholes.get(name)) is None:
            yield plan
            continue
        less = msgspec.structs.replace(whole, share=whole.share / factor)
        bill = msgspec.structs.replace(plan.bill, wholes={**plan.bill.wholes, name: less})
        yield msgspec.structs.replace(plan, bill=bill)


def _money(organisation: Organisation, server: Machine | Offer) -> Iterator[Knob]:
    """Move the price of a server, and what it costs besides."""
    rates = (
        ("usd_once", "usd_per_month") if isinstance(server, Machine) else ("input_usd_per_mtok", "output_usd_per_mtok")
    )
    besides = ("set_up_usd", "base_usd_per_month")
    yield from _scaled(organisation, server, f"{server.name}: price", rates)
    yield from _scaled(organisation, server, f"{server.name}: what it costs besides", besides)


def _scaled(organisation: Organisation, server: Machine | Offer, name: str, fields: Sequence[str]) -> Iterator[Knob]:
    if not any(getattr(server, field).value for field in fields):
        return

    def at(factor: Fraction) -> list[_Reckoned]:
        moved = {field: getattr(server, field).times(decimal(factor)) for field in fields}
        changed = _with(organisation, server, msgspec.structs.replace(server, **moved))
        return _reckoned(changed, plans(changed))

    yield Knob(name, "times", Decimal(1), _straight(at), _none)


def _with(organisation: Organisation, server: Machine | Offer, changed: Machine | Offer) -> Organisation:
    kind = "machine" if isinstance(server, Machine) else "offer"
    every = tuple(changed if one is server else one for one in getattr(organisation, kind))
    return msgspec.structs.replace(organisation, **{kind: every})


def _limits(organisation: Organisation) -> Iterator[Knob]:
    """Move what may be spent at once, and the people."""
    found = plans(organisation)
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
                return _reckoned(changed, plans(changed))

            def edges(up: bool, stands: list[Fraction] = stands) -> Iterator[Fraction]:
                return iter([one for one in stands if one > 1] if up else [one for one in stands[::-1] if 0 < one < 1])

            highest = min(Fraction(FAR), 1 / Fraction(limit)) if field == "needs" else Fraction(FAR)
            yield Knob(f"{work.name}: {field}", unit, limit, _straight(at), edges, highest)


class _Reckoned(NamedTuple):
    """What a plan costs at one point, and what its limits leave over."""

    answer: Answer
    usd: Fraction
    over: tuple[Fraction, ...]


def _reckoned(organisation: Organisation, found: Iterable[Plan], factor: Fraction = ONE) -> list[_Reckoned]:
    """Reckon every plan whose servers are permitted, at so many times the volume."""
    value = Fraction(organisation.tokens_per_month.value) * factor
    most = Fraction(organisation.tokens_per_month.most) * factor
    return [
        _Reckoned(plan.answer, plan.bill.usd(value), _over(organisation, plan.bill, value, most))
        for plan in found
        if plan.state == "passed"
    ]


def _over(organisation: Organisation, bill: Bill, value: Fraction, most: Fraction) -> tuple[Fraction, ...]:
    """Return what the limits of a plan as a whole leave over."""
    careful = organisation.risk == "careful"
    over: list[Fraction] = []
    if organisation.capital_usd is not None:
        needed = bill.capital_usd(most, "dearest") if careful else bill.capital_usd(value, "value")
        over.append(Fraction(organisation.capital_usd) - needed)
    if organisation.hours_per_month is not None:
        over.append(Fraction(organisation.hours_per_month) - Fraction(bill.hours.most if careful else bill.hours.value))
    return tuple(over)


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


def _none(_up: bool) -> Iterator[Fraction]:
    return iter(())
