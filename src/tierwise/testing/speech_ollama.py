"""The scripted upstream's Ollama wire (`/api/chat`), as lenient as the real one.

Source: Ollama's published API documentation (read 2026-11).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tierwise.testing.faults import Script
from tierwise.testing.replies import Reply, ScriptedChoice
from tierwise.testing.speech import Frame
from tierwise.testing.speech_chat import rated

STREAM_TYPE = "application/x-ndjson"
_encode = msgspec.json.Encoder().encode


def normal(request: Mapping[str, Any], headers: Mapping[str, str], script: Script) -> dict[str, Any]:
    """Return the request in the terms of `replies`."""
    options = request.get("options") or {}
    wanted = request.get("format")
    return {
        "messages": [{"role": said["role"], "content": said.get("content") or ""} for said in request["messages"]],
        "stream": request.get("stream", True),
        "max_tokens": options.get("num_predict"),
        "stop": options.get("stop"),
        "tools": request.get("tools"),
        "response_format": {"type": "json_schema", "json_schema": {"schema": wanted}} if isinstance(wanted, Mapping)
        else {"type": "json_object"} if wanted else None,
        "logprobs": request.get("logprobs"),
        "thinks": request.get("think") is not False,
    }  # fmt: skip


def whole(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> bytes:
    """Write an answer that is not streamed."""
    choice = reply.choices[0]
    message: dict[str, Any] = {"role": "assistant", "content": "".join((*choice.pieces, *choice.refusal))}
    if choice.thinking:
        message["thinking"] = "".join(choice.thinking)
    if choice.calls:
        message |= {"tool_calls": _calls(choice)}
    return _encode(_line(reply, message) | _rated(choice.pieces, request, script) | _done(reply, choice, script))


def frames(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> Iterator[Frame]:
    """Write the stream, one piece of content a line; calls come whole."""
    choice = reply.choices[0]
    for piece in choice.thinking:
        yield _frame(reply, {"role": "assistant", "content": "", "thinking": piece}), "content"
    for piece in (*choice.pieces, *choice.refusal):
        said = _line(reply, {"role": "assistant", "content": piece}) | _rated((piece,), request, script)
        yield _encode(said) + b"\n", "content"
    for call in _calls(choice):
        yield _frame(reply, {"role": "assistant", "content": "", "tool_calls": [call]}), "content"
    last = _line(reply, {"role": "assistant", "content": ""}) | _done(reply, choice, script)
    yield _encode(last) + b"\n", "finish"


def error(status: int, message: str, code: str | None) -> bytes:
    """Write an error."""
    return _encode({"error": message})


def broken() -> bytes:
    """Write an error into a stream."""
    return error(500, "A scripted error.", None) + b"\n"


def _calls(choice: ScriptedChoice) -> list[dict[str, Any]]:
    calls = []
    for call in choice.calls:
        arguments = "".join(call.arguments)
        try:
            value = msgspec.json.decode(arguments or "{}")
        except msgspec.DecodeError:
            value = {"broken": arguments}
        calls.append({"function": {"name": call.name, "arguments": value}})
    return calls


def _line(reply: Reply, message: dict[str, Any]) -> dict[str, Any]:
    return {"model": reply.model, "created_at": "2026-01-01T00:00:00Z", "message": message, "done": False}


def _frame(reply: Reply, message: dict[str, Any]) -> bytes:
    return _encode(_line(reply, message)) + b"\n"


def _rated(pieces: tuple[str, ...], request: Mapping[str, Any], script: Script) -> dict[str, Any]:
    if not request.get("logprobs"):
        return {}
    return {"logprobs": rated(pieces, low=script.fault == "low_logprobs")}


def _done(reply: Reply, choice: ScriptedChoice, script: Script) -> dict[str, Any]:
    if script.fault == "no_finish":
        return {}
    counts = {"prompt_eval_count": reply.prompt_tokens, "eval_count": reply.completion_tokens}
    reason = "length" if choice.finish == "length" else "stop"
    return {"done": True, "done_reason": reason} | ({} if script.fault == "no_usage" else counts)
