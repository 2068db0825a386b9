"""Which bytes leave when? A reply and its script as a list of steps: bytes, pauses in seconds, and an end.

Pure, so that a test can foretell all that the server will do.
"""

import enum
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from tierwise.testing import lies, speech_chat
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
    leak = _leak(script, headers)
    fault = instead(script, speech, stream=streamed, leak=leak)
    if fault is not None:
        return _echoing(fault, leak)
    asked = speech.normal(request, headers, script)
    reply = reply_to(asked, model, script)
    steps = (_streamed if streamed else _whole)(reply, heeded(request, script), script, number, speech, leak)
    steps = _echoing(_sent_oddly(script, steps), leak)
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


def instead(script: Script, speech: Speech, *, stream: bool, leak: str = "") -> Steps | None:
    """Plan the faults that come in place of an answer."""
    wait = () if script.retry_after is None else (("retry-after", script.retry_after),)
    match script.fault:
        case "error":
            said = f"{script.text or 'A scripted error.'}{leak}"
            return refusal(script.status, said, _code(leak), headers=wait, speech=speech)
        case "rate_limit":
            wait = wait or (("retry-after", "1"),)
            return refusal(429, f"A scripted rate limit.{leak}", "rate_limit_exceeded", headers=wait, speech=speech)
        case "context":
            return refusal(
                400, f"This model's maximum context length is scripted.{leak}", "context_length_exceeded", speech=speech
            )
        case "hang":
            return Steps(status=0, steps=(End.HANG,))
        case "redirect":
            place = script.text or f"http://elsewhere.invalid/v1/chat/completions{leak and f'?{leak.split()[2]}'}"
            return plain(307, b"", headers=(("location", place),))
        case "html":
            page = f"<!DOCTYPE html><html><body><h1>Welcome{leak}</h1></body></html>".encode()
            return plain(200, page, headers=(("content-type", "text/html"),))
        case "empty_body":
            return plain(200, b"", headers=_stream_head(speech) if stream else (JSON,))
        case "bad_json":
            broken = f'{{"id":"chatcmpl-scripted{leak}","choices":[{{"index":0,'.encode()
            return plain(200, sse(broken), headers=_stream_head(speech)) if stream else plain(200, broken)
        case "wrong_type":
            return plain(200, sse(b"[1,2,3]"), headers=_stream_head(speech)) if stream else plain(200, b"[1,2,3]")
        case "in_band_error" if not stream:
            return plain(200, speech.error(500, f"A scripted error.{leak}", _code(leak)))
        case "bodyless":  # a head that must have no body, and says so
            return Steps(status=script.status, steps=(_head(script.status, ()), End.KEEP))
        case _:
            return None


def _leak(script: Script, headers: Mapping[str, str]) -> str:
    """Return the key of a request in the words of an error that gives it away."""
    if not script.leaks:
        return ""
    bearer = headers.get("authorization", "").partition(" ")[2]
    key = bearer or headers.get("x-api-key") or headers.get("x-goog-api-key") or ""
    return f" You sent key={key} here." if key else ""


def _code(leak: str) -> str:
    """Return the code of a scripted error; one that gives a key away is that key."""
    return leak.partition("=")[2].partition(" ")[0] or "scripted_error"


def _echoing(steps: Steps, leak: str) -> Steps:
    """Repeat the key in a header."""
    if not leak:
        return steps
    field = f"\r\nserver: {leak.strip()} tierwise".encode()

    def told(step: Step) -> Step:
        return step.replace(b"\r\nserver: tierwise", field, 1) if isinstance(step, bytes) else step

    return msgspec.structs.replace(steps, steps=tuple(map(told, steps.steps)))


def _sent_oddly(script: Script, steps: Steps) -> Steps:
    """Put interim answers before an answer, or send it byte by byte."""
    if script.fault == "interim":
        early = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n"
        return msgspec.structs.replace(steps, steps=(early, *steps.steps))
    if script.fault != "dribble":
        return steps
    small = (bytes((byte,)) for step in steps.steps if isinstance(step, bytes) for byte in step)
    return msgspec.structs.replace(steps, steps=(*small, steps.steps[-1]))


def _whole(
    reply: Reply, request: Mapping[str, Any], script: Script, number: int, speech: Speech, leak: str = ""
) -> Steps:
    body = lies.respelled(script.fault, speech.whole(reply, request, number, script))
    if script.fault == "huge_line":
        body += b" " * script.size
    length = len(body) + (100 if script.fault == "wrong_length" else 0)
    coding: tuple[tuple[str, str], ...] = ()
    if script.fault in ("gzip", "bomb"):
        body, coding = lies.compressed(script.fault, body), (("content-encoding", "gzip"),)
        length = len(body)
    elif script.fault == "cut_utf8":
        body = lies.cut_inside_a_character(body)
        length = len(body)
    head = _head(200, (JSON, ("content-length", str(length)), *coding))
    half = len(body) // 2
    steps: tuple[Step, ...]
    match script.fault:
        case "cut" | "drop" | "cut_chunk":
            steps = (head + body[:half], End.CLOSE)
        case "reset":
            steps = (head + body[:half], 0.05, End.RESET)
        case "stall":
            steps = (head + body[:half], End.HANG)
        case "wrong_length":
            steps = (head + body, End.CLOSE)
        case "after_end":
            steps = (head + body + b'{"more":1}', End.KEEP)
        case "slow_chunks":
            steps = (head + body[:half], script.delay_ms / 1000, body[half:], End.KEEP)
        case _:
            steps = (head + body, End.KEEP)
    return Steps(status=200, steps=steps, prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens)


def _streamed(
    reply: Reply, request: Mapping[str, Any], script: Script, number: int, speech: Speech, leak: str = ""
) -> Steps:
    kind = _stream_head(speech)
    if script.fault in ("gzip", "bomb"):
        data = b"".join(frame for frame, _ in speech.frames(reply, request, number, script))
        coded = (*kind, ("content-encoding", "gzip"))
        return _billed(list(plain(200, lies.compressed(script.fault, data), headers=coded).steps), reply, 0)
    raw = script.fault == "wrong_length"
    steps: list[Step] = [
        _head(200, (*kind, ("content-length", "10000000") if raw else ("transfer-encoding", "chunked")))
    ]
    sent = 0
    for frame, said in lies.told(script.fault, speech.frames(reply, request, number, script)):
        if (
            (broken := _breaks(script, speech, frame, leak))
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


def _breaks(script: Script, speech: Speech, frame: bytes, leak: str) -> list[Step]:
    """Return how a stream ends in its middle, if it does; `frame` is what would come next."""
    match script.fault:
        case "cut":
            return [LAST_CHUNK, End.KEEP]
        case "cut_utf8":
            return [_chunked(lies.cut_inside_a_character(frame)) + LAST_CHUNK, End.KEEP]
        case "cut_chunk":
            return [_chunked(frame)[:-9], End.CLOSE]
        case "stall":
            return [End.HANG]
        case "drop":
            return [End.CLOSE]
        case "reset":
            return [0.05, End.RESET]
        case "in_band_error":
            told = speech.broken().replace(b"A scripted error.", f"A scripted error.{leak}".encode())
            return [_chunked(told) + LAST_CHUNK, End.KEEP]
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
