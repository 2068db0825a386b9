"""What did somebody say of an answer, as PostgreSQL keeps it? What `remarks` is for a file. Times are the server's.

Invariant: rows are added one after the other, so that numbers rise in the order of commits.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tierwise.ledger.postgres_beside import changed
from tierwise.ledger.postgres_tables import text
from tierwise.ledger.remarks import COLUMNS, PAGE_ROWS, Remark, latest, remark_of, unsaid
from tierwise.postgres.connect import Place

# "Twlf": the advisory lock of whoever adds remarks.
_LOCK = 0x5477_6C66


async def select(db: Any, idents: Sequence[str]) -> list[Remark]:
    """Return what was said of the decisions with exactly these ids, oldest first."""
    sql = f"SELECT {COLUMNS} FROM remarks WHERE decision = ANY($1) ORDER BY seq"  # noqa: S608  # only columns
    return [remark_of(tuple(row)) for row in await db.fetch(sql, list(map(text, idents)))]


async def after(db: Any, seq: int, since_ts: float) -> list[Remark]:
    """Return the next remarks on any decision, oldest first; empty when there are no more."""
    sql = f"SELECT {COLUMNS} FROM remarks WHERE seq > $1 AND ts >= $2 ORDER BY seq LIMIT $3"  # noqa: S608
    return [remark_of(tuple(row)) for row in await db.fetch(sql, seq, since_ts, PAGE_ROWS)]


async def _add(db: Any, said: Remark, now: float) -> Remark:
    if (before := latest(await select(db, [said.decision]), said)) is not None:
        return before
    if await db.fetchval("SELECT 1 FROM records WHERE id = $1", said.decision) is None:
        found = await db.fetchval("SELECT 1 FROM intents WHERE id = $1", said.decision)
        raise unsaid(said.decision, pending=found is not None)
    sql = (
        "INSERT INTO remarks (decision, ts, what, who, score, seconds, note) VALUES ($1, $2, $3, $4, $5, $6, $7) "
        "RETURNING seq"
    )
    values = (said.decision, now, said.what, said.who, said.score, said.seconds, said.note)
    return msgspec.structs.replace(said, ts=now, seq=await db.fetchval(sql, *values))


class PostgresRemarkBook:
    """Adds remarks to this database. Blocks: from an event loop, use it in a thread."""

    def __init__(self, where: Place) -> None:
        self._where = where

    def add(self, said: Remark) -> Remark:
        """Add what was said, once; InvalidCall where its decision has no record."""
        clean = {name: text(getattr(said, name)) for name in ("decision", "who", "note")}
        said = msgspec.structs.replace(said, **clean)

        async def work(db: Any, now: float) -> Remark:
            return await _add(db, said, now)

        return changed(self._where, _LOCK, work)
