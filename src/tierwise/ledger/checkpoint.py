"""Who says that the log had this size and this root? Checkpoints, signed with Ed25519.

Written as C2SP's tlog-checkpoint and signed-note say (c2sp.org, read 2026-11), so that any witness of transparency logs
can read them. Knows no records. Invariant: what is returned by `opened` was signed with the key that was asked for.
"""

import base64
import binascii
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from tierwise.core.errors import ConfigError, StoreError
from tierwise.ledger.tree import HASH_BYTES

_ED25519 = b"\x01"
_ID_BYTES, _SIGNATURE_BYTES = 4, 64


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The log `origin` had `size` records, and their tree this root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


class VerifierKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key with the name under which it signs: `NAME+ID+KEY`, as witnesses are configured with it."""

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
        try:
            name, ident, encoded = text.strip().split("+", 2)
            raw = base64.b64decode(encoded, validate=True)
            key = cls(name=name, public=raw[1:])
            Ed25519PublicKey.from_public_bytes(key.public)
        except (ValueError, binascii.Error):
            raise ConfigError(
                f"{text[:80]!a} is no key of a log: NAME+ID+KEY, as `tierwise audit key` prints"
            ) from None
        if raw[:1] != _ED25519 or key.ident.hex() != ident:
            raise ConfigError(f"the parts of the key {name!a} do not belong together; copy it again")
        return key


class Signer:
    """Signs checkpoints of one log with its private key."""

    def __init__(self, name: str, private: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(private)
        self.key = VerifierKey(name=name, public=self._private.public_key().public_bytes_raw())

    def sign(self, size: int, root: bytes) -> str:
        """Return the signed note of a checkpoint."""
        text = Checkpoint(origin=self.key.name, size=size, root=root).text
        signature = base64.b64encode(self.key.ident + self._private.sign(text.encode())).decode()
        return f"{text}\n— {self.key.name} {signature}\n"


def opened(note: str, key: VerifierKey) -> Checkpoint:
    """Return the checkpoint of a note that this key has signed; signatures of others are passed over.

    Raises StoreError for a note that is not one, or that the key has not signed.
    """
    text, _, signatures = note.rpartition("\n\n")
    found = [line for line in signatures.splitlines() if line.startswith(f"— {key.name} ")]
    for line in found:
        try:
            raw = base64.b64decode(line.rpartition(" ")[2], validate=True)
        except binascii.Error:
            continue
        if raw[:_ID_BYTES] != key.ident or len(raw) != _ID_BYTES + _SIGNATURE_BYTES:
            continue
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(raw[_ID_BYTES:], f"{text}\n".encode())
        except InvalidSignature:
            continue
        return _read(text, key)
    raise StoreError(f"the checkpoint is not signed by {key.name}")


def _read(text: str, key: VerifierKey) -> Checkpoint:
    lines = text.split("\n")
    try:
        origin, size, root = lines[0], lines[1], base64.b64decode(lines[2], validate=True)
        number = int(size)
    except (ValueError, IndexError, binascii.Error):
        raise StoreError("the signed text is no checkpoint") from None
    if origin != key.name or size != str(number) or number < 0 or len(root) != HASH_BYTES:
        raise StoreError("the signed text is no checkpoint of this log")
    return Checkpoint(origin=origin, size=number, root=root)
