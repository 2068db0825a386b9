"""The price of the day, of the place, and of whoever's word goes first."""

from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tierwise.core.prices import Place, PriceBook, PriceRow, day_of

OUTSIDE = Place(model="big", kind="acme", endpoint="outside", region="eu")
DAY = date(2026, 11, 21)


def row(usd: int, **facts: Any) -> PriceRow:
    return PriceRow(
        input_usd_per_mtok=Decimal(usd),
        output_usd_per_mtok=Decimal(usd),
        **({"model": "big", "origin": "list"} | facts),
    )


def chosen(*rows: PriceRow, day: date = DAY, place: Place = OUTSIDE) -> int | None:
    found = PriceBook(rows).price(place, day)
    return None if found is None else int(found.input_usd_per_mtok)


def test_a_call_is_priced_with_the_price_of_its_day() -> None:
    rows = row(15), row(10, starts=date(2026, 9, 1)), row(5, starts=date(2026, 11, 21)), row(1, starts=date(2027, 1, 1))
    days = [date(2026, 8, 31), date(2026, 9, 1), date(2026, 11, 20), DAY, date(2027, 6, 1)]
    assert [chosen(*rows, day=day) for day in days] == [15, 10, 10, 5, 1]


def test_a_price_that_ended_does_not_hold_and_the_one_before_it_does_again() -> None:
    sale = row(1, starts=date(2026, 10, 1), until=date(2026, 11, 1))
    assert chosen(row(10), sale, day=date(2026, 10, 31)) == 1
    assert chosen(row(10), sale, day=date(2026, 11, 1)) == 10
    assert chosen(sale, day=DAY) is None


def test_a_contract_goes_before_a_measured_price_and_that_before_a_later_list() -> None:
    rows = row(9, starts=date(2026, 11, 1)), row(7, origin="measured"), row(5, origin="contract")
    assert chosen(*rows) == 5
    assert chosen(*rows[:2]) == 7
    assert chosen(rows[0]) == 9


def test_the_nearest_row_holds_and_none_from_elsewhere_does() -> None:
    anywhere, here, kind = row(10), row(11, region="EU"), row(12, kinds=("acme",))
    assert chosen(anywhere, here, kind) == 11
    assert chosen(anywhere, kind) == 12
    assert chosen(anywhere, here, kind, row(13, endpoint="outside")) == 13
    assert chosen(row(1, region="us"), row(1, kinds=("other",)), row(1, endpoint="else"), row(1, model="small")) is None
    assert chosen(here, place=Place(model="big", kind="acme")) is None


def test_days_are_those_of_utc() -> None:
    assert day_of(1_795_219_199.9) == date(2026, 11, 20) and day_of(1_795_219_200) == date(2026, 11, 21)


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_usd_per_mtok": "-1"},
        {"output_usd_per_mtok": "NaN"},
        {"cache_read_usd_per_mtok": "Infinity"},
        {"starts": "2026-11-02", "until": "2026-11-02"},
        {"bands": [{"above_tokens": 5, "input_usd_per_mtok": "1", "output_usd_per_mtok": "1"}] * 2},
        {"services": {"batch": {"input_usd_per_mtok": "-1", "output_usd_per_mtok": "1"}}},
        {"origin": "hearsay"},
        {"input_usd_per_token": "1"},
    ],
)
def test_what_is_no_price_is_refused_where_it_stands(wrong: dict[str, Any]) -> None:
    plain = {"model": "big", "input_usd_per_mtok": "1", "output_usd_per_mtok": "1"}
    msgspec.convert(plain, PriceRow)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain | wrong, PriceRow)
