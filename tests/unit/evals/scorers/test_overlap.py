import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.evals.scorers.scoring import score
from tierwise.evals.scorers.overlap import common, rouge_l, rouge_n

SAID, RIGHT = "the cat was found under the bed", "the cat was under the bed"


def test_rouge_is_what_lin_wrote_by_hand() -> None:
    # 6 of 7 and 6 words in common; 4 of 6 and 5 pairs; "the cat was under the bed" is a subsequence of 6.
    assert rouge_n(SAID, RIGHT, 1) == pytest.approx(2 * 6 / 13)
    assert rouge_n(SAID, RIGHT, 2) == pytest.approx(2 * 4 / 11)
    assert rouge_l(SAID, RIGHT) == pytest.approx(2 * 6 / 13)


def test_words_count_and_case_and_marks_do_not() -> None:
    assert rouge_l("Über-Fall!", "über fall") == 1.0
    assert rouge_n("a b", "b a", 1) == 1.0
    assert rouge_n("a b", "b a", 2) == 0.0
    assert rouge_l("", "a") == rouge_n("a", "a", 2) == 0.0


def test_the_best_reference_counts() -> None:
    assert score("rouge_1", "a b", ["c", "a b"]).value == 1.0
    assert score("rouge_2", "a b", "a b").value == 1.0
    assert score("rouge_l", "a b", "a c").value == 0.5


def test_chrf_is_that_of_the_library_as_a_share() -> None:
    assert score("chrf", "hello there", "hello there").value == 1.0
    assert score("chrf", "hello world", "hello there").value == pytest.approx(0.31197, abs=1e-5)


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
def test_the_longest_common_subsequence_is_that_of_the_textbook(a: list[str], b: list[str]) -> None:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a, 1):
        for j, y in enumerate(b, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if x == y else max(table[i - 1][j], table[i][j - 1])
    assert common(a, b) == table[-1][-1]
