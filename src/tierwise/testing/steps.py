"""Which bytes leave when? A reply and its script as a list of steps: bytes, pauses in seconds, and an end.

Pure, so that a test can foretell all that the server will do.
"""

import enum
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from tierwise.testing import speech_chat
from tierwise.testing.faults import Script
from tierwise.testing.replies import Reply, heeded, reply_to
from tierwise.testing.speech import Speech, sse

JSON = ("content-type", "application/json")
LAST_CHUNK = b"0\r\n\r\n"


class End(enum.Enum):
    """What becomes of the connection. `CLOSE_NEXT` keeps it and closes it when the next request has come in."""

    KEEP = "keep"
    CLOSE = "close"
    CLOSE_NEXT = "close_next"
    RESET = "reset"
    HANG = "hang"


Step = bytes | float | End


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """All that answers one request. The tokens are those that a bill would show: what was sent of the answer."""

    status: int
    steps: tuple[Step, ...]
    prompt_tokens: int = 0
    completion_tokens: int = 0


CHAT: Speech = speech_chat


def steps_for(
    request: Mapping[str, Any],
    model: str,
    script: Script,
    number: int,
    speech: Speech = CHAT,
    headers: Mapping[str, str] = {},
) -> Steps:
    """Plan the answer to a request that the server accepts. Raises `Unfit` for one that it does not."""
    streamed = bool(speech.normal(request, headers, script).get("stream"))
    fault = instead(script, speech, stream=streamed)
    if fault is not None:
        return fault
    asked = speech.normal(request, headers, script)
    reply = reply_to(asked, model, script)
    steps = (_streamed if streamed else _whole)(reply, heeded(request, script), script, number, speech)
    if script.fault == "slow_first":
        return msgspec.structs.replace(steps, steps=(script.delay_ms / 1000, *steps.steps))
    if script.fault == "close_kept":
        return msgspec.structs.replace(steps, steps=(*steps.steps[:-1], End.CLOSE_NEXT))
    return steps


def refusal(
    status: int, message: str, code: str | None, *, headers: tuple[tuple[str, str], ...] = (), speech: Speech = CHAT
) -> Steps:
    """Plan an error in the wire's shape."""
    return plain(status, speech.error(status, message, code), headers=(JSON, *headers))


def plain(status: int, body: bytes, *, headers: tuple[tuple[str, str], ...] = (JSON,), end: End = End.KEEP) -> Steps:
    """Plan a whole answer with its length."""
    return Steps(status=status, steps=(_head(status, (*headers, ("content-length", str(len(body))))) + body, end))


def instead(script: Script, speech: Speech, *, stream: bool) -> Steps | None:
    """Plan the faults that come in place of an answer."""
    wait = () if script.retry_after is None else (("retry-after", script.retry_after),)
    match script.fault:
        case "error":
            return refusal(script.status, "A scripted error.", "scripted_error", headers=wait, speech=speech)
        case "rate_limit":
            wait = wait or (("retry-after", "1"),)
            return refusal(429, "A scripted rate limit.", "rate_limit_exceeded", headers=wait, speech=speech)
        case "context":
            return refusal(
                400, "This model's maximum context length is scripted.", "context_length_exceeded", speech=speech
            )
        case "hang":
            return Steps(status=0, steps=(End.HANG,))
        case "redirect":
            return plain(307, b"", headers=(("location", "http://elsewhere.invalid/v1/chat/completions"),))
        case "html":
            page = b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>"
            return plain(200, page, headers=(("content-type", "text/html"),))
        case "empty_body":
            return plain(200, b"", headers=_stream_head(speech) if stream else (JSON,))
        case "bad_json":
            broken = b'{"id":"chatcmpl-scripted","choices":[{"index":0,'
            return plain(200, sse(broken), headers=_stream_head(speech)) if stream else plain(200, broken)
        case "wrong_type":
            return plain(200, sse(b"[1,2,3]"), headers=_stream_head(speech)) if stream else plain(200, b"[1,2,3]")
        case "in_band_error" if not stream:
            return plain(200, speech.error(500, "A scripted error.", "scripted_error"))
        case _:
            return None


def _whole(reply: Reply, request: Mapping[str, Any], script: Script, number: int, speech: Speech) -> Steps:
    body = speech.whole(reply, request, number, script)
    if script.fault == "huge_line":
        body += b" " * script.size
    length = len(body) + (100 if script.fault == "wrong_length" else 0)
    head = _head(200, (JSON, ("content-length", str(length))))
    half = len(body) // 2
    steps: tuple[Step, ...]
    match script.fault:
        case "cut" | "drop":
            steps = (head + body[:half], End.CLOSE)
        case "reset":
            steps = (head + body[:half], 0.05, End.RESET)
        case "wrong_length":
            steps = (head + body, End.CLOSE)
        case "slow_chunks":
            steps = (head + body[:half], script.delay_ms / 1000, body[half:], End.KEEP)
        case _:
            steps = (head + body, End.KEEP)
    return Steps(status=200, steps=steps, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens)


def _streamed(reply: Reply, request: Mapping[str, Any], script: Script, number: int, speech: Speech) -> Steps:
    kind = _stream_head(speech)
    raw = script.fault == "wrong_length"
    steps: list[Step] = [
        _head(200, (*kind, ("content-length", "10000000") if raw else ("transfer-encoding", "chunked")))
    ]
    sent = 0
    for frame, said in speech.frames(reply, request, number, script):
        if (
            (broken := _breaks(script, speech))
            and said in ("content", "finish")
            and (sent >= script.after or said == "finish")
        ):
            return _billed([*steps, *broken], reply, sent)
        if said == "content" and script.fault == "slow_chunks":
            steps.append(script.delay_ms / 1000)
        if (said, script.fault) in (("finish", "no_finish"), ("end", "no_done")):
            continue
        data = frame.replace(b"\n", b"\r\n") if script.crlf else frame
        steps.append(data if raw else _chunked(data))
        sent += said == "content"
    steps += [End.CLOSE] if raw else [LAST_CHUNK, End.KEEP]
    return _billed(steps, reply, reply.completion_tokens)


def _breaks(script: Script, speech: Speech) -> list[Step]:
    """Return how a stream ends in its middle, if it does."""
    match script.fault:
        case "cut":
            return [LAST_CHUNK, End.KEEP]
        case "drop":
            return [End.CLOSE]
        case "reset":
            return [0.05, End.RESET]
        case "in_band_error":
            return [_chunked(speech.broken()) + LAST_CHUNK, End.KEEP]
        case "huge_line":
            return [*_lines(script.size), LAST_CHUNK, End.KEEP]
        case _:
            return []


def _lines(size: int) -> Iterator[bytes]:
    """Write one line without an end, in pieces of 64 KiB."""
    yield _chunked(b'data: {"filler":"')
    for _ in range(0, size, 65536):
        yield _chunked(b"x" * 65536)


def _billed(steps: list[Step], reply: Reply, completion_tokens: int) -> Steps:
    return Steps(status=200, steps=tuple(steps), prompt_tokens=reply.prompt_tokens, completion_tokens=completion_tokens)


def _head(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Scripted"
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return f"HTTP/1.1 {status} {phrase}\r\nserver: tierwise-scripted\r\n{fields}\r\n".encode("latin-1")


def _stream_head(speech: Speech) -> tuple[tuple[str, str], ...]:
    return (("content-type", speech.STREAM_TYPE), ("cache-control", "no-cache"))


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
