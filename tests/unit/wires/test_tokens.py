"""The estimate is a bound that can be checked by hand."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.wires.tokens import tokens_upper


def test_by_hand() -> None:
    assert tokens_upper("") == 0
    assert tokens_upper("a") == 1
    assert tokens_upper("abcd") == 2
    assert tokens_upper("é") == 2  # two bytes at one and a half a token
    assert tokens_upper("ab" + "日本") == 1 + 4


@given(st.text(), st.text())
def test_more_text_is_never_less(text: str, more: str) -> None:
    assert tokens_upper(text) <= tokens_upper(text + more) <= tokens_upper(text) + tokens_upper(more)


@given(st.text())
def test_it_is_never_below_three_bytes_a_token(text: str) -> None:
    assert tokens_upper(text) >= len(text.encode("utf-8", "surrogatepass")) / 3
