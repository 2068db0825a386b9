"""How are very many records read at once? As bytes, a page at a time, in ranges of numbers that can be shared out.

A scan is a value: each of several processes opens the file for itself, read-only, beside a running writer.
Invariant: memory holds one page; no read lasts longer than one, so a checkpoint is never held back.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tierwise.ledger import tables
from tierwise.sqlite.connect import connect_reader, explained
from tierwise.sqlite.migrate import check

PAGE_ROWS = 500


class Range(msgspec.Struct, frozen=True):
    """The records after one number, up to and with another."""

    after: int
    last: int

    def split(self, parts: int) -> list["Range"]:
        """Return the same as at most so many ranges of about one size, in order."""
        count = self.last - self.after
        cuts = [self.after + count * place // parts for place in range(parts + 1)]
        return [Range(low, high) for low, high in itertools.pairwise(cuts) if high > low]


class Scan(msgspec.Struct, frozen=True):
    """The records of the ledger at `path` from a Unix time on. Raises StoreError where the file cannot be read."""

    path: Path
    since_ts: float = 0.0

    def range(self) -> Range:
        """Return where the records are that are wanted."""
        with explained(self.path):
            db = connect_reader(self.path)
            try:
                check(db, self.path, tables.MIGRATIONS, application_id=tables.APPLICATION_ID)
                first = "SELECT min(seq) FROM records INDEXED BY records_ts WHERE ts >= ?"
                low = db.execute(first, (self.since_ts,)).fetchone()[0]
                high = db.execute("SELECT max(seq) FROM records").fetchone()[0]
            finally:
                db.close()
        return Range(0, 0) if low is None else Range(low - 1, high)

    def records(self, part: Range) -> Iterator[bytes]:
        """Give the records of a range, in the order in which they were recorded."""
        sql = "SELECT seq, ts, record FROM records NOT INDEXED WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
        with explained(self.path):
            db = connect_reader(self.path)
            try:
                after = part.after
                while rows := db.execute(sql, (after, part.last, PAGE_ROWS)).fetchall():
                    yield from (record for _, ts, record in rows if ts >= self.since_ts)
                    after = rows[-1][0]
            finally:
                db.close()
