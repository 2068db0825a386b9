"""What a Messages endpoint says, whole or piece by piece; recorded streams are in tests/contract."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Delta, Piece, ToolCall, assemble
from tierwise.core.errors import BadReply, Overloaded, ProviderError
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires.messages_answer import AnswerDecoder, answer_decoder, decode_answer

START = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 3, "output_tokens": 1}}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
STOP = {"type": "message_stop"}


def frames(*events: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in events
    )


def read(*events: dict[str, Any]) -> list[Delta]:
    decoder = answer_decoder()
    return decoder.feed(frames(*events)) + decoder.finish()


def begins(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def adds(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def ends(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def pieces(*events: dict[str, Any]) -> list[Piece]:
    """Return what stands between the first and the last event."""
    return [piece for delta in read(START, *events, END, STOP) for piece in delta.pieces if piece.content]


def whole(*blocks: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"model": "m", "content": [*blocks], "stop_reason": "end_turn"} | more).encode()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
        ("model_context_window_exceeded", "length"), ("refusal", "content_filter"), ("pause_turn", "pause"),
        ("of_tomorrow", "of_tomorrow"),
    ],
)  # fmt: skip
def test_why_it_ended(said: Any, meant: str) -> None:
    assert decode_answer(whole(stop_reason=said)).choices[0].finish == meant
    assert assemble(read(START, END | {"delta": {"stop_reason": said}}, STOP)).choices[0].finish == meant


@pytest.mark.parametrize("delta", [{}, {"stop_reason": None}, {"stop_reason": ""}, {"stop_reason": 5}, None])
def test_without_a_reason_an_answer_was_cut(delta: Any) -> None:
    with pytest.raises(BadReply) as caught:
        read(START, begins(0, type="text", text="x"), ends(0), END | {"delta": delta}, STOP)
    assert caught.value.code == "upstream_incomplete"
    with pytest.raises(BadReply) as caught:
        decode_answer(whole(**({"stop_reason": None} | (delta or {}))))
    assert caught.value.code == "upstream_incomplete"


def test_finished_is_only_what_ended() -> None:
    decoder = AnswerDecoder()
    for events, finished in ((START, False), (END, False), (STOP, True)):
        decoder.feed(frames(events))
        assert decoder.finished is finished
    assert decoder.feed(frames(START)) == decoder.finish() == []


def test_thinking_ends_with_its_seal() -> None:
    assert pieces(
        begins(0, type="thinking", thinking="", signature=""),
        adds(0, type="thinking_delta", thinking="hm"),
        adds(0, type="signature_delta", signature="Eq"),
        adds(0, type="signature_delta", signature="QB"),
        ends(0),
        begins(1, type="redacted_thinking", data="EmwK"),
        ends(1),
    ) == [Piece(reasoning="hm"), Piece(seal="signed:EqQB"), Piece(seal="redacted:EmwK")]


def test_thinking_may_come_whole_or_unsigned() -> None:
    assert pieces(begins(0, type="thinking", thinking="hm", signature="EqQB"), ends(0)) == [
        Piece(reasoning="hm"), Piece(seal="signed:EqQB"),
    ]  # fmt: skip
    assert pieces(begins(0, type="thinking", thinking="hm"), ends(0)) == [Piece(reasoning="hm")]
    assert decode_answer(whole({"type": "thinking", "thinking": "hm", "signature": ""})).pieces[0] == Piece(
        reasoning="hm"
    )


@pytest.mark.parametrize(
    ("begun", "parts", "arguments"),
    [({}, [], "{}"), ({}, ["", '{"a"', ":1}"], '{"a":1}'), ({"a": 1}, [], '{"a":1}'), ({"a": 1}, [""], '{"a":1}'),
     (None, [], "{}"), ({}, ['{"a":'], '{"a":')],
)  # fmt: skip
def test_arguments_come_in_pieces_or_at_once(begun: Any, parts: list[str], arguments: str) -> None:
    events = [adds(4, type="input_json_delta", partial_json=part) for part in parts]
    call = assemble(read(START, begins(4, type="tool_use", id="t", name="f", input=begun), *events, ends(4), END, STOP))
    assert call.choices[0].tool_calls == (ToolCall(id="t", name="f", arguments=arguments),)


def test_blocks_that_nobody_closes_are_closed() -> None:
    """Some servers leave the stop events out."""
    said = pieces(
        begins(0, type="thinking", thinking="hm", signature="s"), begins(0, type="text", text="a"),
        begins(1, type="tool_use", id="t", name="f", input={"a": 1}),
    )  # fmt: skip
    assert said == [
        Piece(reasoning="hm"), Piece(seal="signed:s"), Piece(text="a"),
        Piece(tool_calls=(ToolCall(id="t", name="f"),)), Piece(tool_calls=(ToolCall(arguments='{"a":1}'),)),
    ]  # fmt: skip


def test_what_only_this_wire_can_say_is_named() -> None:
    deltas = read(
        START, begins(0, type="server_tool_use", id="s", name="web", input={}),
        adds(0, type="input_json_delta", partial_json="{}"), ends(0), begins(1, type="text", text=""),
        adds(1, type="citations_delta", citation={}), ends(1), END, STOP,
    )  # fmt: skip
    assert [name for delta in deltas for name in delta.foreign] == ["server_tool_use", "citations"]
    assert not any(delta.content for delta in deltas)
    answer = decode_answer(whole({"type": "new" * 50}, {"type": "text", "text": "x", "citations": [{}]}))
    assert answer.foreign == (("new" * 50)[:64], "citations")


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"input_tokens": 3, "output_tokens": 5}, Usage(input=3, output=5)),
        ({"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": 7, "cache_creation_input_tokens": 2},
         Usage(input=3, output=5, cache_read=7, cache_write=2)),
        ({"input_tokens": 3, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 4}},
         Usage(input=3, output=1, reasoning=4)),
        ({"input_tokens": 3, "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 9}},
         Usage(input=3, output=0, reasoning=5)),
        ({"input_tokens": 3}, None),
        ({"output_tokens": 3}, None),
        ({"input_tokens": -1, "output_tokens": 5}, None),
        ({"input_tokens": True, "output_tokens": 5}, None),
        ({"input_tokens": 10**12, "output_tokens": 5}, None),
        ({"input_tokens": "3", "output_tokens": 5}, None),
        ({"input_tokens": 3, "output_tokens": 5, "cache_read_input_tokens": None}, Usage(input=3, output=5)),
        ([], None),
    ],
)  # fmt: skip
def test_counts_are_counts_or_nothing(usage: Any, counted: Usage | None) -> None:
    assert decode_answer(whole(usage=usage)).usage == counted


def test_the_last_count_counts() -> None:
    """They are cumulative; the output count of the first event is a placeholder."""
    grown = END | {"usage": {"input_tokens": 30, "output_tokens": 5, "cache_read_input_tokens": None}}
    first = {"message": {"usage": {"input_tokens": 3, "output_tokens": 1, "cache_read_input_tokens": 7}}}
    deltas = read(START | first, grown, STOP)
    assert [delta.usage for delta in deltas] == [None, Usage(input=30, output=5, cache_read=7), None]
    assert [delta.usage for delta in read(START, END | {"usage": None}, STOP)] == [None, None, None]


def test_an_error_comes_after_what_precedes_it() -> None:
    broken = {"type": "error", "error": {"type": "overloaded_error", "message": "no sk-ant-secret-1 left"}}
    decoder = AnswerDecoder(key=Secret("sk-ant-secret-1"))
    assert len(decoder.feed(frames(START, begins(0, type="text", text="x"), broken, STOP))) == 2
    for _ in range(2):
        with pytest.raises(Overloaded) as caught:
            decoder.feed(b"")
        assert "secret" not in str(caught.value)
    with pytest.raises(Overloaded):
        decoder.finish()
    assert not decoder.finished


EVENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**12) | st.sampled_from(["", "text", "tool_use", "thinking", "text_delta"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["type", "index", "delta", "content_block", "usage", "message", "text", "input", "stop_reason", "error"]),
        inner, max_size=5,
    ),
    max_leaves=10,
)  # fmt: skip
KINDS = st.sampled_from([
    "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop",
    "error", "ping", "new",
])  # fmt: skip


@given(st.lists(st.tuples(KINDS, st.dictionaries(st.sampled_from(["index", "delta", "content_block", "usage", "message"]), EVENTS)), max_size=6))  # fmt: skip
def test_whatever_comes_is_an_answer_or_an_error_of_the_provider(said: list[tuple[str, dict[str, Any]]]) -> None:
    try:
        answer = assemble(read(*({"type": kind} | more for kind, more in said)))
    except ProviderError:
        return
    assert answer.choices[0].finish


@given(EVENTS)
def test_whatever_is_whole_is_an_answer_or_an_error_of_the_provider(value: Any) -> None:
    for body in (json.dumps(value), json.dumps({"content": value}), json.dumps({"content": [value], "usage": value})):
        try:
            decode_answer(body.encode())
        except ProviderError:
            continue


def test_a_signature_in_tens_of_thousands_of_pieces_is_put_together_once() -> None:
    """Added up piece by piece it was copied as often: 6 MB of signature held everybody up for over a minute."""
    said = [{"type": "message_start", "message": {"usage": {"input_tokens": 1}}}]
    said.append({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": "x"}})
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s" * 100}}
    said += [piece] * 40_000
    said.append({"type": "content_block_stop", "index": 0})
    stream = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in said)
    seals = [piece.seal for delta in answer_decoder().feed(stream) for piece in delta.pieces if piece.seal]
    assert seals == ["signed:" + "s" * 4_000_000]
