"""Which reasoning in a Responses request can this endpoint read? That which it wrote, and what stands in plain words.

Source: OpenAI's published API description (Responses, read 2026-11). Items with ids are refused without the neighbours
that they came with ("without its required 'reasoning' item", hermes-agent#97442 of 2026-09); without ids they stand
alone. Invariant: an item that stays keeps its bytes, but for an envelope that is opened and an id that leads nowhere.
"""

from typing import Any

import msgspec

from tierwise.core.conversation import Seal
from tierwise.wires.seals import fits, open_seal
from tierwise.wires.splice import edit, mentions
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


def sealed_in(seal: Seal) -> str:
    """Return the sealed content; the id it came with is of use only beside its neighbours' own."""
    return seal.data.partition(" ")[2]


def readable(given: bytes, to: Recipient) -> tuple[bytes, bool]:
    """Return an input as this endpoint can read it, and whether reasoning was left out of it."""
    if given[:1] != b"[" or not mentions(given, b"reasoning"):
        return given, False
    kept: list[bytes] = []
    changed = cut = orphaned = False
    for raw in _decode_list(given):
        data = bytes(raw)
        item = _decode(data) if orphaned or mentions(data, b"reasoning") else {}
        if item.get("type") == "reasoning":
            mended = _mended(data, item, to)
            cut, orphaned = cut or not mended, mended is not data
        else:
            orphaned = orphaned and _by_model(item)
            mended = edit(data, drop={"id"}) if orphaned and "id" in item else data
        changed = changed or mended is not data
        if mended:
            kept.append(mended)
    return (b"[" + b",".join(kept) + b"]" if changed else given), cut


def _mended(data: bytes, item: dict[str, Any], to: Recipient) -> bytes:
    """Return reasoning as the endpoint can read it: as it came, out of its envelope, or nothing."""
    seal = seal_of(item)
    if to.unseal or (not fits(seal, WIRE, to.endpoint) if seal is not None else not item.get("content")):
        return b""
    if seal is None or open_seal(item["encrypted_content"]) is None:
        return data
    return edit(data, put={"encrypted_content": _encode(sealed_in(seal))}, drop={"id"})


def _by_model(item: dict[str, Any]) -> bool:
    """Say whether the model wrote an item: its words, reasoning and calls, but not what was said or answered to it."""
    kind = item.get("type", "message")
    return item.get("role") == "assistant" if kind == "message" else not str(kind).endswith("_output")
