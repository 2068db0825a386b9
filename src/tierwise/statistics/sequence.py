"""What is known now, if one looks at every answer and may stop at any? Bounds that hold at all looks at once.

Pure Python: it runs beside the gateway. `Mean` is exact for any number of looks. `path` is for differences in
clusters, and holds as far as a normal distribution does.
Invariant: a bound's chance of ever being crossed is at most 1 - confidence, whoever stops when.
"""

import math
from collections.abc import Hashable, Iterator, Sequence
from statistics import NormalDist

import msgspec

PLANNED = 1000
PLANNED_SHARE = 0.98
"""Of the error that is allowed, spent on the looks that were planned; the rest keeps all later ones valid."""
SLOPE = 0.75
"""How much the wall before the sum rises: of those that let an equal candidate through with a chance of 80 %, the one
that does so after about the fewest items."""
UNSEEN = 2.0
"""So many items that differ by the whole scale are added to every variance, for what few items do not show yet."""
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


class Wall(msgspec.Struct, frozen=True, kw_only=True):
    """How many standard errors a bound lies away, so that with the chance `tail` it is ever crossed on its side.

    Until `planned` values are seen: a straight line before the sum, for which the chance is known (`crossed`).
    Slepian's inequality lets members of one cluster be spread over the whole path. Afterwards: the normal mixture of
    Waudby-Smith et al. (arXiv 2103.06476), sharpest at twice the plan.
    """

    tail: float
    planned: int
    start: float

    @classmethod
    def of(cls, tail: float, planned: int = PLANNED) -> "Wall":
        """Put the wall where it is crossed just seldom enough."""
        if planned < 1 or not 0 < tail < 1:
            raise ValueError(f"nothing can be planned with {planned} values and a chance of {tail}")
        near, far = 0.0, 40.0
        for _ in range(_STEPS):
            middle = (near + far) / 2
            near, far = (middle, far) if crossed(middle, SLOPE) > PLANNED_SHARE * tail else (near, middle)
        return cls(tail=tail, planned=planned, start=far)

    def errors(self, n: int, clusters: int) -> float:
        """Return the standard errors after N values; more where few clusters tell what an error is."""
        part = n / self.planned
        if part <= 1:
            z = self.start / math.sqrt(part) + SLOPE * math.sqrt(part)
        else:
            rest = (1 - PLANNED_SHARE) * self.tail
            z = math.sqrt((2 + 0.2 / part) * math.log(1 + math.sqrt(10 * part + 1) / (2 * rest)))
        return z * _student(self.tail / 2, clusters - 1)


def crossed(start: float, slope: float) -> float:
    """Return how likely Brownian motion meets a line from START on, rising by SLOPE, within a unit of time."""
    normal = NormalDist()
    return 1 - normal.cdf(start + slope) + math.exp(-2 * start * slope) * normal.cdf(slope - start)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The mean after `n` values, its error by cluster, and by how much clusters lean to one side, as a mean.

    `se` is None while there is one cluster only.
    """

    n: int
    clusters: int
    mean: float
    se: float | None
    lean: float

    def bounds(self, wall: Wall, common_se: float = 0.0) -> tuple[float, float]:
        """Return the bounds below and above the mean, each of which is ever crossed with the wall's chance.

        Where all that differs is loss, the worst is rare and still to come: Johnson's term (1978) allows for it.
        """
        if self.se is None:
            return -1.0, 1.0
        z = wall.errors(self.n, self.clusters)
        reach, lean = z * math.hypot(self.se, common_se), self.lean * (1 + 2 * z * z) / 6
        return max(-1.0, self.mean - reach + min(0.0, lean)), min(1.0, self.mean + reach + max(0.0, lean))


def looks(values: Sequence[float], clusters: Sequence[Hashable]) -> Iterator[Look]:
    """Return what is seen after each value, from -1 to 1. A look costs the same at any n."""
    if len(values) != len(clusters):
        raise ValueError("one cluster for each value")
    sums: dict[Hashable, tuple[float, int]] = {}
    total = ss = sk = kk = sss = ssk = skk = kkk = 0.0  # over clusters: products of a cluster's sum s and its size k
    for n, (value, cluster) in enumerate(zip(values, clusters, strict=True), 1):
        if not abs(value) <= 1:
            raise ValueError(f"{value} is not between -1 and 1")
        old, size = sums.get(cluster, (0.0, 0))
        new, k = old + value, size + 1
        sums[cluster] = (new, k)
        total += value
        ss, sk, kk = ss + new * new - old * old, sk + new * k - old * size, kk + k * k - size * size
        sss, kkk = sss + new**3 - old**3, kkk + k**3 - size**3
        ssk, skk = ssk + new * new * k - old * old * size, skk + new * k * k - old * size * size
        count, mean = len(sums), total / n
        square = max(0.0, ss - mean * (2 * sk - mean * kk)) + UNSEEN
        cube = sss - mean * (3 * ssk - mean * (3 * skk - mean * kkk))
        se = math.sqrt(square * count / (count - 1)) / n if count > 1 else None
        yield Look(n=n, clusters=count, mean=mean, se=se, lean=cube / square / n)


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
    wall = Wall.of((1 - confidence) / 2, planned)
    return [(look.n, look.mean, *look.bounds(wall, common_se)) for look in looks(values, clusters)]


def proven(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    above: float,
    confidence: float = 0.95,
    planned: int = PLANNED,
    common_se: float = 0.0,
) -> int | None:
    """Return after how many values it is shown, one-sided, that the mean lies above ABOVE; None where never."""
    wall = Wall.of(1 - confidence, planned)
    for look in looks(values, clusters):
        if look.bounds(wall, common_se)[0] > above:
            return look.n
    return None


def _student(tail: float, freedom: int) -> float:
    """Return how much farther out Student's quantile lies than the normal one (Cornish and Fisher)."""
    z = NormalDist().inv_cdf(tail)
    first = (z**2 + 1) / 4
    second = (5 * z**4 + 16 * z**2 + 3) / 96
    third = (3 * z**6 + 19 * z**4 + 17 * z**2 - 15) / 384
    return 1 + (first + (second + third / freedom) / freedom) / freedom


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
