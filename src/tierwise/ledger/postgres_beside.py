"""How is a row of the ledger changed by a command, where it is in PostgreSQL? What `beside` is for a file.

Times are the server's, so that every machine's changes stand in one order.
Invariant: all that is done is committed, or nothing; under one lock changes are made one after the other.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tierwise.ledger.postgres_migrations import MIGRATIONS
from tierwise.ledger.postgres_tables import CLOCK
from tierwise.postgres.connect import Place, connect, disconnect, explained
from tierwise.postgres.migrate import migrate

T = TypeVar("T")
Work = Callable[[Any, float], Awaitable[T]]
"""What is done on a connection, at the server's time."""


def changed(where: Place, lock: int, work: Work[T]) -> T:
    """Bring the tables up to date, wait for the advisory lock, do the work. Blocks: from an event loop, in a thread."""
    return asyncio.run(_changed(where, lock, work))


async def _changed(where: Place, lock: int, work: Work[T]) -> T:
    db = await connect(where)
    try:
        await migrate(db, where, MIGRATIONS)
        with explained(where):
            async with db.transaction():
                await db.execute("SELECT pg_advisory_xact_lock($1)", lock)
                return await work(db, await db.fetchval(f"SELECT {CLOCK}"))
    finally:
        await disconnect(db)
