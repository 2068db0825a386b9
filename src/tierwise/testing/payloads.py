"""How is a scripted reply written? Chat Completions bodies and chunks, independent of the package's own wires.

Invariant: log-probabilities, ids and times are constants or counted, so that every byte can be foretold.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tierwise.testing.replies import CalledTool, Reply, ScriptedChoice

CREATED = 1_700_000_000
GOOD_LOGPROB = -0.125
LOW_LOGPROB = -4.0

_encode = msgspec.json.Encoder().encode


def body(reply: Reply, request: Mapping[str, Any], number: int, *, low: bool, usage: bool) -> bytes:
    """Write an answer that is not streamed."""
    whole = _frame(reply, number, "chat.completion")
    whole["choices"] = [_whole(choice, index, request, low=low) for index, choice in enumerate(reply.choices)]
    if usage:
        whole["usage"] = usage_of(reply)
    return _encode(whole)


def chunks(reply: Reply, request: Mapping[str, Any], number: int, *, low: bool) -> Iterator[tuple[bytes, bool]]:
    """Write the chunks of a stream up to the finish reasons, each with whether it carries content.

    One piece a chunk, choice after choice; the first chunk of a choice has the role and no content.
    """
    for index, choice in enumerate(reply.choices):
        yield _chunk(reply, number, index, {"role": "assistant", "content": ""}), False
        for piece in choice.pieces:
            yield _chunk(reply, number, index, {"content": piece}, logprobs=_logprobs((piece,), request, low=low)), True
        for piece in choice.refusal:
            yield _chunk(reply, number, index, {"refusal": piece}), True
        for place, call in enumerate(choice.calls):
            head = _tool_call(call) | {"index": place}
            yield _chunk(reply, number, index, {"tool_calls": [head]}), True
            for piece in call.arguments:
                part = {"index": place, "function": {"arguments": piece}}
                yield _chunk(reply, number, index, {"tool_calls": [part]}), True
        yield _chunk(reply, number, index, {}, finish=choice.finish), False


def usage_chunk(reply: Reply, number: int) -> bytes:
    """Write the chunk that ends a stream whose caller asked for usage."""
    return _encode(_frame(reply, number, "chat.completion.chunk") | {"choices": [], "usage": usage_of(reply)})


def usage_of(reply: Reply) -> dict[str, int]:
    """Return the usage member."""
    prompt, completion = reply.prompt_tokens, reply.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def error(message: str, kind: str, code: str | None, param: str | None = None) -> bytes:
    """Write an error body."""
    return _encode({"error": {"message": message, "type": kind, "param": param, "code": code}})


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
    rows = []
    for piece in pieces:
        row = {"token": piece, "logprob": LOW_LOGPROB if low else GOOD_LOGPROB, "bytes": list(piece.encode())}
        rows.append(row | {"top_logprobs": [row] if shown else []})
    return {"content": rows, "refusal": None}
