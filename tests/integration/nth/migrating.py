"""A program: open the ledger at PATH as the next start does; with `--old`, make one as the first version did.

It prints how many records there are.
"""

import asyncio
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from tests.unit.ledger.samples import a_decision, an_intent
from tierwise.core.errors import StoreError
from tierwise.ledger import tables
from tierwise.ledger.store import Ledger
from tierwise.sqlite.connect import connect_writer
from tierwise.sqlite.migrate import migrate

RECORDS = 50


def make_old(path: Path) -> None:
    """Make a ledger of version 1 with records and an intent that is open."""
    with closing(connect_writer(path)) as db:
        migrate(db, path, tables.MIGRATIONS[:1], application_id=tables.APPLICATION_ID)
        rows = [tables.record_row(a_decision(number)) for number in range(RECORDS)]
        tables.insert(db, [*rows, tables.intent_row(an_intent(RECORDS))], 0)


async def opened(path: Path) -> int:
    async with await Ledger.open(path) as ledger:
        return await ledger.count()


def version(path: Path) -> int:
    """Return which version the tables have."""
    with closing(sqlite3.connect(path)) as db:
        found: int = db.execute("PRAGMA user_version").fetchone()[0]
        return found


if __name__ == "__main__":
    try:
        print(asyncio.run(opened(Path(sys.argv[1]))))
    except StoreError as error:
        print(error)
