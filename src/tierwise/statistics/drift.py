"""Do confidences still lie as they did when a certificate was issued? A conformal test martingale.

Pure Python: it runs beside the gateway. Each new value is ranked among all before it; while nothing has changed, its
rank is uniform, and no way of betting on ranks wins. Invariant: without a change, the chance of an alarm at any time,
however often one looks, is at most `level`.
"""

import hashlib
import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

import msgspec

LEVEL = 0.01
JUMP = 0.002
"""The share of each stake that moves on to all bets after every value, so that a late change is found too."""
STAKE, BETS = 0.5, 5


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """`strength` is the most that the bets ever won, as a power of ten; `n` values were seen."""

    alarm: bool
    strength: float
    n: int


class Ranks:
    """Bets on the ranks of values as they come, each among all before it."""

    def __init__(self, reference: Sequence[float]) -> None:
        """`reference` should be a random part of what was measured."""
        self.n = 0
        self._ranked = sorted(reference)
        self._stakes, self._won, self._most = [1 / BETS] * BETS, 0.0, 0.0

    def add(self, value: float) -> float:
        """Take the next value; return the most that the bets ever won. Equal values are ranked by a fixed draw."""
        ranked = self._ranked
        below, among = bisect_left(ranked, value), bisect_right(ranked, value)
        p = (below + _draw(self.n) * (among - below + 1)) / (len(ranked) + 1)
        insort(ranked, value)
        self.n += 1
        stakes = [stake * gain for stake, gain in zip(self._stakes, _bets(p), strict=True)]
        total = sum(stakes)
        self._won += math.log10(total)
        self._most = max(self._most, self._won)
        self._stakes = [(1 - JUMP) * stake / total + JUMP / BETS for stake in stakes]
        return self._most


def won_enough(strength: float, level: float = LEVEL) -> bool:
    """Say whether so much is an alarm."""
    return strength >= -math.log10(level)


def drifted(reference: Sequence[float], seen: Sequence[float], level: float = LEVEL) -> Drift:
    """Tell whether SEEN, in its order, comes from elsewhere than REFERENCE, a random part of what was measured."""
    ranks, strength = Ranks(reference), 0.0
    for value in seen:
        strength = ranks.add(value)
    return Drift(alarm=won_enough(strength, level), strength=strength, n=len(seen))


def _draw(at: int) -> float:
    """Return the same number from 0 to 1 for the same place: what says where among equals a value stands."""
    return int.from_bytes(hashlib.sha256(str(at).encode()).digest()[:8], "big") / 2**64


def _bets(p: float) -> tuple[float, ...]:
    """Return what a stake of 1 becomes by a rank P: ranks stay as they are, fall, rise, spread, or gather."""
    slope, bend = STAKE * (2 * p - 1), STAKE * (6 * p * (p - 1) + 1)
    return 1.0, 1 - slope, 1 + slope, 1 + bend, 1 - bend
