"""What does a judge that errs say about the truth? Corrections from labels that people gave.

A judge is described by counts on labelled answers: `sensitivity` is (called right, of right ones), `specificity`
(called wrong, of wrong ones). It must err alike on all subjects. Items are taken as independent but in `predicted`.
Invariant: a judge that is no better than a coin (sensitivity + specificity <= 1) has no answer: None.
"""

import math
from collections.abc import Hashable, Sequence

import msgspec
import numpy as np
from scipy.special import ndtri, stdtrit

from tierwise.statistics.paired import Difference, numbered, reach_of

Counted = tuple[int, int]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A value with its standard error and a two-sided interval."""

    value: float
    se: float
    low: float
    high: float
    confidence: float


def corrected(
    positives: int, n: int, sensitivity: Counted, specificity: Counted, confidence: float = 0.95
) -> Estimate | None:
    """Return the true share of right answers where a judge called POSITIVES of N right (arXiv 2511.21140).

    The interval is reckoned from counts with a few added, which keeps it honest where a share is 0 or 1.
    """
    z = float(ndtri((1 + confidence) / 2))
    plain = _rogan_gladen(positives, n, sensitivity, specificity)
    cautious = _rogan_gladen(
        positives + z * z / 2,
        n + z * z,
        (sensitivity[0] + 1, sensitivity[1] + 2),
        (specificity[0] + 1, specificity[1] + 2),
    )
    if plain is None or cautious is None:
        return None
    value = min(1.0, max(0.0, plain[0]))
    low, high = cautious[0] - z * cautious[1], cautious[0] + z * cautious[1]
    return Estimate(
        value=value,
        se=plain[1],
        low=max(0.0, min(low, value)),
        high=min(1.0, max(high, value)),
        confidence=confidence,
    )


def sharpness(sensitivity: Counted, specificity: Counted) -> tuple[float, float] | None:
    """Return by what factor a judge shrinks every true difference, with its standard error; None where not above 0."""
    if not sensitivity[1] or not specificity[1]:
        return None
    factor = sensitivity[0] / sensitivity[1] + specificity[0] / specificity[1] - 1
    return (
        (factor, math.sqrt(sum(_variance(k + 1, m + 2) for k, m in (sensitivity, specificity)))) if factor > 0 else None
    )


def as_judged(margin: float, sensitivity: Counted, specificity: Counted) -> tuple[float, float] | None:
    """Return what a margin of the truth is in the judge's eyes, and its standard error (a path's `common_se`)."""
    sharp = sharpness(sensitivity, specificity)
    return (margin * sharp[0], margin * sharp[1]) if sharp else None


def rescaled(judged: Difference, sensitivity: Counted, specificity: Counted) -> Estimate | None:
    """Return the true difference of two subjects from the one that a judge sees."""
    sharp = sharpness(sensitivity, specificity)
    if sharp is None or judged.se is None:
        return None
    factor, error = sharp
    value = judged.mean / factor
    se = math.hypot(judged.se, value * error) / factor
    reach = float(stdtrit(judged.clusters - 1, (1 + judged.confidence) / 2)) * se
    return Estimate(
        value=min(1.0, max(-1.0, value)),
        se=se,
        low=max(-1.0, value - reach),
        high=min(1.0, value + reach),
        confidence=judged.confidence,
    )


def predicted(
    judged: Sequence[float], human: Sequence[float | None], clusters: Sequence[Hashable], confidence: float = 0.95
) -> Estimate | None:
    """Return the mean that people would give all items, from a judge's word on all and people's on some (PPI++).

    All from -1 to 1; `human` holds None where nobody was asked, which must have nothing to do with the answers. The
    judge counts for as much as it agrees with people (arXiv 2311.01453), so a useless one costs nothing. Errors are by
    cluster, and no interval is narrower than what so few labels can show. None below two clusters with labels.
    """
    if not len(judged) == len(human) == len(clusters):
        raise ValueError("one judgement, one label or None, and one cluster for each item")
    asked = np.array([one is not None for one in human], dtype=bool)
    f, y = np.asarray(judged, dtype=float), np.array([one for one in human if one is not None], dtype=float)
    groups = numbered(clusters)
    labelled = len(np.unique(groups[asked]))
    if labelled < 2:
        return None
    n, rest, weight = len(y), len(f) - len(y), 0.0
    if rest and n > 1 and (spread := float(f.var(ddof=1))) > 0:
        weight = min(1.0, max(0.0, float(np.cov(y, f[asked])[0, 1]) / (spread * (1 + n / rest))))
    corrections = y - weight * f[asked]
    others = weight * float(f[~asked].mean()) if rest else 0.0
    influence = np.empty(len(f))
    influence[asked] = (corrections - corrections.mean()) / n
    influence[~asked] = (weight * f[~asked] - others) / max(1, rest)
    se = math.sqrt(labelled / (labelled - 1) * float(np.square(np.bincount(groups, influence)).sum()))
    value, reach = float(corrections.mean()) + others, reach_of(se, labelled, (1 - confidence) / 2)
    return Estimate(value=value, se=se, low=value - reach, high=value + reach, confidence=confidence)


def _rogan_gladen(
    k: float, n: float, sensitivity: tuple[float, float], specificity: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the corrected share and its standard error."""
    if not n or not sensitivity[1] or not specificity[1]:
        return None
    p, q1, q0 = k / n, sensitivity[0] / sensitivity[1], specificity[0] / specificity[1]
    factor = q0 + q1 - 1
    if factor <= 0:
        return None
    theta = (p + q0 - 1) / factor
    inside = min(1.0, max(0.0, theta))
    variance = _variance(k, n) + (1 - inside) ** 2 * _variance(*specificity) + inside**2 * _variance(*sensitivity)
    return theta, math.sqrt(variance) / factor


def _variance(k: float, n: float) -> float:
    return k / n * (1 - k / n) / n
