"""What is written as a stream says what is written whole, on every wire, however mixed the pieces come."""

import json
import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.callers import BODIES
from tierwise.core.answer import Answer, Delta, Piece, ToolCall, assemble
from tierwise.core.call import Call
from tierwise.wires.known import CALLERS, ENDPOINTS

WORDS = st.sampled_from(["", "one ", "zwei\n", "\u2028", "{"])
ARGUMENTS = ('{"a": 1}', '{"b": {"c": "}"}}', "{}", '{"d": "\\u00e9"}')


def called(wire: str, **more: Any) -> Call:
    return CALLERS[wire].decode_request(json.dumps(BODIES[wire] | {"stream": True} | more).encode())


@st.composite
def answers(draw: st.DrawFn, *, several: bool) -> list[Piece]:
    """Make pieces: words, thinking, refusals, tokens, and calls whose pieces come mixed; each choice ends once."""
    rows: list[list[Piece]] = []
    choices = range(draw(st.integers(1, 2)) if several else 1)
    for choice in choices:
        for index in range(draw(st.integers(0, 3))):
            text, size = draw(st.sampled_from(ARGUMENTS)), draw(st.integers(1, 9))
            parts = [text[at : at + size] for at in range(0, len(text), size)]
            begun = ToolCall(index=index, id=f"c{choice}{index}", name=f"f{index}")
            calls = [begun, *(ToolCall(index=index, arguments=part) for part in parts)]
            rows.append([Piece(choice=choice, tool_calls=(call,)) for call in calls])
        said = [[draw(WORDS) for _ in range(draw(st.integers(0, 3)))] for _ in range(2)]
        refuses = draw(st.booleans())  # no answer does both
        rows += [
            [Piece(choice=choice, **{"refusal" if refuses else "text": text}) for text in said[0]],  # type: ignore[arg-type]
            [Piece(choice=choice, reasoning=text) for text in said[1]],
        ]
    pieces: list[Piece] = []
    while any(rows):
        pieces.append(draw(st.sampled_from([row for row in rows if row])).pop(0))
    ends = draw(st.sampled_from(["stop", "length", "content_filter"]))
    called_a_tool = {piece.choice for piece in pieces if piece.tool_calls}
    pieces += [Piece(choice=choice, finish="tool_calls" if choice in called_a_tool else ends) for choice in choices]
    return pieces


def meaning(answer: Answer) -> list[tuple[Any, ...]]:
    """Return what an answer says; the place of a call is its wire's own affair."""
    return [
        (
            choice.index, choice.text, choice.reasoning, choice.refusal, choice.finish,
            {call.id: (call.name, json.loads(call.arguments)) for call in choice.tool_calls},
        )
        for choice in answer.choices
    ]  # fmt: skip


@pytest.mark.parametrize("wire", list(BODIES))
@given(st.data())
def test_a_stream_says_what_the_whole_answer_says(wire: str, data: st.DataObject) -> None:
    pieces, call = data.draw(answers(several=wire == "chat")), called(wire)
    writer = CALLERS[wire].answer_writer(call, ident="01jd")
    streamed = b"".join(writer.write(Delta(pieces=(piece,))) for piece in pieces) + writer.end()
    decoder = ENDPOINTS[wire].answer_decoder()
    read = assemble([*decoder.feed(streamed), *decoder.finish()])
    body = CALLERS[wire].encode_answer(assemble([Delta(pieces=tuple(pieces))]), call, ident="01jd")
    assert meaning(read) == meaning(ENDPOINTS[wire].decode_answer(body))


@pytest.mark.parametrize("wire", list(BODIES))
def test_a_long_call_is_not_read_again_with_each_of_its_pieces(wire: str) -> None:
    text, decoded = json.dumps({"text": "def f(x): return {x: 1}\n" * 200}), []

    def watch(_frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and function.__name__ == "decode":
            decoded.append(function)

    writer = CALLERS[wire].answer_writer(called(wire), ident="01jd")
    writer.write(Delta(pieces=(Piece(tool_calls=(ToolCall(id="c", name="f"),)),)))
    sys.setprofile(watch)
    try:
        for letter in text:
            writer.write(Delta(pieces=(Piece(tool_calls=(ToolCall(arguments=letter),)),)))
    finally:
        sys.setprofile(None)
    assert len(decoded) < 10
