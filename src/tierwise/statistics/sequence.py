"""What is known now, if one looks at every answer and may stop at any? Bounds that hold at all looks at once.

Pure Python: it runs beside the gateway. `Mean` is exact for any number of looks. `path` is for differences in
clusters, and holds as far as a normal distribution does.
Invariant: a bound's chance of ever being crossed is at most 1 - confidence, whoever stops when.
"""

import math
from collections.abc import Hashable, Sequence
from statistics import NormalDist

import msgspec

PLANNED = 1000
PLANNED_SHARE = 0.95
"""Of the error that is allowed, spent on the looks that were planned; the rest keeps all later ones valid."""
UNSEEN = 4.0
"""So many items that differ by the whole scale are added to every variance: about the square of the wall."""
_STEPS = 60


class Mean(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of values from 0 to 1 that come one by one, each with the same expectation given those before.

    A mixture of bets over all constant shares; for values between 0 and 1 it is the same bet, taken with more caution.
    """

    n: int = 0
    total: float = 0.0

    def add(self, value: float) -> "Mean":
        """Return what is known after one value more."""
        if not 0 <= value <= 1:
            raise ValueError(f"{value} is not between 0 and 1")
        return Mean(n=self.n + 1, total=self.total + value)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Bound the expectation; all intervals that will ever be read hold together with CONFIDENCE."""
        if not self.n:
            return 0.0, 1.0
        middle, most = self.total / self.n, -math.log(1 - confidence)
        return self._edge(middle, 0.0, most), self._edge(middle, 1.0, most)

    def against(self, share: float) -> float:
        """Return the logarithm of what bets against this expectation have won."""
        right, wrong = self.total, self.n - self.total
        if (right and share <= 0) or (wrong and share >= 1):
            return math.inf
        staked = (right * math.log(share) if right else 0.0) + (wrong * math.log1p(-share) if wrong else 0.0)
        return _log_beta(right + 0.5, wrong + 0.5) - _log_beta(0.5, 0.5) - staked

    def _edge(self, inside: float, outside: float, most: float) -> float:
        """Return the share nearest to OUTSIDE against which bets have not won enough."""
        if self.against(outside) < most:
            return outside
        for _ in range(_STEPS):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if self.against(middle) < most else (inside, middle)
        return outside


def apart(one: Mean, other: Mean, confidence: float = 0.95) -> tuple[float, float]:
    """Bound ONE's expectation less OTHER's, at every look."""
    (low, high), (least, most) = (mean.interval((1 + confidence) / 2) for mean in (one, other))
    return low - most, high - least


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The mean after `n` values, and its error by cluster; None while there is one cluster only."""

    n: int
    clusters: int
    mean: float
    se: float | None

    def reach(self, tail: float, planned: int, common_se: float = 0.0) -> float:
        """Return how far a bound lies from the mean, if it may be crossed on that side with the chance TAIL."""
        if self.se is None:
            return math.inf
        return _multiple(self.n, tail, planned, self.clusters - 1) * math.hypot(self.se, common_se)


def looks(values: Sequence[float], clusters: Sequence[Hashable], scale: float = 1.0) -> list[Look]:
    """Return what is seen after each value. Sums by cluster are kept up to date, so a look costs the same at any n."""
    if len(values) != len(clusters):
        raise ValueError("one cluster for each value")
    sums: dict[Hashable, tuple[float, int]] = {}
    found, total, squares, products, sizes = [], 0.0, 0.0, 0.0, 0
    for n, (value, cluster) in enumerate(zip(values, clusters, strict=True), 1):
        if not abs(value) <= scale:
            raise ValueError(f"{value} is not within {-scale:g} and {scale:g}")
        before, size = sums.get(cluster, (0.0, 0))
        sums[cluster] = (before + value, size + 1)
        total += value
        squares += value * (2 * before + value)
        products += before + value * (size + 1)
        sizes += 2 * size + 1
        mean, count = total / n, len(sums)
        spread = squares - 2 * mean * products + mean * mean * sizes + UNSEEN * scale * scale
        se = math.sqrt(max(spread, 0.0) * count / (count - 1)) / n if count > 1 else None
        found.append(Look(n=n, clusters=count, mean=mean, se=se))
    return found


def path(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    confidence: float = 0.95,
    planned: int = PLANNED,
    common_se: float = 0.0,
) -> list[tuple[int, float, float, float]]:
    """Return (n, mean, low, high) after each value; all of them bound the mean together, two-sided.

    `planned` is how many values are meant to be seen: the bounds are sharpest then, and hold before and after. It must
    not follow from the values. Their order must have nothing to do with them; clusters may be interleaved.
    `common_se` is the error of something that all looks share, such as a judge's calibration.
    """
    tail = (1 - confidence) / 2
    found = []
    for look in looks(values, clusters):
        reach = look.reach(tail, planned, common_se)
        found.append((look.n, look.mean, max(-1.0, look.mean - reach), min(1.0, look.mean + reach)))
    return found


def proven(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    above: float,
    confidence: float = 0.95,
    planned: int = PLANNED,
    common_se: float = 0.0,
) -> int | None:
    """Return after how many values it is shown, one-sided, that the mean lies above ABOVE; None where never."""
    for look in looks(values, clusters):
        if look.mean - look.reach(1 - confidence, planned, common_se) > above:
            return look.n
    return None


def _multiple(n: int, tail: float, planned: int, freedom: int) -> float:
    """Return how many standard errors a bound lies away after N values.

    Until `planned`: a level wall before the sum, which it reaches with twice the chance of ending behind it
    (reflection). Slepian's inequality lets members of one cluster be spread over the whole path. Afterwards: the
    normal mixture of Waudby-Smith et al. (arXiv 2103.06476, one-sided), sharpest at twice the plan.
    """
    if n <= planned:
        return _student(PLANNED_SHARE * tail / 2, freedom) * math.sqrt(planned / n)
    rest, steps = (1 - PLANNED_SHARE) * tail, 10 * n / planned
    z = math.sqrt(2 * (steps + 1) / steps * math.log(1 + math.sqrt(steps + 1) / (2 * rest)))
    return z * _student(tail, freedom) / _student(tail, 10**9)


def _student(tail: float, freedom: int) -> float:
    """Return Student's quantile from the normal one (Cornish and Fisher): within 1 % from 5 degrees of freedom on."""
    z = -NormalDist().inv_cdf(tail)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / float(freedom) ** power for power, term in enumerate(terms, 1))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
