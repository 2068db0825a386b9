"""How do two answers to the same items differ on average, and how sure is that? Means with clustered errors.

Deliberately knows nothing about scorers or verdicts. Where an item was asked repeatedly, its value is the mean over
the repeats: the error between items then holds the (smaller) error within them. Values lie within -SCALE..SCALE.
Invariant: what was not measured is never a value; no interval is narrower than what so few clusters can show.
"""

import math
from collections.abc import Hashable, Sequence

import msgspec
import numpy as np
from scipy.special import bdtr, stdtrit

Bounded = float | tuple[float, float] | None
"""A value, or the least and the most that it can be; None: anything within the scale."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """`low` and `high` bound the mean two-sided, `lower` one-sided, all with `confidence`.

    `se` is None where there is one cluster only: then the bounds are those of the scale.
    """

    mean: float
    se: float | None
    low: float
    high: float
    lower: float
    n: int
    clusters: int
    confidence: float


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """The difference if all that is missing were at its worst, and at its best; `missing` items of all."""

    worst: Difference
    best: Difference
    missing: int


def difference(
    values: Sequence[float], clusters: Sequence[Hashable], confidence: float = 0.95, scale: float = 1.0
) -> Difference | None:
    """Return the mean with errors by cluster: C/(C-1) for few clusters, Student's t with C-1 degrees of freedom.

    None where there is no value. Where clusters hardly vary, no interval is narrower than what C clusters that all
    agree can exclude. Raises ValueError for values that are no numbers or beyond the scale.
    """
    if len(values) != len(clusters) or not 0 < confidence < 1:
        raise ValueError("a difference needs one cluster for each value, and a confidence between 0 and 1")
    if not len(values):
        return None
    x = np.asarray(values, dtype=float)
    if not bool(np.all(np.abs(x) <= scale)):
        raise ValueError(f"every value must be a number from {-scale:g} to {scale:g}")
    groups = numbered(clusters)
    n, count, mean = len(x), int(groups.max()) + 1, float(x.mean())
    if count == 1:
        return Difference(
            mean=mean, se=None, low=-scale, high=scale, lower=-scale, n=n, clusters=1, confidence=confidence
        )
    se = math.sqrt(count / (count - 1) * float(np.square(np.bincount(groups, x - mean)).sum())) / n
    both, one = (reach_of(se, count, (1 - confidence) / sides, scale) for sides in (2, 1))
    return Difference(
        mean=mean,
        se=se,
        low=max(-scale, mean - both),
        high=min(scale, mean + both),
        lower=max(-scale, mean - one),
        n=n,
        clusters=count,
        confidence=confidence,
    )


def bounded(
    values: Sequence[Bounded], clusters: Sequence[Hashable], confidence: float = 0.95, scale: float = 1.0
) -> Bounds | None:
    """Return what the difference would be with all missing values at their worst and at their best."""
    least, most = ([_end(value, side, scale) for value in values] for side in (0, 1))
    worst, best = (difference(side, clusters, confidence, scale) for side in (least, most))
    if worst is None or best is None:
        return None
    return Bounds(worst=worst, best=best, missing=sum(not isinstance(value, int | float) for value in values))


def gap(candidate: float | None, baseline: float | None) -> float | tuple[float, float]:
    """Return the difference of two scores from 0 to 1, or what it can be where one or both are missing."""
    if candidate is not None and baseline is not None:
        return candidate - baseline
    least, most = (0.0, 1.0) if candidate is None else (candidate, candidate)
    low, high = (0.0, 1.0) if baseline is None else (baseline, baseline)
    return least - high, most - low


def mcnemar(b: int, c: int) -> float:
    """Return how likely B wins against C losses, or worse, would be between equals: exact, two-sided."""
    return min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Adjust the p-values of a family of claims so that each may be read by itself, in the order given."""
    adjusted, least = [0.0] * len(ps), 0.0
    for rank, at in enumerate(sorted(range(len(ps)), key=lambda at: ps[at])):
        least = max(least, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = least
    return tuple(adjusted)


def numbered(clusters: Sequence[Hashable]) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return the number of each value's cluster, from 0 in the order in which they come."""
    known: dict[Hashable, int] = {}
    return np.fromiter((known.setdefault(name, len(known)) for name in clusters), dtype=np.int64, count=len(clusters))


def reach_of(se: float, clusters: int, tail: float, scale: float = 1.0) -> float:
    """Return how far a bound lies from the mean: by t, but at least what may hide unseen in so many clusters."""
    unseen = scale * (1 - math.exp(math.log(tail) / clusters))
    return max(float(-stdtrit(clusters - 1, tail)) * se, unseen)


def _end(value: Bounded, side: int, scale: float) -> float:
    if value is None:
        return (-scale, scale)[side]
    return float(value[side] if isinstance(value, tuple) else value)
