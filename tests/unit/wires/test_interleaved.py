"""Calls whose pieces came mixed are written one after the other, and whole."""

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import ToolCall
from tierwise.wires.interleaved import Interleaved

ARGUMENTS = st.sampled_from(['{"a": {"b": [1, 2]}}', "{}", "", '{"cut": ', '"\\u00e9"', "not json", "[" * 20_000])


@st.composite
def mixed(draw: st.DrawFn) -> tuple[dict[int, str], list[ToolCall]]:
    """Make calls by index with their arguments, and their pieces in any order that keeps each call's own."""
    said = dict(enumerate(draw(st.lists(ARGUMENTS, max_size=4))))
    size = draw(st.integers(1, 30))
    rows = {
        index: [ToolCall(index=index, id=f"c{index}", name=f"f{index}")]
        + [ToolCall(index=index, arguments=text[at : at + size]) for at in range(0, min(len(text), 200), size)]
        for index, text in said.items()
    }
    pieces = []
    while any(rows.values()):
        row = rows[draw(st.sampled_from([index for index, row in rows.items() if row]))]
        pieces.append(row.pop(0))
    return {index: text[: (200 + size - 1) // size * size][: len(text)] for index, text in said.items()}, pieces


def steps_of(pieces: list[ToolCall], *, drained: bool) -> list[tuple[str, str, str]]:
    calls = Interleaved()
    steps = []
    for piece in pieces:
        calls.add(piece)
        if drained:
            steps += [(step, call.id, text) for step, call, text in calls.drain(last=False)]
    return steps + [(step, call.id, text) for step, call, text in calls.drain(last=True)]


@given(mixed(), st.booleans())
def test_every_call_is_opened_filled_and_closed_once_before_the_next(
    made: tuple[dict[int, str], list[ToolCall]], drained: bool
) -> None:
    said, pieces = made
    steps = steps_of(pieces, drained=drained)
    written: list[str] = []
    while steps:
        step, ident, _ = steps.pop(0)
        assert step == "open"
        text = ""
        while steps[0][0] == "add":
            assert steps[0][1] == ident
            text += steps.pop(0)[2]
        assert steps.pop(0)[:2] == ("close", ident)
        assert text == said[int(ident[1:])][:200] or text == said[int(ident[1:])]
        written.append(ident)
    assert written == list(dict.fromkeys(f"c{piece.index}" for piece in pieces))


def test_what_can_be_written_is_not_held_back() -> None:
    calls = Interleaved()
    assert (calls.any, calls.unfinished) == (False, False)
    calls.add(ToolCall(index=3, id="a", name="f", arguments='{"x"'))
    assert [step for step, _, _ in calls.drain(last=False)] == ["open", "add"]
    assert (calls.any, calls.unfinished) == (True, True)
    calls.add(ToolCall(index=4, id="b", name="g", arguments="{}"))
    assert list(calls.drain(last=False)) == []
    calls.add(ToolCall(index=3, arguments=":1}"))
    assert [(step, call.name, text) for step, call, text in calls.drain(last=False)] == [
        ("add", "f", ":1}"), ("close", "f", ""), ("open", "g", ""), ("add", "g", "{}"),
    ]  # fmt: skip
    assert not calls.unfinished
    assert [(step, call.name) for step, call, _ in calls.drain(last=True)] == [("close", "g")]
    assert list(calls.drain(last=True)) == []


def test_id_and_name_may_come_late_and_count_once() -> None:
    calls = Interleaved()
    for piece in (
        ToolCall(arguments="{"),
        ToolCall(id="a"),
        ToolCall(name="f"),
        ToolCall(id="b", name="g", arguments="}"),
    ):
        calls.add(piece)
    steps = list(calls.drain(last=True))
    assert [(step, text) for step, _, text in steps] == [("open", ""), ("add", "{}"), ("close", "")]
    assert (steps[0][1].id, steps[0][1].name, steps[0][1].said) == ("a", "f", "{}")
