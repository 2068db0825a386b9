"""Who changes the keys of a ledger in a file? The tables of keys, and the only SQL that writes them there.

Works beside a running server: each change is one short transaction on a connection of its own, and its trace in
`key_changes` is part of it. What a change does is decided by `keys`.
Invariant: a change is made whole, with its trace, or not at all.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from tierwise.core.grant import Grant
from tierwise.core.secret import Secret
from tierwise.ledger import keys
from tierwise.ledger.beside import changing
from tierwise.ledger.keys import CHANGE_COLUMNS, COLUMNS, Change, KeyChange, StoredKey


def version(db: sqlite3.Connection) -> int:
    """Return the number of the last change; it rises with each."""
    found: int = db.execute("SELECT coalesce(max(seq), 0) FROM key_changes").fetchone()[0]
    return found


def select(db: sqlite3.Connection, name: str | None = None) -> list[StoredKey]:
    """Return the keys of this name, or all of them, in the order in which they were made."""
    sql = f"SELECT {COLUMNS} FROM keys WHERE ?1 IS NULL OR name = ?1 ORDER BY id"  # noqa: S608  # only columns
    return [keys.key_of(row) for row in db.execute(sql, (name,))]


def changes(db: sqlite3.Connection, name: str | None = None) -> list[KeyChange]:
    """Return what was done to the key of this name, or to all, oldest first."""
    sql = f"SELECT {CHANGE_COLUMNS} FROM key_changes WHERE ?1 IS NULL OR name = ?1 ORDER BY seq"  # noqa: S608
    return [keys.change_of(row) for row in db.execute(sql, (name,))]


class KeyBook:
    """Makes, replaces and revokes keys in the ledger at `path`. `who` stands in the trace of each change."""

    def __init__(self, path: Path, who: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._who, self._clock = path, who, clock

    def create(self, grant: Grant, pepper: bytes, expires: float | None = None) -> tuple[StoredKey, Secret]:
        """Make a key; its text is returned here and never again. ConfigError for a name that was ever given."""
        name = keys.checked_name(grant.name)
        with changing(self._path) as db:
            made = keys.created(select(db, name), grant, pepper, expires, self._clock())
            self._apply(db, made.change)
        return made.key, made.text

    def rotate(self, name: str, pepper: bytes, grace_s: float = 0.0) -> tuple[StoredKey, Secret]:
        """Give the key a new text; the old one is taken for `grace_s` more seconds."""
        with changing(self._path) as db:
            made = keys.rotated(select(db, name), name, pepper, grace_s, self._clock())
            self._apply(db, made.change)
        return made.key, made.text

    def revoke(self, name: str) -> bool:
        """End the key, every text of it; say whether any was still taken."""
        with changing(self._path) as db:
            known, now = select(db, name), self._clock()
            change = keys.revoked(known, name, now)
            if change is not None:
                self._apply(db, change)
        return any(key.taken_at(now) for key in known)

    def _apply(self, db: sqlite3.Connection, change: Change) -> None:
        if change.revoked is not None:
            sql = "UPDATE keys SET revoked = min(coalesce(revoked, ?1), ?1), ended = ?2 WHERE name = ?3 AND NOT ended"
            db.execute(sql, (change.revoked, change.ended, change.name))
        if change.new is not None:
            db.execute(f"INSERT INTO keys ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", keys.key_row(change.new))  # noqa: S608
        sql = "INSERT INTO key_changes (ts, who, what, name, detail) VALUES (?, ?, ?, ?, ?)"
        db.execute(sql, (self._clock(), self._who, change.what, change.name, change.detail))
