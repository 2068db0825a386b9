"""What does a confidence mean? A two-parameter logistic from an answer's log-probability to the chance of being right.

Deliberately knows nothing about thresholds or models. Pure Python, pure functions.
Invariant: the map is finite and defined for every log-probability, also when all answers were right, or none.
"""

import math
from collections.abc import Sequence

from tierwise.core.threshold import Calibration

LEAST = math.log(1e-6)  # confidences are read between one in a million and its complement
STEPS = 100
RIDGE = 1e-6


def logit(logprob: float) -> float:
    """Turn a natural log-probability into log-odds, clipped at one in a million either way."""
    clipped = min(max(logprob, LEAST), math.log1p(-1e-6))
    return clipped - math.log(-math.expm1(clipped))


def fit(logprobs: Sequence[float], right: Sequence[bool]) -> Calibration:
    """Fit slope and intercept on log-odds by maximum likelihood.

    The targets are Platt's, (k+1)/(k+2) and 1/(m+2) for k right and m wrong answers, so one-sided data stays finite.
    """
    if len(logprobs) != len(right) or not right:
        raise ValueError("a calibration needs one outcome for each log-probability, and at least one")
    k = sum(right)
    high, low = (k + 1) / (k + 2), 1 / (len(right) - k + 2)
    xs = [logit(value) for value in logprobs]
    ys = [high if ok else low for ok in right]
    slope, intercept = _newton(xs, ys)
    return Calibration(slope=slope, intercept=intercept, n=len(right), on="logit")


def probability(calibration: Calibration, logprob: float) -> float:
    """Read the chance of being right off the fitted map."""
    return _logistic(calibration.slope * logit(logprob) + calibration.intercept)


def expected_calibration_error(chances: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Weigh the gap between promised and seen share of right answers over BINS equally wide bins."""
    if len(chances) != len(right) or not right:
        raise ValueError("needs one outcome for each probability, and at least one")
    gaps = [0.0] * bins
    for chance, ok in zip(chances, right, strict=True):
        gaps[min(int(chance * bins), bins - 1)] += chance - ok
    return sum(map(abs, gaps)) / len(right)


def auroc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """Chance that a right answer scores above a wrong one (ties count half); None without one of each."""
    ranked = sorted(zip(scores, right, strict=True))
    good = sum(right)
    bad = len(ranked) - good
    if not good or not bad:
        return None
    ranks, at = 0.0, 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        ranks += (at + 1 + end) / 2 * sum(ok for _, ok in ranked[at:end])
        at = end
    return (ranks - good * (good + 1) / 2) / (good * bad)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def _newton(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float]:
    """Minimise the logistic loss in two parameters; halve a step that does not lower it."""
    slope, intercept = 0.0, 0.0
    value = _loss(xs, ys, slope, intercept)
    for _ in range(STEPS):
        down_slope, down_intercept = _direction(xs, ys, slope, intercept)
        share = 1.0
        while (lower := _loss(xs, ys, slope - share * down_slope, intercept - share * down_intercept)) > value:
            share /= 2
            if share < 1e-9:
                return slope, intercept
        slope, intercept = slope - share * down_slope, intercept - share * down_intercept
        if value - lower < 1e-12:
            break
        value = lower
    return slope, intercept


def _direction(xs: Sequence[float], ys: Sequence[float], slope: float, intercept: float) -> tuple[float, float]:
    """Gradient over curvature."""
    gradient_slope = RIDGE * slope
    gradient_intercept = curve_mixed = 0.0
    curve_slope = curve_intercept = RIDGE
    for x, y in zip(xs, ys, strict=True):
        chance = _logistic(slope * x + intercept)
        error, weight = chance - y, chance * (1 - chance)
        gradient_slope += error * x
        gradient_intercept += error
        curve_slope += weight * x * x
        curve_mixed += weight * x
        curve_intercept += weight
    area = curve_slope * curve_intercept - curve_mixed * curve_mixed
    return (
        (curve_intercept * gradient_slope - curve_mixed * gradient_intercept) / area,
        (curve_slope * gradient_intercept - curve_mixed * gradient_slope) / area,
    )


def _loss(xs: Sequence[float], ys: Sequence[float], slope: float, intercept: float) -> float:
    total = RIDGE * slope * slope / 2
    for x, y in zip(xs, ys, strict=True):
        score = slope * x + intercept
        total += max(score, 0.0) - score * y + math.log1p(math.exp(-abs(score)))
    return total
