"""An object is whole when its brackets are, in whatever pieces it came."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.wires.brackets import Brackets

VALUES = st.recursive(
    st.text() | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), VALUES), st.integers(1, 7), st.booleans())
def test_an_object_is_closed_with_its_last_piece_and_not_before(value: object, size: int, plain: bool) -> None:
    told = json.dumps(value, ensure_ascii=plain)
    read = Brackets()
    for place in range(0, len(told), size):
        assert not read.closed
        read.read(told[place : place + size])
    assert read.closed


@pytest.mark.parametrize("told", ["", "12", '"{}"', '{"a":"}', '{"a":"\\', '{"a":"\\"}', "[{}"])
def test_what_is_cut_or_no_object_is_never_closed(told: str) -> None:
    read = Brackets()
    for letter in told:
        read.read(letter)
    assert not read.closed
