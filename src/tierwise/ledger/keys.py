"""What is a key that was made here, and what does a command do to it? Decided without a store; each store applies it.

A name is given once for ever, so nobody inherits what another key's holder had. Pure but for the random text of a key.
Invariant: the text of a key is never kept, only a keyed hash and its first characters; what a command ends at once is
ended by a word and not by a time, so that neither another machine's clock nor one that is set back takes it again.
"""

import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Sequence
from typing import Any

import msgspec

from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.grant import Grant
from tierwise.core.secret import Secret

BRAND = "tw-"
SHOWN_CHARS = 8
HIDDEN_CHARS = 40
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
COLUMNS = "name, prefix, hash, created, expires, revoked, permissions, ended"
CHANGE_COLUMNS = "seq, ts, who, what, name, detail"
_ALPHABET = string.ascii_letters + string.digits
_permissions = msgspec.json.Decoder(Grant)


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept. Times are Unix seconds; `prefix` is what it begins with; `ended` is for good."""

    prefix: str
    hash: bytes
    created: float
    grant: Grant
    expires: float | None = None
    revoked: float | None = None
    ended: bool = False

    @property
    def until(self) -> float | None:
        """Return from when on the key is no longer taken, None for never."""
        return min((t for t in (self.expires, self.revoked) if t is not None), default=None)

    def taken_at(self, now: float) -> bool:
        """Say whether the key is neither revoked nor expired."""
        return not self.ended and (self.until is None or now < self.until)


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """Who did what to which key, and when."""

    seq: int
    ts: float
    who: str
    what: str
    name: str
    detail: str


def hashed(pepper: bytes, text: bytes) -> bytes:
    """Return the keyed hash under which a key is found."""
    return hmac.digest(pepper, text, hashlib.sha256)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one command does to the keys of a name: the texts that it had end, a new one begins, and the trace of it.

    `revoked` is from when on the old texts are not taken, None where they stay; `ended` ends them whatever the time is.
    """

    name: str
    what: str
    detail: str
    revoked: float | None = None
    ended: bool = False
    new: StoredKey | None = None


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A new key, its text, and the change that keeps it."""

    change: Change
    key: StoredKey
    text: Secret


def checked_name(name: str) -> str:
    """Return the name; ConfigError for one that a key cannot have."""
    if not NAME.fullmatch(name):
        raise ConfigError(f"{name!r}: a name is up to 64 letters, digits, dots, dashes and underscores")
    return name


def created(known: Sequence[StoredKey], grant: Grant, pepper: bytes, expires: float | None, now: float) -> Made:
    """Make a key and its text. ConfigError where there are `known` keys of its name."""
    if known:
        raise ConfigError(f"the name {grant.name!r} was given before, and names are not given twice")
    key, text = _made(grant, pepper, expires, now)
    change = Change(name=grant.name, what="created", detail=_told(grant, key), new=key)
    return Made(change=change, key=key, text=text)


def rotated(known: Sequence[StoredKey], name: str, pepper: bytes, grace_s: float, now: float) -> Made:
    """Make a new text for the key; ConfigError where it has ended."""
    live = [key for key in _of(known, name) if key.taken_at(now)]
    if not live:
        raise ConfigError(f"the key {name!r} is revoked or expired: make a new one with `tierwise keys create`")
    key, text = _made(live[-1].grant, pepper, live[-1].expires, now)
    detail = f"{key.prefix}…; the old text until {grace_s:.0f} s later"
    change = Change(name=name, what="rotated", detail=detail, revoked=now + grace_s, ended=grace_s <= 0, new=key)
    return Made(change=change, key=key, text=text)


def revoked(known: Sequence[StoredKey], name: str, now: float) -> Change | None:
    """End every text of the key, None where that was done before. What is expired is ended too: clocks differ."""
    if all(key.ended for key in _of(known, name)):
        return None
    return Change(name=name, what="revoked", detail="", revoked=now, ended=True)


def _of(known: Sequence[StoredKey], name: str) -> Sequence[StoredKey]:
    if not known:
        raise ConfigError(f"no key named {name!r} was made here; `tierwise keys list` lists them")
    return known


def _made(grant: Grant, pepper: bytes, expires: float | None, now: float) -> tuple[StoredKey, Secret]:
    text = BRAND + "".join(secrets.choice(_ALPHABET) for _ in range(SHOWN_CHARS + HIDDEN_CHARS))
    key = StoredKey(
        prefix=text[: len(BRAND) + SHOWN_CHARS],
        hash=hashed(pepper, text.encode()),
        created=now,
        expires=expires,
        grant=grant,
    )
    return key, Secret(text)


def key_row(key: StoredKey) -> tuple[str, str, bytes, float, float | None, float | None, bytes, bool]:
    """Return the values of `COLUMNS`."""
    permissions = msgspec.json.encode(key.grant)
    return (key.grant.name, key.prefix, key.hash, key.created, key.expires, key.revoked, permissions, key.ended)


def key_of(row: Sequence[Any]) -> StoredKey:
    """Return the key whose values of `COLUMNS` these are; StoreError where they make none."""
    name, prefix, digest, made, expires, revoked_at, permissions, gone = row
    try:
        grant = _permissions.decode(permissions)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise StoreError(f"the key {name!a} of the ledger cannot be read: {error}") from error
    return StoredKey(
        prefix=prefix, hash=digest, created=made, expires=expires, revoked=revoked_at, grant=grant, ended=bool(gone)
    )


def change_of(row: Sequence[Any]) -> KeyChange:
    """Return the change whose values of `CHANGE_COLUMNS` these are."""
    return msgspec.convert(dict(zip(KeyChange.__struct_fields__, row, strict=True)), KeyChange)


def _told(grant: Grant, key: StoredKey) -> str:
    rows = msgspec.to_builtins(grant) | {"prefix": key.prefix, "expires": key.expires}
    return msgspec.json.encode(
        {name: value for name, value in rows.items() if value not in (None, [], (), {})}
    ).decode()
