"""What is kept of calls beside their records, and who destroyed some of it? The tables of content, and their only SQL.

A row holds the salt that a record's commitments are made with; once it is gone the record says as much as before, and
nobody can guess what it was about. A row goes with its record, by a trigger, whoever deletes that.
Invariant: content is written with its record or not at all; what was erased leaves a trace that is never changed.
"""

import hashlib
import hmac
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec

from tierwise.core.decision import Committed, ContentLevel
from tierwise.core.errors import StoreError

SALT_BYTES = 32
COLUMNS = "id, ts, salt, level, request, answer"
TRACE = "seq, ts, who, why, what, calls"
_FORGET_ROWS = 500


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one call. `request` and `answer` are JSON, None where that side is not kept."""

    id: str
    ts: float
    salt: bytes
    level: ContentLevel
    request: bytes | None = None
    answer: bytes | None = None

    @property
    def row(self) -> tuple[object, ...]:
        """The values of `COLUMNS`."""
        return (self.id, self.ts, self.salt, self.level, self.request, self.answer)

    @property
    def size_bytes(self) -> int:
        """What it weighs."""
        return len(self.salt) + len(self.request or b"") + len(self.answer or b"")

    def told(self) -> dict[str, str | None]:
        """Return it as JSON can hold it; bytes that are no text, at a cut, are replaced."""
        return {
            "level": self.level,
            "salt": self.salt.hex(),
            "request": None if self.request is None else self.request.decode("utf-8", "replace"),
            "answer": None if self.answer is None else self.answer.decode("utf-8", "replace"),
        }


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Whose content? All that are set must fit; nothing set fits nothing."""

    id: str | None = None
    session: str | None = None
    key_id: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """What has to be what, by the column of the record."""
        named = (("id", self.id), ("session", self.session), ("key_id", self.key_id))
        return {column: value for column, value in named if value is not None}

    def __str__(self) -> str:
        """Name it in words."""
        words = {"id": "decision", "session": "session", "key_id": "key"}
        return ", ".join(f"{words[column]} {value}" for column, value in self.columns.items())


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """Who had the content of so many calls destroyed, and why."""

    seq: int
    ts: float
    who: str
    why: str
    what: str
    calls: int


def commitment(salt: bytes, data: bytes) -> str:
    """Return what binds a record to these bytes without telling them."""
    return hashlib.sha256(salt + data).hexdigest()


def agrees(committed: Committed, salt: bytes, data: bytes) -> bool:
    """Say whether these are the bytes that the record was made over."""
    return committed.sha256 is not None and hmac.compare_digest(committed.sha256, commitment(salt, data))


def contents_of(row: Sequence[Any]) -> Contents:
    """Return what a row of `COLUMNS` holds; StoreError where it is no such row."""
    try:
        return msgspec.convert(dict(zip(COLUMNS.split(", "), row, strict=True)), Contents)
    except msgspec.ValidationError as error:
        raise StoreError(f"content in the ledger cannot be read: {error}") from error


def erasure_of(row: Sequence[Any]) -> Erasure:
    """Return what a row of `TRACE` says."""
    seq, ts, who, why, what, calls = row
    return Erasure(seq=seq, ts=ts, who=who, why=why, what=what, calls=calls)


# in SQLite


def insert(db: sqlite3.Connection, rows: Sequence[Contents]) -> None:
    """Add rows, in the transaction of their records."""
    db.executemany(f"INSERT INTO contents ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", [one.row for one in rows])  # noqa: S608


def find(db: sqlite3.Connection, ident: str) -> Contents | None:
    """Return what is kept of this call, None for nothing (any more)."""
    row = db.execute(f"SELECT {COLUMNS} FROM contents WHERE id = ?", (ident,)).fetchone()  # noqa: S608
    return None if row is None else contents_of(row)


def count(db: sqlite3.Connection, which: Which) -> int:
    """Return of how many such calls content is kept."""
    where, values = _where(which)
    found: int = db.execute(f"SELECT count(*) FROM contents WHERE {where}", values).fetchone()[0]  # noqa: S608
    return found


def erasures(db: sqlite3.Connection) -> list[Erasure]:
    """Return who erased what, newest first."""
    return [erasure_of(row) for row in db.execute(f"SELECT {TRACE} FROM erasures ORDER BY seq DESC")]  # noqa: S608


def forget(db: sqlite3.Connection, before_ts: float) -> int:
    """Delete some of the content from before this Unix time and return of how many calls; 0 when none is left."""
    with overwriting(db):
        sql = "DELETE FROM contents WHERE id IN (SELECT id FROM contents WHERE ts < ? LIMIT ?)"
        db.execute("UPDATE remarks SET note = '' WHERE note <> '' AND ts < ?", (before_ts,))
        return db.execute(sql, (before_ts, _FORGET_ROWS)).rowcount


def erase(db: sqlite3.Connection, which: Which, who: str, why: str, now: float) -> int:
    """Destroy the content of these calls, and leave a trace; return of how many there was any."""
    where, values = _where(which)
    with overwriting(db):
        gone = db.execute(f"DELETE FROM contents WHERE {where}", values).rowcount  # noqa: S608
        notes = where.replace("id IN", "decision IN", 1)
        db.execute(f"UPDATE remarks SET note = '' WHERE note <> '' AND {notes}", values)  # noqa: S608
    sql = "INSERT INTO erasures (ts, who, why, what, calls) VALUES (?, ?, ?, ?, ?)"
    db.execute(sql, (now, who, why, str(which), gone))
    return gone


@contextmanager
def overwriting(db: sqlite3.Connection) -> Iterator[None]:
    """Have what is deleted inside overwritten with zeros in the file, not just let go."""
    before = db.execute("PRAGMA secure_delete").fetchone()[0]
    db.execute("PRAGMA secure_delete = ON").fetchone()
    try:
        yield
    finally:
        db.execute(f"PRAGMA secure_delete = {int(before)}").fetchone()


def _where(which: Which) -> tuple[str, list[str]]:
    columns = which.columns
    fits = " AND ".join(f"{column} = ?" for column in columns) or "0"
    return f"id IN (SELECT id FROM records WHERE {fits})", list(columns.values())  # noqa: S608  # only our own words
