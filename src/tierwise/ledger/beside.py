"""How is a row of the ledger changed by a command, with or without a server beside it? One short transaction.

Invariant: all that is done inside is committed, or nothing; tables are brought up to date where nobody else writes.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tierwise.core.errors import StoreError
from tierwise.ledger import tables
from tierwise.ledger.lock import WriterLock
from tierwise.sqlite.connect import connect_writer, explained, transaction
from tierwise.sqlite.migrate import check, migrate

MIGRATION_WAIT_S = 5.0


@contextmanager
def changing(path: Path) -> Iterator[sqlite3.Connection]:
    """Open the file, bring its tables up to date, and commit all that is done inside, or nothing."""
    with explained(path):
        db = connect_writer(path)
        try:
            _up_to_date(db, path)
            with transaction(db):
                yield db
        finally:
            db.close()


def _up_to_date(db: sqlite3.Connection, path: Path) -> None:
    """Migrate where nobody else writes; a server that is starting does it itself."""
    deadline = time.monotonic() + MIGRATION_WAIT_S
    while True:
        try:
            return check(db, path, tables.MIGRATIONS, application_id=tables.APPLICATION_ID)
        except StoreError:
            try:
                lock = WriterLock(path)
            except StoreError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
                continue
        try:
            migrate(db, path, tables.MIGRATIONS, application_id=tables.APPLICATION_ID)
        finally:
            lock.release()
