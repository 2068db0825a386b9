"""How are numbers of a card written for people? With the digits that count, the same everywhere. Pure."""

import math
from datetime import UTC, datetime

from tierwise.evals.card import Estimate, Flip

UNKNOWN = "–"
SIGNIFICANT = 3


def usd(value: float) -> str:
    """Write an amount with the digits that count."""
    size = abs(value)
    if size >= 100:
        told = f"{size:,.2f}"
    else:
        places = max(0, SIGNIFICANT - 1 - math.floor(math.log10(size))) if size else 0
        told = f"{size:.{places}f}"
        told = told.rstrip("0").rstrip(".") if "." in told else told
    return f"{'-' if value < 0 else ''}${told}"


def points(value: float, *, sign: bool = True) -> str:
    """Write a difference of scores in points of a hundred."""
    return f"{value * 100:+.1f}" if sign else f"{value * 100:.1f}"


def share(value: float) -> str:
    """Write a share."""
    return f"{value:.1%}"


def amount(value: float, unit: str) -> str:
    """Write a knob's value for people."""
    match unit:
        case "USD":
            return f"${value:.4g}"
        case "times":
            return f"{value:.3g} times what it is"
        case "share":
            return f"{value:.3%}"
        case "score":
            return f"{value:.4g}"
        case "items":
            return f"{value:.0f}"
        case "ms":
            return f"{value:,.0f} ms" if value >= 10 else f"{value:.3g} ms"
        case _:
            return f"{value:.3g} {unit}"


def day(ts: float) -> str:
    """Write a moment in UTC, to the minute."""
    return datetime.fromtimestamp(ts, UTC).strftime("%Y-%m-%d %H:%M")


def ms(value: float | None) -> str:
    """Write milliseconds."""
    if value is None:
        return UNKNOWN
    return f"{value:,.0f} ms" if value >= 10 else f"{value:.2g} ms"


def dollar_estimate(seen: Estimate) -> str:
    """Write an amount with its interval."""
    if seen.value is None:
        return UNKNOWN
    if seen.low is None or seen.high is None or seen.low == seen.high:
        return usd(seen.value)
    return f"{usd(seen.value)} ({usd(seen.low)} to {usd(seen.high)})"


def point_estimate(seen: Estimate | None) -> str:
    """Write a difference of scores with its interval, in points."""
    if seen is None or seen.value is None or seen.low is None or seen.high is None:
        return UNKNOWN
    return f"{points(seen.value)} ({points(seen.low)} to {points(seen.high)})"


def share_estimate(seen: Estimate) -> str:
    """Write a share with its interval."""
    if seen.value is None:
        return UNKNOWN
    if seen.low is None or seen.high is None:
        return share(seen.value)
    return f"{share(seen.value)} ({share(seen.low)} to {share(seen.high)})"


def flip_line(flip: Flip) -> str:
    """Write a flip point with the value that holds now."""
    return flip.told if flip.unit == "times" else f"{flip.told} (now {amount(flip.now, flip.unit)})"
