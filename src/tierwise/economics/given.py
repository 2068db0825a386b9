"""How sure is a number that goes into a cost, and who says so? A value, the range around it, where it comes from.

Knows no formula. A sum or a product is as sure as the least sure of what went into it, and its range is the hull.
Invariant: low <= value <= high, none of them negative or endless; what was computed never claims more than its inputs.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import msgspec

from tierwise.core.errors import InvalidCall

ZERO = Decimal(0)
Provenance = Literal["measured", "contract", "list", "assumed"]
Corner = Literal["value", "dearest", "cheapest"]
"""Which end of every range is looked at: the values, or the ends at which own machines are dearest or cheapest."""
SUREST_FIRST: tuple[Provenance, ...] = ("measured", "contract", "list", "assumed")


class Given(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input with its range and its provenance; without a range it is taken as exact. `source` says where it stands.

    Raises InvalidCall for a negative or endless number, and where the value is outside its range.
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
                raise InvalidCall(f"{number} is no amount: write one that is 0 or more", param="value")
        if not self.least <= self.value <= self.most:
            raise InvalidCall(f"{self.value} is not between {self.least} and {self.most}", param="value")

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
        """Return as much of it; what it is and where it comes from stay."""
        return msgspec.structs.replace(
            self, value=self.value * factor, low=self.least * factor, high=self.most * factor
        )  # fmt: skip


NOTHING = Given(value=ZERO, provenance="measured", source="nothing")


def total(parts: Iterable[Given]) -> Given:
    """Add up; parts of nothing say nothing about how sure the sum is."""
    kept = [part for part in parts if part.most > 0]
    if not kept:
        return NOTHING
    return Given(
        value=sum((part.value for part in kept), ZERO),
        low=sum((part.least for part in kept), ZERO),
        high=sum((part.most for part in kept), ZERO),
        provenance=least_sure(kept),
        source="; ".join(dict.fromkeys(part.source for part in kept if part.source)),
    )


def least_sure(parts: Iterable[Given]) -> Provenance:
    """Return the provenance that whatever is made of these has."""
    return max((part.provenance for part in parts), key=SUREST_FIRST.index, default="measured")
