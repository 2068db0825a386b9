"""How full is each budget, and when will it be spent at the pace of its window so far? Pure.

Invariant: without spending, or in a window that has only begun, no time is foretold.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.economics.budget import WINDOW_S, window_start

LEAST_SHARE = 0.02
"""So much of a window must have passed before a pace is told."""


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """One budget as it is told. `spent_in_s`: from now, at this pace; None where it lasts the window, or is unknown."""

    scope: str
    window: str
    limit_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    left_usd: Decimal
    used_percent: float
    next_ts: float
    spent_in_s: float | None
    told: str


def meters(budgets: Iterable[Mapping[str, Any]], now: float) -> list[Meter]:
    """Return budgets, as the gateway's status has them, at this Unix time."""
    return [_meter(one, now) for one in budgets]


def _meter(one: Mapping[str, Any], now: float) -> Meter:
    limit, left, reserved = (Decimal(str(one[name])) for name in ("limit_usd", "left_usd", "reserved_usd"))
    start = window_start(one["window"], now)
    end = start + WINDOW_S[one["window"]]
    spent = max(Decimal(0), limit - left - reserved)
    passed = now - start
    lasts = _lasts_s(float(spent), float(left), passed, WINDOW_S[one["window"]])
    within = lasts is not None and now + lasts < end
    return Meter(
        scope=one["scope"], window=one["window"], limit_usd=limit, spent_usd=spent, reserved_usd=reserved,
        left_usd=max(Decimal(0), left),
        used_percent=float(min(Decimal(100), max(Decimal(0), 100 * (limit - left) / limit))) if limit else 100.0,
        next_ts=end,
        spent_in_s=lasts if within else None,
        told=_told(spent=float(spent), left=float(left), lasts=lasts, within=within),
    )  # fmt: skip


def _lasts_s(spent: float, left: float, passed: float, window: float) -> float | None:
    if spent <= 0 or passed < LEAST_SHARE * window:
        return None
    return max(0.0, left) / (spent / passed)


def _told(*, spent: float, left: float, lasts: float | None, within: bool) -> str:
    if left <= 0:
        return "spent"
    if spent <= 0:
        return "nothing was spent in this window"
    if lasts is None:
        return "too early in the window to tell"
    return "" if within else "lasts the window"
