"""Which reasoning in a Responses request can this endpoint read? That which it wrote, and what stands in plain words.

Source: OpenAI's published API description (Responses, read 2026-11); that an item is refused "without its required
'reasoning' item" as long as it has its id: NousResearch/hermes-agent#97442, 2026-09.
Invariant: an item that stays keeps its bytes, but for an envelope that is opened and an id that would lead nowhere.
"""

from typing import Any

import msgspec

from tierwise.core.conversation import Seal
from tierwise.wires.seals import fits, open_seal
from tierwise.wires.splice import edit
from tierwise.wires.wire import Recipient

WIRE = "responses"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode


def seal_of(item: dict[str, Any]) -> Seal | None:
    """Return the seal of a reasoning item: from its envelope, else that of an endpoint nobody knows any more."""
    sealed = item.get("encrypted_content")
    if not sealed:
        return None
    return open_seal(sealed) or Seal(wire=WIRE, data=seal_data(str(item.get("id") or ""), sealed))


def seal_data(ident: str, sealed: str) -> str:
    """Write what an endpoint of this wire wants to see again."""
    return f"{ident} {sealed}"


def readable(given: bytes, to: Recipient) -> tuple[bytes, bool]:
    """Return an input as this endpoint can read it, and whether reasoning was left out of it."""
    if b'"reasoning"' not in given or given[:1] != b"[":
        return given, False
    kept: list[bytes] = []
    changed = cut = orphaned = False
    for raw in _decode_list(given):
        data = bytes(raw)
        mended = _mended(data, to, orphaned=orphaned)
        changed = changed or mended is not data
        if mended:
            kept.append(mended)
        else:
            cut = True
        orphaned = not mended or (orphaned and _by_model(data))
    return (b"[" + b",".join(kept) + b"]" if changed else given), cut


def _mended(data: bytes, to: Recipient, *, orphaned: bool) -> bytes:
    """Return an item, or nothing for reasoning that has to stay behind; `orphaned` items followed such reasoning."""
    if b'"reasoning"' in data:
        item = _decode(data)
        if item.get("type") == "reasoning":
            return _mended_reasoning(data, item, to)
    return edit(data, drop={"id"}) if orphaned and b'"id"' in data and _by_model(data) else data


def _mended_reasoning(data: bytes, item: dict[str, Any], to: Recipient) -> bytes:
    seal = seal_of(item)
    if to.unseal or (not fits(seal, WIRE, to.endpoint) if seal is not None else not item.get("content")):
        return b""
    if seal is None or open_seal(item["encrypted_content"]) is None:
        return data
    ident, _, sealed = seal.data.partition(" ")
    return edit(data, put={"encrypted_content": _encode(sealed)} | ({"id": _encode(ident)} if ident else {}))


def _by_model(data: bytes) -> bool:
    """Say whether the model wrote an item: its words, reasoning and calls, but not what was said or answered to it."""
    item = _decode(data)
    kind = item.get("type", "message")
    return item.get("role") == "assistant" if kind == "message" else not str(kind).endswith("_output")
