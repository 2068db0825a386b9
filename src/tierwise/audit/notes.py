"""Who signed this text? Signed notes (c2sp.org/signed-note, read 2026-11) with Ed25519 keys.

Knows not what the texts say. The keys of one log: one that signs, and those that signed before it; they are written
a line each, as Go's `sumdb/note` writes them, so that any witness of transparency logs can be given them.
Invariant: what `text_of` returns was signed, as it stands, with one of the keys that were asked for.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.secret import Secret

KEY_BYTES = 32
_ED25519 = b"\x01"
_ID_BYTES, _SIGNATURE_BYTES = 4, 64
_PRIVATE = "PRIVATE+KEY+"


class VerifierKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key with the name under which it signs: `NAME+ID+KEY`."""

    name: str
    public: bytes

    @property
    def ident(self) -> bytes:
        """The first bytes of each signature: whose it is."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.ident.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Return the key that is written like this, or raise ConfigError."""
        name, ident, raw = _parts(text)
        key = cls(name=name, public=raw)
        if key.ident.hex() != ident:
            raise ConfigError(f"the parts of the key {name!a} do not belong together; copy it again")
        return key


class Signer:
    """Signs the notes of one log. `earlier` are the keys that signed its notes before."""

    def __init__(self, name: str, private: bytes, earlier: Iterable[VerifierKey] = ()) -> None:
        self._raw = private
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.key = VerifierKey(name=name, public=self._private.public_key().public_bytes_raw())
        self.keys = (self.key, *earlier)

    @classmethod
    def parse(cls, lines: Secret) -> "Signer":
        """Return who signs with what `written` wrote, or raise ConfigError."""
        first, *others = [line for line in lines.reveal().splitlines() if line.strip()] or [""]
        if not first.startswith(_PRIVATE):
            raise ConfigError("this is no signing key: it begins with PRIVATE+KEY+")
        name, ident, raw = _parts(first.removeprefix(_PRIVATE))
        signer = cls(name, raw, [VerifierKey.parse(line) for line in others])
        if signer.key.ident.hex() != ident:
            raise ConfigError(f"the parts of the signing key {name!a} do not belong together")
        return signer

    @property
    def written(self) -> Secret:
        """Return the lines that `parse` reads."""
        raw = base64.b64encode(_ED25519 + self._raw).decode()
        first = f"{_PRIVATE}{self.key.name}+{self.key.ident.hex()}+{raw}"
        return Secret("\n".join([first, *map(str, self.keys[1:])]) + "\n")

    def sign(self, text: str) -> str:
        """Return the note: the text, which ends with a line's end, and the signature."""
        signature = base64.b64encode(self.key.ident + self._private.sign(text.encode())).decode()
        return f"{text}\n— {self.key.name} {signature}\n"


def text_of(note: str, keys: Iterable[VerifierKey]) -> str:
    """Return the text of a note that one of these keys has signed; signatures of others are passed over.

    Raises StoreError for what is no note, or that none of them has signed.
    """
    head, _, signatures = note.rpartition("\n\n")
    text = f"{head}\n"
    known = {(key.name, key.ident): key for key in keys}
    for line in signatures.splitlines():
        mark, _, rest = line.partition(" ")
        name, _, encoded = rest.rpartition(" ")
        try:
            raw = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            continue
        key = known.get((name, raw[:_ID_BYTES]))
        if mark != "—" or key is None or len(raw) != _ID_BYTES + _SIGNATURE_BYTES:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(raw[_ID_BYTES:], text.encode())
        except InvalidSignature:
            continue
        return text
    names = sorted({str(name) for name, _ in known})
    raise StoreError(f"not signed with a key of {', '.join(names) or 'this log'}")


def _parts(text: str) -> tuple[str, str, bytes]:
    """Return name, id and the key's own bytes of NAME+ID+KEY."""
    try:
        name, ident, encoded = text.strip().split("+", 2)
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        name, ident, raw = "", "", b""
    if not name or raw[:1] != _ED25519 or len(raw) != 1 + KEY_BYTES:
        raise ConfigError(f"{text[:24]!a} is no key of a log: NAME+ID+KEY, as `tierwise audit key` prints it")
    return name, ident, raw[1:]
