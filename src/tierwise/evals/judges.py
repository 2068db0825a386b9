"""What did judges say, and how far are they to be believed? Read from the judgements and the reviews of an evidence.

Asks nobody. Invariant: only a word that holds in both orders counts for somebody.
"""

from collections import Counter

import msgspec

from tierwise.evals.evidence import TIE, Evidence, Judgement


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge said of a candidate beside the baseline: another word in each order is `unsure`, none `unread`."""

    wins: int = 0
    losses: int = 0
    ties: int = 0
    unsure: int = 0
    unread: int = 0


def winner(one: Judgement) -> str | None:
    """Return who won in both orders, None where that is nobody's word."""
    return one.verdicts[0] if one.verdicts[0] == one.verdicts[1] else None


def tally(found: Evidence, candidate: str) -> Tally:
    """Count a candidate's judgements."""
    counts: Counter[str] = Counter()
    for one in found.judgements:
        if one.first == candidate:
            counts[_fate(one)] += 1
    return Tally(**counts)


def _fate(one: Judgement) -> str:
    if None in one.verdicts:
        return "unread"
    return {one.first: "wins", one.second: "losses", TIE: "ties", None: "unsure"}[winner(one)]


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """How far a judge is to be believed, by what people said of the same answers.

    `judged` of `n` items are not worse by its word (won or tied); people find the candidate worse where only the
    baseline's answer is right. As counts, so many that the judge saw of so many that people did: `sensitivity` of
    those that are not worse, `specificity` of those that are.
    """

    n: int
    judged: int
    sensitivity: tuple[int, int]
    specificity: tuple[int, int]

    @property
    def complete(self) -> bool:
        """Say whether people saw some of either kind."""
        return self.sensitivity[1] > 0 and self.specificity[1] > 0


def calibrated(found: Evidence, candidate: str, judge: str | None = None) -> Worth:
    """Return what the words on a candidate are worth, of one judge or of all."""
    said: dict[tuple[str, int], bool] = {}
    for one in found.judgements:
        if judge not in (None, one.judge):
            continue
        if one.first == candidate and None not in one.verdicts and (won := winner(one)) is not None:
            said[one.item, one.repeat] = won != found.header.baseline
    right = {(one.item, one.repeat, one.subject): one.right for one in found.reviews}
    seen = []
    for (item, repeat), not_worse in said.items():
        own, base = right.get((item, repeat, candidate)), right.get((item, repeat, found.header.baseline))
        if own is not None and base is not None:
            seen.append((not_worse, own or not base))
    sensitivity = sum(judge for judge, human in seen if human), sum(human for _, human in seen)
    specificity = sum(not judge for judge, human in seen if not human), sum(not human for _, human in seen)
    return Worth(n=len(said), judged=sum(said.values()), sensitivity=sensitivity, specificity=specificity)
