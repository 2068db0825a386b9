"""What leaves the scripted upstream, byte by byte."""

import json
import re
from typing import Any

import pytest

from tierwise.testing.faults import FAULTS, Fault, Script
from tierwise.testing.steps import End, Steps, steps_for

REQUEST: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "one two"}]}


def plan(fault: Fault = "none", *, stream: bool = False, **values: Any) -> Steps:
    return steps_for(REQUEST | {"stream": stream}, "m", Script(fault=fault, **values), 1)


def written(steps: Steps) -> tuple[bytes, bytes, End]:
    """Return head, body and end, ignoring pauses."""
    data = b"".join(step for step in steps.steps if isinstance(step, bytes))
    head, _, body = data.partition(b"\r\n\r\n")
    end = steps.steps[-1]
    assert isinstance(end, End)
    return head, body, end


def unchunked(body: bytes) -> tuple[bytes, bool]:
    """Return the data of a chunked body and whether it has its last chunk."""
    data = b""
    while match := re.match(rb"([0-9a-f]+)\r\n", body):
        size = int(match[1], 16)
        if size == 0:
            return data, body[match.end() :] == b"\r\n"
        data += body[match.end() : match.end() + size]
        body = body[match.end() + size + 2 :]
    return data, False


def events(steps: Steps) -> tuple[list[Any], bool]:
    data, complete = unchunked(written(steps)[1])
    payloads = [line.removeprefix("data: ") for line in data.decode().split("\n\n") if line]
    return [payload if payload == "[DONE]" else json.loads(payload) for payload in payloads], complete


def test_a_whole_answer() -> None:
    head, body, end = written(plan())
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"content-length: %d" % len(body) in head
    assert end is End.KEEP
    assert json.loads(body) == {
        "id": "chatcmpl-scripted-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "one two", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4},
    }


def test_a_stream() -> None:
    chunks, complete = events(plan(stream=True))
    assert complete
    assert chunks[-1] == "[DONE]"
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert deltas == [{"role": "assistant", "content": ""}, {"content": "one"}, {"content": " two"}, {}]
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("fault", "contents", "complete", "end"),
    [("cut", 1, True, End.KEEP), ("drop", 1, False, End.CLOSE), ("reset", 1, False, End.RESET)],
)
def test_streams_that_break(fault: Fault, contents: int, complete: bool, end: End) -> None:
    steps = plan(fault, stream=True)
    chunks, whole = events(steps)
    assert (len(chunks), whole, steps.steps[-1]) == (1 + contents, complete, end)
    assert steps.completion_tokens == contents
    assert len(events(plan(fault, stream=True, after=0))[0]) == 1
    assert len(events(plan(fault, stream=True, after=99))[0]) == 3


def test_an_error_in_the_middle() -> None:
    chunks, complete = events(plan("in_band_error", stream=True))
    assert complete
    assert list(chunks[-1]) == ["error"]
    assert len(chunks) == 3


def test_ends_of_streams() -> None:
    assert events(plan("no_done", stream=True))[0][-1]["choices"][0]["finish_reason"] == "stop"
    chunks, _ = events(plan("no_finish", stream=True))
    assert chunks[-1] == "[DONE]"
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks[:-1])


@pytest.mark.parametrize(
    ("fault", "values", "status", "header"),
    [
        ("error", {}, 500, b""),
        ("error", {"status": 503, "retry_after": "3"}, 503, b"retry-after: 3"),
        ("error", {"status": 529}, 529, b"HTTP/1.1 529 Scripted"),
        ("rate_limit", {}, 429, b"retry-after: 1"),
        ("rate_limit", {"retry_after": "Wed, 21 Oct 2026 07:28:00 GMT"}, 429, b"retry-after: Wed, 21 Oct 2026"),
        ("context", {}, 400, b""),
        ("redirect", {}, 307, b"location: http://elsewhere.invalid/"),
        ("html", {}, 200, b"content-type: text/html"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_instead_of_an_answer(fault: Fault, values: dict[str, Any], status: int, header: bytes, stream: bool) -> None:
    steps = plan(fault, stream=stream, **values)
    head, body, _ = written(steps)
    assert steps.status == status
    assert header in head
    assert (steps.prompt_tokens, steps.completion_tokens) == (0, 0)
    if status >= 400:
        assert set(json.loads(body)["error"]) == {"message", "type", "param", "code"}


def test_pauses() -> None:
    assert plan("slow_first", delay_ms=300).steps[0] == 0.3
    assert [step for step in plan("slow_chunks", stream=True, delay_ms=20).steps if isinstance(step, float)] == [
        0.02,
        0.02,
    ]


def test_lengths_that_lie() -> None:
    head, body, end = written(plan("wrong_length"))
    assert b"content-length: %d" % (len(body) + 100) in head
    assert end is End.CLOSE


def test_a_line_without_end() -> None:
    data, _ = unchunked(written(plan("huge_line", stream=True, size=200_000))[1])
    assert len(data.rsplit(b"\n", 1)[1]) >= 200_000


@pytest.mark.parametrize("fault", sorted(FAULTS))
@pytest.mark.parametrize("stream", [False, True])
def test_every_fault_ends_with_what_becomes_of_the_connection(fault: Fault, stream: bool) -> None:
    steps = plan(fault, stream=stream, size=1000)
    assert isinstance(steps.steps[-1], End)
    assert not any(isinstance(step, End) for step in steps.steps[:-1])
    if fault != "none":
        request = REQUEST | {"stream": stream, "tools": None}
        assert steps == steps_for(request, "m", Script(fault=fault, size=1000), 1), "the same again"
