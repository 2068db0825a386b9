"""Which thinking in a Messages request can this endpoint read?

Source: Anthropic's published guide (extended and adaptive thinking, context editing; read 2026-11).
Invariant: thinking that is not cut, and everything beside it, keeps its bytes; an envelope never reaches an endpoint.
"""

from typing import Any

import msgspec

from tierwise.core.conversation import Seal
from tierwise.wires.seals import enclose, fits, open_seal
from tierwise.wires.splice import edit, elements, members, mentions, replaced, value_of
from tierwise.wires.wire import Recipient

WIRE = "messages"
SIGNED, REDACTED = "signed:", "redacted:"
"""How a seal of this wire begins: what follows is a signature, or redacted thinking."""
UNSIGNED = enclose(Seal(wire="", data=""))
"""Stands for the signature of thinking that has none, so that no endpoint of this wire is asked to verify it."""

_decode = msgspec.json.Decoder().decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
THINKING = b"thinking"
THINKING = b"thinking"
_THINKING = ("thinking", "redacted_thinking")


class Readable(msgspec.Struct, frozen=True, kw_only=True):
    """Messages whose thinking an endpoint can read. `cut`: some was left out; `loop`: also before the last call."""

    messages: bytes
    cut: bool
    loop: bool


def seal_of(block: dict[str, Any]) -> Seal | None:
    """Return the seal of a thinking block: from its envelope, else that of an endpoint nobody knows any more."""
    if block["type"] == "redacted_thinking":
        return open_seal(block["data"]) or Seal(wire=WIRE, data=REDACTED + block["data"])
    if not block.get("signature"):
        return None
    return open_seal(block["signature"]) or Seal(wire=WIRE, data=SIGNED + block["signature"])


def sealed_block(seal: Seal, text: str) -> dict[str, Any]:
    """Return the block that an endpoint of this wire sealed so."""
    if seal.data.startswith(REDACTED):
        return {"type": "redacted_thinking", "data": seal.data.removeprefix(REDACTED)}
    return {"type": "thinking", "thinking": text, "signature": seal.data.removeprefix(SIGNED)}


def readable(messages: bytes, to: Recipient) -> Readable | None:
    """Leave out the thinking that an endpoint cannot read; None where nothing has to change."""
    mended: list[bytes | None] = []
    cut = loop = changed = same_turn = False
    for start, end in elements(messages):
        message: bytes | None = messages[start:end]
        content, cut_here = (
            _mended(messages[start:end], to) if mentions(messages[start:end], THINKING) else (None, False)
        )
        if content is not None:
            changed, cut = True, cut or cut_here
            message = edit(messages[start:end], put={"content": content}) if content else None
        if cut_here:
            loop = (loop and same_turn) or message is None or not _begins_with_thinking(message)
            same_turn = True
        elif loop:  # only the last turn of the assistant counts, and it may be in several messages
            assistants = _is_assistants(messages[start:end])
            loop = same_turn or not assistants
            same_turn = same_turn and assistants
        mended.append(message)
    return Readable(messages=replaced(messages, mended), cut=cut, loop=loop) if changed else None


def without_clearing(management: bytes) -> bytes | None:
    """Take out of `context_management` what an endpoint only does while it thinks; None where nothing of it is left."""
    spans = members(management)
    edits = value_of(management, spans, "edits")
    if edits[:1] != b"[":
        return management
    kept = [None if b"clear_thinking" in raw else raw for raw in (bytes(raw) for raw in _decode_list(edits))]
    if not any(kept):
        return None
    return edit(management, put={"edits": replaced(edits, kept)}, spans=spans)


def _mended(message: bytes, to: Recipient) -> tuple[bytes | None, bool]:
    """Return the content of a message as this endpoint can read it, and whether it was cut.

    None stands for what is as it was, no bytes for what has nothing left.
    """
    content = value_of(message, members(message), "content")
    if content[:1] != b"[":
        return None, False
    raws = [bytes(raw) for raw in _decode_list(content)]
    kept: list[bytes | None] = [_mended_block(raw, to) if mentions(raw, THINKING) else raw for raw in raws]
    if kept == raws:
        return None, False
    return replaced(content, kept) if any(kept) else b"", None in kept


def _mended_block(raw: bytes, to: Recipient) -> bytes | None:
    block = _decode(raw)
    if block["type"] not in _THINKING:
        return raw
    enclosed = open_seal(block["signature" if block["type"] == "thinking" else "data"])
    if to.unseal or (enclosed is not None and not fits(enclosed, WIRE, to.endpoint)):
        return None
    return raw if enclosed is None else _encode(sealed_block(enclosed, block.get("thinking") or ""))


def _begins_with_thinking(message: bytes) -> bool:
    return _decode(message)["content"][0]["type"] in _THINKING


def _is_assistants(message: bytes) -> bool:
    return bool(_decode(message)["role"] == "assistant")
