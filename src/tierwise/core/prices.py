"""Which price holds for this model, at this endpoint, on this day? Dated rows, and the choice among them.

Knows no arithmetic (`economics.price`) and no clock: the day is an argument.
Invariant: a contract's price goes before a measured one and that before a list's; of one origin the nearest row holds,
of equally near ones the latest that had begun; no row from another region or kind ever does.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Literal

import msgspec

from tierwise.core.usage import Price

Origin = Literal["contract", "measured", "list"]
FIRST: tuple[Origin, ...] = ("contract", "measured", "list")


class PriceRow(Price, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[price]]`: what a model costs from a day on, until another. `model` is the name under which it is served.

    It holds at any endpoint unless `endpoint`, `kinds` or `region` name some. `until` is the first day on which it does
    not hold any more.
    """

    model: str
    origin: Origin = "contract"
    endpoint: str | None = None
    kinds: tuple[str, ...] = ()
    region: str | None = None
    starts: date | None = None
    until: date | None = None

    def __post_init__(self) -> None:
        """Refuse a row that never holds."""
        super().__post_init__()
        if self.starts is not None and self.until is not None and self.until <= self.starts:
            raise ValueError(f"the price of {self.model!r} ends before it starts")

    def holds(self, place: "Place", day: date) -> bool:
        """Say whether the row is of this place and this day."""
        return (
            (self.starts is None or self.starts <= day)
            and (self.until is None or day < self.until)
            and self.endpoint in (None, place.endpoint)
            and (not self.kinds or place.kind in self.kinds)
            and (self.region is None or self.region.lower() == (place.region or "").lower())
        )


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """The `[[price]]` rows of a configuration, and the day whose prices are meant: the last one that any row is of."""

    rows: tuple[PriceRow, ...] = ()
    day: date = date.max


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model is served: by which endpoint, of which kind, in which region."""

    model: str
    kind: str
    endpoint: str = ""
    region: str | None = None


class PriceBook:
    """Rows by the name of their model."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Iterable[PriceRow]) -> None:
        self._rows: dict[str, list[PriceRow]] = {}
        for row in rows:
            self._rows.setdefault(row.model, []).append(row)

    def price(self, place: Place, day: date) -> PriceRow | None:
        """Return the price in force at a place on a day (UTC); None where no row holds."""
        holding = (row for row in self._rows.get(place.model, ()) if row.holds(place, day))
        return max(holding, key=_rank, default=None)


def _rank(row: PriceRow) -> tuple[int, bool, bool, bool, date]:
    near = row.endpoint is not None, row.region is not None, bool(row.kinds)
    return (-FIRST.index(row.origin), *near, row.starts or date.min)


def day_of(ts: float) -> date:
    """Return the day of a Unix time, in UTC."""
    return datetime.fromtimestamp(ts, UTC).date()
