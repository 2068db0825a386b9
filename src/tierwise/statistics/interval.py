"""How sure is a share that was counted? Wilson's score interval.

Deliberately knows nothing about what was counted. Pure.
Invariant: 0 <= low <= k/n <= high <= 1; nothing counted means nothing known, (0, 1).
"""

import math
from statistics import NormalDist


def wilson(k: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Bound the share behind K successes in N trials, two-sided. An expected K may be a fraction."""
    if not 0 <= k <= n:
        raise ValueError(f"{k} of {n} is no share")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, spread = k / n, z * z / n
    middle = (share + spread / 2) / (1 + spread)
    reach = z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    return max(0.0, min(middle - reach, share)), min(1.0, max(middle + reach, share))
