"""The scripted upstream's Chat Completions wire.

Invariant: log-probabilities, ids and times are constants or counted, so that every byte can be foretold.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tierwise.testing.faults import Script
from tierwise.testing.replies import CalledTool, Reply, ScriptedChoice
from tierwise.testing.speech import Frame, Unfit, sse

STREAM_TYPE = "text/event-stream"
ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CREATED = 1_700_000_000
GOOD_LOGPROB = -0.125
LOW_LOGPROB = -4.0

_encode = msgspec.json.Encoder().encode


def normal(request: Mapping[str, Any], headers: Mapping[str, str], script: Script) -> dict[str, Any]:
    """Return the request, which is in the terms of `replies` already."""
    if request.get("stream_options") is not None and not request.get("stream"):
        raise Unfit("stream_options is only allowed with stream.")
    return dict(request)


def whole(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> bytes:
    """Write an answer that is not streamed."""
    low = script.fault == "low_logprobs"
    said = _frame(reply, number, "chat.completion")
    said["choices"] = [_whole(choice, index, request, low=low) for index, choice in enumerate(reply.choices)]
    if script.fault != "no_usage":
        said["usage"] = usage_of(reply)
    body = _encode(said)
    return body.replace(b'"finish_reason":"stop"', b'"finish_reason":null') if script.fault == "no_finish" else body


def frames(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> Iterator[Frame]:
    """Write the stream, one piece of content a frame."""
    for payload, content in chunks(reply, request, number, script):
        yield sse(payload), "content" if content else "finish" if b'"delta":{}' in payload else "start"
        if script.ping:
            yield b": ping\n\n", "start"
    if (request.get("stream_options") or {}).get("include_usage") and script.fault != "no_usage":
        yield sse(usage_chunk(reply, number)), "start"
    yield sse(b"[DONE]"), "end"


def chunks(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> Iterator[tuple[bytes, bool]]:
    """Write the chunks of a stream up to the finish reasons, each with whether it carries content.

    One piece a chunk, choice after choice; the first chunk of a choice has the role and no content.
    """
    low = script.fault == "low_logprobs"
    for index, choice in enumerate(reply.choices):
        yield _chunk(reply, number, index, {"role": "assistant", "content": ""}), False
        for piece in choice.thinking:
            yield _chunk(reply, number, index, {"reasoning_content": piece}), True
        for piece in choice.pieces:
            yield _chunk(reply, number, index, {"content": piece}, logprobs=_logprobs((piece,), request, low=low)), True
        for piece in choice.refusal:
            yield _chunk(reply, number, index, {"refusal": piece}), True
        for place, call in enumerate(choice.calls):
            placed = {} if script.index == "none" else {"index": 0 if script.index == "zero" else place}
            yield _chunk(reply, number, index, {"tool_calls": [_tool_call(call) | placed]}), True
            for piece in call.arguments:
                part = placed | {"function": {"arguments": piece}}
                yield _chunk(reply, number, index, {"tool_calls": [part]}), True
        yield _chunk(reply, number, index, {}, finish=choice.finish), False


def usage_chunk(reply: Reply, number: int) -> bytes:
    """Write the chunk that ends a stream whose caller asked for usage."""
    return _encode(_frame(reply, number, "chat.completion.chunk") | {"choices": [], "usage": usage_of(reply)})


def usage_of(reply: Reply) -> dict[str, Any]:
    """Return the usage member; cached input and reasoning stand inside the totals on this wire."""
    prompt, completion = reply.prompt_tokens, reply.completion_tokens
    usage: dict[str, Any] = {
        "prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
    }  # fmt: skip
    thought = sum(len(choice.thinking) for choice in reply.choices)
    if reply.cached:
        usage["prompt_tokens_details"] = {"cached_tokens": reply.cached}
    if thought:
        usage["completion_tokens_details"] = {"reasoning_tokens": thought}
    return usage


def error(status: int, message: str, code: str | None) -> bytes:
    """Write an error."""
    kind = ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return _encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def broken() -> bytes:
    """Write an error into a stream."""
    return sse(error(500, "A scripted error.", "scripted_error"))


def models(names: tuple[str, ...], context_tokens: int) -> bytes:
    """Write the list of models."""
    rows = [
        {"id": name, "object": "model", "created": CREATED, "owned_by": "scripted", "max_model_len": context_tokens}
        for name in names
    ]
    return _encode({"object": "list", "data": rows})


def _frame(reply: Reply, number: int, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-scripted-{number}", "object": kind, "created": CREATED, "model": reply.model}


def _chunk(
    reply: Reply, number: int, index: int, delta: dict[str, Any], *, finish: str | None = None, logprobs: Any = None
) -> bytes:
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return _encode(_frame(reply, number, "chat.completion.chunk") | {"choices": [choice]})


def _whole(choice: ScriptedChoice, index: int, request: Mapping[str, Any], *, low: bool) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if choice.calls or choice.refusal else "".join(choice.pieces),
        "refusal": "".join(choice.refusal) or None,
    }
    if choice.thinking:
        message["reasoning_content"] = "".join(choice.thinking)
    if choice.calls:
        message["tool_calls"] = [_tool_call(call, "".join(call.arguments)) for call in choice.calls]
    return {
        "index": index,
        "message": message,
        "logprobs": _logprobs(choice.pieces, request, low=low),
        "finish_reason": choice.finish,
    }


def _tool_call(call: CalledTool, arguments: str = "") -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


def _logprobs(pieces: tuple[str, ...], request: Mapping[str, Any], *, low: bool) -> dict[str, Any] | None:
    if not request.get("logprobs"):
        return None
    shown = bool(request.get("top_logprobs"))
    rows = [row | {"top_logprobs": [row] if shown else []} for row in rated(pieces, low=low)]
    return {"content": rows, "refusal": None}


def rated(pieces: Iterable[str], *, low: bool) -> list[dict[str, Any]]:
    """Return the tokens with their log-probabilities."""
    sure = LOW_LOGPROB if low else GOOD_LOGPROB
    return [{"token": piece, "logprob": sure, "bytes": list(piece.encode())} for piece in pieces]
