"""What was seen of each subject, item by item? An evidence's rows of the split that proves, as columns.

Repeats of an item become its means. Knows no criteria but `right_from`, and decides nothing.
Invariant: nothing missing becomes a score. `worst` and `best` are the scores of an item were all that is missing
nothing, or perfect; between them lies what a full answer would have shown.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from tierwise.core.label import Tier
from tierwise.evals.evidence import Evidence, Observation, Subject, itself

Column = np.ndarray[Any, np.dtype[np.float64]]
ANSWERING = frozenset({"answered", "timeout", "refusal", "truncated", "unparsed", "scorer_failed"})
"""Outcomes that took as long as an answer takes; a failure or a refusal by policy may come at once."""
BILLED = frozenset({"answered", "refusal", "truncated", "unparsed", "scorer_failed"})
RECORDS = 5


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one subject, and its columns over the items.

    `asked` counts an item's rows. `wrong` is the share of rows that are accepted and wrong. `cost` is microdollars an
    item, None where a price is not known. `duration` NaN: not measured. `human` is the share of its reviewed answers
    that people call right, NaN where nobody was asked.
    """

    subject: Subject
    rows: tuple[Observation, ...]
    place: np.ndarray[Any, np.dtype[np.int64]]
    repeats: Column
    asked: Column
    score: Column
    worst: Column
    best: Column
    right: Column
    accepted: Column
    wrong: Column
    denied: Column
    cost: Column | None
    judge: Column
    duration: Column
    minutes: tuple[float, float, int]
    outcomes: dict[str, int]
    served: dict[str, int]
    right_from: float
    human: Column


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """All subjects over the same items; `clusters` numbers the cluster of each item."""

    items: tuple[str, ...]
    clusters: np.ndarray[Any, np.dtype[np.int64]]
    planned: int
    baseline: Seen
    candidates: tuple[Seen, ...]
    spent_microusd: float | None
    began: float
    ended: float


def measure(evidence: Evidence, right_from: float) -> Measured:
    """Read an evidence's proving rows into columns."""
    rows = [row for row in evidence.observations if row.split == "prove"]
    items: dict[str, int] = {}
    clusters: dict[str, int] = {}
    cluster_of: list[int] = []
    for row in rows:
        if row.item not in items:
            items[row.item] = len(items)
            cluster_of.append(clusters.setdefault(row.cluster, len(clusters)))
    by_subject: dict[str, list[Observation]] = {subject.name: [] for subject in evidence.header.subjects}
    for row in rows:
        if row.subject in by_subject:
            by_subject[row.subject].append(row)
    inside = {one.model for one in evidence.header.subjects if one.tier in (Tier.LOCAL, Tier.SELF_HOSTED)}
    judge = _judge(evidence, items)
    seen = {
        subject.name: _Reading(evidence, subject, by_subject[subject.name], items, right_from).seen(
            inside, judge.get(subject.name)
        )
        for subject in evidence.header.subjects
    }
    starts = [row.started for row in evidence.observations if row.started]
    ends = [row.started + (row.duration_ms or 0.0) / 1000 for row in evidence.observations if row.started]
    return Measured(
        items=tuple(items),
        clusters=np.array(cluster_of, dtype=np.int64),
        planned=evidence.header.items.get("prove", 0),
        baseline=seen[evidence.header.baseline],
        candidates=tuple(seen[one.name] for one in evidence.header.subjects if one.name != evidence.header.baseline),
        spent_microusd=_spent(evidence),
        began=min(starts, default=evidence.header.began),
        ended=max(ends, default=evidence.header.began),
    )


class _Reading:
    """One subject's rows on their way to columns."""

    def __init__(
        self, evidence: Evidence, subject: Subject, rows: Sequence[Observation], items: dict[str, int], right: float
    ) -> None:
        self.evidence, self.subject, self.items, self.right_from = evidence, subject, items, right
        self.rows = tuple(rows)
        self.place = np.array([items[row.item] for row in rows], dtype=np.int64)
        count = np.bincount(self.place, minlength=len(items)).astype(float)
        self.asked, self.repeats = count, np.maximum(count, evidence.header.repeats)

    def mean(self, values: Sequence[float]) -> Column:
        """Return the means over what was to be asked of an item: what was not asked counts 0."""
        summed = np.bincount(self.place, weights=np.array(values, dtype=float), minlength=len(self.items))
        found: Column = summed / self.repeats
        return found

    def seen(self, inside: set[str], judge: Column | None) -> Seen:
        rows, subject = self.rows, self.subject
        own = [credited(subject, row) for row in rows]
        score = [row.score or 0.0 if is_own else 0.0 for row, is_own in zip(rows, own, strict=True)]
        good = [is_own and (row.score or 0.0) >= self.right_from for row, is_own in zip(rows, own, strict=True)]
        accepted = [is_own and row.accepted is not False for row, is_own in zip(rows, own, strict=True)]
        answered = self.mean(own)
        worst = self.mean(score)
        timed = [float("nan") if row.duration_ms is None else row.duration_ms for row in rows]
        with np.errstate(invalid="ignore", divide="ignore"):
            plain = np.where(answered > 0, worst / answered, np.nan)
            duration = np.where(self.asked > 0, self.mean(timed) * self.repeats / self.asked, np.nan)
        return Seen(
            subject=subject,
            rows=rows,
            place=self.place,
            repeats=self.repeats,
            asked=self.asked,
            score=plain,
            worst=worst,
            best=worst + (1 - answered),
            right=self.mean(good),
            accepted=self.mean(accepted),
            wrong=self.mean([a and not g for a, g in zip(accepted, good, strict=True)]),
            denied=self.mean([row.outcome == "denied" for row in rows]),
            cost=self._cost(inside),
            judge=np.zeros(len(self.items)) if judge is None else judge,
            duration=duration,
            minutes=_minutes(self.evidence, subject.name),
            outcomes=_outcomes(rows, own, int((self.repeats - self.asked).sum())),
            right_from=self.right_from,
            served=_served(rows),
            human=_human(self.evidence, subject.name, self.items),
        )

    def _cost(self, inside: set[str]) -> Column | None:
        """Return microdollars an item; what runs inside is unmetered, which is 0; a price that is not known is none."""
        found = []
        for row in self.rows:
            if row.cost_usd is not None:
                found.append(float(row.cost_usd) * 1e6)
            elif (
                self.subject.tier in (Tier.LOCAL, Tier.SELF_HOSTED)
                or row.reached in inside
                or row.outcome not in BILLED
            ):
                found.append(0.0)
            else:
                return None
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.asked > 0, self.mean(found) * self.repeats / self.asked, 0.0)


def credited(subject: Subject, row: Observation) -> bool:
    """Say whether a row is an answer of this subject that has a score."""
    return row.outcome == "answered" and row.score is not None and itself(subject, row)


def _outcomes(rows: Sequence[Observation], own: Sequence[bool], unasked: int) -> dict[str, int]:
    counts = Counter(
        row.outcome if is_own or row.outcome != "answered" else "other_model"
        for row, is_own in zip(rows, own, strict=True)
    )
    if unasked:
        counts["unasked"] = unasked
    return dict(sorted(counts.items()))


def _served(rows: Sequence[Observation]) -> dict[str, int]:
    counts = Counter(row.reached or row.served for row in rows if row.outcome == "answered")
    return {name: count for name, count in sorted(counts.items(), key=str) if name}


def _minutes(evidence: Evidence, subject: str) -> tuple[float, float, int]:
    """Return the mean minutes of a review, their standard error, and how many there were: its own, else anybody's."""
    own = [one.seconds / 60 for one in evidence.reviews if one.subject == subject]
    taken = own or [one.seconds / 60 for one in evidence.reviews]
    if not taken:
        return 0.0, 0.0, 0
    error = float(np.std(taken, ddof=1) / np.sqrt(len(taken))) if len(taken) > 1 else taken[0]
    return float(np.mean(taken)), error, len(taken)


def _human(evidence: Evidence, subject: str, items: dict[str, int]) -> Column:
    """Return what people said of a subject's answers; what somebody says last of one counts."""
    said = {
        (one.item, one.repeat): one.right for one in evidence.reviews if one.subject == subject and one.item in items
    }
    words: dict[str, list[bool]] = {}
    for (item, _), right in said.items():
        words.setdefault(item, []).append(right)
    found = np.full(len(items), np.nan)
    for item, each in words.items():
        found[items[item]] = sum(each) / len(each)
    return found


def _judge(evidence: Evidence, items: dict[str, int]) -> dict[str, Column]:
    """Return what judging cost an item, in microdollars, for each subject that is no baseline."""
    found: dict[str, Column] = {}
    for one in evidence.judgements:
        if one.split != "prove" or one.item not in items or one.cost_usd is None:
            continue
        for name in {one.first, one.second} - {evidence.header.baseline}:
            column = found.setdefault(name, np.zeros(len(items)))
            column[items[one.item]] += float(one.cost_usd) * 1e6
    return found


def _spent(evidence: Evidence) -> float | None:
    costs = [row.cost_usd for row in evidence.observations if row.cost_usd is not None]
    costs += [one.cost_usd for one in evidence.judgements if one.cost_usd is not None]
    return float(sum(costs)) * 1e6 if costs else None
