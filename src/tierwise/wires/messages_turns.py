"""How are the turns of a conversation written as messages?

Source: Anthropic's published API reference (Messages, tool use, extended thinking; read 2026-11).
Invariant: the first message is the user's, roles alternate, results come first in theirs, ids are unique and allowed;
what has no place is named in `dropped`.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from typing import Any

from tierwise.core.conversation import Block, Conversation, File, Image, Text, Thinking, ToolResult, ToolUse, Turn
from tierwise.wires.loose import arguments_of
from tierwise.wires.messages_seals import WIRE, sealed_block
from tierwise.wires.seals import fits
from tierwise.wires.wire import Recipient

Written = dict[str, Any]

_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOTHING_SAID = "."
"""Stands where the wire wants words and there are none."""


def write_turns(asked: Conversation, to: Recipient, dropped: list[str]) -> tuple[list[Written], list[Written]]:
    """Return the blocks of `system`, and the messages."""
    writer = _Writer(to, dropped)
    system: list[Written] = []
    messages: list[Written] = []
    for turn in asked.turns:
        if turn.name:
            dropped.append(turn.within("name", "."))
        blocks = [written for block in turn.blocks for written in writer.block(block, turn)]
        if turn.role in ("system", "developer"):
            if not messages:
                system += blocks
                continue
            dropped.append(turn.within("role", "."))
        role = "assistant" if turn.role == "assistant" else "user"
        if not blocks:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += blocks
        else:
            messages.append({"role": role, "content": blocks})
    return system, _lawful(messages)


def safe_id(ident: str) -> str:
    """Return an id that this wire takes: the same one where it can, else one that is always made of it."""
    if _ID.fullmatch(ident):
        return ident
    return "toolu_" + hashlib.sha256(ident.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _lawful(messages: list[Written]) -> list[Written]:
    """Begin with the user, put results first, and end the assistant's last words without white space."""
    if not messages or messages[0]["role"] == "assistant":
        messages.insert(0, {"role": "user", "content": [{"type": "text", "text": _NOTHING_SAID}]})
    for message in messages:
        if message["role"] == "user":
            message["content"].sort(key=lambda block: block["type"] != "tool_result")
    last = messages[-1]
    if last["role"] == "assistant" and last["content"][-1]["type"] == "text":
        last["content"][-1]["text"] = last["content"][-1]["text"].rstrip()
    return messages


class _Writer:
    """Writes blocks. An id that a later call uses again gets another form, and so do its results."""

    def __init__(self, to: Recipient, dropped: list[str]) -> None:
        self._to, self._dropped = to, dropped
        self._ids: dict[str, str] = {}
        self._taken: set[str] = set()
        self._times: dict[str, int] = {}

    def block(self, block: Block, turn: Turn) -> Iterator[Written]:
        match block:
            case Text():
                if block.text.strip():  # the wire refuses blocks of white space
                    written: Written = {"type": "text", "text": block.text}
                    yield written | ({"cache_control": {"type": "ephemeral"}} if block.cache else {})
            case Thinking():
                if block.seal is not None and not self._to.unseal and fits(block.seal, WIRE, self._to.endpoint):
                    yield sealed_block(block.seal, block.text)
                else:
                    self._dropped.append("thinking")
            case ToolUse():
                called = arguments_of(block.arguments)
                yield {"type": "tool_use", "id": self._called(block.id), "name": block.name, "input": called}
            case ToolResult():
                result: Written = {"type": "tool_result", "tool_use_id": self._ids.get(block.id) or safe_id(block.id)}
                content = [written for part in block.content for written in self.block(part, turn)]
                if content:
                    result["content"] = content
                yield result | ({"is_error": True} if block.error else {})
            case Image() | File() if turn.role != "user":  # the others only speak
                self._dropped.append(turn.within("image" if isinstance(block, Image) else "file"))
            case Image():
                if block.detail not in ("", "auto"):
                    self._dropped.append(turn.within("detail", "."))
                yield {"type": "image", "source": _source(block, "image/png")}
            case File():
                yield from self._file(block, turn)

    def _called(self, ident: str) -> str:
        written, times = safe_id(ident), self._times.get(ident, 1)
        while written in self._taken:
            times += 1
            written = safe_id(f"{ident}#{times}")
        self._times[ident] = times  # a call that is repeated thousands of times begins where the last one ended
        self._taken.add(written)
        self._ids[ident] = written
        return written

    def _file(self, file: File, turn: Turn) -> Iterator[Written]:
        titled = {"title": file.name} if file.name else {}
        words = file.text or _words(file)
        if words:
            source = {"type": "text", "media_type": "text/plain", "data": words}
            yield {"type": "document", "source": source} | titled
        elif file.url or (file.data and file.media_type in ("", "application/pdf")):
            yield {"type": "document", "source": _source(file, "application/pdf")} | titled
        else:
            self._dropped.append(turn.within(file.media_type or "file"))


def _source(block: Image | File, media_type: str) -> Written:
    if block.url:
        return {"type": "url", "url": block.url}
    return {"type": "base64", "media_type": block.media_type or media_type, "data": block.data}


def _words(file: File) -> str:
    """Return what a file of plain text says, which only as text has a place on this wire; empty for any other."""
    if not file.media_type.startswith("text/") and file.media_type != "application/json":
        return ""
    try:
        return base64.b64decode(file.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
