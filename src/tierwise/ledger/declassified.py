"""What has been declassified? A file of its own beside the ledger, so that a command can add to it beside a server.

Nothing in it is ever changed or deleted, by triggers too: an end is one more row.
Invariant: what cannot be read forgives nothing.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from tierwise.core.declassified import Declassified
from tierwise.core.errors import InvalidCall, StoreError
from tierwise.sqlite.connect import connect_reader, connect_writer, explained
from tierwise.sqlite.migrate import check, migrate

APPLICATION_ID = 0x5477_6463  # "Twdc"
MIGRATIONS = (
    """
    CREATE TABLE declassified (id TEXT PRIMARY KEY, until REAL NOT NULL, record BLOB NOT NULL);
    CREATE TABLE ended (id TEXT PRIMARY KEY REFERENCES declassified, ts REAL NOT NULL, who TEXT NOT NULL);
    CREATE TRIGGER kept_rows BEFORE DELETE ON declassified BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    CREATE TRIGGER kept_text BEFORE UPDATE ON declassified BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    CREATE TRIGGER kept_ends BEFORE DELETE ON ended BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    CREATE TRIGGER kept_whos BEFORE UPDATE ON ended BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    """,
)
Signature = tuple[tuple[int, int, int], ...]


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A declassification as the audit lists it; `ended` is when and by whom it was ended before its time."""

    declassified: Declassified
    ended: float | None = None
    ended_by: str | None = None


class Declassifications:
    """The declassifications in the file at `path`, which need not exist."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: Signature = ()
        self._open: tuple[Declassified, ...] = ()

    def active(self, now: float) -> tuple[Declassified, ...]:
        """Return those in force, none where the file is unreadable; it is read again when it has changed."""
        seen = self._signature()
        if seen != self._seen:
            try:
                self._open = tuple(row.declassified for row in self.all() if row.ended is None)
            except StoreError:
                self._open = ()
            self._seen = seen
        return tuple(one for one in self._open if one.made <= now < one.until)

    def all(self) -> list[Ended]:
        """Return every one there ever was, oldest first."""
        if not self._path.exists():
            return []
        sql = "SELECT d.record, e.ts, e.who FROM declassified d LEFT JOIN ended e USING (id) ORDER BY d.rowid"
        with explained(self._path), closing(connect_reader(self._path)) as db:
            check(db, self._path, MIGRATIONS, application_id=APPLICATION_ID)
            try:
                return [
                    Ended(declassified=msgspec.json.decode(record, type=Declassified), ended=ts, ended_by=who)
                    for record, ts, who in db.execute(sql)
                ]
            except msgspec.MsgspecError as error:
                raise StoreError(f"{self._path}: it holds what this program cannot read: {error}") from error

    def add(self, one: Declassified) -> None:
        """Write one; durable when this returns."""
        with explained(self._path), closing(self._writing()) as db:
            db.execute("INSERT INTO declassified VALUES (?, ?, ?)", (one.id, one.until, msgspec.json.encode(one)))

    def end(self, ident: str, ts: float, who: str) -> None:
        """End one before its time. Raises InvalidCall for one that does not exist or has ended."""
        with explained(self._path), closing(self._writing()) as db:
            try:
                db.execute("INSERT INTO ended VALUES (?, ?, ?)", (ident, ts, who))
            except sqlite3.IntegrityError as error:
                raise InvalidCall(f"there is no open declassification {ident!r}", param="--end") from error

    def _writing(self) -> sqlite3.Connection:
        db = connect_writer(self._path)
        try:
            migrate(db, self._path, MIGRATIONS, application_id=APPLICATION_ID)
        except BaseException:
            db.close()
            raise
        return db

    def _signature(self) -> Signature:
        found = []
        for path in (self._path, self._path.with_name(self._path.name + "-wal")):
            try:
                stat = path.stat()
            except OSError:
                continue
            found.append((stat.st_ino, stat.st_mtime_ns, stat.st_size))
        return tuple(found)
