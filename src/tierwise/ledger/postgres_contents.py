"""What is kept of calls beside their records, as PostgreSQL keeps it? What `contents` is for a file.

A row refers to its record and goes with it. Times of the trace are the server's.
Invariant: content is written with its record or not at all; what was erased leaves a trace that is never changed.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from tierwise.ledger.contents import COLUMNS, TRACE, Contents, Erasure, Which, contents_of, erasure_of
from tierwise.ledger.postgres_migrations import MIGRATIONS
from tierwise.ledger.postgres_tables import CLOCK, text
from tierwise.postgres.connect import Place, connect, disconnect, explained
from tierwise.postgres.migrate import migrate

_FORGET_ROWS = 500


async def find(db: Any, ident: str) -> Contents | None:
    """Return what is kept of this call, None for nothing (any more)."""
    row = await db.fetchrow(f"SELECT {COLUMNS} FROM contents WHERE id = $1", ident)  # noqa: S608
    return None if row is None else contents_of(tuple(row))


async def count(db: Any, which: Which) -> int:
    """Return of how many such calls content is kept."""
    where, values = _where(which)
    found: int = await db.fetchval(f"SELECT count(*) FROM contents WHERE {where}", *values)  # noqa: S608
    return found


async def erasures(db: Any) -> list[Erasure]:
    """Return who erased what, newest first."""
    return [erasure_of(row) for row in await db.fetch(f"SELECT {TRACE} FROM erasures ORDER BY seq DESC")]  # noqa: S608


async def forget(db: Any, before_ts: float) -> int:
    """Delete some of the content from before this Unix time and return of how many calls; 0 when none is left."""
    sql = "DELETE FROM contents WHERE id IN (SELECT id FROM contents WHERE ts < $1 LIMIT $2)"
    await db.execute("UPDATE remarks SET note = '' WHERE note <> '' AND ts < $1", before_ts)
    return _affected(await db.execute(sql, before_ts, _FORGET_ROWS))


def _where(which: Which) -> tuple[str, Sequence[str]]:
    columns = which.columns
    fits = " AND ".join(f"{column} = ${at}" for at, column in enumerate(columns, 1)) or "FALSE"
    return f"id IN (SELECT id FROM records WHERE {fits})", [text(value) for value in columns.values()]  # noqa: S608


def _affected(done: str) -> int:
    return int(done.rpartition(" ")[2])


class PostgresEraser:
    """Destroys content and salts in this database. `who` stands in the trace. Blocks: use it in a thread."""

    def __init__(self, where: Place, who: str) -> None:
        self._where, self._who = where, text(who)

    def erase(self, which: Which, why: str) -> int:
        """Destroy the content of these calls, and leave a trace; return of how many there was any."""
        return asyncio.run(self._erased(which, why))

    async def _erased(self, which: Which, why: str) -> int:
        where, values = _where(which)
        db = await connect(self._where)
        try:
            await migrate(db, self._where, MIGRATIONS)
            with explained(self._where):
                async with db.transaction():
                    gone = _affected(await db.execute(f"DELETE FROM contents WHERE {where}", *values))  # noqa: S608
                    notes = where.replace("id IN", "decision IN", 1)
                    await db.execute(f"UPDATE remarks SET note = '' WHERE note <> '' AND {notes}", *values)  # noqa: S608
                    sql = f"INSERT INTO erasures (ts, who, why, what, calls) VALUES ({CLOCK}, $1, $2, $3, $4)"  # noqa: S608
                    await db.execute(sql, self._who, text(why), text(str(which)), gone)
                await db.execute("VACUUM contents, remarks")  # deleted rows stand in the table until then
            return gone
        finally:
            await disconnect(db)
