from hypothesis import given
from hypothesis import strategies as st

from tests.unit.evals.scorers.scoring import score
from tierwise.evals.scorers.text import f1, normal


def test_white_space_around_an_answer_does_not_count_and_case_does() -> None:
    assert score("exact", " card_lost\n", "card_lost").value == 1.0
    assert score("exact", "Card_lost", "card_lost").value == 0.0


def test_each_of_several_references_is_right() -> None:
    assert score("exact", "b", ["a", "b"]).value == 1.0
    assert score("exact", "c", ["a", "b"]).value == 0.0
    assert score("exact", "3", 3).value == 1.0


def test_normalised_looks_past_case_and_punctuation_but_not_past_words() -> None:
    assert score("normalised", "  The “Card”, lost! ".replace("“", '"').replace("”", '"'), "the card lost").value == 1.0
    assert score("normalised", "Ｃａｒｄ", "card").value == 1.0
    assert score("normalised", "a card lost", "the card lost").value == 0.0


def test_sets_are_entries_in_any_order() -> None:
    assert score("set_f1", "- red\n- Green\n", ["green", "red"]).value == 1.0
    assert score("set_f1", "red, blue", ["green", "red"]).value == 0.5
    assert score("set_f1", "1. red\n2) green", "green, red").value == 1.0
    assert score("set_f1", "", []).value == 1.0


def test_words_are_counted_as_often_as_they_stand() -> None:
    assert score("token_f1", "a a b", "a b b").value == 2 / 3
    assert score("token_f1", "", "a").value == 0.0


def test_a_missing_reference_is_no_score_and_not_the_answers_fault() -> None:
    missing = score("exact", "a", None)
    assert (missing.value, missing.problem) == (None, "scorer_failed")


@given(st.lists(st.text(max_size=3)), st.lists(st.text(max_size=3)))
def test_f1_is_a_share_and_the_same_both_ways(a: list[str], b: list[str]) -> None:
    assert 0.0 <= f1(a, b) == f1(b, a) <= 1.0
    assert f1(a, a) == 1.0


@given(st.text())
def test_what_is_normal_stays_so(text: str) -> None:
    assert normal(normal(text)) == normal(text) or normal(text) == ""
