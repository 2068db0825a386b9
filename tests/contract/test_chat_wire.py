"""The promises that every wire keeps, asked of the chat wire with recorded bytes and with the scripted upstream's."""

import json
import re
from typing import Any

import msgspec
import pytest

from tests.contract.chat_recordings import STREAMS, WHOLES
from tests.contract.recording import Recording, named
from tierwise.core.answer import Answer, Delta, assemble
from tierwise.core.call import Call
from tierwise.core.errors import BadReply
from tierwise.testing.faults import Script
from tierwise.testing.steps import Steps, steps_for
from tierwise.wires import chat

ASKED = (
    b'{"model":"m","stream":true,"messages":[{"role":"user","content":"x"}],"stream_options":{"include_usage":true}}'
)


def call(body: bytes = ASKED) -> Call:
    return chat.decode_request(body)


def deltas_of(parts: list[bytes]) -> list[Delta]:
    decoder = chat.AnswerDecoder()
    return [delta for part in parts for delta in decoder.feed(part)] + decoder.finish()


def written(body: bytes, *, strip_logprobs: bool = False) -> list[bytes]:
    writer = chat.answer_writer(call(), ident="1", strip_logprobs=strip_logprobs)
    return [writer.write(delta) for delta in deltas_of([body])]


@pytest.mark.parametrize("recording", STREAMS, ids=named)
class TestStreams:
    def test_the_meaning(self, recording: Recording) -> None:
        assert assemble(deltas_of([recording.body])) == recording.answer

    def test_the_caller_gets_the_endpoints_own_payloads(self, recording: Recording) -> None:
        frames = written(recording.body)
        text = recording.body.replace(b"\r\n", b"\n")
        payloads = [line.removeprefix(b"data:").lstrip() for line in text.split(b"\n") if line.startswith(b"data:")]
        assert frames == [b"data: " + payload + b"\n\n" for payload in payloads if payload != b"[DONE]"]

    def test_what_the_caller_gets_means_the_same(self, recording: Recording) -> None:
        frames = written(recording.body)
        assert assemble(deltas_of([*frames, b"data: [DONE]\n\n"])) == recording.answer

    def test_stripped_of_logprobs_all_else_is_there(self, recording: Recording) -> None:
        frames = written(recording.body, strip_logprobs=True)
        choices = tuple(msgspec.structs.replace(choice, tokens=()) for choice in recording.answer.choices)
        expected = msgspec.structs.replace(recording.answer, choices=choices)
        assert assemble(deltas_of([*frames, b"data: [DONE]\n\n"])) == expected

    def test_cut_before_the_last_finish_reason_it_is_incomplete(self, recording: Recording) -> None:
        last = max(match.start() for match in re.finditer(rb'"finish_reason":\s*"', recording.body))
        for place in range(0, last, 37):
            with pytest.raises(BadReply):
                deltas_of([recording.body[:place]])


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_whole_answers(recording: Recording) -> None:
    answer = chat.decode_answer(recording.body)
    assert msgspec.structs.replace(answer, raw=b"", ident=None) == recording.answer
    assert chat.encode_answer(answer, call(), ident="1", strip_logprobs=False) == recording.body
    stripped = json.loads(chat.encode_answer(answer, call(), ident="1", strip_logprobs=True))
    original = json.loads(recording.body)
    for choice in original["choices"]:
        if "logprobs" in choice:
            choice["logprobs"] = None
    assert stripped == original


# The scripted upstream knows nothing of the wires: what one writes, the other has to read.

TEXT = "one two three"


def scripted(fault: str, *, stream: bool, **more: Any) -> Steps:
    request = {"model": "m", "messages": [{"role": "user", "content": TEXT}], "stream": stream} | more
    if stream:
        request["stream_options"] = {"include_usage": True}
    return steps_for(request, "m", msgspec.convert({"fault": fault, "size": 9_000_000}, Script), 1)


def read(steps: Steps) -> Answer:
    head, _, body = b"".join(step for step in steps.steps if isinstance(step, bytes)).partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return chat.decode_answer(body)
    data = b""
    while match := re.match(rb"([0-9a-f]+)\r\n", body):
        size = int(match[1], 16)
        data += body[match.end() : match.end() + size]
        body = body[match.end() + size + 2 :]
    return assemble(deltas_of([data]))


PARAMETERS = {"type": "object", "properties": {"a": {"type": "string"}}}
REQUESTS: list[dict[str, Any]] = [
    {},
    {"n": 3},
    {"logprobs": True, "top_logprobs": 1},
    {"max_tokens": 2},
    {"stop": [" two"]},
    {"tools": [{"type": "function", "function": {"name": "two", "parameters": PARAMETERS}}]},
    {
        "tools": [
            {"type": "function", "function": {"name": "two", "parameters": PARAMETERS}},
            {"type": "function", "function": {"name": "one", "parameters": PARAMETERS}},
        ]
    },
    {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": PARAMETERS}}},
]


@pytest.mark.parametrize("more", REQUESTS, ids=lambda more: "+".join(more) or "plain")
@pytest.mark.parametrize(
    "fault", ["none", "refusal", "truncation", "bad_tool_arguments", "broken_schema", "low_logprobs"]
)
def test_streamed_and_whole_are_the_same_answer(more: dict[str, Any], fault: str) -> None:
    whole = read(scripted(fault, stream=False, **more))
    streamed = read(scripted(fault, stream=True, **more))
    assert streamed == msgspec.structs.replace(whole, raw=b"", ident=None)
