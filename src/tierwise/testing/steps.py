"""Which bytes leave when? A reply and its script as a list of steps: bytes, pauses in seconds, and an end.

Pure, so that a test can foretell all that the server will do.
"""

import enum
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from tierwise.testing import payloads
from tierwise.testing.faults import Script
from tierwise.testing.replies import Reply, reply_to

JSON = ("content-type", "application/json")
ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
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


def steps_for(request: Mapping[str, Any], model: str, script: Script, number: int) -> Steps:
    """Plan the answer to a request that the server accepts."""
    instead = _instead(request, script)
    if instead is not None:
        return instead
    reply = reply_to(request, model, script)
    steps = (
        _streamed(reply, request, script, number) if request.get("stream") else _whole(reply, request, script, number)
    )
    if script.fault == "slow_first":
        return msgspec.structs.replace(steps, steps=(script.delay_ms / 1000, *steps.steps))
    if script.fault == "close_kept":
        return msgspec.structs.replace(steps, steps=(*steps.steps[:-1], End.CLOSE_NEXT))
    return steps


def refusal(status: int, message: str, code: str | None, *, headers: tuple[tuple[str, str], ...] = ()) -> Steps:
    """Plan an error in this wire's shape."""
    kind = ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return plain(status, payloads.error(message, kind, code), headers=(JSON, *headers))


def plain(status: int, body: bytes, *, headers: tuple[tuple[str, str], ...] = (JSON,), end: End = End.KEEP) -> Steps:
    """Plan a whole answer with its length."""
    return Steps(status=status, steps=(_head(status, (*headers, ("content-length", str(len(body))))) + body, end))


def _instead(request: Mapping[str, Any], script: Script) -> Steps | None:
    """Plan the faults that come in place of an answer."""
    stream = bool(request.get("stream"))
    wait = () if script.retry_after is None else (("retry-after", script.retry_after),)
    match script.fault:
        case "error":
            return refusal(script.status, "A scripted error.", "scripted_error", headers=wait)
        case "rate_limit":
            wait = wait or (("retry-after", "1"),)
            return refusal(429, "A scripted rate limit.", "rate_limit_exceeded", headers=wait)
        case "context":
            return refusal(400, "This model's maximum context length is scripted.", "context_length_exceeded")
        case "hang":
            return Steps(status=0, steps=(End.HANG,))
        case "redirect":
            return plain(307, b"", headers=(("location", "http://elsewhere.invalid/v1/chat/completions"),))
        case "html":
            page = b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>"
            return plain(200, page, headers=(("content-type", "text/html"),))
        case "empty_body":
            return plain(200, b"", headers=_sse() if stream else (JSON,))
        case "bad_json":
            broken = b'{"id":"chatcmpl-scripted","choices":[{"index":0,'
            return plain(200, _event(broken), headers=_sse()) if stream else plain(200, broken)
        case "wrong_type":
            return plain(200, _event(b"[1,2,3]"), headers=_sse()) if stream else plain(200, b"[1,2,3]")
        case "in_band_error" if not stream:
            return plain(200, payloads.error("A scripted error.", "server_error", "scripted_error"))
        case _:
            return None


def _whole(reply: Reply, request: Mapping[str, Any], script: Script, number: int) -> Steps:
    body = payloads.body(reply, request, number, low=script.fault == "low_logprobs", usage=script.fault != "no_usage")
    if script.fault == "no_finish":
        body = body.replace(b'"finish_reason":"stop"', b'"finish_reason":null')
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


def _streamed(reply: Reply, request: Mapping[str, Any], script: Script, number: int) -> Steps:
    steps: list[Step] = [_head(200, (*_sse(), ("transfer-encoding", "chunked")))]
    if script.fault == "wrong_length":
        steps = [_head(200, (*_sse(), ("content-length", "10000000")))]
    raw = script.fault == "wrong_length"
    sent = 0
    for payload, content in payloads.chunks(reply, request, number, low=script.fault == "low_logprobs"):
        finishing = not content and b'"delta":{}' in payload
        if (broken := _breaks(script)) and (sent >= script.after or finishing) and (content or finishing):
            steps += broken
            return _billed(steps, reply, sent)
        if content and script.fault == "slow_chunks":
            steps.append(script.delay_ms / 1000)
        if finishing and script.fault == "no_finish":
            continue
        steps.append(_event(payload) if raw else _chunked(_event(payload)))
        sent += content
    wanted = (request.get("stream_options") or {}).get("include_usage")
    tail = _event(payloads.usage_chunk(reply, number)) if wanted and script.fault != "no_usage" else b""
    tail += b"" if script.fault == "no_done" else _event(b"[DONE]")
    steps += [tail, End.CLOSE] if raw else [(_chunked(tail) if tail else b"") + LAST_CHUNK, End.KEEP]
    return _billed(steps, reply, reply.completion_tokens)


def _breaks(script: Script) -> list[Step]:
    """Return how a stream ends in its middle, if it does."""
    match script.fault:
        case "cut":
            return [LAST_CHUNK, End.KEEP]
        case "drop":
            return [End.CLOSE]
        case "reset":
            return [0.05, End.RESET]
        case "in_band_error":
            error = payloads.error("A scripted error.", "server_error", "scripted_error")
            return [_chunked(_event(error)) + LAST_CHUNK, End.KEEP]
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


def _sse() -> tuple[tuple[str, str], ...]:
    return (("content-type", "text/event-stream"), ("cache-control", "no-cache"))


def _event(payload: bytes) -> bytes:
    return b"data: " + payload + b"\n\n"


def _chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
