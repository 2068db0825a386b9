"""What in a request can nobody look into? Seals, and files that are no text.

Knows the places of all callers' wires. Invariant: a place of this kind that is not known to be readable is named.
"""

import base64
import re

import msgspec

from tierwise.core.call import Call
from tierwise.core.conversation import Seal
from tierwise.wires.messages_seals import REDACTED, SIGNED
from tierwise.wires.parts import shown
from tierwise.wires.seals import open_seal

_SEALED = re.compile(r"(?:signature|encrypted_\w+|thought_?[sS]ignature)")
_REDACTED = re.compile(r"messages\[\d+\]\.content\[\d+\]\.data")
_OWN_WORDS = re.compile(r"\.(?:input|arguments)\b")


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A file in base64 that is text: `head` is what stands before the data."""

    head: str
    text: str

    def written(self, text: str) -> str:
        """Return the file with another text."""
        return self.head + base64.b64encode(text.encode()).decode()


def seal_at(path: str, text: str) -> Seal | None:
    """Return the seal that stands here, as far as that shows, None where the string is no seal."""
    name = path.rpartition(".")[2]
    if not text or not (_SEALED.fullmatch(name) or _REDACTED.fullmatch(path)) or _OWN_WORDS.search(path):
        return None
    return open_seal(text) or Seal(wire="", data=text)


def core(seal: str) -> str:
    """Return what of a seal a caller gives back, whatever its wire puts before it."""
    return seal.removeprefix(SIGNED).removeprefix(REDACTED).rpartition(" ")[2]


def document(text: str) -> Document | None:
    """Return the text in a file's base64 or data URL; None where it is no text, or not in base64."""
    said, hidden_bytes = shown(text)
    if hidden_bytes or said is text:
        return None
    head, comma, payload = text.partition(",") if text[:5].lower() == "data:" else ("", "", text)
    found = Document(head=head + comma, text=said.removeprefix(head[: -len(";base64")] + comma if comma else ""))
    # What is no UTF-8 could be searched but not written again.
    return found if _same(found.written(found.text), head + comma + payload) else None


def _same(one: str, other: str) -> bool:
    """Say whether two ways to write bytes in base64 stand for the same ones."""
    return _bare(one) == _bare(other)


def _bare(data: str) -> str:
    return re.sub(r"\s", "", data).rstrip("=").replace("-", "+").replace("_", "/")


def unreadable(call: Call, documents: int) -> str:
    """Say what of a request cannot be looked into, where so many of its files could be; empty for nothing."""
    if call.features.images:
        return "a picture"
    return "a file that is not text in the request itself" if call.features.files > documents else ""
