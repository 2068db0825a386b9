"""Confidence counts the tokens of leaf values, however the text is cut into tokens."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Choice, TokenLogprob
from tierwise.quality.confidence import confidence


def choice(*tokens: tuple[str, float]) -> Choice:
    return Choice(text="".join(t for t, _ in tokens), tokens=tuple(TokenLogprob(t.encode(), p) for t, p in tokens))


def test_only_the_value_counts() -> None:
    said = choice(('{"intent": "', -5.0), ("card_arrival", -0.25), ('"}', -7.0))
    assert confidence(said, schema=True) == pytest.approx(-0.25)


def test_a_token_that_overlaps_the_value_counts_once() -> None:
    said = choice(('{"a": "x', -1.0), ('y", "b', -2.0), ('": 1', -4.0), ("2}", -8.0))
    assert confidence(said, schema=True) == pytest.approx(-15.0)


def test_names_do_not_count_and_numbers_and_constants_do() -> None:
    said = choice(
        ("{", -1.0),
        ('"name"', -2.0),
        (":", -1.0),
        ("true", -0.5),
        (",", -1.0),
        ('"n"', -2.0),
        (":", -1.0),
        ("-1.5", -0.25),
        ("}", -1.0),
    )
    assert confidence(said, schema=True) == pytest.approx(-0.75)


def test_an_empty_string_is_the_decision_to_close_at_once() -> None:
    assert confidence(choice(('{"a":', -1.0), ('"', -2.0), ('"', -4.0), ("}", -8.0)), schema=True) == -4.0
    assert confidence(choice(('{"a":', -1.0), ('""', -4.0), ("}", -8.0)), schema=True) == -4.0


def test_log_probabilities_that_do_not_spell_the_answer_are_no_confidence() -> None:
    for tokens in ((), (("{", -0.1),), (("something else", -0.1),), (('{"a": 1}', math.nan),)):
        said = Choice(text='{"a": 1}', tokens=tuple(TokenLogprob(text.encode(), value) for text, value in tokens))
        assert confidence(said, schema=True) is None


def test_a_mark_of_the_end_among_the_tokens_does_no_harm() -> None:
    said = Choice(text='{"a": 1}', tokens=(TokenLogprob(b'{"a": 1', -0.5), TokenLogprob(b"}</s>", -3.0)))
    assert confidence(said, schema=True) == -0.5


def test_other_text_is_a_mean_and_nothing_is_none() -> None:
    assert confidence(choice(("a", -1.0), ("b", -3.0)), schema=False) == pytest.approx(-2.0)
    assert confidence(Choice(text="a"), schema=True) is None


LEAVES = st.none() | st.booleans() | st.integers(-999, 999) | st.text(alphabet='ab"\\é{}:, ', max_size=5)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES)
def test_byte_tokens_count_exactly_the_bytes_of_leaves(value: Any) -> None:
    text = json.dumps(value, ensure_ascii=False)
    said = Choice(text=text, tokens=tuple(TokenLogprob(bytes([byte]), -1.0) for byte in text.encode()))

    def leaf_bytes(item: Any) -> int:
        if isinstance(item, dict):
            return sum(map(leaf_bytes, item.values()))
        if isinstance(item, list):
            return sum(map(leaf_bytes, item))
        if item == "":
            return 1  # its closing quote
        return len(json.dumps(item, ensure_ascii=False).encode()) - (2 if isinstance(item, str) else 0)

    def leaves(item: Any) -> int:
        inner = item.values() if isinstance(item, dict) else item if isinstance(item, list) else None
        return 1 if inner is None else sum(map(leaves, inner))

    expected = -leaf_bytes(value) if leaves(value) else -1.0
    assert math.isclose(confidence(said, schema=True) or 0.0, expected or 0.0)
