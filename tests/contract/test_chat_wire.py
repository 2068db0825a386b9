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
from tierwise.core.errors import BadReply, ContextTooLong, Overloaded, ProviderError, RateLimited, Verdict
from tierwise.core.usage import Usage
from tierwise.testing.faults import FAULTS, Script
from tierwise.testing.steps import Steps, steps_for
from tierwise.wires import chat
from tierwise.wires.error import error_from

NOW = 1_700_000_000.0
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


def body_of(steps: Steps) -> tuple[bytes, bytes]:
    """Return head and body; the transport's part of the reading, in short."""
    head, _, body = b"".join(step for step in steps.steps if isinstance(step, bytes)).partition(b"\r\n\r\n")
    if b"chunked" not in head:
        return head, body
    data = b""
    while match := re.match(rb"([0-9a-f]+)\r\n", body):
        size = int(match[1], 16)
        data += body[match.end() : match.end() + size]
        body = body[match.end() + size + 2 :]
    return head, data


def read(steps: Steps, *, stream: bool) -> Answer:
    head, body = body_of(steps)
    if steps.status != 200:
        headers = {
            name.lower(): value for name, _, value in (line.partition(b": ") for line in head.split(b"\r\n")[1:])
        }
        raise error_from(steps.status, headers, body, NOW)
    return assemble(deltas_of([body])) if stream else chat.decode_answer(body)


FAILS: dict[str, tuple[type[ProviderError], str | None, Verdict]] = {
    "error": (Overloaded, "scripted_error", Verdict.RETRY_SAME),
    "rate_limit": (RateLimited, "rate_limit_exceeded", Verdict.NEXT),
    "context": (ContextTooLong, "context_length_exceeded", Verdict.NEXT),
    "redirect": (BadReply, "upstream_invalid", Verdict.NEXT),
    "html": (BadReply, "upstream_invalid", Verdict.NEXT),
    "empty_body": (BadReply, "upstream_invalid", Verdict.NEXT),
    "bad_json": (BadReply, "upstream_invalid", Verdict.NEXT),
    "wrong_type": (BadReply, "upstream_invalid", Verdict.NEXT),
    "in_band_error": (Overloaded, "scripted_error", Verdict.RETRY_SAME),
}
STREAM_FAILS = FAILS | {
    "cut": (BadReply, "upstream_incomplete", Verdict.NEXT),
    "drop": (BadReply, "upstream_incomplete", Verdict.NEXT),
    "reset": (BadReply, "upstream_incomplete", Verdict.NEXT),
    "no_finish": (BadReply, "upstream_incomplete", Verdict.NEXT),
    "huge_line": (BadReply, "upstream_too_large", Verdict.NEXT),
}
WHOLE_FAILS = FAILS | dict.fromkeys(("cut", "drop", "reset"), (BadReply, "upstream_invalid", Verdict.NEXT))
NO_BYTES = {"hang"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", sorted(FAULTS - NO_BYTES))
def test_every_fault_is_an_error_or_an_answer_and_never_a_false_one(fault: str, stream: bool) -> None:
    steps = scripted(fault, stream=stream)
    fails = STREAM_FAILS if stream else WHOLE_FAILS
    if fault in fails:
        kind, code, verdict = fails[fault]
        with pytest.raises(ProviderError) as caught:
            read(steps, stream=stream)
        assert (type(caught.value), caught.value.code, caught.value.verdict) == (kind, code, verdict)
        return
    answer = read(steps, stream=stream)
    [choice] = answer.choices
    assert choice.finish == {"truncation": "length", "no_finish": None}.get(fault, "stop")
    assert answer.usage == (
        None if fault == "no_usage" else Usage(input=steps.prompt_tokens, output=steps.completion_tokens)
    )
    if fault not in {"empty_content", "loop", "truncation", "refusal"}:
        assert choice.text == TEXT


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
    whole = read(scripted(fault, stream=False, **more), stream=False)
    streamed = read(scripted(fault, stream=True, **more), stream=True)
    assert streamed == msgspec.structs.replace(whole, raw=b"", ident=None)
