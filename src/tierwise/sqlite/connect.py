"""How is an SQLite file opened, and what is to be done when that fails?

Knows nothing of tables. A writer is in WAL mode and durable as asked; a reader cannot write and waits for no writer.
Invariant: no `sqlite3.Error` or `OSError` leaves here; each becomes a `StoreError` that names the file and the mend,
`StoreBusy` where another program is at work.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from tierwise.core.errors import StoreBusy, StoreError

Durability = Literal["full", "normal"]

BUSY_TIMEOUT_S = 5.0
# The ledger's writer has a statement for each size of batch; preparing one anew costs about as much as running it.
CACHED_STATEMENTS = 256

_MEND = {
    sqlite3.SQLITE_FULL: "the disk is full: free some space",
    sqlite3.SQLITE_READONLY: "it is read-only: make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: check that the folder exists and is yours",
    sqlite3.SQLITE_PERM: "access is denied: make the file and its folder yours",
    sqlite3.SQLITE_NOTADB: "it is not an SQLite database: move it away or name another path",
    sqlite3.SQLITE_CORRUPT: "it is damaged: restore it from a backup, or move it away to start a new one",
    sqlite3.SQLITE_BUSY: "another program holds it: wait for it or stop it",
    sqlite3.SQLITE_LOCKED: "another program holds it: wait for it or stop it",
    sqlite3.SQLITE_IOERR: "the disk could not be read or written: check the disk, its quota and its free space",
}

_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def connect_writer(path: Path, durability: Durability = "full") -> sqlite3.Connection:
    """Open the file for reading and writing, creating it (for its owner only) and its folder where missing.

    `full` survives power loss (one fsync a commit); `normal` survives a crash of the program, but a power loss may
    take the last commits. Transactions are the caller's own; checkpoints too (`wal_autocheckpoint` is off).
    """
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path)
        db = _connect(path, "rw")
        with _closed_on_error(db):
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise StoreError(f"{path}: its file system does not allow WAL mode: use a folder on a local disk")
            db.execute(f"PRAGMA synchronous = {durability}")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("PRAGMA wal_autocheckpoint = 0")
        return db


def _create(path: Path) -> None:
    """Make the file where it is missing, for its owner only; one that is there is not even opened.

    Closing a file takes away every lock that this process has on it (POSIX): another process would then fold the log
    into the file and delete it, as if no connection of ours were there.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open an existing file for reading only, beside a writer or without one, in a read-only folder too."""
    with explained(path):
        if not path.exists():
            raise StoreError(f"{path}: there is no such file")
        try:
            db = _connect(path, "ro")
            with _closed_on_error(db):
                db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        except sqlite3.OperationalError as error:
            # A file in WAL mode needs its -shm file, which nobody can make in a read-only folder. Without a -wal file
            # there is nothing but the file itself to read, and nobody who writes.
            if _primary(error) not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY) or _wal(path).exists():
                raise
            db = _connect(path, "ro&immutable=1")
        return db


def inode(path: Path) -> int:
    """Return which file stands at the path now, 0 for none; a connection stays with its file when that is moved."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return 0


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite or the file system raises inside into a `StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = _primary(error)
        mend, kind = _MEND.get(code), StoreBusy if code in _BUSY else StoreError
        raise kind(f"{path}: {mend} ({error})" if mend else f"{path}: {error}") from error
    except OSError as error:
        mend = "name a folder that can be written, for example with TIERWISE_HOME"
        raise StoreError(f"{path}: {error.strerror or error}: {mend}") from error


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=CACHED_STATEMENTS,
    )


@contextmanager
def _closed_on_error(db: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        db.close()
        raise


def _primary(error: sqlite3.Error) -> int:
    """Return the error's primary result code; -1 for errors of the Python module itself, which have none."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return -1 if code is None else code & 0xFF


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


class transaction:  # noqa: N801  # reads as a statement
    """`BEGIN` … `COMMIT`, rolled back on any exception. `DEFERRED` is for reading only."""

    def __init__(self, db: sqlite3.Connection, kind: Literal["IMMEDIATE", "DEFERRED"] = "IMMEDIATE") -> None:
        self._db, self._kind = db, kind

    def __enter__(self) -> None:
        self._db.execute(f"BEGIN {self._kind}")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._db.execute("COMMIT")
        elif self._db.in_transaction:
            self._db.execute("ROLLBACK")
