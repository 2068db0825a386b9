"""A wrong type reads as nothing."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tierwise.wires.loose import a_text, an_object, objects

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(ANYTHING)
def test_only_the_right_type_is_read(value: Any) -> None:
    assert a_text(value) == (value if type(value) is str else "")
    assert an_object(value) == (value if type(value) is dict else {})
    assert objects([value]) == ([value] if type(value) is dict else [])
    assert objects(value) == ([row for row in value if type(row) is dict] if type(value) is list else [])
