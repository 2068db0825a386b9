"""What does a token of a machine of one's own cost, as it is really used? From measured runs at several arrival rates.

A machine costs the same whether it is full or idle, so that nothing moves the cost of a token as far as utilisation.
Throughputs and times are floats, they are measurements; what they are made into for a month is `Decimal`.
Invariant: throughput never counts where the latency target was missed; no prediction exceeds what arrives or the peak.
"""

import math
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TypeVar, cast

import msgspec

from tierwise.core.errors import InvalidCall
from tierwise.core.usage import TOKENS_PER_MTOK
from tierwise.economics.given import Given

SECONDS_PER_HOUR = 3600
HOURS_PER_MONTH = Decimal(730)
SHARPEST = 12.0
"""How sharp a knee may be: at this, throughput is within 6 % of the lesser of what arrives and the peak."""
BLUNTEST = 1.0
HALVINGS = 60
Number = TypeVar("Number", float, Decimal)


class Run(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One measured run: requests that arrived each second, tokens that were written each second, and how long it took.

    `latency_ms` is the one that the target speaks of (first token or whole answer, at its percentile). Watts are of all
    cards, None where they were not measured.
    """

    requests_per_s: float
    tokens_per_s: float
    latency_ms: float | None = None
    watts: float | None = None

    def __post_init__(self) -> None:
        """Refuse a run in which nothing arrived or nothing was written."""
        if not all(math.isfinite(value) and value > 0 for value in (self.requests_per_s, self.tokens_per_s)):
            raise ValueError("a run has a rate of requests and of tokens, both above 0")


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Throughput by arrival rate: what arrives as long as there is room, the peak in the end, and a knee between."""

    tokens_per_request: float
    peak_tokens_per_s: float
    sharpness: float

    def tokens_per_s(self, requests_per_s: float) -> float:
        """Predict the throughput at an arrival rate."""
        arriving = requests_per_s * self.tokens_per_request
        load = arriving / self.peak_tokens_per_s
        if load > 1:  # the same formula, so that no power overflows
            return self.peak_tokens_per_s / cast(float, (1 + load**-self.sharpness) ** (1 / self.sharpness))
        return arriving / cast(float, (1 + load**self.sharpness) ** (1 / self.sharpness))


def usd_per_mtok(usd_per_s: Number, tokens_per_s: Number) -> Number:
    """Return what a million tokens cost at this throughput, of all cards together."""
    return usd_per_s * TOKENS_PER_MTOK / tokens_per_s


def peak(runs: Sequence[Run]) -> Run:
    """Return the run with the highest throughput, however long its callers waited."""
    if not runs:
        raise InvalidCall("there is no run to take a peak from", param="runs")
    return max(runs, key=lambda run: run.tokens_per_s)


def penalty(runs: Sequence[Run], run: Run) -> float:
    """Return how many times dearer a token is in this run than at the peak: one over the utilisation."""
    return peak(runs).tokens_per_s / run.tokens_per_s


def within_target(runs: Iterable[Run], most_latency_ms: float) -> Run | None:
    """Return the run with the highest throughput whose latency holds the target; None where none does.

    `runs` come by growing load. A run counts only if every one of a lower load holds the target too, and one without a
    latency holds none.
    """
    best: Run | None = None
    for run in runs:
        if run.latency_ms is None or run.latency_ms > most_latency_ms:
            return best
        best = run if best is None or run.tokens_per_s > best.tokens_per_s else best
    return best


def fitted(runs: Sequence[Run]) -> Curve:
    """Fit the curve: tokens of a request from the lowest rate, the peak from the highest throughput, the knee by error.

    The error is that of the logarithm, so that a run at 1 request/s counts as much as one at 100.
    """
    top = peak(runs).tokens_per_s
    lowest = min(runs, key=lambda run: run.requests_per_s)
    per_request = lowest.tokens_per_s / lowest.requests_per_s

    def curve(sharpness: float) -> Curve:
        return Curve(tokens_per_request=per_request, peak_tokens_per_s=top, sharpness=sharpness)

    def error(sharpness: float) -> float:
        made = curve(sharpness)
        return sum(math.log(made.tokens_per_s(run.requests_per_s) / run.tokens_per_s) ** 2 for run in runs)

    low, high = BLUNTEST, SHARPEST
    for _ in range(HALVINGS):  # ternary search: the error falls to one lowest point and rises again
        third = (high - low) / 3
        if error(low + third) <= error(high - third):
            high -= third
        else:
            low += third
    return curve((low + high) / 2)


# what a month of it is


class Power(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Watts while it waits and while it works (RAPL, NVML, or assumed and marked so), and what a kilowatt-hour costs.

    `overhead` is what cooling and supply add: 1 adds nothing.
    """

    idle_watts: Given
    busy_watts: Given
    usd_per_kwh: Given
    overhead: Given = Given(value=Decimal(1))

    def usd_per_month(self, busy_share: Decimal, hours: Decimal = HOURS_PER_MONTH) -> Given:
        """Return a month's power of a machine that works this share of its hours and waits for the rest."""
        if not 0 <= busy_share <= 1:
            raise InvalidCall("busy_share is a share between 0 and 1", param="busy_share")
        kwh = self.busy_watts.times(busy_share * hours / 1000).plus(
            self.idle_watts.times((1 - busy_share) * hours / 1000)
        )
        return kwh.by(self.usd_per_kwh).by(self.overhead)


def tokens_per_month(
    tokens_per_s: Given, *, peak_to_mean: Given, target_utilisation: Decimal = Decimal("0.8"),
    hours: Decimal = HOURS_PER_MONTH,
) -> Given:  # fmt: skip
    """Return how many tokens a month may have for one machine to carry its busiest hour.

    `tokens_per_s` is that at the latency target. `peak_to_mean` is how much busier the busiest hour is than the mean:
    a fleet sized for its peak stands idle for most of the month.
    """
    if peak_to_mean.least < 1 or not 0 < target_utilisation <= 1:
        raise InvalidCall("peak_to_mean is 1 or more, target_utilisation above 0 and at most 1")
    return tokens_per_s.times(target_utilisation * hours * SECONDS_PER_HOUR).over(peak_to_mean)
