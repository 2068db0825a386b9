"""What becomes of an answer once it is there."""

from tierwise.evals.answers import Answered
from tierwise.evals.evidence import Observation
from tierwise.evals.item import Item
from tierwise.evals.run import MOST_CHARS, scored
from tierwise.evals.scorers.spec import scorer

ITEM = Item(id="1", fields={"text": "x"}, reference="yes", cluster="1", split="prove")


def test_an_answer_of_no_end_is_not_scored_and_is_no_zero() -> None:
    seen = Observation(item="1", cluster="1", split="prove", subject="small", outcome="answered")
    exact = scorer("exact")
    assert scored(Answered(item="1", subject="small", observed=seen, text="yes"), exact, ITEM).score == 1.0
    long = scored(Answered(item="1", subject="small", observed=seen, text="y" * (MOST_CHARS + 1)), exact, ITEM)
    assert (long.outcome, long.score) == ("scorer_failed", None)
    assert "200,001 characters" in long.detail
