"""The scripted upstream's Messages wire, as strict as the real one.

Source: Anthropic's published API reference (Messages, read 2026-11).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tierwise.testing.faults import Script
from tierwise.testing.replies import Reply, ScriptedChoice
from tierwise.testing.speech import Frame, Unfit, functions, known_only, sign, sse
from tierwise.wires.messages_request import VERSION

STREAM_TYPE = "text/event-stream; charset=utf-8"
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_TYPES = {
    401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large",
    429: "rate_limit_error", 529: "overloaded_error",
}  # fmt: skip
_KNOWN = frozenset((
    "model", "messages", "system", "max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_k",
    "top_p",
    "tools", "tool_choice", "thinking", "output_config", "container", "context_management", "service_tier", "speed",
    "cache_control", "inference_geo", "mcp_servers",
))  # fmt: skip
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_encode = msgspec.json.Encoder().encode


def normal(request: Mapping[str, Any], headers: Mapping[str, str], script: Script) -> dict[str, Any]:
    """Return the request in the terms of `replies`. Raises `Unfit` for what the real server would refuse."""
    if VERSION[0] not in headers:
        raise Unfit(f"{VERSION[0]}: header is required")
    known_only(request, _KNOWN)
    if not isinstance(request.get("max_tokens"), int):
        raise Unfit("max_tokens: Field required")
    known_only(request.get("metadata") or {}, frozenset(("user_id",)), "metadata.")
    if not 0 <= (request.get("temperature") or 0) <= 1:
        raise Unfit("temperature: range: 0..1")
    messages: list[dict[str, Any]] = []
    system = request.get("system")
    if system:
        messages.append({"role": "system", "content": _words(system)})
    turns = request["messages"]
    if not turns or turns[0]["role"] != "user":
        raise Unfit("messages: first message must use the user role")
    _check_turns(turns, request)
    for turn in turns:
        messages += _turn(turn)
    choice = request.get("tool_choice") or {}
    named = {"type": "function", "function": {"name": choice.get("name")}}
    wanted = (request.get("output_config") or {}).get("format")
    schema = None if wanted is None else {"type": "json_schema", "json_schema": {"schema": wanted["schema"]}}
    return {
        "messages": messages,
        "stream": request.get("stream"),
        "max_tokens": request["max_tokens"],
        "stop": request.get("stop_sequences"),
        "tools": functions([
            (tool["name"], tool["input_schema"]) for tool in request.get("tools") or () if "input_schema" in tool
        ]),
        "tool_choice": {"any": "required", "tool": named, "none": "none"}.get(str(choice.get("type")), "auto"),
        "parallel_tool_calls": not choice.get("disable_parallel_tool_use"),
        "response_format": schema,
        "thinks": _thinks(request),
    }  # fmt: skip


def whole(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> bytes:
    """Write an answer that is not streamed."""
    choice = reply.choices[0]
    content = [_block(kind, value) for kind, value in _blocks(choice)]
    message = _message(reply, number) | {"content": content} | _stop(choice, script)
    return _encode(message | ({} if script.fault == "no_usage" else {"usage": _usage(reply, choice)}))


def frames(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> Iterator[Frame]:
    """Write the stream, one piece of content a frame."""
    choice = reply.choices[0]
    begun = _message(reply, number) | {"stop_reason": None, "usage": _usage(reply, choice) | {"output_tokens": 1}}
    yield _event("message_start", {"message": begun}), "start"
    if script.ping:
        yield _event("ping", {}), "start"
    for index, (kind, value) in enumerate(_blocks(choice)):
        empty = _block(kind, value, empty=True)
        yield _event("content_block_start", {"index": index, "content_block": empty}), "start"
        for delta in _deltas(kind, value):
            yield _event("content_block_delta", {"index": index, "delta": delta}), "content"
            if script.ping:
                yield _event("ping", {}), "start"
        if kind == "thinking":
            signed = {"type": "signature_delta", "signature": sign("".join(value))}
            yield _event("content_block_delta", {"index": index, "delta": signed}), "start"
        yield _event("content_block_stop", {"index": index}), "start"
    stop = _stop(choice, script)
    # All counts of this event are cumulative, the input again among them: clients read them here.
    usage = {} if script.fault == "no_usage" else {"usage": _usage(reply, choice)}
    yield _event("message_delta", {"delta": stop} | usage), "finish"
    yield _event("message_stop", {}), "end"


def error(status: int, message: str, code: str | None) -> bytes:
    """Write an error."""
    kind = _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return _encode({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_scripted"})


def broken() -> bytes:
    """Write an error into a stream."""
    return sse(error(529, "A scripted error.", None), "error")


def count(request: Mapping[str, Any], prompt_tokens: int) -> bytes:
    """Write the answer to a request that only counts."""
    return _encode({"input_tokens": prompt_tokens})


def _check_turns(turns: list[Mapping[str, Any]], request: Mapping[str, Any]) -> None:
    called: set[str] = set()
    for index, turn in enumerate(turns):
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        if not turn["content"]:
            raise Unfit(f"messages.{index}: all messages must have non-empty content")
        for place, block in enumerate(blocks):
            _check_block(block, f"messages.{index}.content.{place}", called)
        results = [block["type"] == "tool_result" for block in blocks]
        if called and turn["role"] == "user" and (not results or sum(results) < len(called)):
            raise Unfit(f"messages.{index}: `tool_use` ids were found without `tool_result` blocks immediately after")
        if results != sorted(results, reverse=True):
            raise Unfit(f"messages.{index}: tool_result blocks must come first")
        if turn["role"] != "system":
            called = {block["id"] for block in blocks if block["type"] == "tool_use"}
    last = turns[-1]["content"]
    in_loop = isinstance(last, list) and any(block["type"] == "tool_result" for block in last)
    # Where the model chooses when to think (`adaptive`), a turn need not begin with it.
    always = (request.get("thinking") or {}).get("type") == "enabled"
    if in_loop and always and turns[-2]["content"][0]["type"] not in ("thinking", "redacted_thinking"):
        raise Unfit(f"messages.{len(turns) - 2}.content.0.type: Expected `thinking`, but found `tool_use`")


def _check_block(block: Mapping[str, Any], where: str, called: set[str]) -> None:
    match block["type"]:
        case "text" if not block["text"].strip():
            raise Unfit(f"{where}: text content blocks must contain non-whitespace text")
        case "thinking" if block["signature"] != sign(block["thinking"]):
            raise Unfit(f"{where}: Invalid `signature` in `thinking` block")
        case "redacted_thinking" if block["data"] != sign("redacted"):
            raise Unfit(f"{where}: Invalid `data` in `redacted_thinking` block: cannot verify")
        case "tool_use" if not _ID.fullmatch(block["id"]):
            raise Unfit(f"{where}.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'")
        case "tool_result" if block["tool_use_id"] not in called:
            raise Unfit(f"{where}: unexpected `tool_use_id` found in `tool_result` blocks")


def _thinks(request: Mapping[str, Any]) -> bool:
    return (request.get("thinking") or {}).get("type") in ("enabled", "adaptive")


def _turn(turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if isinstance(turn["content"], str):
        yield {"role": turn["role"], "content": turn["content"]}
        return
    rest = []
    for block in turn["content"]:
        if block["type"] == "tool_result":
            yield {"role": "tool", "content": _words(block.get("content") or "")}
        else:
            rest.append(block)
    if rest:
        yield {"role": turn["role"], "content": _words(rest)}


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    return " ".join(block["text"] for block in content if isinstance(block.get("text"), str))


def _blocks(choice: ScriptedChoice) -> Iterator[tuple[str, Any]]:
    if choice.thinking:
        yield "thinking", choice.thinking
    if choice.pieces or choice.refusal:
        yield "text", (*choice.pieces, *choice.refusal)
    for call in choice.calls:
        yield "tool_use", call


def _block(kind: str, value: Any, *, empty: bool = False) -> dict[str, Any]:
    if kind == "tool_use":
        arguments = {} if empty else _parsed("".join(value.arguments))
        return {"type": kind, "id": value.id, "name": value.name, "input": arguments}
    text = "" if empty else "".join(value)
    if kind == "thinking":
        return {"type": kind, "thinking": text, "signature": "" if empty else sign(text)}
    return {"type": kind, "text": text}


def _parsed(arguments: str) -> Any:
    try:
        return msgspec.json.decode(arguments or "{}")
    except msgspec.DecodeError:
        return {"broken": arguments}


def _deltas(kind: str, value: Any) -> Iterator[dict[str, Any]]:
    if kind == "tool_use":
        for piece in value.arguments:
            yield {"type": "input_json_delta", "partial_json": piece}
    else:
        name = "text" if kind == "text" else "thinking"
        for piece in value:
            yield {"type": f"{name}_delta", name: piece}


def _stop(choice: ScriptedChoice, script: Script) -> dict[str, Any]:
    if script.fault == "no_finish":
        return {"stop_reason": None, "stop_sequence": None}
    if choice.refusal:
        return {"stop_reason": "refusal", "stop_sequence": None}
    if choice.stopped_at is not None:
        return {"stop_reason": "stop_sequence", "stop_sequence": choice.stopped_at}
    return {"stop_reason": _STOPS[choice.finish], "stop_sequence": None}


def _message(reply: Reply, number: int) -> dict[str, Any]:
    return {
        "id": f"msg_scripted_{number}", "type": "message", "role": "assistant", "model": reply.model, "content": [],
        "stop_sequence": None,
    }  # fmt: skip


def _usage(reply: Reply, choice: ScriptedChoice) -> dict[str, Any]:
    """Cached input stands beside the input on this wire, thinking inside the output."""
    usage: dict[str, Any] = {
        "input_tokens": reply.prompt_tokens - reply.cached, "cache_read_input_tokens": reply.cached,
        "cache_creation_input_tokens": 0, "output_tokens": reply.completion_tokens,
    }  # fmt: skip
    if choice.thinking:
        usage["output_tokens_details"] = {"thinking_tokens": len(choice.thinking)}
    return usage


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return sse(_encode({"type": name} | fields), name)
