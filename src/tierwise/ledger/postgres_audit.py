"""How does the audited log lie in PostgreSQL? As in SQLite (`audit_tables`); several gateways take turns to sign it.

All of them need the same key: a log has one name and one signer.
Invariant: a step is committed whole; checkpoints cover leaves from number 1 on, without gaps.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from tierwise.audit.log import continued, extended, missing, signed
from tierwise.audit.notes import Signer
from tierwise.audit.removed import added, stated, statement
from tierwise.audit.tree import leaf_hash
from tierwise.ledger.audit_tables import (
    BEFORE_ALL,
    MOST_RECORDS,
    PAGE_ROWS,
    STEP_LEAVES,
    THIN_S,
    LogReading,
    LogRow,
    merged,
)

# "Twla". Whoever also takes the lock of the records takes that one first.
_LOCK = 0x5477_6C61
_NOW = "extract(epoch FROM clock_timestamp())::float8"


async def notarised(db: Any, signer: Signer) -> int:
    """Take some of what was recorded into the log and sign it; return how much, 0 when nothing is left.

    Inside a transaction. StoreError where the log is not the one that was signed last.
    """
    await _lock(db)
    kept = await db.fetchrow("SELECT note, frontier FROM checkpoints ORDER BY size DESC LIMIT 1")
    frontier = continued(kept and (kept["note"], kept["frontier"]), signer)
    if kept is None:
        await _begin(db, signer)
    await _hash(db, STEP_LEAVES)
    sql = "SELECT seq, hash FROM leaves WHERE seq > $1 ORDER BY seq LIMIT $2"
    leaves = [(seq, leaf) for seq, leaf in await db.fetch(sql, frontier.size, STEP_LEAVES)]
    if not leaves:
        return 0
    grown = extended(frontier, leaves)
    note, blob = signed(signer, grown)
    now = await db.fetchval(f"SELECT {_NOW}")
    await db.execute("DELETE FROM checkpoints WHERE ts >= $1", now - now % THIN_S)
    await db.execute("INSERT INTO checkpoints VALUES ($1, $2, $3, $4)", grown.size, now, note, blob)
    return len(leaves)


async def remove(db: Any, signer: Signer, seqs: Sequence[int]) -> None:
    """Say that the records of these numbers go on purpose; call it before they do, in the same transaction."""
    await _lock(db)
    while await _hash(db, STEP_LEAVES):
        pass
    await _state(db, signer, seqs)


async def checkpoints(db: Any) -> list[str]:
    """Return the notes of all checkpoints that are kept, oldest first."""
    return [note for (note,) in await db.fetch("SELECT note FROM checkpoints ORDER BY size")]


async def removal(db: Any) -> str | None:
    """Return the note of what was removed on purpose, None if nothing was."""
    note: str | None = await db.fetchval("SELECT note FROM removals")
    return note


async def read(db: Any, reading: LogReading) -> None:
    """Have the whole log read as it is at one moment."""
    async with db.transaction(isolation="repeatable_read", readonly=True):
        reading.begin(await checkpoints(db), await removal(db))
        after = BEFORE_ALL
        while rows := await page(db, after):
            await asyncio.to_thread(reading.take, rows)
            after = rows[-1][0]


async def page(db: Any, after_seq: int) -> list[LogRow]:
    """Return the rows of the next numbers, in their order."""
    sql = "SELECT seq, record, hash FROM records LEFT JOIN leaves USING (seq) WHERE seq > $1 ORDER BY seq LIMIT $2"
    there = [(seq, record, leaf) for seq, record, leaf in await db.fetch(sql, after_seq, PAGE_ROWS)]
    sql = (
        "SELECT seq, hash FROM leaves WHERE seq > $1 AND seq <= $2 AND NOT EXISTS "
        "(SELECT 1 FROM records WHERE records.seq = leaves.seq) ORDER BY seq LIMIT $3"
    )
    last = there[-1][0] if len(there) == PAGE_ROWS else MOST_RECORDS
    gone: list[LogRow] = [(seq, None, leaf) for seq, leaf in await db.fetch(sql, after_seq, last, PAGE_ROWS)]
    return merged(there, gone)


async def _lock(db: Any) -> None:
    await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)


async def _hash(db: Any, limit: int) -> int:
    """Keep the leaves of the next records; return of how many."""
    sql = "SELECT seq, record FROM records WHERE seq > (SELECT coalesce(max(seq), 0) FROM leaves) ORDER BY seq LIMIT $1"
    rows = [(seq, leaf_hash(seq, record)) for seq, record in await db.fetch(sql, limit)]
    await _insert(db, rows)
    return len(rows)


async def _begin(db: Any, signer: Signer) -> None:
    """Begin the log of a ledger older than it: numbers whose records are gone already get a leaf of their own."""
    if not await db.fetchval("SELECT NOT EXISTS (SELECT 1 FROM leaves) AND EXISTS (SELECT 1 FROM pruned)"):
        return
    numbers = [seq for (seq,) in await db.fetch("SELECT seq FROM records ORDER BY seq")]
    gone = missing(numbers, numbers[-1] if numbers else 0)
    await _insert(db, [(seq, leaf_hash(seq, b"")) for seq in gone])
    for at in range(0, len(numbers), STEP_LEAVES):
        some = numbers[at : at + STEP_LEAVES]
        found = await db.fetch("SELECT seq, record FROM records WHERE seq = ANY($1)", some)
        await _insert(db, [(seq, leaf_hash(seq, record)) for seq, record in found])
    await _state(db, signer, gone)


async def _insert(db: Any, rows: Sequence[tuple[int, bytes]]) -> None:
    sql = "INSERT INTO leaves SELECT * FROM unnest($1::bigint[], $2::bytea[])"
    await db.execute(sql, [seq for seq, _ in rows], [leaf for _, leaf in rows])


async def _state(db: Any, signer: Signer, seqs: Sequence[int]) -> None:
    if seqs:
        note = statement(signer, added(stated(await removal(db), signer.keys), seqs))
        sql = "INSERT INTO removals (note) VALUES ($1) ON CONFLICT (one) DO UPDATE SET note = excluded.note"
        await db.execute(sql, note)
