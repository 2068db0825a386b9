"""How sure is a number that goes into a cost, and who says so? A value, the range around it, where it comes from.

Knows no formula. A sum or a product is as sure as the least sure of what went into it, and its range is the hull.
Invariant: low <= value <= high, none of them negative or endless; what was computed never claims more than its inputs.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Literal

import msgspec

from tierwise.core.errors import InvalidCall

ZERO = Decimal(0)
Provenance = Literal["measured", "contract", "list", "assumed"]
Corner = Literal["value", "dearest", "cheapest"]
"""Which end of every range is looked at: the values, or the ends at which own machines are dearest or cheapest."""
SUREST_FIRST: tuple[Provenance, ...] = ("measured", "contract", "list", "assumed")

MOST_DIGITS = 300
"""What is said is neither larger nor smaller than a number of so many digits."""


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input with its range and its provenance; without a range it is taken as exact. `source` says where it stands.

    Raises ValueError for a negative or endless number, and where the value is outside its range.
    """

    value: Decimal
    low: Decimal | None = None
    high: Decimal | None = None
    provenance: Provenance = "assumed"
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be a cost, a count or a rate."""
        for number in (self.value, self.least, self.most):
            if not number.is_finite() or number < 0:
                raise ValueError(f"{number} is no amount: write one that is 0 or more")
            if number and abs(number.adjusted()) > MOST_DIGITS:  # to reckon with such takes minutes
                raise ValueError(f"{number:.0e} is no amount of anything: it has too many digits")
        if not self.least <= self.value <= self.most:
            raise ValueError(f"{self.value} is not between {self.least} and {self.most}")

    @property
    def least(self) -> Decimal:
        """The lowest that it may be."""
        return self.value if self.low is None else self.low

    @property
    def most(self) -> Decimal:
        """The highest that it may be."""
        return self.value if self.high is None else self.high

    def as_cost(self, corner: Corner) -> Decimal:
        """Return it at a corner, as something that makes own machines dearer."""
        return self.value if corner == "value" else self.most if corner == "dearest" else self.least

    def as_gain(self, corner: Corner) -> Decimal:
        """Return it at a corner, as something that makes own machines worth more."""
        return self.value if corner == "value" else self.least if corner == "dearest" else self.most

    def times(self, factor: Decimal | int) -> "Given":
        """Return as much of it; where it comes from stays."""
        return Given(
            value=self.value * factor, low=self.least * factor, high=self.most * factor,
            provenance=self.provenance, source=self.source,
        )  # fmt: skip

    def plus(self, other: "Given") -> "Given":
        """Add another."""
        return total((self, other))

    def by(self, other: "Given") -> "Given":
        """Multiply by another."""
        return _made((self, other), self.value * other.value, self.least * other.least, self.most * other.most)

    def over(self, other: "Given") -> "Given":
        """Divide by another, which may not be 0."""
        if not other.least:
            raise InvalidCall("this cannot be divided by what may be 0")
        return _made((self, other), self.value / other.value, self.least / other.most, self.most / other.least)


NOTHING = Given(value=ZERO, provenance="measured", source="nothing")


def total(parts: Iterable[Given]) -> Given:
    """Add up; parts of nothing say nothing about how sure the sum is."""
    kept = [part for part in parts if part.most > 0]
    if not kept:
        return NOTHING
    value, low, high = (sum((of(part) for part in kept), ZERO) for of in (_value, _least, _most))
    return _made(kept, value, low, high)


def _made(parts: Sequence[Given], value: Decimal, low: Decimal, high: Decimal) -> Given:
    source = "; ".join(dict.fromkeys(part.source for part in parts if part.source))
    return Given(value=value, low=low, high=high, provenance=least_sure(parts), source=source)


_value, _least, _most = attrgetter("value"), attrgetter("least"), attrgetter("most")


def least_sure(parts: Iterable[Given]) -> Provenance:
    """Return the provenance that whatever is made of these has."""
    return max((part.provenance for part in parts), key=SUREST_FIRST.index, default="measured")
