"""The promises that every wire keeps, asked of the Messages wire with recorded bytes."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from tests.contract.messages_recordings import STREAMS, WHOLES
from tests.contract.recording import Recording, named
from tierwise.core.answer import Answer, Delta, Piece, assemble
from tierwise.core.call import Call
from tierwise.core.errors import BadReply, Overloaded, ProviderError, RateLimited, Verdict
from tierwise.wires import messages
from tierwise.wires.sse import MAX_EVENT_BYTES

CALL: Call = messages.decode_request(
    b'{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"x"}]}'
)


def deltas_of(parts: list[bytes]) -> list[Delta]:
    decoder = messages.answer_decoder()
    return [delta for part in parts for delta in decoder.feed(part)] + decoder.finish()


def passed_on(body: bytes) -> bytes:
    """Return what a caller of the same wire gets."""
    writer = messages.answer_writer(CALL, ident="1")
    return b"".join(writer.write(delta) for delta in deltas_of([body])) + writer.end()


def spelled_anew(deltas: list[Delta]) -> bytes:
    """Return what a caller gets of an endpoint of another wire that said the same."""
    writer = messages.answer_writer(CALL, ident="1")
    bare = [msgspec.structs.replace(delta, raw=b"", event="") for delta in deltas]
    return b"".join(writer.write(delta) for delta in bare) + writer.end()


def payloads(body: bytes) -> list[bytes]:
    lines = body.replace(b"\r\n", b"\n").split(b"\n")
    return [line.removeprefix(b"data:").lstrip() for line in lines if line.startswith(b"data:")]


@pytest.mark.parametrize("recording", STREAMS, ids=named)
class TestStreams:
    def test_the_meaning(self, recording: Recording) -> None:
        deltas = deltas_of([recording.body])
        assert assemble(deltas) == recording.answer
        pieces = [piece for delta in deltas for piece in delta.pieces if piece.content]
        assert tuple(pieces) == recording.pieces
        assert tuple(name for delta in deltas for name in delta.foreign) == recording.foreign

    def test_the_caller_gets_the_endpoints_own_payloads(self, recording: Recording) -> None:
        assert payloads(passed_on(recording.body)) == payloads(recording.body)

    def test_the_end_is_held_back(self, recording: Recording) -> None:
        writer = messages.answer_writer(CALL, ident="1")
        frames = [writer.write(delta) for delta in deltas_of([recording.body])]
        assert not any(b"message_stop" in frame for frame in frames)
        assert payloads(writer.end()) == [b'{"type":"message_stop"}']

    def test_what_the_caller_gets_means_the_same(self, recording: Recording) -> None:
        assert deltas_of([passed_on(recording.body)]) == deltas_of([recording.body])

    def test_spelled_anew_it_means_the_same(self, recording: Recording) -> None:
        again = assemble(deltas_of([spelled_anew(deltas_of([recording.body]))]))
        served = recording.answer.served_model if recording.content_at == 0 else "m"
        assert again == msgspec.structs.replace(recording.answer, served_model=served)

    def test_cut_before_the_stop_reason_it_is_incomplete(self, recording: Recording) -> None:
        last = recording.body.index(b'"message_delta"')
        for place in range(0, last, 37):
            with pytest.raises(BadReply) as caught:
                deltas_of([recording.body[:place]])
            assert caught.value.code == ("upstream_incomplete" if place else "upstream_invalid")

    def test_cut_behind_the_stop_reason_it_is_whole(self, recording: Recording) -> None:
        text = recording.body.replace(b"\r\n", b"\n")
        cut = text[: text.index(b"\n\n", text.index(b'"stop_reason":"')) + 2]
        assert assemble(deltas_of([cut])) == recording.answer
        writer = messages.answer_writer(CALL, ident="1")
        frames = b"".join(writer.write(delta) for delta in deltas_of([cut]))
        assert payloads(frames + writer.end())[-1] == b'{"type":"message_stop"}'

    def test_the_official_order_of_events(self, recording: Recording) -> None:
        events = [json.loads(payload) for payload in payloads(spelled_anew(deltas_of([recording.body])))]
        assert [event["type"] for event in (events[0], *events[-2:])] == [
            "message_start", "message_delta", "message_stop",
        ]  # fmt: skip
        opened: list[int] = []
        for event in events[1:-2]:
            match event["type"]:
                case "content_block_start":
                    assert event["index"] == len(opened)
                    opened.append(event["index"])
                case "content_block_delta" | "content_block_stop":
                    assert event["index"] == opened[-1]
                case other:
                    pytest.fail(other)


def rewritten(body: bytes, *, between: bytes = b"", **style: Any) -> bytes:
    """Return the same events with their data written anew, each line of it with its own field."""
    out = [b": hello\n\n", between]
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        for line in event.split(b"\n"):
            if line.startswith(b"data:"):
                text = json.dumps(json.loads(line[5:]), **style)
                out += [b"data:%b\n" % part for part in text.encode().split(b"\n")]
            elif line:
                out.append(line + b"\n")
        out += [b"\n", between]
    return b"".join(out)


SPELLINGS: dict[str, Callable[[bytes], bytes]] = {
    "CRLF": lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
    "CR alone": lambda body: body.replace(b"\r\n", b"\n").replace(b"\n", b"\r"),
    "a byte-order mark": lambda body: b"\xef\xbb\xbf" + body,
    "data in many lines": lambda body: rewritten(body, indent=1),
    "UTF-8 instead of escapes": lambda body: rewritten(body, ensure_ascii=False),
    "comments, pings and fields that nobody knows": lambda body: rewritten(
        body, between=b": keep-alive\nid: 7\nretry: 10\nnew: x\n\nevent: nothing\n\n\n"
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS.keys())
@pytest.mark.parametrize("recording", STREAMS, ids=named)
def test_however_the_stream_is_spelled(recording: Recording, spelling: Callable[[bytes], bytes]) -> None:
    body = spelling(recording.body)
    deltas = deltas_of([body])
    assert assemble(deltas) == recording.answer
    assert tuple(piece for delta in deltas for piece in delta.pieces if piece.content) == recording.pieces
    assert deltas_of([body[at : at + 1] for at in range(len(body))]) == deltas
    assert assemble(deltas_of([passed_on(body)])) == recording.answer


def framed(text: str) -> bytes:
    added = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    return b"data: " + json.dumps(added).encode() + b"\n\n"


def test_an_event_may_be_large_but_not_too_large() -> None:
    head, tail = STREAMS[0].body.split(b"event: ping")
    tail = b"event: ping" + tail
    text = "x" * (MAX_EVENT_BYTES - 200)
    assert assemble(deltas_of([head, framed(text), tail])).choices[0].text.startswith(text)
    decoder = messages.answer_decoder()
    assert len(decoder.feed(head + framed("x" * MAX_EVENT_BYTES))) == 2
    with pytest.raises(BadReply) as caught:
        decoder.feed(tail)
    assert caught.value.code == "upstream_too_large"


def test_a_line_without_an_end_is_not_held_for_ever() -> None:
    decoder = messages.answer_decoder()
    decoder.feed(STREAMS[0].body.split(b"event: ping")[0] + b"data: ")
    with pytest.raises(BadReply) as caught:
        for _ in range(9):
            decoder.feed(b"x" * 1024 * 1024)
    assert caught.value.code == "upstream_too_large"


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_whole_answers(recording: Recording) -> None:
    answer = messages.decode_answer(recording.body)
    assert answer.raw == recording.body
    assert Answer(choices=answer.choices, usage=answer.usage, served_model=answer.served_model) == recording.answer
    assert tuple(piece for piece in answer.pieces if piece.content) == recording.pieces
    assert answer.foreign == recording.foreign
    assert messages.encode_answer(answer, CALL, ident="1") == recording.body


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_a_whole_answer_spelled_anew_means_the_same(recording: Recording) -> None:
    answer = msgspec.structs.replace(messages.decode_answer(recording.body), raw=b"")
    again = messages.decode_answer(messages.encode_answer(answer, CALL, ident="1"))
    assert again.choices == answer.choices
    assert again.usage == (answer.usage or msgspec.structs.replace(again.usage or pytest.fail("no usage")))


@pytest.mark.parametrize("recording", STREAMS, ids=named)
def test_streamed_and_whole_are_the_same_to_a_caller_of_this_wire(recording: Recording) -> None:
    deltas = deltas_of([recording.body])
    whole = Answer(
        choices=recording.answer.choices,
        usage=recording.answer.usage,
        served_model=recording.answer.served_model,
        ordered=tuple(with_whole_calls(recording.answer, deltas)),
    )
    body = json.loads(messages.encode_answer(whole, CALL, ident="1"))
    streamed = accumulated(spelled_anew(deltas))
    assert streamed["content"] == body["content"]
    assert (streamed["stop_reason"], streamed["stop_sequence"]) == (body["stop_reason"], body["stop_sequence"])
    assert streamed["usage"] == body["usage"]


def with_whole_calls(answer: Answer, deltas: list[Delta]) -> Iterator[Piece]:
    """Yield the pieces in order, each tool call whole where its first piece stands."""
    begun = 0
    for piece in (piece for delta in deltas for piece in delta.pieces):
        calls = [call for call in piece.tool_calls if call.id]
        whole = answer.choices[0].tool_calls[begun : begun + len(calls)]
        begun += len(calls)
        yield msgspec.structs.replace(piece, tool_calls=whole)


def accumulated(body: bytes) -> dict[str, object]:
    """Put the events together as the official clients do."""
    message: dict[str, object] = {}
    content: list[dict[str, object]] = []
    arguments: dict[int, str] = {}
    for payload in payloads(body):
        event = json.loads(payload)
        match event["type"]:
            case "message_start":
                message = event["message"]
            case "content_block_start":
                content.append(event["content_block"])
            case "content_block_delta":
                delta = event["delta"]
                block = content[event["index"]]
                match delta.pop("type"):
                    case "input_json_delta":
                        arguments[event["index"]] = arguments.get(event["index"], "") + delta["partial_json"]
                    case _:
                        [(name, value)] = delta.items()
                        block[name] = f"{block[name]}{value}"
            case "message_delta":
                message |= event["delta"]
                message["usage"] = event["usage"]
    for index, text in arguments.items():
        content[index]["input"] = json.loads(text)
    return message | {"content": content}


ERRORS = [
    ("overloaded_error", Overloaded, Verdict.RETRY_SAME),
    ("api_error", Overloaded, Verdict.RETRY_SAME),
    ("rate_limit_error", RateLimited, Verdict.NEXT),
    ("timeout_error", BadReply, Verdict.NEXT),
]


@pytest.mark.parametrize(("kind", "error", "verdict"), ERRORS, ids=[kind for kind, _, _ in ERRORS])
@pytest.mark.parametrize("at", [0, 2, 4], ids=["first", "before content", "in the middle"])
def test_errors_in_a_stream(kind: str, error: type[ProviderError], verdict: Verdict, at: int) -> None:
    events = STREAMS[0].body.split(b"\n\n")[:at]
    said = json.dumps({"type": "error", "error": {"type": kind, "message": "later"}}).encode()
    body = b"".join(event + b"\n\n" for event in [*events, b"event: error\ndata: " + said])
    decoder = messages.answer_decoder()
    deltas: list[Delta] = []
    with pytest.raises(error) as caught:
        deltas += decoder.feed(body)
        decoder.feed(b"")
    assert (type(caught.value), caught.value.verdict, len(deltas)) == (error, verdict, at)
    assert not decoder.finished


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"{}",
        b"[]",
        b'{"content":"x"}',
        b'{"content":[1]}',
        b'{"choices":[{"message":{"content":"x"}}]}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        messages.decode_answer(body)
    with pytest.raises(ProviderError):
        deltas_of([body])


@pytest.mark.parametrize("payload", [b"[1]", b"{", b"null", b'"x"', b"[DONE]"])
def test_what_is_no_event(payload: bytes) -> None:
    with pytest.raises(BadReply):
        deltas_of([b"data: " + payload + b"\n\n"])


def test_a_whole_error_that_came_with_200() -> None:
    said = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    with pytest.raises(Overloaded):
        messages.decode_answer(said)
    with pytest.raises(Overloaded):
        deltas_of([said])


def test_members_of_wrong_types_are_no_reason_to_fail() -> None:
    odd = [
        {"type": "message_start", "message": 1},
        {"type": "content_block_start", "index": "x", "content_block": []},
        {"type": "content_block_delta", "index": None, "delta": {"type": "text_delta", "text": 5}},
        {"type": "content_block_delta", "index": 7, "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "content_block_stop", "index": 9},
        {"type": "evil\nevent: message_stop"},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": -1}},
    ]
    deltas = deltas_of([b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in odd)])
    assert assemble(deltas).choices[0].text == ""
    assert assemble(deltas).usage is None
    writer = messages.answer_writer(CALL, ident="1")
    assert b"\nevent: message_stop" not in b"".join(writer.write(delta) for delta in deltas)
    assert [piece for delta in deltas for piece in delta.pieces if piece.content] == []
    assert Piece(finish="stop") in deltas[-1].pieces
