"""Do confidences still lie as they did when a certificate was issued? A conformal test martingale.

Pure Python: it runs beside the gateway. Each new value is ranked among all before it; while nothing has changed, its
rank is uniform, and no way of betting on ranks wins. Invariant: without a change, the chance of an alarm at any time,
however often one looks, is at most `level`.
"""

import math
import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

import msgspec

LEVEL = 0.01
JUMP = 0.01
"""The share of each stake that moves on to the other bets after every value, so that a late change is found too."""


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """`strength` is the most that the bets ever won, as a power of ten; `n` values were seen."""

    alarm: bool
    strength: float
    n: int


def drifted(reference: Sequence[float], seen: Sequence[float], level: float = LEVEL) -> Drift:
    """Tell whether SEEN, in its order, comes from elsewhere than REFERENCE.

    The reference should be a random part of what was measured. Equal values are ranked by a fixed draw.
    """
    ranked, draw = sorted(reference), random.Random(0)
    stakes, won, most = [1 / len(_BETS)] * len(_BETS), 0.0, 0.0
    for value in seen:
        below, among = bisect_left(ranked, value), bisect_right(ranked, value)
        p = (below + draw.random() * (among - below + 1)) / (len(ranked) + 1)
        insort(ranked, value)
        stakes = [stake * bet(p) for stake, bet in zip(stakes, _BETS, strict=True)]
        total = sum(stakes)
        won += math.log10(total)
        most = max(most, won)
        stakes = [(1 - JUMP) * stake / total + JUMP / len(stakes) for stake in stakes]
    return Drift(alarm=most >= -math.log10(level), strength=most, n=len(seen))


def _still(p: float) -> float:
    return 1.0


def _lower(p: float) -> float:
    return 1 - 0.9 * (2 * p - 1)


def _higher(p: float) -> float:
    return 1 + 0.9 * (2 * p - 1)


def _wider(p: float) -> float:
    return 1 + 0.9 * (6 * p * p - 6 * p + 1)


def _narrower(p: float) -> float:
    return 1 - 0.9 * (6 * p * p - 6 * p + 1)


_BETS = (_still, _lower, _higher, _wider, _narrower)
