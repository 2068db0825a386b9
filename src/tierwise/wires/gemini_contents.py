"""How do turns become Gemini's contents? Parts in the order that it demands, and signatures where it looks for them.

Source: Google's published API reference (Content, Part) and its page on thought signatures (read 2026-11): a signature
goes back on the part that it came on; the first call of each step of the current turn must have one.
Invariant: a block that is not written here is named in `dropped`.
"""

from collections.abc import Iterator
from typing import Any

from tierwise.core.conversation import Block, Conversation, File, Image, Text, Thinking, ToolResult, ToolUse, Turn
from tierwise.wires.loose import arguments_of
from tierwise.wires.media import media_type_at, media_type_of
from tierwise.wires.seals import fits
from tierwise.wires.wire import Recipient

WIRE = "gemini"
THOUGHT = "thought:"
"""Begins the seal of a signature that came on a thought: it goes back on the thought, every other on the next part."""
UNSIGNED = "skip_thought_signature_validator"
"""What the wire takes, by its documentation, in place of the signature of a call that another model made."""

Part = dict[str, Any]


def write_contents(asked: Conversation, to: Recipient, dropped: list[str]) -> tuple[list[Part], list[dict[str, Any]]]:
    """Return the parts of the system instruction, and the contents."""
    system: list[Part] = []
    contents: list[dict[str, Any]] = []
    for turn in asked.turns:
        if turn.name:
            dropped.append(turn.within("name", "."))
        parts = list(_parts(turn, to, dropped))
        if turn.role in ("system", "developer"):
            if not contents:
                system += parts
                continue
            dropped.append(turn.within("role", "."))
        role = "model" if turn.role == "assistant" else "user"
        if parts and contents and contents[-1]["role"] == role:
            contents[-1]["parts"] += parts
        elif parts:
            contents.append({"role": role, "parts": parts})
    if not contents:  # the wire refuses a request that has nothing but instructions
        dropped += [turn.within("role", ".") for turn in asked.turns]
        return [], [{"role": "user", "parts": system or [{"text": "."}]}]
    for content in contents:
        content["parts"].sort(key=lambda part: "functionResponse" not in part)
    return system, contents


def sign(contents: list[dict[str, Any]]) -> None:
    """Excuse the calls of the current turn that no model of this wire has signed."""
    begins = max((place for place, content in enumerate(contents) if _asks(content)), default=0)
    for content in contents[begins:]:
        call = next((part for part in content["parts"] if "functionCall" in part), None)
        if call is not None:
            call.setdefault("thoughtSignature", UNSIGNED)


def _asks(content: dict[str, Any]) -> bool:
    return content["role"] == "user" and not any("functionResponse" in part for part in content["parts"])


def _parts(turn: Turn, to: Recipient, dropped: list[str]) -> Iterator[Part]:
    """Write the parts of a turn. A seal stands before the part that carries its signature on this wire."""
    waiting: str | None = None
    for block in turn.blocks:
        if isinstance(block, Thinking):
            if turn.role != "assistant" or to.unseal or block.seal is None or not fits(block.seal, WIRE, to.endpoint):
                dropped.append("thinking")
                continue
            if waiting is not None:
                yield _bare(waiting)
            waiting = None
            if block.seal.data.startswith(THOUGHT):
                signature = block.seal.data.removeprefix(THOUGHT)
                yield {"text": block.text, "thought": True, "thoughtSignature": signature}
                continue
            if block.text:
                yield {"text": block.text, "thought": True}
            waiting = block.seal.data
            continue
        for part in _part(block, turn, dropped):
            yield part if waiting is None else part | {"thoughtSignature": waiting}
            waiting = None
    if waiting is not None:
        yield _bare(waiting)


def _bare(signature: str) -> Part:
    """Write a signature that came on its own, as streams end with one."""
    return {"text": "", "thoughtSignature": signature}


def _part(block: Block, turn: Turn, dropped: list[str]) -> Iterator[Part]:
    match block:
        case Text():
            if block.text:
                yield {"text": block.text}
        case ToolUse():
            yield {"functionCall": _ident(block.id) | {"name": block.name, "args": arguments_of(block.arguments)}}
        case ToolResult():
            yield from _result(block, turn, dropped)
        case Image() | File():
            yield _media(block, turn, dropped)
        case _:
            dropped.append(turn.within(type(block).__name__.lower()))


def _ident(ident: str) -> dict[str, str]:
    """Write an id, if there is one: newer models match results to calls by it, older ones by name and order."""
    return {"id": ident} if ident else {}


def _result(result: ToolResult, turn: Turn, dropped: list[str]) -> Iterator[Part]:
    """Write a tool's answer. Only newest models take pictures in it: they follow the answers as parts of their own."""
    name = result.name or result.id
    said = "".join(block.text for block in result.content if isinstance(block, Text))
    response = {"error" if result.error else "output": said}
    yield {"functionResponse": _ident(result.id) | {"name": name, "response": response}}
    shown = [block for block in result.content if not isinstance(block, Text)]
    if shown:
        yield {"text": f"From the tool call {result.id or name}:"}
    for block in shown:
        yield _media(block, turn, dropped)


def _media(block: Image | File, turn: Turn, dropped: list[str]) -> Part:
    if isinstance(block, Image) and block.detail not in ("", "auto"):
        dropped.append(turn.within("image detail"))
    if isinstance(block, File) and block.name:
        dropped.append(turn.within("file name"))
    if isinstance(block, File) and block.text:
        return {"text": block.text}
    name = block.name if isinstance(block, File) else ""
    if block.url:
        media_type = block.media_type or media_type_at(block.url)
        return {"fileData": {"fileUri": block.url} | ({"mimeType": media_type} if media_type else {})}
    media_type = block.media_type or media_type_of(block.data) or media_type_at(name) or "application/octet-stream"
    return {"inlineData": {"mimeType": media_type, "data": block.data}}
