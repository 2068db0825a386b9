"""How sure is a share that was counted, or a quantile that was seen? Wilson, Clopper-Pearson, order statistics.

Deliberately knows nothing about what was counted. Pure; Wilson needs no SciPy, the exact ones do.
Invariant: 0 <= low <= k/n <= high <= 1; nothing counted means nothing known, (0, 1).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist


def wilson(k: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bound the share behind K successes in N trials, two-sided. An expected K may be a fraction."""
    _check(k, n, confidence)
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = k / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, min(middle - reach, share)), min(1.0, max(middle + reach, share))


def clopper_pearson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bound the share behind K successes in N independent trials, two-sided and exact: never too narrow."""
    each_side = (1 + confidence) / 2
    return 1 - upper_bound(n - k, n, each_side), upper_bound(k, n, each_side)


def upper_bound(k: int, n: int, confidence: float = 0.95) -> float:
    """Return the largest share with which K or fewer successes in N trials are not too unlikely: exact, one-sided."""
    _check(k, n, confidence)
    if k == n:
        return 1.0
    from scipy.special import betaincinv

    return float(betaincinv(k + 1, n - k, confidence))


def quantile_interval(values: Sequence[float], q: float, confidence: float = 0.95) -> tuple[float | None, float | None]:
    """Bound the Q-quantile of what the values were drawn from, by two of them; None where none is far enough out."""
    _check(0, len(values), confidence)
    if not 0 < q < 1:
        raise ValueError(f"quantile {q} is not between 0 and 1")
    ordered, tail = sorted(values), (1 - confidence) / 2
    below, above = (_least(len(ordered), q, chance) for chance in (tail, 1 - tail))
    below -= 1
    return ordered[below] if below >= 0 else None, ordered[above] if above < len(ordered) else None


def _least(n: int, share: float, chance: float) -> int:
    """Return the least number of N that no more are than, with at least this chance."""
    from scipy.special import bdtr

    few, many = -1, n
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if bdtr(middle, n, share) >= chance else (middle, many)
    return many


def _check(k: float, n: int, confidence: float) -> None:
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
