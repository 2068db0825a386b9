"""How much dearer than the best may a plan turn out, wherever in their ranges the inputs lie? Exactly, not by samples.

Two plans that share an input (the volume, a price, a machine) share where it lies. For a given volume, prices enter one
by one, each at the end that hurts most; of machines only the counts matter, and these change at known volumes.
Invariant: what is returned is reached in the ranges, or approached at a count's edge; nothing in them exceeds it.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from tierwise.core.usage import TOKENS_PER_MTOK
from tierwise.economics.advice.plans import Bill, Whole
from tierwise.economics.given import Given

NONE = Fraction(0)
MOST_COUNTED = 60
"""Above so many machines of a kind they are no longer counted one by one: here one more is added, there none."""


def most_over(one: Bill, other: Bill, volume: Given, times: Fraction = Fraction(1)) -> Fraction:
    """Return by how much a month of one plan may at most exceed so many times that of the other."""
    base = _amounts(one.base, other.base, times)
    rate = _amounts(one.prices, other.prices, times) / TOKENS_PER_MTOK
    low, high = Fraction(volume.least), Fraction(volume.most)
    both = [
        _Both(one.wholes.get(name), other.wholes.get(name), times, high)
        for name in sorted({*one.wholes, *other.wholes})
    ]
    if base + max(rate * low, rate * high) + sum(pair.bound(low, high) for pair in both) <= 0:
        return base + max(rate * low, rate * high) + sum(pair.bound(low, high) for pair in both)
    edges = sorted({low, high, *(edge for pair in both for edge in pair.edges(low, high))})
    found = [base + rate * low + sum(pair.most(low) for pair in both)]
    few, many = [pair for pair in both if not pair.many], [pair for pair in both if pair.many]
    for ends in pairwise(edges):  # between edges the counts are those of the end, all else is straight or bends upwards
        straight = max(rate * end + sum(pair.most(end) for pair in many) for end in ends)
        found.append(base + straight + sum(pair.most(ends[1]) for pair in few))
    return max(found)


def _amounts(
    one: dict[str, tuple[Given, Fraction]], other: dict[str, tuple[Given, Fraction]], times: Fraction
) -> Fraction:
    """Add up, input by input, at the end at which the difference is greatest."""
    total = NONE
    for name in {*one, *other}:
        given = (one.get(name) or other[name])[0]
        often = (one[name][1] if name in one else NONE) - times * (other[name][1] if name in other else NONE)
        total += often * _end(given, often)
    return total


def _end(given: Given, often: Fraction) -> Fraction:
    return Fraction(given.most if often > 0 else given.least)


class _Both:
    """The machines of one kind in both plans; a plan may have none of them."""

    def __init__(self, one: Whole | None, other: Whole | None, times: Fraction, volume_most: Fraction) -> None:
        known = one or other
        assert known is not None
        self._one, self._other, self._times = one, other, times
        self._usd = known.usd_per_month
        self._least, self._most = Fraction(known.tokens.least), Fraction(known.tokens.most)
        self.many = (
            volume_most * max(whole.share for whole in (one, other) if whole is not None) > MOST_COUNTED * self._least
        )
        self._shares = sorted({whole.share for whole in (one, other) if whole is not None and whole.share})

    def most(self, volume: Fraction) -> Fraction:
        """Return the greatest difference at a volume, wherever in its range lies what a machine carries.

        Loads are in units of what one machine carries in a month; between two edges the counts stay.
        """
        low, high = volume / self._most, volume / self._least
        if self.many:
            return max(self._about(low), self._about(high))
        loads = {high}
        for share in self._shares:
            first, last = -(-(low * share) // 1), high * share // 1
            loads |= {Fraction(count) / share for count in range(int(first), int(last) + 1)}
        return max(self._at(load) for load in loads)

    def _at(self, load: Fraction) -> Fraction:
        often = self._count(self._one, load) - self._times * self._count(self._other, load)
        return often * _end(self._usd, often)

    def _about(self, load: Fraction) -> Fraction:
        """Never less than the difference, and straight where its sign stays."""
        here = NONE if self._one is None else load * self._one.share + self._one.spare + 1
        there = NONE if self._other is None else load * self._other.share + self._other.spare
        often = here - self._times * there
        return often * _end(self._usd, often)

    @staticmethod
    def _count(whole: Whole | None, load: Fraction) -> Fraction:
        return NONE if whole is None else Fraction(whole.bought(load, Fraction(1)))

    def edges(self, low: Fraction, high: Fraction) -> Iterator[Fraction]:
        """Give the volumes at which counts come within reach, or leave it."""
        if self.many:
            return
        for carries in (self._least, self._most):
            for share in self._shares:
                each = carries / share
                yield from (
                    each * count
                    for count in range(int(low // each), int(high // each) + 1)
                    if low < each * count < high
                )

    def bound(self, low: Fraction, high: Fraction) -> Fraction:
        """Return what the difference never exceeds between two volumes: more machines here, fewer there."""
        here = NONE if self._one is None else Fraction(self._one.bought(high, self._least))
        there = NONE if self._other is None else Fraction(self._other.bought(low, self._most))
        often = here - self._times * there
        return often * _end(self._usd, often)
