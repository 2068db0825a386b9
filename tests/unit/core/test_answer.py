"""Deltas add up to the answer they spell, whatever their cut."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Delta, Piece, ToolCall, assemble


@given(st.text(min_size=1), st.lists(st.integers(min_value=0, max_value=60), max_size=6))
def test_any_cut_of_the_text_gives_the_same_answer(text: str, cuts: list[int]) -> None:
    places = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    pieces = [text[a:b] for a, b in itertools.pairwise(places)]
    deltas = [Delta(pieces=(Piece(text=piece),)) for piece in pieces]
    answer = assemble([*deltas, Delta(pieces=(Piece(finish="stop"),))])
    assert answer.choices[0].text == text
    assert answer.choices[0].finish == "stop"


def test_tool_calls_are_joined_by_index_and_keep_their_names() -> None:
    parts = [
        ToolCall(index=1, id="b", name="second", arguments='{"x":'),
        ToolCall(index=0, id="a", name="first"),
        ToolCall(index=1, arguments="1}"),
    ]
    answer = assemble(Delta(pieces=(Piece(tool_calls=(part,)),)) for part in parts)
    calls = answer.choices[0].tool_calls
    assert [(c.id, c.name, c.arguments) for c in calls] == [("a", "first", ""), ("b", "second", '{"x":1}')]


def test_role_usage_and_finish_are_not_content() -> None:
    assert not Delta(pieces=(Piece(finish="stop"),)).content
    assert Delta(pieces=(Piece(refusal="no"),)).content
