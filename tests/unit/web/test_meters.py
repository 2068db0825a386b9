"""Budgets: how full they are, and when they are spent at the pace of their window."""

from typing import Any

import pytest

from tierwise.web.meters import Meter, meters

DAY = 20_000 * 86_400.0


def meter(now: float, *, left: str, reserved: str = "0", limit: str = "10") -> Meter:
    row: dict[str, Any] = {
        "scope": "all",
        "window": "1d",
        "limit_usd": limit,
        "left_usd": left,
        "reserved_usd": reserved,
    }
    (found,) = meters([row], now)
    return found


def test_a_budget_that_will_be_spent_says_when() -> None:
    found = meter(DAY + 6 * 3600, left="4", reserved="1")
    assert (found.spent_usd, found.used_percent) == (5, 60)
    assert found.spent_in_s == pytest.approx(4 / (5 / (6 * 3600)))
    assert found.next_ts == DAY + 86_400


@pytest.mark.parametrize(
    ("after_s", "left", "told"),
    [
        (12 * 3600, "8", "lasts the window"),
        (12 * 3600, "10", "nothing was spent in this window"),
        (60, "1", "too early in the window to tell"),
        (12 * 3600, "0", "spent"),
        (12 * 3600, "-1", "spent"),
    ],
)
def test_where_no_time_is_foretold_it_says_why(after_s: float, left: str, told: str) -> None:
    found = meter(DAY + after_s, left=left)
    assert found.told == told
    assert found.spent_in_s in (None, 0)
    assert found.left_usd >= 0


def test_a_budget_of_nothing_is_full() -> None:
    assert meter(DAY, left="0", limit="0").used_percent == 100
