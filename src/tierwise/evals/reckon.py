"""How sure is each number of a way? Estimates with their errors, reckoned once, from which a rule is quick to apply.

Errors are those of clusters. Knows no limits. Invariant: a proof rests on the worst case, in which every missing answer
is as bad for the candidate as can be.
"""

import math
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from statistics import NormalDist
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from tierwise.core.criteria import Criteria, Guarantee
from tierwise.evals.ways import PARTS, Way
from tierwise.statistics.interval import quantile_interval, upper_bound, wilson
from tierwise.statistics.judge import predicted
from tierwise.statistics.paired import Difference, difference
from tierwise.statistics.sequence import Look, Wall, looks

Matrix = np.ndarray[Any, np.dtype[np.float64]]
Case = Literal["worst", "best"]
MICRO = 1e6


class Bounded(NamedTuple):
    """A value and its two-sided interval."""

    value: float
    low: float
    high: float


class Prices(msgspec.Struct, frozen=True, kw_only=True):
    """What the reckoning takes as given: the criteria's money, and by how much a price or the review load is changed.

    `factors` are by the name of a subject; `review` multiplies the share of tasks that a person sees.
    """

    error_microusd: float
    review_microusd_per_minute: float
    factors: Mapping[str, float] = {}
    review: float = 1.0

    @classmethod
    def of(cls, criteria: Criteria) -> "Prices":
        """Take a criteria's own."""
        return cls(
            error_microusd=micro(criteria.error_cost_usd),
            review_microusd_per_minute=micro(criteria.review_usd_per_hour) / 60,
        )


def micro(usd: Decimal) -> float:
    """Return an amount in microdollars."""
    return float(usd) * MICRO


class Reckoned:
    """A way with its errors. What takes long is reckoned when it is first asked for, and kept."""

    def __init__(self, way: Way, base: Way, clusters: "np.ndarray[Any, np.dtype[np.int64]]", confidence: float) -> None:
        self.way, self.base, self.clusters, self.confidence = way, base, clusters, confidence
        self.name, self.items = way.name, len(clusters)
        self._bounds: dict[tuple[Case, float, int | None], float] = {}
        self._last_look: dict[Case, Look | None] = {}
        self._latency: dict[int, tuple[Bounded | None, int]] = {}

    @cached_property
    def plain(self) -> Difference | None:
        """The difference on the items that both answered, as it looks."""
        both = ~np.isnan(self.way.difference)
        return self._difference(self.way.difference[both], self.clusters[both], self.confidence)

    @cached_property
    def score(self) -> Bounded | None:
        """The mean score of what was answered; of a cascade, the baseline's and its difference."""
        way = self.way
        values = way.seen.score if not way.cascade else self.base.seen.score + way.difference
        known = ~np.isnan(values)
        found = self._difference(values[known], self.clusters[known], self.confidence)
        return None if found is None else Bounded(found.mean, max(0.0, found.low), min(1.0, found.high))

    @cached_property
    def worst(self) -> Difference | None:
        """The difference were every missing answer as bad as can be."""
        return self._difference(self.way.worst, self.clusters, self.confidence)

    @cached_property
    def best(self) -> Difference | None:
        """The difference were every missing answer as good as can be."""
        return self._difference(self.way.best, self.clusters, self.confidence)

    @cached_property
    def by_people(self) -> tuple[Bounded | None, int]:
        """The difference as people would see it, had they seen all, and how many items they did see of both.

        The scorer's word on all items stands for theirs as far as both agree where both spoke.
        """
        way = self.way
        share = way.share if way.cascade else np.ones_like(way.share)
        said = share * (way.seen.human - self.base.seen.human)
        both = ~np.isnan(way.difference)
        human = [None if math.isnan(one) else one for one in said[both].tolist()]
        labels = sum(one is not None for one in human)
        if not labels:
            return None, 0
        found = predicted(way.difference[both].tolist(), human, self.clusters[both].tolist(), self.confidence)
        return (None if found is None else Bounded(found.value, max(-1.0, found.low), min(1.0, found.high))), labels

    def lower(self, level: float, planned: int | None = None) -> float:
        """Return the bound that the worst case lies above, but for a chance of `level`.

        `planned` items were meant to be seen: given, the bound holds however often anybody looks.
        """
        return self._bound("worst", level, planned)

    def upper(self, level: float, planned: int | None = None) -> float:
        """Return the bound that the best case lies below, but for a chance of `level`, as `lower` does."""
        return -self._bound("best", level, planned)

    def _bound(self, case: Case, level: float, planned: int | None) -> float:
        """Bound the worst case from below, or the best one's negative."""
        key = (case, level, planned)
        if key not in self._bounds:
            self._bounds[key] = (
                self._planned(case, level) if planned is None else self._always(case, level, max(1, planned))
            )
        return self._bounds[key]

    def _planned(self, case: Case, level: float) -> float:
        found = self._difference(self._turned(case), self.clusters, 1 - level)
        return -1.0 if found is None else found.lower

    def _always(self, case: Case, level: float, planned: int) -> float:
        if case not in self._last_look:
            # What a mean of shares rounds to may lie a hair beyond the scale.
            every = looks(np.clip(self._turned(case), -1.0, 1.0).tolist(), self.clusters.tolist())
            self._last_look[case] = next(iter(deque(every, maxlen=1)), None)
        last = self._last_look[case]
        return -1.0 if last is None else last.bounds(Wall.of(level, planned))[0]

    def _turned(self, case: Case) -> Matrix:
        return self.way.worst if case == "worst" else -self.way.best

    @staticmethod
    def _difference(values: Matrix, clusters: Any, confidence: float) -> Difference | None:
        return difference(np.clip(values, -1.0, 1.0).tolist(), clusters.tolist(), confidence)

    @cached_property
    def means(self) -> Matrix:
        """The means of the parts of cost and time: of this way, then of the baseline."""
        return np.array(np.concatenate((self.way.costs, self.base.costs)).mean(axis=1))

    @cached_property
    def covariance(self) -> Matrix:
        """How the errors of those means go together."""
        both = np.concatenate((self.way.costs, self.base.costs))
        centred = both - self.means[:, None]
        count = int(self.clusters.max()) + 1
        sums = np.stack([np.bincount(self.clusters, weights=row, minlength=count) for row in centred])
        return np.array(sums @ sums.T * (count / max(1, count - 1)) / self.items**2)

    @cached_property
    def _z(self) -> float:
        return NormalDist().inv_cdf(0.5 + self.confidence / 2)

    def share(self, values: Matrix, over: float | None = None) -> Bounded:
        """Bound a mean share, by Wilson: the number of clusters is that of the trials."""
        clusters = int(self.clusters.max()) + 1
        value = min(1.0, max(0.0, float(values.mean()) if over is None else float(values.sum()) / over))
        low, high = wilson(value * clusters, clusters, self.confidence)
        return Bounded(value, low, high)

    @cached_property
    def missing(self) -> Bounded:
        """The share without an answer, whatever the reason; being denied is not among them."""
        return self.share(self.way.missing - self.way.denied)

    @cached_property
    def denied(self) -> Bounded:
        """The share that policy or budget let nobody be asked."""
        return self.share(self.way.denied)

    @cached_property
    def wrong_accepted(self) -> Bounded | None:
        """The share of the accepted that is wrong, with the exact upper bound; None where nothing was accepted."""
        count = int(self.clusters.max()) + 1
        kept = np.bincount(self.clusters, weights=self.way.accepted, minlength=count)
        bad = np.bincount(self.clusters, weights=self.way.wrong, minlength=count)
        return self._exact(bad[kept > 0], kept[kept > 0])

    @cached_property
    def _kept_wrong(self) -> dict[str, Bounded | None]:
        """Of the answers that the subject keeps itself, by guarantee: the share that is wrong, exactly bounded."""
        way, count = self.way, int(self.clusters.max()) + 1
        base_wrong = (1 - way.share) * self.base.wrong if way.cascade else 0.0
        wrong = np.maximum(0.0, way.wrong - base_wrong)
        bad = np.bincount(self.clusters, weights=wrong, minlength=count)
        kept = np.bincount(self.clusters, weights=way.share, minlength=count)
        sizes = np.bincount(self.clusters, minlength=count).astype(float)
        return {
            "wrong_given_accepted": self._exact(bad[kept > 0], kept[kept > 0]),
            "wrong_and_accepted": self._exact(bad, sizes),
        }

    def _exact(self, bad: Any, of: Any) -> Bounded | None:
        # A cluster is one trial: it is wrong by the share of its answers that are.
        trials = len(of)
        if not trials or not of.sum():
            return None
        errors = min(trials, int(np.ceil(float((bad / of).sum()) - 1e-9)))
        value = min(1.0, float(bad.sum() / of.sum()))
        low = wilson(min(errors, value * trials), trials, self.confidence)[0]
        return Bounded(value, low, max(value, upper_bound(errors, trials, self.confidence)))

    def kept_wrong(self, guarantee: Guarantee) -> Bounded | None:
        """Bound what a certificate bounds: the share of wrong answers among those that the subject keeps."""
        return self._kept_wrong[guarantee]

    def quantile(self, share: float, at_once: int) -> tuple[Bounded | None, int]:
        """Bound a quantile of the latency under at least this load, and say how many calls were made under it."""
        under = self.way.latencies[self.way.at_once >= at_once]
        if not len(under):
            return None, 0
        values = np.sort(under)
        low, high = quantile_interval(values.tolist(), share, self.confidence)
        value = float(values[max(0, int(np.ceil(share * len(values))) - 1)])
        return Bounded(value, low or 0.0, np.inf if high is None else high), len(values)

    def latency(self, at_once: int) -> tuple[Bounded | None, int]:
        """Bound the 95th percentile, once for each load."""
        if at_once not in self._latency:
            self._latency[at_once] = self.quantile(0.95, at_once)
        return self._latency[at_once]

    def cost(self, prices: Prices, *, of_base: bool = False) -> tuple[float, Matrix] | None:
        """Return the cost of an accepted task in microdollars, and its gradient; None where it is not known.

        (all attempts + judge + review minutes x rate x P(review) + error cost x P(wrong and accepted)) / P(accepted)
        """
        way, at = (self.base, PARTS) if of_base else (self.way, 0)
        own, other, judge, review, accepted, wrong, _ = self.means[at : at + PARTS].tolist()
        rate = self.minute_rate(prices, of_base=of_base)
        if not way.known_cost or accepted <= 0 or rate is None:
            return None
        own_factor = prices.factors.get(way.seen.subject.name, 1.0)
        other_factor = prices.factors.get(way.behind, 1.0) if way.behind else 0.0
        spent = own * own_factor + other * other_factor + judge + rate * review
        errors = prices.error_microusd * wrong
        gradient = np.zeros(2 * PARTS)
        gradient[at : at + PARTS] = (
            own_factor / accepted,
            other_factor / accepted,
            1 / accepted,
            rate / accepted,
            -(spent + errors) / accepted**2,
            prices.error_microusd / accepted,
            0.0,
        )
        return (spent + errors) / accepted, gradient

    def minute_rate(self, prices: Prices, *, of_base: bool = False) -> float | None:
        """Return what the review of a task costs, in microdollars; None where nobody measured how long it takes."""
        way, at = (self.base, PARTS) if of_base else (self.way, 0)
        minutes, _, reviews = way.seen.minutes
        if prices.review_microusd_per_minute == 0 or self.means[at + 3] == 0:
            return 0.0
        return None if reviews == 0 else minutes * prices.review_microusd_per_minute * prices.review

    def cost_bounds(self, prices: Prices) -> Bounded | None:
        """Bound the cost of an accepted task, in microdollars."""
        found = self.cost(prices)
        if found is None:
            return None
        value, gradient = found
        minutes, error, _ = self.way.seen.minutes
        timed = (gradient[3] * float(self.means[3]) * error / minutes) ** 2 if minutes else 0.0
        reach = self._z * math.sqrt(self._variance(gradient) + timed)
        return Bounded(value, max(0.0, value - reach), value + reach)

    def _variance(self, gradient: Matrix) -> float:
        # One cluster says nothing of how clusters differ.
        return max(0.0, float(gradient @ self.covariance @ gradient)) if self.clusters.max() else math.inf

    def saving(self, prices: Prices) -> Bounded | None:
        """Bound by how much an accepted task is cheaper than at the baseline, in microdollars; paired by item."""
        mine, other = self.cost(prices), self.cost(prices, of_base=True)
        if mine is None or other is None:
            return None
        value, gradient = other[0] - mine[0], other[1] - mine[1]
        reach = self._z * math.sqrt(self._variance(gradient))
        return Bounded(value, value - reach, value + reach)

    @cached_property
    def faster(self) -> Bounded:
        """By how many milliseconds a task takes less time than at the baseline."""
        return self._weighed({PARTS - 1: -1.0, 2 * PARTS - 1: 1.0})

    @cached_property
    def time_ms(self) -> Bounded:
        """The mean time of a task."""
        value, low, high = self._weighed({PARTS - 1: 1.0})
        return Bounded(value, max(0.0, low), high)

    def _weighed(self, weights: Mapping[int, float]) -> Bounded:
        gradient = np.zeros(2 * PARTS)
        for at, weight in weights.items():
            gradient[at] = weight
        value = float(gradient @ self.means)
        reach = self._z * math.sqrt(self._variance(gradient))
        return Bounded(value, value - reach, value + reach)

    @cached_property
    def _reviewed(self) -> Bounded:
        return self.share(1 - self.way.accepted)

    def review_minutes(self, factor: float = 1.0) -> Bounded | None:
        """Bound the minutes of review for a hundred tasks; None where it is not known how long one takes."""
        seen = self._reviewed
        minutes, error, reviews = self.way.seen.minutes
        if seen.value == 0:
            return Bounded(0.0, 0.0, 0.0)
        if reviews == 0:
            return None
        reach = self._z * error
        scale = 100 * factor
        low, high = seen.low * max(0.0, minutes - reach), seen.high * (minutes + reach)
        return Bounded(seen.value * minutes * scale, low * scale, high * scale)
