"""Log-probabilities, whatever a server makes of them."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.test_loose import ANYTHING
from tierwise.core.answer import TokenLogprob
from tierwise.wires.logprobs import read_tokens, write_tokens


@pytest.mark.parametrize(
    ("row", "token"),
    [
        ({"token": "H", "logprob": -0.5, "bytes": [72]}, TokenLogprob(b"H", -0.5)),
        ({"token": "H", "logprob": -1}, TokenLogprob(b"H", -1.0)),
        ({"token": "\u00e9", "logprob": 0, "bytes": None}, TokenLogprob(b"\xc3\xa9", 0.0)),
        ({"token": "?", "logprob": -1.5, "bytes": [240, 159]}, TokenLogprob(b"\xf0\x9f", -1.5)),
        ({"token": "e", "logprob": -1.5, "bytes": [999]}, TokenLogprob(b"e", -1.5)),
        ({"token": "e", "logprob": -1.5, "bytes": ["e", {}]}, TokenLogprob(b"e", -1.5)),
        ({"token": "e", "logprob": -1.5, "bytes": "e"}, TokenLogprob(b"e", -1.5)),
        ({"token": 5, "logprob": -1.5}, TokenLogprob(b"", -1.5)),
        ({"token": "x", "logprob": -9999.0}, TokenLogprob(b"x", -9999.0)),
    ],
)
def test_a_token_and_how_sure_the_model_was(row: dict[str, Any], token: TokenLogprob) -> None:
    assert read_tokens([row]) == (token,)


@pytest.mark.parametrize("value", [None, True, "-0.5", math.nan, math.inf, -math.inf, 1e300, [], {}])
def test_what_is_no_number_is_left_out(value: Any) -> None:
    sure = {"token": "b", "logprob": -0.5}
    assert read_tokens([{"token": "a", "logprob": value}, sure, {"token": "c"}]) == (TokenLogprob(b"b", -0.5),)


def test_the_number_may_have_another_name() -> None:
    rows = [{"token": "a", "logProbability": -0.5, "logprob": -2}]
    assert read_tokens(rows, "logProbability") == (TokenLogprob(b"a", -0.5),)


@given(ANYTHING | st.lists(st.fixed_dictionaries({"token": ANYTHING, "logprob": ANYTHING, "bytes": ANYTHING})))
def test_whatever_comes_is_read_and_every_number_can_be_used(value: Any) -> None:
    assert all(math.isfinite(token.logprob) for token in read_tokens(value))


def test_half_a_character_is_told_by_its_bytes_and_read_again() -> None:
    token = TokenLogprob(b"\xf0\x9f", -0.5)
    [row] = write_tokens([token])
    assert row == {"token": "\ufffd", "bytes": [240, 159], "logprob": -0.5, "top_logprobs": []}
    assert read_tokens([row]) == (token,)
