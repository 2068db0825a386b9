"""What does `tierwise cost` find? The values that are told on a terminal, on a page and in plots alike.

Knows neither how they are found nor how they look.
"""

from decimal import Decimal

import msgspec

from tierwise.economics.baselines import Baseline
from tierwise.economics.compare import Answer, Input
from tierwise.economics.spend import Forecast, Line


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """All that the command says."""

    whole: Line
    views: dict[str, tuple[Line, ...]]
    baselines: tuple[Baseline, ...]
    accepted_usd: Decimal | None
    forecast: Forecast | None
    comparisons: tuple[Answer, ...] = ()
    inputs: tuple[Input, ...] = ()
    missing_buckets: tuple[str, ...] = ()


def round_usd(amount: Decimal | None) -> str:
    """Write an amount that was reckoned from ranges: cents only where they count."""
    if amount is None:
        return "–"
    sign, size = "-" if amount < 0 else "", abs(amount)
    return f"{sign}${size:,.0f}" if size >= 100 else f"{sign}${size:,.2f}"


def usd(amount: Decimal | None) -> str:
    """Write an amount for people."""
    if amount is None:
        return "–"
    sign, size = "-" if amount < 0 else "", abs(amount)
    return f"{sign}${size:,.2f}" if size >= 1 else f"{sign}${size:.6f}".rstrip("0").rstrip(".")
