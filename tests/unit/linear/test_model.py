"""What a linear model says of a text, and which weights it does not take."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.linear.files import KEYS, TINY, made
from tierwise.linear.header import Unreadable
from tierwise.linear.model import from_bytes, log_softmax


def test_a_file_comes_back_as_it_was_written() -> None:
    assert from_bytes(TINY).to_bytes() == TINY


def test_what_speaks_for_a_label_makes_it_likely() -> None:
    model = from_bytes(TINY)
    lost, money = np.exp(model.logprobs("my CARD!"))
    assert lost == pytest.approx(1 / (1 + np.exp(-5)))
    assert lost + money == pytest.approx(1)
    assert np.exp(model.logprobs("card money refund"))[1] > 0.5, "two against one"


def test_a_text_without_a_known_word_says_nothing() -> None:
    for text in ("", "?!", "zebra"):
        assert from_bytes(TINY).logprobs(text) == pytest.approx(np.log([0.5, 0.5]))


def test_where_only_some_labels_may_be_the_chances_are_those_among_them() -> None:
    assert from_bytes(TINY).logprobs("card", [1]) == pytest.approx([0.0])
    assert from_bytes(TINY).logprobs("card", [1, 0])[1] == from_bytes(TINY).logprobs("card")[0]


@given(st.text(max_size=300))
def test_any_text_gets_chances_that_add_up_to_one(text: str) -> None:
    assert np.exp(from_bytes(TINY).logprobs(text)).sum() == pytest.approx(1)


def test_the_largest_numbers_that_are_taken_overflow_nothing() -> None:
    most = {"idf": np.full(3, 6e4), "bias": np.array([6e4, -6e4]), "weights": np.full((3, 2), 6e4)}
    found = from_bytes(made(**most).to_bytes()).logprobs("card money refund " * 1000)
    assert np.isfinite(found).all() and found[0] == 0


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"weights": np.full((3, 2), np.nan)}, "no number"),
        ({"weights": np.full((3, 2), np.inf)}, "no number"),
        ({"idf": np.array([1, np.nan, 1])}, "no number"),
        ({"idf": np.array([1, 1e30, 1])}, "too large"),
        ({"bias": np.array([0, -1e6])}, "too large"),
        ({"keys": np.array(KEYS[::-1])}, "not in order"),
        ({"keys": np.array([KEYS[0]] * 3)}, "not in order"),
    ],
)
def test_weights_that_lie_are_refused(arrays: dict[str, object], words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        from_bytes(made(**arrays).to_bytes())


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9))
def test_log_probabilities_are_never_above_zero(scores: list[float]) -> None:
    found = log_softmax(np.array(scores))
    assert (found <= 0).all() and np.exp(found).sum() == pytest.approx(1)
