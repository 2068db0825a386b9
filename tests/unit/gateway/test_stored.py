"""Answers that callers build on: bounded in bytes and age, whatever is kept, asked for and deleted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.label import Label
from tierwise.gateway.stored import Stored, StoredResponse

MOST_BYTES, MOST_AGE_S = 100, 60.0


def response(size: int, at: float, own: str = "item") -> StoredResponse:
    item = b"x" * (size // 2)
    return StoredResponse(
        body=b"x" * (size - size // 2), items=(item,), own={own: item}, label=Label.INTERNAL, at=at
    )  # fmt: skip


acts = st.lists(
    st.tuples(
        st.sampled_from(("keep", "get", "forget")), st.sampled_from((None, "a", "b")), st.sampled_from("xyz"),
        st.integers(0, 120), st.floats(0, 50),
    ),
    max_size=40,
)  # fmt: skip


@given(acts)
def test_no_more_is_held_than_may_be_and_nothing_older(made: list[tuple[str, str | None, str, int, float]]) -> None:
    stored, now = Stored(MOST_BYTES, MOST_AGE_S), 0.0
    known: dict[tuple[str | None, str], StoredResponse] = {}
    for act, key, ident, size, later in made:
        now += later
        if act == "keep":
            known[key, ident] = response(size, now, own=f"item-{ident}")
            stored.keep(key, ident, known[key, ident])
        elif act == "forget":
            stored.forget(key, ident)
            known.pop((key, ident), None)
        elif (found := stored.get(key, ident, now)) is not None:
            assert found is known[key, ident]
            assert now - found.at <= MOST_AGE_S
        held = [one for place, one in known.items() if stored.get(*place, now) is one]
        assert stored.held_bytes == sum(one.size_bytes for one in held) <= MOST_BYTES


def test_age_forgets_what_nobody_asks_for_any_more() -> None:
    stored = Stored(MOST_BYTES, MOST_AGE_S)
    stored.keep("a", "old", response(40, 0.0))
    stored.keep("a", "new", response(20, MOST_AGE_S + 1))
    assert stored.held_bytes == 20


@pytest.mark.parametrize("size", [MOST_BYTES + 1, 10 * MOST_BYTES])
def test_what_is_too_large_alone_displaces_nothing(size: int) -> None:
    stored = Stored(MOST_BYTES, MOST_AGE_S)
    stored.keep("a", "x", response(20, 0.0))
    stored.keep("a", "y", response(size, 0.0))
    assert stored.get("a", "x", 0.0) is not None
    assert stored.get("a", "y", 0.0) is None


def test_an_item_is_found_with_its_label_by_the_key_that_asked_and_goes_with_its_response() -> None:
    stored = Stored(MOST_BYTES, MOST_AGE_S)
    stored.keep("a", "x", response(20, 0.0))
    assert stored.item("a", "item", 0.0) == (b"x" * 10, Label.INTERNAL)
    assert stored.item("b", "item", 0.0) is None
    stored.keep("a", "y", response(30, 0.0))
    stored.forget("a", "x")
    assert stored.item("a", "item", 0.0) == (b"x" * 15, Label.INTERNAL), "of two the younger"
    stored.forget("a", "y")
    assert stored.item("a", "item", 0.0) is None
