"""How far apart are the means of two arms, if one looks at every value and may stop at any? Sharper than two intervals.

Pure. Bets against each pair of means that lie so far apart are multiplied: what both arms have won together counts,
so that a small arm and a large one each give what they know.
Invariant: a bound's chance of ever being wrong is at most 1 - confidence, whoever stops when.
"""

import math

from tierwise.statistics.sequence import Mean

_STEPS, _INNER, _TINY = 30, 40, 1e-300


def apart(one: Mean, other: Mean, confidence: float = 0.95) -> tuple[float, float]:
    """Bound ONE's expectation less OTHER's; all bounds that will ever be read hold together with CONFIDENCE."""
    if not one.n or not other.n:
        return -1.0, 1.0
    most = -math.log(1 - confidence)
    return _low(one, other, most), -_low(other, one, most)


def _low(one: Mean, other: Mean, most: float) -> float:
    """Return the largest difference below the one seen against which bets have won enough, -1 for none."""
    outside, inside = -1.0, one.total / one.n - other.total / other.n
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if _least(one, other, middle) >= most else (middle, outside)
    return outside


def _least(one: Mean, other: Mean, difference: float) -> float:
    """Return what bets have won at least, over all pairs of expectations with this difference: a convex function."""
    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)
    a, b, c, d = one.total, one.n - one.total, other.total, other.n - other.total
    for _ in range(_INNER):
        p = (low + high) / 2
        q = p + difference
        slope = b / max(1 - q, _TINY) - a / max(q, _TINY) + d / max(1 - p, _TINY) - c / max(p, _TINY)
        low, high = (low, p) if slope > 0 else (p, high)
    p = (low + high) / 2
    return one.against(min(max(p + difference, 0.0), 1.0)) + other.against(p)
