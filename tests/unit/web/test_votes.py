"""Blind votes: read back from what was said of decisions, whole or not at all, each once for a pair of models."""

from itertools import count

import pytest

from tests.unit.web.records import record
from tierwise.ledger.remarks import Remark
from tierwise.statistics.interval import wilson
from tierwise.web.votes import VOTE, Ballot, Tally, answerer, ballots, counted

A, B, C, D = (f"01{letter * 24}" for letter in "abcd")
MODELS = {A: "small", B: "large", C: "small", D: "third"}


def said(voice: str = "", **scores: float) -> list[Remark]:
    """Return what the page says of a vote: feedback on each decision, that names the others."""
    idents = {name: globals()[name] for name in scores}
    return [
        Remark(
            decision=idents[name], score=score, seq=seq,
            who=" ".join((VOTE, *(one for one in idents.values() if one != idents[name]))) + voice,
        )
        for seq, (name, score) in zip(count(1), scores.items(), strict=False)
    ]  # fmt: skip


def tally(*votes: list[Remark]) -> Tally:
    return counted(ballots([one for vote in votes for one in vote]), MODELS)


def test_a_better_answer_wins_over_the_other_models() -> None:
    (pair,) = tally(said(A=1, B=0)).pairs
    assert (pair.one, pair.other, pair.wins, pair.losses) == ("large", "small", 0, 1)
    assert pair.share == 0 and (pair.low, pair.high) == wilson(0, 1)


def test_of_three_the_best_wins_and_of_the_others_nothing_is_known() -> None:
    found = tally(said(A=0, B=1, D=0))
    assert {(one.one, one.other): (one.wins, one.losses) for one in found.pairs} == {
        ("large", "small"): (1, 0), ("large", "third"): (1, 0),
    }  # fmt: skip


def test_a_vote_counts_once_for_a_pair_however_often_one_of_them_answered() -> None:
    (pair,) = tally(said(A=0, B=1, C=0)).pairs
    assert (pair.wins, pair.votes) == (1, 1)


def test_a_tie_is_half_of_a_win_and_where_nobody_is_good_nobody_wins() -> None:
    (pair,) = tally(said(A=0.5, B=0.5)).pairs
    assert (pair.ties, pair.share) == (1, 0.5) and (pair.low, pair.high) == wilson(0.5, 1)
    (pair,) = tally(said(A=0, B=0)).pairs
    assert (pair.neither, pair.share, pair.low, pair.high) == (1, None, 0, 1)


def test_answers_of_one_model_are_a_vote_for_nobody() -> None:
    assert tally(said(A=1, C=0)) == Tally(votes=1, same=1, pairs=())


def test_the_last_word_of_each_voice_counts_and_each_voice_by_itself() -> None:
    (pair,) = tally(said(A=1, B=0), said(A=0, B=1), said(", by the key ann", A=1, B=0)).pairs
    assert (pair.wins, pair.losses) == (1, 1)


@pytest.mark.parametrize(
    "half",
    [
        said(A=1, B=0)[:1],
        [said(A=1, B=0)[0], said(", by the key ann", A=1, B=0)[1]],
        [said(A=1, B=0)[0], said(B=0, C=1)[0]],
        [Remark(decision=A, score=1, who=f"{VOTE} {A}")],
        [Remark(decision=A, score=1, who=f"{VOTE} <b>"), Remark(decision=A, score=1, who=VOTE)],
        [Remark(decision=A, score=1, who="ann"), Remark(decision=B, score=0, who="ann")],
        said(A=1, B=1),
        said(A=0.3, B=0.7),
    ],
)
def test_what_is_no_whole_vote_of_one_voice_counts_not(half: list[Remark]) -> None:
    assert tally(half) == Tally(votes=0, same=0, pairs=())


def test_a_vote_on_a_call_that_is_forgotten_counts_not() -> None:
    assert counted([Ballot(scores={A: 1, B: 0})], {A: "small"}).votes == 0


def test_the_pair_that_was_voted_on_most_stands_first() -> None:
    found = tally(said(A=1, B=0), said(B=1, D=0), said(", by the key ann", B=1, D=0))
    assert [(one.one, one.other) for one in found.pairs] == [("large", "third"), ("large", "small")]


def test_who_answered_is_the_last_that_was_asked() -> None:
    assert answerer(record(1, ts=1.0, models=("small", "large"))) == "large"
    assert answerer(record(1, ts=1.0, model=None)) is None
