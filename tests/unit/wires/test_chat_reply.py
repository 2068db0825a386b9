"""What leaves for the caller: the endpoint's own bytes, but for what the caller did not ask for."""

import json
from typing import Any

import pytest

from tierwise.core.answer import Answer, Choice, Delta, Piece, ToolCall, assemble
from tierwise.core.call import Call, Features
from tierwise.core.usage import Usage
from tierwise.wires.chat_answer import AnswerDecoder, decode_answer
from tierwise.wires.chat_reply import AnswerWriter, encode_answer

RAW = b'{"id":"c", "choices":[{"index":0,"delta":{"content":"x"},"logprobs":null,"finish_reason":null}],"usage":null}'
WITH_LOGPROBS = RAW.replace(b"null,", b'{"content":[{"token":"x","logprob":-1.50,"bytes":[120]}]} ,', 1)
USAGE = b'{"id":"c","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}'


def call(**more: Any) -> Call:
    return Call(wire="chat", body=b"", model="m", parts=(), features=Features(input_tokens_est=1), stream=True, **more)


def delta(raw: bytes) -> Delta:
    [made] = AnswerDecoder().feed(b"data: " + raw + b"\n\n")
    return made


def test_the_payload_passes_unchanged() -> None:
    assert AnswerWriter(call(), strip_logprobs=False).write(delta(RAW)) == b"data: " + RAW + b"\n\n"
    assert AnswerWriter(call(), strip_logprobs=False).write(delta(WITH_LOGPROBS)) == b"data: " + WITH_LOGPROBS + b"\n\n"


def test_usage_is_hidden_from_who_did_not_ask() -> None:
    assert AnswerWriter(call(), strip_logprobs=False).write(delta(USAGE)) == b""
    assert (
        AnswerWriter(call(include_usage=True), strip_logprobs=True).write(delta(USAGE)) == b"data: " + USAGE + b"\n\n"
    )
    absurd = USAGE.replace(b"1,", b"-1,")
    assert AnswerWriter(call(), strip_logprobs=False).write(delta(absurd)) == b""


def test_an_empty_list_of_choices_is_not_always_usage() -> None:
    filtered = b'{"choices":[],"prompt_filter_results":[]}'
    assert AnswerWriter(call(), strip_logprobs=False).write(delta(filtered)) == b"data: " + filtered + b"\n\n"


def test_logprobs_that_only_a_gate_wanted_are_taken_out() -> None:
    frame = AnswerWriter(call(), strip_logprobs=True).write(delta(WITH_LOGPROBS))
    assert json.loads(frame[6:]) == json.loads(RAW)


def test_lines_inside_of_a_payload_stay_one_event() -> None:
    raw = json.dumps(json.loads(RAW), indent=1).encode()
    frame = AnswerWriter(call(), strip_logprobs=False).write(Delta(raw=raw, pieces=(Piece(text="x"),)))
    assert frame.endswith(b"\n\n")
    [again] = AnswerDecoder().feed(frame)
    assert again.raw == raw


def test_the_end_and_an_error() -> None:
    assert AnswerWriter(call()).end() == b"data: [DONE]\n\n"
    assert AnswerWriter(call()).error(b'{"error":{}}') == b'data: {"error":{}}\n\n'


def test_a_whole_answer_passes_unchanged() -> None:
    raw = b'{"choices":[{"message":{"content":"x"},"finish_reason":"stop","logprobs":{"content":[]}, "z":1.0e0}]}'
    assert encode_answer(decode_answer(raw), call(), ident="1", strip_logprobs=False) == raw
    stripped = encode_answer(decode_answer(raw), call(), ident="1", strip_logprobs=True)
    assert stripped == raw.replace(b'{"content":[]}, ', b"null,")


TOOLS = (ToolCall(id="a", name="f", arguments='{"x":1}'),)


def test_deltas_of_another_wire_are_spelled_out() -> None:
    deltas = [
        Delta(pieces=(Piece(text="a", reasoning="r"),), served_model="s"),
        Delta(pieces=(Piece(tool_calls=TOOLS),)),
        Delta(pieces=(Piece(tool_calls=(ToolCall(arguments=" "),), refusal="no"), Piece(choice=1, text="b"))),
        Delta(pieces=(Piece(finish="tool_calls"), Piece(choice=1, finish="stop"))),
        Delta(usage=Usage(input=3, cache_read=2, output=1, reasoning=4)),
    ]
    writer, decoder = AnswerWriter(call(include_usage=True), strip_logprobs=False), AnswerDecoder()
    data = b"".join(map(writer.write, deltas)) + writer.end()
    assert assemble([*decoder.feed(data), *decoder.finish()]) == assemble(deltas)


@pytest.mark.parametrize("asked", [True, False])
def test_clients_find_the_role_first_and_the_usage_alone_and_last(asked: bool) -> None:
    usage = Usage(input=3, output=1)
    writer = AnswerWriter(call(include_usage=asked))
    deltas = [Delta(pieces=(Piece(tool_calls=TOOLS),)), Delta(pieces=(Piece(finish="stop"),), usage=usage), Delta()]
    data = b"".join(map(writer.write, deltas)) + writer.end()
    *chunks, end = [frame.removeprefix(b"data: ") for frame in data.removesuffix(b"\n\n").split(b"\n\n")]
    read = [json.loads(chunk) for chunk in chunks]
    assert end == b"[DONE]"
    assert [[c["delta"].get("role") for c in chunk["choices"]] for chunk in read[:2]] == [["assistant"], [None]]
    assert [chunk["usage"]["total_tokens"] for chunk in read if chunk.get("usage")] == ([4] if asked else [])
    assert len(read) == (3 if asked else 2)
    assert read[-1]["choices"] == [] or not asked


def test_an_answer_of_another_wire_is_spelled_out() -> None:
    answer = Answer(
        choices=(
            Choice(text="a", reasoning="r", finish="stop"),
            Choice(index=1, tool_calls=TOOLS, refusal="n", finish="x"),
        ),
        usage=Usage(input=3, cache_read=2, output=1, reasoning=4),
        served_model="s",
    )
    again = decode_answer(encode_answer(answer, call(), ident="1", strip_logprobs=False))
    assert (again.choices, again.usage, again.served_model) == (answer.choices, answer.usage, answer.served_model)


def test_every_chunk_names_the_model_that_the_endpoint_named_once() -> None:
    writer = AnswerWriter(call(include_usage=True), ident="01")
    said = (
        Delta(served_model="real"),
        Delta(pieces=(Piece(text="a"),)),
        Delta(pieces=(Piece(text="b"),), usage=Usage()),
    )
    frames = b"".join([*map(writer.write, said), writer.end()]).split(b"\n\n")
    chunks = [json.loads(frame[6:]) for frame in frames if frame.startswith(b"data: {")]
    assert [chunk["model"] for chunk in chunks] == ["real"] * 3
