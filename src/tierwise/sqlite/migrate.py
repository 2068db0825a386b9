"""Which version are the tables, and how do they get to ours?

Migration n (counted from 1) is SQL that leads from version n-1 to n; the file keeps its number in `user_version`.
Invariant: a migration is applied whole or not at all, and a file of a newer or another program is never touched.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from tierwise.core.errors import StoreError
from tierwise.sqlite.connect import explained


def migrate(db: sqlite3.Connection, path: Path, migrations: Sequence[str], *, application_id: int) -> None:
    """Bring the tables to the version that the migrations lead to; raise `StoreError` where that is impossible."""
    with explained(path):
        have = _version(db, path, application_id, len(migrations))
        for version, script in enumerate(migrations[have:], start=have + 1):
            marks = f"PRAGMA application_id = {application_id}; PRAGMA user_version = {version};"
            try:
                db.executescript(f"BEGIN IMMEDIATE;\n{script}\n;{marks} COMMIT;")
            except sqlite3.Error:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise


def check(db: sqlite3.Connection, path: Path, migrations: Sequence[str], *, application_id: int) -> None:
    """Raise `StoreError` unless the tables have exactly the version that the migrations lead to."""
    with explained(path):
        have = _version(db, path, application_id, len(migrations))
    if have < len(migrations):
        raise StoreError(
            f"{path}: version {have} of its tables is older than this program's {len(migrations)}: "
            "start `tierwise serve` once to bring it up to date"
        )


def _version(db: sqlite3.Connection, path: Path, application_id: int, known: int) -> int:
    owner = db.execute("PRAGMA application_id").fetchone()[0]
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    empty = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
    if owner != application_id and not (empty and version == 0):
        raise StoreError(f"{path}: it is another program's database: name another path")
    if version > known:
        raise StoreError(
            f"{path}: version {version} of its tables was written by a newer Tierwise, this one knows up to {known}: "
            "upgrade Tierwise or name another path"
        )
    return version
