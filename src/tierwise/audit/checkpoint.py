"""How large was the log, and what was its root? Checkpoints as transparency logs sign them (c2sp.org/tlog-checkpoint).

Invariant: what `opened` returns was signed with one of the keys that were asked for, for the log of that name.
"""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from tierwise.audit.notes import Signer, VerifierKey, text_of
from tierwise.audit.tree import HASH_BYTES
from tierwise.core.errors import StoreError


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The log `origin` had `size` records, and their tree this root."""

    origin: str
    size: int
    root: bytes


def checkpoint(signer: Signer, size: int, root: bytes) -> str:
    """Return the signed note."""
    return signer.sign(f"{signer.key.name}\n{size}\n{base64.b64encode(root).decode()}\n")


def opened(note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    """Return the checkpoint in a note that one of these keys has signed. Raises StoreError."""
    lines = text_of(note, keys).split("\n")
    try:
        origin, size, root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
        number = int(size)
    except (ValueError, IndexError, binascii.Error):
        raise StoreError("the signed text is no checkpoint") from None
    if all(key.name != origin for key in keys) or size != str(number) or number < 0 or len(root) != HASH_BYTES:
        raise StoreError("the signed text is no checkpoint of this log")
    return Checkpoint(origin=origin, size=number, root=root)
