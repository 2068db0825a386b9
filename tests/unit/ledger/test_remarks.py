"""What people said is joined to a decision: of each the last word counts."""

from tests.unit.ledger.samples import a_decision
from tierwise.ledger.remarks import Remark, joined, standing

ONE = a_decision(1, review={"state": "waiting"})


def said(score: float, who: str, **more: object) -> Remark:
    return Remark(decision=ONE.id, score=score, who=who, **more)  # type: ignore[arg-type]


def test_where_nothing_was_said_the_record_speaks_for_itself() -> None:
    assert joined(ONE, []) == ONE


def test_of_each_who_speaks_the_last_word_counts() -> None:
    remarks = [said(0, "ann", seconds=5.0), said(1, "ben"), said(1, "ann", seconds=7.0)]
    assert [(one.who, one.score) for one in standing(remarks)] == [("ann", 1), ("ben", 1)]
    told = joined(ONE, remarks)
    assert told.feedback is not None
    assert (told.feedback["score"], told.feedback["seconds"]) == (1.0, 7.0)
    assert told.review == {"state": "waiting"}, "feedback is no review"


def test_a_review_ends_the_waiting_and_the_record_keeps_every_other_field() -> None:
    told = joined(ONE, [said(0.25, "ann", what="review"), said(1, "ann")])
    assert told.review is not None and told.feedback is not None
    assert (told.review["state"], told.review["score"], told.feedback["score"]) == ("done", 0.25, 1.0)
    assert (told.id, told.attempts, told.outcome) == (ONE.id, ONE.attempts, ONE.outcome)
