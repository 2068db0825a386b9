"""Which strings of a stream's event go on in the next one, and how is one added to? For callers who get raw events.

Knows the three wires on which answers are streamed to callers. A track is one text that comes in pieces.
Invariant: an event names every piece of content in it once; `closed` tells of a text's end before anything follows it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tierwise.wires.loose import an_object, objects

Event = Mapping[str, Any]


class Track(msgspec.Struct, frozen=True):
    """One text. `within` is what ends it. `words`: it is the answer itself; `arguments`: it is JSON inside a string."""

    within: tuple[str, int]
    field: str
    arguments: bool = False

    @property
    def words(self) -> bool:
        """True for what the model says, and not thinks or declines."""
        return self.field in ("content", "text") or self.field.startswith("response.output_text.")


_CHAT = ("content", "reasoning_content", "reasoning", "refusal")
_MESSAGES = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}
_ARGUMENTS = frozenset(("response.function_call_arguments.delta", "response.mcp_call_arguments.delta"))


def tracks(wire: str, event: Event) -> dict[str, Track]:
    """Return the path of each string that is a piece of a text, and which."""
    match wire:
        case "chat":
            return dict(_chat(event))
        case "messages":
            delta = an_object(event.get("delta"))
            field = _MESSAGES.get(str(delta.get("type")))
            if event.get("type") != "content_block_delta" or field is None:
                return {}
            within = ("block", _number(event.get("index")))
            return {f"delta.{field}": Track(within, field, field == "partial_json")}
        case "responses":
            kind = str(event.get("type"))
            if not kind.endswith(".delta") or not isinstance(event.get("delta"), str):
                return {}
            part = f"{kind}:{event.get('content_index')}:{event.get('summary_index')}"
            return {"delta": Track(("item", _number(event.get("output_index"))), part, kind in _ARGUMENTS)}
        case _:
            return {}


def closed(wire: str, event: Event, track: Track) -> bool:
    """Say whether what this event tells comes behind the end of a text."""
    kind = str(event.get("type"))
    match wire:
        case "chat":
            return any(_chat_closes(choice, track) for choice in objects(event.get("choices")))
        case "messages":
            same = track.within[1] == _number(event.get("index"))
            return kind in ("message_delta", "message_stop") or (kind == "content_block_stop" and same)
        case _:
            if kind in ("response.completed", "response.incomplete"):
                return True
            same = track.within[1] == _number(event.get("output_index"))
            return same and kind.endswith((".done", ".added"))


def added(wire: str, event: Event, track: Track, text: str) -> dict[str, Any]:
    """Return the event that adds more to a text; `event` is the last one that did."""
    match wire:
        case "chat":
            choice, _, name = track.field.partition("#")
            delta: dict[str, Any] = {choice: text}
            if name:
                delta = {"tool_calls": [{"index": int(name), "function": {"arguments": text}}]}
            choices = [{"index": track.within[1], "delta": delta, "logprobs": None, "finish_reason": None}]
            return {name: value for name, value in event.items() if name != "usage"} | {"choices": choices}
        case "messages":
            return dict(event) | {"delta": an_object(event.get("delta")) | {track.field: text}}
        case _:
            plain: dict[str, Any] = {"delta": text} | ({"logprobs": []} if "logprobs" in event else {})
            return dict(event) | plain


def _chat(event: Event) -> Iterator[tuple[str, Track]]:
    for place, choice in enumerate(objects(event.get("choices"))):
        within = ("choice", _number(choice.get("index")))
        delta = an_object(choice.get("delta"))
        for field in _CHAT:
            if isinstance(delta.get(field), str):
                yield f"choices[{place}].delta.{field}", Track(within, field)
        for number, call in enumerate(objects(delta.get("tool_calls"))):
            path = f"choices[{place}].delta.tool_calls[{number}].function.arguments"
            if isinstance(an_object(call.get("function")).get("arguments"), str):
                yield path, Track(within, f"tool_calls#{_number(call.get('index'))}", True)


def _chat_closes(choice: Event, track: Track) -> bool:
    if track.within[1] != _number(choice.get("index")):
        return False
    delta = an_object(choice.get("delta"))
    others = any(delta.get(field) for field in _CHAT if field != track.field) or bool(delta.get("tool_calls"))
    return bool(choice.get("finish_reason")) or (others and not track.arguments)


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0
