"""What leaves for a Messages caller: the endpoint's own events, or the same told in this wire's blocks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Answer, Delta, Piece, ToolCall, whole
from tierwise.core.call import Call, Features
from tierwise.core.usage import Usage
from tierwise.wires.messages_answer import AnswerDecoder, decode_answer
from tierwise.wires.messages_reply import (
    AnswerWriter,
    answer_writer,
    arguments_of,
    encode_answer,
    error_body,
    stop_reason,
    usage_of,
)
from tierwise.wires.messages_seals import UNSIGNED

CALL = Call(wire="messages", body=b"", model="auto", parts=(), features=Features(input_tokens_est=1), stream=True)


def call(index: int, arguments: str = "", ident: str = "", name: str = "") -> Piece:
    return Piece(tool_calls=(ToolCall(index=index, id=ident, name=name, arguments=arguments),))


def events(*deltas: Delta) -> list[dict[str, Any]]:
    """Return the events of a stream that these make."""
    writer = answer_writer(CALL, ident="1")
    body = b"".join(writer.write(delta) for delta in deltas) + writer.end()
    told = [frame.split(b"\n") for frame in body.split(b"\n\n")[:-1]]
    read = [json.loads(data.removeprefix(b"data: ")) for _, data in told]
    assert [name for name, _ in told] == [b"event: " + event["type"].encode() for event in read]
    return read


def told(*pieces: Piece) -> list[str]:
    """Return the blocks of a stream in short, and check that they come one after the other."""
    short: list[str] = []
    opened = -1
    for event in events(*(Delta(pieces=(piece,)) for piece in pieces))[1:-2]:
        match event["type"]:
            case "content_block_start":
                opened += 1
                short.append(event["content_block"]["type"] + ":" + event["content_block"].get("data", ""))
            case "content_block_delta":
                short[-1] += next(value for name, value in event["delta"].items() if name != "type")
            case "content_block_stop":
                short[-1] += "."
        assert event["index"] == opened
    return short


def test_the_endpoints_own_events_pass_unchanged() -> None:
    writer = AnswerWriter(CALL, ident="1")
    raw = b'{"type":"ping", "z":1.0e0}'
    assert writer.write(Delta(raw=raw, event="ping")) == b"event: ping\ndata: " + raw + b"\n\n"
    assert writer.write(Delta(raw=b"{}")) == b"data: {}\n\n"
    assert writer.write(Delta(raw=b"{\n}", event="ping")) == b"event: ping\ndata: {\ndata: }\n\n"
    assert writer.write(Delta(raw=b'{"type" : "message_stop"}', event="message_stop")) == b""
    assert writer.end() == b'event: message_stop\ndata: {"type" : "message_stop"}\n\n'


def test_the_end_is_told_once_it_is_durable_and_never_after_an_error() -> None:
    writer = AnswerWriter(CALL, ident="1")
    written = writer.write(Delta(pieces=(Piece(text="x"), Piece(finish="stop")), usage=Usage(input=1, output=1)))
    assert b"message_delta" not in written and b"message_stop" not in written
    said = error_body(529, "later", "server_error", None, "overloaded")
    assert writer.error(said) == b"event: error\ndata: " + said + b"\n\n"
    assert json.loads(said) == {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "later", "code": "overloaded"},
    }


def test_the_frame_of_an_answer() -> None:
    first, *_, last, stop = events(
        Delta(served_model="m"),
        Delta(pieces=(Piece(text="x"),), served_model="m"),
        Delta(pieces=(Piece(finish="stop", stop_sequence="END"),)),
        Delta(usage=Usage(input=3, cache_read=2, cache_write=1, output=1, reasoning=4)),
    )
    assert first["message"] | {"usage": {}} == {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None,
        "stop_sequence": None, "usage": {},
    }  # fmt: skip
    assert last["delta"] == {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    assert last["usage"] == {
        "output_tokens_details": {"thinking_tokens": 4}, "input_tokens": 3, "cache_creation_input_tokens": 1,
        "cache_read_input_tokens": 2, "output_tokens": 5,
    }  # fmt: skip
    assert stop == {"type": "message_stop"}
    assert [event["type"] for event in events()] == ["message_start", "message_delta", "message_stop"]
    assert events()[0]["message"]["model"] == "auto"


@pytest.mark.parametrize(
    ("pieces", "blocks"),
    [
        ([Piece(text="a"), Piece(text="b")], ["text:ab."]),
        ([Piece(reasoning="hm"), Piece(text="a")], [f"thinking:hm{UNSIGNED}.", "text:a."]),
        ([Piece(reasoning="h"), Piece(reasoning="m", seal="S"), Piece(text="a")], ["thinking:hmS.", "text:a."]),
        ([Piece(seal="S"), Piece(seal="T")], ["redacted_thinking:S.", "redacted_thinking:T."]),
        ([Piece(reasoning="a", seal="S"), Piece(reasoning="b", seal="T")], ["thinking:aS.", "thinking:bT."]),
        ([Piece(text="a"), Piece(reasoning="hm"), Piece(refusal="no")], ["text:a.", f"thinking:hm{UNSIGNED}.", "text:no."]),
        ([call(0, "{}", "t", "f"), call(1, "{}", "u", "g")], ["tool_use:{}.", "tool_use:{}."]),
        ([call(0, "", "t", "f"), call(0, '{"a":'), call(0, "1}"), Piece(text="x")], ['tool_use:{"a":1}.', "text:x."]),
        ([call(0, '{"a":', "t", "f"), Piece(text="x"), call(0, "1}")], ['tool_use:{"a":1}.', "text:x."]),
        ([call(0, '{"a":', "t", "f"), call(1, "{", "u", "g"), call(0, "1}"), call(1, "}")], ['tool_use:{"a":1}.', "tool_use:{}."]),
        ([call(0, '{"a":', "t", "f"), Piece(text="x")], ['tool_use:{"a":.', "text:x."]),
        ([Piece(choice=1, text="other"), Piece(text="x")], ["text:x."]),
    ],
)  # fmt: skip
def test_one_block_after_the_other(pieces: list[Piece], blocks: list[str]) -> None:
    assert told(*pieces) == blocks


@pytest.mark.parametrize(
    ("finish", "tools", "refused", "reason"),
    [
        (None, True, True, None),
        (Piece(), False, False, None),
        (Piece(finish="stop"), False, False, "end_turn"),
        (Piece(finish="stop"), True, False, "tool_use"),
        (Piece(finish="stop"), False, True, "refusal"),
        (Piece(finish="stop", stop_sequence="x"), False, False, "stop_sequence"),
        (Piece(finish="length"), True, False, "max_tokens"),
        (Piece(finish="tool_calls"), True, False, "tool_use"),
        (Piece(finish="function_call"), True, False, "tool_use"),
        (Piece(finish="content_filter"), False, False, "refusal"),
        (Piece(finish="pause"), False, False, "pause_turn"),
        (Piece(finish="of_tomorrow"), False, False, "of_tomorrow"),
    ],
)
def test_why_it_ended(finish: Piece | None, tools: bool, refused: bool, reason: str | None) -> None:
    assert stop_reason(finish, tools=tools, refused=refused) == reason


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"), (401, "authentication_error"), (402, "billing_error"), (403, "permission_error"),
        (404, "not_found_error"), (409, "invalid_request_error"), (413, "request_too_large"), (422, "invalid_request_error"),
        (429, "rate_limit_error"), (500, "api_error"), (502, "api_error"), (503, "overloaded_error"),
        (504, "timeout_error"), (529, "overloaded_error"),
    ],
)  # fmt: skip
def test_the_kind_of_an_error_follows_from_its_status(status: int, kind: str) -> None:
    said = json.loads(error_body(status, "why", "any", "messages[0]", None))
    assert said == {"type": "error", "error": {"type": kind, "message": "why", "param": "messages[0]"}}


@pytest.mark.parametrize(
    ("arguments", "value"),
    [("", {}), ("{}", {}), ('{"a": 1}', {"a": 1}), ("[1]", {"arguments": [1]}), ("null", {"arguments": None}),
     ("no json", {"arguments": "no json"}), ('{"a":', {"arguments": '{"a":'}), ("[" * 100_000, {"arguments": "[" * 100_000})],
    ids=range(8),
)  # fmt: skip
def test_arguments_are_an_object_whatever_was_written(arguments: str, value: dict[str, Any]) -> None:
    assert arguments_of(arguments) == value


def test_a_whole_answer_passes_unchanged() -> None:
    raw = b'{"content":[ {"type":"text","text":"x"} ],"stop_reason":"end_turn", "z":1.0e0}'
    assert encode_answer(decode_answer(raw), CALL, ident="1") == raw


def test_a_whole_answer_of_another_wire_is_told_in_blocks() -> None:
    answer = whole(
        [Piece(reasoning="hm", seal="S"), Piece(seal="T"), Piece(reasoning="oh"), Piece(text="a"), Piece(refusal="b"),
         call(0, '{"a":1}', "t", "f"), Piece(choice=1, text="other"), Piece(finish="stop")],
        usage=Usage(input=1, output=2), served_model="m",
    )  # fmt: skip
    body = json.loads(encode_answer(answer, CALL, ident="1"))
    assert body["content"] == [
        {"type": "thinking", "thinking": "hm", "signature": "S"},
        {"type": "redacted_thinking", "data": "T"},
        {"type": "thinking", "thinking": "oh", "signature": UNSIGNED},
        {"type": "text", "text": "ab"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
    ]
    assert (body["id"], body["model"], body["stop_reason"]) == ("msg_1", "m", "tool_use")
    assert body["usage"] == usage_of(Usage(input=1, output=2))
    bare = json.loads(encode_answer(Answer(), CALL, ident="1"))
    assert (bare["content"], bare["model"], bare["stop_reason"], bare["usage"]["input_tokens"]) == ([], "auto", None, 0)


TEXT = st.text(min_size=1, max_size=5)
CALLS = st.tuples(st.integers(0, 2), st.sampled_from(['{"a":1}', "{}", '{"b":"}{"}']))
SAID = st.lists(
    st.builds(Piece, text=TEXT)
    | st.builds(Piece, reasoning=TEXT, seal=st.sampled_from(["", "signed:S"]))
    | st.just(Piece(seal="redacted:R"))
    | CALLS,
    max_size=8,
)


@given(SAID, st.data())
def test_streamed_and_whole_say_the_same(said: list[Any], data: st.DataObject) -> None:
    """However the pieces of calls are mixed with others."""
    ordered: list[Piece] = []
    parts: list[Piece] = []
    for number, one in enumerate(said):
        if isinstance(one, Piece):
            ordered.append(one)
            parts.append(one)
            continue
        cut, arguments = one
        ordered.append(call(number, arguments, f"t{number}", "f"))
        parts += [call(number, arguments[:cut], f"t{number}", "f"), call(number, arguments[cut:])]
    finish = Piece(finish=data.draw(st.sampled_from(["stop", "length"])))
    decoder, writer = AnswerDecoder(), answer_writer(CALL, ident="1")
    stream = b"".join(writer.write(Delta(pieces=(piece,))) for piece in [*parts, finish]) + writer.end()
    deltas = decoder.feed(stream) + decoder.finish()
    whole_again = decode_answer(encode_answer(whole([*ordered, finish]), CALL, ident="1"))
    streamed = [piece for delta in deltas for piece in delta.pieces]
    assert whole(streamed).choices == whole_again.choices
    assert [piece.seal for piece in streamed if piece.seal] == [
        piece.seal for piece in whole_again.pieces if piece.seal
    ]
