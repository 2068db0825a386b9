"""The scripted upstream's Responses wire, as strict as the real one.

Source: OpenAI's published API description (Responses, read 2026-11).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tierwise.testing.faults import Script
from tierwise.testing.replies import CalledTool, Reply, ScriptedChoice
from tierwise.testing.speech import Frame, Unfit, functions, known_only, sign, sse

STREAM_TYPE = "text/event-stream; charset=utf-8"
_KNOWN = frozenset((
    "model", "input", "instructions", "stream", "stream_options", "store", "include", "metadata", "max_output_tokens",
    "max_tool_calls", "parallel_tool_calls", "previous_response_id", "prompt_cache_key", "reasoning",
    "safety_identifier", "service_tier", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p",
    "truncation", "user",
    "background", "conversation", "prompt", "client_metadata", "prompt_cache_retention",
))  # fmt: skip
_encode = msgspec.json.Encoder().encode


def normal(request: Mapping[str, Any], headers: Mapping[str, str], script: Script) -> dict[str, Any]:
    """Return the request in the terms of `replies`. Raises `Unfit` for what the real server would refuse."""
    known_only(request, _KNOWN)
    if request.get("previous_response_id") is not None:
        raise Unfit("Previous response not found: nothing is stored here.", "previous_response_not_found")
    messages: list[dict[str, Any]] = []
    if request.get("instructions"):
        messages.append({"role": "system", "content": request["instructions"]})
    given = request["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    called: set[str] = set()
    for index, item in enumerate(items):
        messages += _item(item, f"input[{index}]", called)
    choice = request.get("tool_choice", "auto")
    if isinstance(choice, Mapping):
        choice = {"type": "function", "function": {"name": choice.get("name")}}
    wanted = (request.get("text") or {}).get("format") or {}
    formats = {
        "json_schema": {"type": "json_schema", "json_schema": {"schema": wanted.get("schema")}},
        "json_object": {"type": "json_object"},
    }
    return {
        "messages": messages or [{"role": "user", "content": ""}],
        "stream": request.get("stream"),
        "max_tokens": request.get("max_output_tokens"),
        "tools": functions([
            (tool["name"], tool.get("parameters")) for tool in request.get("tools") or () if tool["type"] == "function"
        ]),
        "tool_choice": choice,
        "parallel_tool_calls": request.get("parallel_tool_calls"),
        "response_format": formats.get(wanted.get("type", "")),
        "thinks": True,
    }  # fmt: skip


def whole(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> bytes:
    """Write an answer that is not streamed."""
    choice = reply.choices[0]
    items = [_whole_item(kind, value, number, place) for place, (kind, value) in enumerate(_items(choice))]
    return _encode(_response(reply, number, items, script, done=True))


def frames(reply: Reply, request: Mapping[str, Any], number: int, script: Script) -> Iterator[Frame]:
    """Write the stream, one piece of content a frame."""
    choice = reply.choices[0]
    events = _Events()
    begun = {"response": _response(reply, number, [], script, done=False)}
    yield events.frame("response.created", begun), "start"
    yield events.frame("response.in_progress", begun), "start"
    items = []
    for place, (kind, value) in enumerate(_items(choice)):
        item = _whole_item(kind, value, number, place)
        items.append(item)
        yield from _item_frames(events, kind, value, item, place)
    whole_response = _response(reply, number, items, script, done=True)
    yield events.frame(f"response.{whole_response['status']}", {"response": whole_response}), "finish"


def error(status: int, message: str, code: str | None) -> bytes:
    """Write an error."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return _encode({"error": {"message": message, "type": kind, "param": None, "code": code}})


def broken() -> bytes:
    """Write an error into a stream."""
    said = {"type": "error", "code": "server_error", "message": "A scripted error.", "param": None}
    return sse(_encode(said | {"sequence_number": 0}), "error")


class _Events:
    def __init__(self) -> None:
        self._number = 0

    def frame(self, kind: str, fields: dict[str, Any]) -> bytes:
        payload = _encode({"type": kind, "sequence_number": self._number} | fields)
        self._number += 1
        return sse(payload, kind)


def _item_frames(events: _Events, kind: str, value: Any, item: dict[str, Any], place: int) -> Iterator[Frame]:
    where = {"item_id": item["id"], "output_index": place}
    bare: dict[str, dict[str, Any]] = {
        "message": {"content": []}, "function_call": {"arguments": ""},
        "reasoning": {"summary": [], "encrypted_content": ""},
    }  # fmt: skip
    empty = item | bare[kind]
    yield events.frame("response.output_item.added", {"output_index": place, "item": empty}), "start"
    if kind == "message":
        part = item["content"][0]
        name = "output_text" if part["type"] == "output_text" else "refusal"
        place_in = where | {"content_index": 0}
        yield events.frame("response.content_part.added", place_in | {"part": part | {_field(name): ""}}), "start"
        for piece in value:
            more: dict[str, Any] = {"logprobs": []} if name == "output_text" else {}
            yield events.frame(f"response.{name}.delta", place_in | {"delta": piece} | more), "content"
        yield events.frame(f"response.{name}.done", place_in | {_field(name): part[_field(name)]}), "start"
        yield events.frame("response.content_part.done", place_in | {"part": part}), "start"
    elif kind == "reasoning":
        part_in = where | {"summary_index": 0}
        begun = {"part": {"type": "summary_text", "text": ""}}
        yield events.frame("response.reasoning_summary_part.added", part_in | begun), "start"
        for piece in value:
            yield events.frame("response.reasoning_summary_text.delta", part_in | {"delta": piece}), "content"
        yield events.frame("response.reasoning_summary_part.done", part_in | {"part": item["summary"][0]}), "start"
    else:
        for piece in value.arguments:
            yield events.frame("response.function_call_arguments.delta", where | {"delta": piece}), "content"
        done = where | {"arguments": item["arguments"], "name": item["name"]}
        yield events.frame("response.function_call_arguments.done", done), "start"
    yield events.frame("response.output_item.done", {"output_index": place, "item": item}), "start"


def _item(item: Mapping[str, Any], path: str, called: set[str]) -> Iterator[dict[str, Any]]:
    match item.get("type", "message"):
        case "message":
            yield {"role": item["role"], "content": _words(item["content"], path)}
        case "function_call" | "custom_tool_call":
            called.add(item["call_id"])
        case "function_call_output" | "custom_tool_call_output":
            if item["call_id"] not in called:
                raise Unfit(f"No tool call found for function call output with call_id {item['call_id']}.")
            yield {"role": "tool", "content": _words(item["output"], path)}
        case "reasoning":
            said = "".join(part["text"] for part in item["summary"])
            if item.get("encrypted_content") != sign(said):
                raise Unfit(f"{path}: The encrypted content could not be verified.", "invalid_encrypted_content")
        case "item_reference":
            raise Unfit(f"Item with id '{item['id']}' not found. Items are not persisted when `store` is set to false.")
        case kind:
            raise Unfit(f"{path}.type: Invalid value: '{kind}'.")


def _words(content: Any, path: str) -> str:
    if isinstance(content, str):
        return content
    kinds = {"input_text", "output_text", "input_image", "input_file", "refusal"}
    for part in content:
        if part["type"] not in kinds:
            raise Unfit(f"{path}.content: Invalid value: '{part['type']}'.")
    return " ".join(part["text"] for part in content if isinstance(part.get("text"), str))


def _items(choice: ScriptedChoice) -> Iterator[tuple[str, Any]]:
    if choice.thinking:
        yield "reasoning", choice.thinking
    if choice.pieces or choice.refusal:
        yield "message", choice.pieces or choice.refusal
    for call in choice.calls:
        yield "function_call", call


def _whole_item(kind: str, value: Any, number: int, place: int) -> dict[str, Any]:
    ident = f"scripted_{number}_{place}"
    if isinstance(value, CalledTool):
        return {
            "id": f"fc_{ident}", "type": kind, "status": "completed", "call_id": value.id, "name": value.name,
            "arguments": "".join(value.arguments),
        }  # fmt: skip
    text = "".join(value)
    if kind == "reasoning":
        summary = [{"type": "summary_text", "text": text}]
        return {"id": f"rs_{ident}", "type": kind, "summary": summary, "encrypted_content": sign(text)}
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": f"msg_{ident}", "type": kind, "status": "completed", "role": "assistant", "content": [part]}


def _field(name: str) -> str:
    return "text" if name == "output_text" else "refusal"


def _response(reply: Reply, number: int, output: list[dict[str, Any]], script: Script, *, done: bool) -> dict[str, Any]:
    choice = reply.choices[0]
    cut = choice.finish == "length"
    status = ("incomplete" if cut else "completed") if done and script.fault != "no_finish" else "in_progress"
    return {
        "id": f"resp_scripted_{number}", "object": "response", "created_at": 1_700_000_000, "status": status,
        "error": None, "incomplete_details": {"reason": "max_output_tokens"} if cut and done else None,
        "model": reply.model, "output": output, "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        "metadata": {}, "usage": _usage(reply, choice) if done and script.fault != "no_usage" else None,
    }  # fmt: skip


def _usage(reply: Reply, choice: ScriptedChoice) -> dict[str, Any]:
    """Cached input and reasoning stand inside the totals on this wire."""
    return {
        "input_tokens": reply.prompt_tokens,
        "input_tokens_details": {"cached_tokens": reply.cached, "cache_write_tokens": 0},
        "output_tokens": reply.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": len(choice.thinking)},
        "total_tokens": reply.prompt_tokens + reply.completion_tokens,
    }  # fmt: skip
