"""How are very many records of PostgreSQL read at once? What `scan` is for a file, on a connection of its own a range.

Blocks: it brings the event loop that the driver needs. Invariant: memory holds one page.
"""

import asyncio
from collections.abc import Iterator
from typing import Any

from tierwise.ledger.postgres_migrations import MIGRATIONS
from tierwise.ledger.scan import PAGE_ROWS, Range
from tierwise.postgres.connect import Place, connect, disconnect, explained
from tierwise.postgres.migrate import check


class PostgresScan:
    """The records in this database from a Unix time on. Raises StoreError where they cannot be read."""

    def __init__(self, where: Place, since_ts: float = 0.0) -> None:
        self._where, self._since_ts = where, since_ts

    def range(self) -> Range:
        """Return where the records are that are wanted."""
        with asyncio.Runner() as runner:
            db = runner.run(self._connected())
            try:
                with explained(self._where):
                    low = runner.run(_value(db, "SELECT min(seq) FROM records WHERE ts >= $1", self._since_ts))
                    high = runner.run(_value(db, "SELECT max(seq) FROM records"))
            finally:
                runner.run(disconnect(db))
        return Range(0, 0) if low is None else Range(low - 1, high)

    def records(self, part: Range) -> Iterator[bytes]:
        """Give the records of a range, in the order in which they were recorded."""
        sql = "SELECT seq, ts, record FROM records WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3"
        with asyncio.Runner() as runner:
            db, after = runner.run(self._connected()), part.after
            try:
                while True:
                    with explained(self._where):
                        rows = runner.run(_rows(db, sql, after, part.last, PAGE_ROWS))
                    if not rows:
                        break
                    yield from (record for _, ts, record in rows if ts >= self._since_ts)
                    after = rows[-1][0]
            finally:
                runner.run(disconnect(db))

    async def _connected(self) -> Any:
        db = await connect(self._where, read_only=True)
        await check(db, self._where, MIGRATIONS)
        return db


async def _value(db: Any, sql: str, *values: object) -> Any:
    return await db.fetchval(sql, *values)


async def _rows(db: Any, sql: str, *values: object) -> Any:
    return await db.fetch(sql, *values)
