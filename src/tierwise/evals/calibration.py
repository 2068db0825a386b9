"""How far is a judge to be believed? Its words on pairs beside what people said of the same answers.

A judge says of each pair whether the candidate is not worse: it won or tied in both orders. People say of each answer
whether it is right; the candidate is worse where only the baseline's is. Where both spoke, the judge's sensitivity and
specificity show, from which `statistics.judge` corrects the share that the judge calls not worse.
"""

import msgspec

from tierwise.evals.evidence import Evidence
from tierwise.evals.judging import winner


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """`judged` of `n` items are not worse by the judge's word; as counts, so many that the judge saw of so many
    that people did: `sensitivity` of those that are not worse, `specificity` of those that are."""

    n: int
    judged: int
    sensitivity: tuple[int, int]
    specificity: tuple[int, int]

    @property
    def complete(self) -> bool:
        """Say whether people saw some of either kind."""
        return self.sensitivity[1] > 0 and self.specificity[1] > 0


def calibrated(found: Evidence, candidate: str) -> Calibration:
    """Return what a judge's words on a candidate are worth."""
    said: dict[tuple[str, int], bool] = {}
    for one in found.judgements:
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
    return Calibration(n=len(said), judged=sum(said.values()), sensitivity=sensitivity, specificity=specificity)
