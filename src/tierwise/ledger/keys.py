"""Which keys were made here, for whom, and who changed that? The tables of keys, and the only SQL that writes them.

Works beside a running server: each change is one short transaction on a connection of its own, and its trace in
`key_changes` is part of it. A name is given once for ever, so nobody inherits what another key's holder had.
Invariant: the text of a key is never written, only a keyed hash and its first characters.
"""

import hashlib
import hmac
import re
import secrets
import sqlite3
import string
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.grant import Grant
from tierwise.core.secret import Secret
from tierwise.ledger.beside import changing

BRAND = "tw-"
SHOWN_CHARS = 8
HIDDEN_CHARS = 40
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ALPHABET = string.ascii_letters + string.digits
_COLUMNS = "name, prefix, hash, created, expires, revoked, permissions"
_permissions = msgspec.json.Decoder(Grant)


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept. Times are Unix seconds; `prefix` is what it begins with."""

    prefix: str
    hash: bytes
    created: float
    grant: Grant
    expires: float | None = None
    revoked: float | None = None

    @property
    def until(self) -> float | None:
        """Return from when on the key is no longer taken, None for never."""
        return min((t for t in (self.expires, self.revoked) if t is not None), default=None)


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


def version(db: sqlite3.Connection) -> int:
    """Return the number of the last change; it rises with each."""
    found: int = db.execute("SELECT coalesce(max(seq), 0) FROM key_changes").fetchone()[0]
    return found


def select(db: sqlite3.Connection, name: str | None = None) -> list[StoredKey]:
    """Return the keys of this name, or all of them, in the order in which they were made."""
    sql = f"SELECT {_COLUMNS} FROM keys WHERE ?1 IS NULL OR name = ?1 ORDER BY id"  # noqa: S608  # only columns
    return [_key(row) for row in db.execute(sql, (name,))]


def changes(db: sqlite3.Connection, name: str | None = None) -> list[KeyChange]:
    """Return what was done to the key of this name, or to all, oldest first."""
    sql = "SELECT seq, ts, who, what, name, detail FROM key_changes WHERE ?1 IS NULL OR name = ?1 ORDER BY seq"
    fields = KeyChange.__struct_fields__
    return [msgspec.convert(dict(zip(fields, row, strict=True)), KeyChange) for row in db.execute(sql, (name,))]


class KeyBook:
    """Makes, replaces and revokes keys in the ledger at `path`. `who` stands in the trace of each change."""

    def __init__(self, path: Path, who: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._who, self._clock = path, who, clock

    def create(self, grant: Grant, pepper: bytes, expires: float | None = None) -> tuple[StoredKey, Secret]:
        """Make a key; its text is returned here and never again. ConfigError for a name that was ever given."""
        if not NAME.fullmatch(grant.name):
            raise ConfigError(f"{grant.name!r}: a name is up to 64 letters, digits, dots, dashes and underscores")
        with changing(self._path) as db:
            if select(db, grant.name):
                raise ConfigError(f"the name {grant.name!r} was given before, and names are not given twice")
            made = self._insert(db, grant, pepper, expires)
            self._trace(db, "created", grant.name, _told(grant, made[0]))
        return made

    def rotate(self, name: str, pepper: bytes, grace_s: float = 0.0) -> tuple[StoredKey, Secret]:
        """Give the key a new text; the old one is taken for `grace_s` more seconds."""
        with changing(self._path) as db:
            now = self._clock()
            old = [key for key in self._known(db, name) if key.until is None or key.until > now]
            if not old:
                raise ConfigError(f"the key {name!r} is revoked or expired: make a new one with `tierwise keys create`")
            db.execute(
                "UPDATE keys SET revoked = min(coalesce(revoked, ?1), ?1) WHERE name = ?2", (now + grace_s, name)
            )
            made = self._insert(db, old[-1].grant, pepper, old[-1].expires)
            self._trace(db, "rotated", name, f"{made[0].prefix}…; the old text until {grace_s:.0f} s later")
        return made

    def revoke(self, name: str) -> bool:
        """End the key, every text of it; say whether any was still taken."""
        with changing(self._path) as db:
            now = self._clock()
            live = any(key.until is None or key.until > now for key in self._known(db, name))
            if live:
                sql = "UPDATE keys SET revoked = ?1 WHERE name = ?2 AND (revoked IS NULL OR revoked > ?1)"
                db.execute(sql, (now, name))
                self._trace(db, "revoked", name, "")
        return live

    def _known(self, db: sqlite3.Connection, name: str) -> list[StoredKey]:
        found = select(db, name)
        if not found:
            raise ConfigError(f"no key named {name!r} was made here; `tierwise keys list` lists them")
        return found

    def _insert(
        self, db: sqlite3.Connection, grant: Grant, pepper: bytes, expires: float | None
    ) -> tuple[StoredKey, Secret]:
        text = BRAND + "".join(secrets.choice(_ALPHABET) for _ in range(SHOWN_CHARS + HIDDEN_CHARS))
        key = StoredKey(
            prefix=text[: len(BRAND) + SHOWN_CHARS],
            hash=hashed(pepper, text.encode()),
            created=self._clock(),
            expires=expires,
            grant=grant,
        )
        row = (grant.name, key.prefix, key.hash, key.created, expires, None, msgspec.json.encode(grant))
        db.execute(f"INSERT INTO keys ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608  # only columns
        return key, Secret(text)

    def _trace(self, db: sqlite3.Connection, what: str, name: str, detail: str) -> None:
        sql = "INSERT INTO key_changes (ts, who, what, name, detail) VALUES (?, ?, ?, ?, ?)"
        db.execute(sql, (self._clock(), self._who, what, name, detail))


def _key(row: tuple[str, str, bytes, float, float | None, float | None, bytes]) -> StoredKey:
    name, prefix, digest, created, expires, revoked, permissions = row
    try:
        grant = _permissions.decode(permissions)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise StoreError(f"the key {name!a} of the ledger cannot be read: {error}") from error
    return StoredKey(prefix=prefix, hash=digest, created=created, expires=expires, revoked=revoked, grant=grant)


def _told(grant: Grant, key: StoredKey) -> str:
    rows = msgspec.to_builtins(grant) | {"prefix": key.prefix, "expires": key.expires}
    return msgspec.json.encode(
        {name: value for name, value in rows.items() if value not in (None, [], (), {})}
    ).decode()
