"""Which ways are there to do the task, and what does each give, item by item?

A subject alone, or one that answers where it is sure and hands the rest to the baseline: that kind of way exists only
with a threshold that was certified on rows which no threshold was tuned on.
Invariant: where both ways give the same answer their difference is 0, whatever else is missing.
"""

from typing import Any

import msgspec
import numpy as np

from tierwise.evals.measured import ANSWERING, Column, Measured, Seen, credited

PARTS = 7
"""Columns that money and time are reckoned from: own attempts, the baseline's, judge, review, accepted, wrong, time."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of one way. `worst` and `best` are the paired differences to the baseline in the two extreme cases.

    `costs` has one row a part (see PARTS), None in the first two where a price is not known.
    """

    name: str
    seen: Seen
    behind: str | None = None
    threshold: float | None = None
    difference: Column
    worst: Column
    best: Column
    right: Column
    accepted: Column
    wrong: Column
    missing: Column
    denied: Column
    share: Column
    known_cost: bool
    costs: np.ndarray[Any, np.dtype[np.float64]]
    gated: bool
    latencies: Column
    at_once: np.ndarray[Any, np.dtype[np.int64]]

    @property
    def cascade(self) -> bool:
        """True where the baseline stands behind."""
        return self.behind is not None


def alone(seen: Seen, baseline: Seen) -> Way:
    """Return the way in which a subject answers everything."""
    timed = [row for row in seen.rows if row.outcome in ANSWERING and row.duration_ms is not None]
    accepted = seen.accepted
    zero = np.zeros_like(accepted)
    return Way(
        name=seen.subject.name,
        seen=seen,
        difference=seen.score - baseline.score,
        worst=seen.worst - baseline.best,
        best=seen.best - baseline.worst,
        right=seen.right,
        accepted=accepted,
        wrong=seen.wrong,
        missing=1 - _answered(seen),
        denied=seen.denied,
        share=accepted,
        known_cost=seen.cost is not None,
        costs=np.stack(
            [
                zero if seen.cost is None else seen.cost,
                zero,
                seen.judge,
                1 - accepted,
                accepted,
                seen.wrong,
                _time(seen),
            ]
        ),
        gated=any(row.accepted is False for row in seen.rows),
        latencies=np.array([row.duration_ms for row in timed], dtype=float),
        at_once=np.array([row.at_once for row in timed], dtype=np.int64),
    )


def cascade(seen: Seen, baseline: Seen, threshold: float) -> Way:
    """Return the way in which a subject answers from this confidence on, and the baseline otherwise."""
    kept = np.array(
        [credited(seen.subject, row) and row.accepted is not False
         and row.confidence is not None and row.confidence >= threshold for row in seen.rows], dtype=float
    )  # fmt: skip
    scores = np.array([row.score or 0.0 for row in seen.rows])

    def mean(values: Column) -> Column:
        return np.bincount(seen.place, weights=values, minlength=len(seen.asked)) / seen.repeats

    share = mean(kept)
    passed_on = 1 - share
    scored = mean(kept * scores)
    right, wrong = _kept_right(seen, kept)
    right, wrong = mean(right) + passed_on * baseline.right, mean(wrong) + passed_on * baseline.wrong
    accepted = share + passed_on * baseline.accepted
    known = seen.cost is not None and baseline.cost is not None
    zero = np.zeros_like(share)
    own_cost = zero if seen.cost is None else seen.cost
    other_cost = zero if baseline.cost is None else passed_on * baseline.cost
    time = _time(seen) + passed_on * _time(baseline)
    later = np.nan_to_num(baseline.duration)[seen.place]
    timed = np.array([row.outcome in ANSWERING and row.duration_ms is not None for row in seen.rows], dtype=bool)
    took = np.array([row.duration_ms or 0.0 for row in seen.rows]) + (1 - kept) * later
    return Way(
        name=f"{seen.subject.name}, then {baseline.subject.name}",
        seen=seen,
        behind=baseline.subject.name,
        threshold=threshold,
        difference=np.where(share > 0, scored - share * baseline.score, 0.0),
        worst=scored - share * baseline.best,
        best=scored - share * baseline.worst,
        right=right,
        accepted=accepted,
        wrong=wrong,
        missing=passed_on * (1 - _answered(baseline)),
        denied=passed_on * baseline.denied,
        share=share,
        known_cost=known,
        costs=np.stack([own_cost, other_cost, seen.judge, 1 - accepted, accepted, wrong, time]),
        gated=True,
        latencies=took[timed],
        at_once=np.array([row.at_once for row in seen.rows], dtype=np.int64)[timed],
    )


def _kept_right(seen: Seen, kept: Column) -> tuple[Column, Column]:
    """Return for each row whether it is kept and right, kept and wrong; from the columns' own idea of right."""
    good = np.array([(row.score or 0.0) >= seen.right_from for row in seen.rows], dtype=float)
    return kept * good, kept * (1 - good)


def _answered(seen: Seen) -> Column:
    return 1 - (seen.best - seen.worst)


def _time(seen: Seen) -> Column:
    """Return milliseconds an item, the mean where an item has none."""
    if np.isnan(seen.duration).all():
        return np.zeros_like(seen.duration)
    return np.where(np.isnan(seen.duration), np.nanmean(seen.duration), seen.duration)


def all_ways(measured: Measured, thresholds: dict[str, float]) -> tuple[Way, ...]:
    """Return every candidate alone, and those with a certified threshold before the baseline."""
    base = measured.baseline
    whole = [alone(seen, base) for seen in measured.candidates]
    return (
        *whole,
        *(
            cascade(one, base, thresholds[one.subject.name])
            for one in measured.candidates
            if one.subject.name in thresholds
        ),
    )
