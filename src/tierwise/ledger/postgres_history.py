"""What happened before, as PostgreSQL tells it? The questions of `history` and `queries`, answered the same way.

SQL is put together from this module's own words only; values are always bound.
Invariant: the connection cannot write.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from operator import methodcaller
from typing import Any, TypeVar

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.core.label import Label, highest
from tierwise.ledger import postgres_audit
from tierwise.ledger import postgres_contents as contents
from tierwise.ledger import postgres_incidents as incident_book
from tierwise.ledger import postgres_keys as key_book
from tierwise.ledger import postgres_releases as releases
from tierwise.ledger import postgres_remarks as remarks
from tierwise.ledger import postgres_tables as tables
from tierwise.ledger.audit_tables import LogReading
from tierwise.ledger.contents import Contents, Erasure, Which
from tierwise.ledger.encode import decode_intent
from tierwise.ledger.history import EVERYTHING
from tierwise.ledger.incidents import Event, Incident
from tierwise.ledger.incidents import Which as Incidents
from tierwise.ledger.intent import Intent
from tierwise.ledger.keys import KeyChange, StoredKey
from tierwise.ledger.postgres_migrations import MIGRATIONS
from tierwise.ledger.postgres_tables import text
from tierwise.ledger.queries import BEHIND, HOLDS, OPEN, PAGE_ROWS, Filter, alone, held, numbered, prefix_of
from tierwise.ledger.releases import POLICY, Release
from tierwise.ledger.remarks import Remark
from tierwise.postgres.connect import Place, Unsure, connect, disconnect, explained
from tierwise.postgres.migrate import check

T = TypeVar("T")


class PostgresHistory:
    """The records of the ledger in this database. Every method raises `StoreError` where it cannot be read."""

    def __init__(self, where: Place) -> None:
        self._where = where
        self._ended = False
        self._reading: Any = None
        self._turn = asyncio.Lock()

    async def get(self, id_or_prefix: str) -> Decision | None:
        """Return the decision whose id begins like this, None if there is none; an open one is `pending`.

        `InvalidCall` for fewer than 6 characters, or if several ids begin like this.
        """
        prefix = prefix_of(id_or_prefix)
        if not (prefix.isascii() and prefix.isalnum()):
            return None
        sql = (
            "SELECT seq, id, record FROM records WHERE id >= $1 AND id < $2 "
            "UNION ALL SELECT NULL, id, record FROM intents WHERE id >= $1 AND id < $2 LIMIT 2"
        )
        found = alone(id_or_prefix, await self._read(lambda db: db.fetch(sql, prefix, prefix + BEHIND)))
        if found is None:
            return None
        seq, _, record = found
        if seq is None:
            return decode_intent(record).decision("pending", "the outcome is still open")
        return numbered(seq, record)

    async def latest(self, limit: int, which: Filter = EVERYTHING) -> list[Decision]:
        """Return the newest decisions that fit, newest first; open ones are not among them."""
        where, values = _where(which)
        sql = f"SELECT seq, record FROM records WHERE {where} ORDER BY ts DESC, seq DESC LIMIT {int(limit)}"  # noqa: S608
        return [numbered(*row) for row in await self._read(lambda db: db.fetch(sql, *values))]

    async def iterate(self, which: Filter = EVERYTHING) -> AsyncIterator[Decision]:
        """Give all decisions that fit, in the order in which they were recorded; holds one page in memory."""
        where, values = _where(which)
        place = f"${len(values) + 1}"
        sql = f"SELECT seq, record FROM records WHERE {where} AND seq > {place} ORDER BY seq LIMIT {PAGE_ROWS}"  # noqa: S608
        after = which.after_seq
        while rows := await self._read(methodcaller("fetch", sql, *values, after)):
            for seq, record in rows:
                yield numbered(seq, record)
            after = rows[-1][0]

    async def spent_usd(self, since_ts: float, scope: str = "all") -> Decimal:
        """Add up what calls from this Unix time on cost; `scope` is that of a budget. Exact to a picodollar."""
        return await self._read(lambda db: tables.spent_usd(db, since_ts, scope))

    async def holds(self) -> list[tuple[Intent, Decimal]]:
        """Return the open calls that have money set aside, and how much, in US dollars."""
        return held(await self._read(lambda db: db.fetch(HOLDS)))

    async def open_calls(self) -> list[Intent]:
        """Return the calls whose outcome is open: under way, or cut short by a kill and not closed yet."""
        return [decode_intent(record) for (record,) in await self._read(lambda db: db.fetch(OPEN))]

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """Return the highest label that the key's session has carried since then, None if the session is new."""
        sql = " UNION ".join(
            f"SELECT label FROM {table} WHERE session = $1 AND key_id IS NOT DISTINCT FROM $2 AND ts >= $3"  # noqa: S608
            for table in ("records", "intents")
        )
        key_id = None if key_id is None else text(key_id)
        found = await self._read(lambda db: db.fetch(sql, text(session), key_id, since_ts))
        labels = [Label(label) for (label,) in found]
        return highest(labels) if labels else None

    async def key_version(self) -> int:
        """Return the number of the last change of any key."""
        return await self._read(key_book.version)

    async def keys(self, name: str | None = None) -> list[StoredKey]:
        """Return the keys that were made here, in their order, revoked and expired ones too."""
        return await self._read(lambda db: key_book.select(db, name))

    async def key_changes(self, name: str | None = None) -> list[KeyChange]:
        """Return who did what to keys, oldest first."""
        return await self._read(lambda db: key_book.changes(db, name))

    async def release_heads(self) -> dict[str, int]:
        """Return the number of the release in force of each subject that has any."""
        return await self._read(releases.heads)

    async def release_version(self, subject: str = POLICY) -> int:
        """Return the number of the subject's release in force, 0 for none."""
        return await self._read(lambda db: releases.version(db, subject))

    async def release(self, number: int | None = None, subject: str = POLICY) -> Release | None:
        """Return the release of this number, or the one in force. StoreError for a damaged one."""
        return await self._read(lambda db: releases.find(db, number, subject))

    async def releases(self, subject: str = POLICY) -> list[Release]:
        """Return all releases of a subject as they stand, newest first; `checked` says whether one is damaged."""
        return await self._read(lambda db: releases.select(db, subject))

    async def content(self, ident: str) -> Contents | None:
        """Return what is kept of the call with exactly this id, None for nothing (any more)."""
        return await self._read(lambda db: contents.find(db, ident))

    async def kept(self, which: Which) -> int:
        """Return of how many such calls content is kept."""
        return await self._read(lambda db: contents.count(db, which))

    async def erasures(self) -> list[Erasure]:
        """Return who had content destroyed, and why, newest first."""
        return await self._read(contents.erasures)

    async def remarks(self, *idents: str) -> list[Remark]:
        """Return what was said of the decisions with exactly these ids, oldest first."""
        return await self._read(lambda db: remarks.select(db, idents))

    async def remarks_after(self, seq: int, since_ts: float = 0.0) -> list[Remark]:
        """Return the next remarks on any decision, oldest first; empty when there are no more."""
        return await self._read(lambda db: remarks.after(db, seq, since_ts))

    async def checkpoints(self) -> list[str]:
        """Return the signed checkpoints that are kept, oldest first."""
        return await self._read(postgres_audit.checkpoints)

    async def read_log(self, reading: LogReading) -> None:
        """Have the whole audited log read as it is at one moment, also beside a writer."""
        await self._read(lambda db: postgres_audit.read(db, reading))

    async def incidents(self, which: Incidents = "open", since_ts: float = 0.0) -> list[Incident]:
        """Return incidents, the newest first: those that were seen since then."""
        return await self._read(lambda db: incident_book.select(db, which, since_ts))

    async def incident_events(self, ident: str) -> list[Event]:
        """Return the history of the incident with exactly this id, oldest line first."""
        return await self._read(lambda db: incident_book.events(db, ident))

    async def count(self) -> int:
        """Return how many decisions are recorded; open ones are not counted."""
        number: int = await self._read(lambda db: db.fetchval("SELECT count(*) FROM records"))
        return number

    async def close(self) -> None:
        """Let go of the server. What is being read is finished first; what is asked later is refused."""
        self._ended = True
        async with self._turn:
            await self._disconnect()

    async def _read(self, question: Callable[[Any], Awaitable[T]]) -> T:
        async with self._turn:
            if self._ended:
                raise StoreError(f"{self._where}: the ledger is closed")
            try:
                return await self._asked(question)
            except Unsure:
                return await self._asked(question)

    async def _asked(self, question: Callable[[Any], Awaitable[T]]) -> T:
        try:
            with explained(self._where):
                return await question(await self._connected())
        except BaseException:
            await self._disconnect()  # a later question begins afresh; a cancelled one leaves nothing on the wire
            raise

    async def _connected(self) -> Any:
        if self._reading is None or self._reading.is_closed():
            await self._disconnect()
            self._reading = await connect(self._where, read_only=True)
            await check(self._reading, self._where, MIGRATIONS)
        return self._reading

    async def _disconnect(self) -> None:
        db, self._reading = self._reading, None
        if db is not None:
            await disconnect(db)


def _where(which: Filter) -> tuple[str, list[object]]:
    conditions: list[str] = ["ts >= $1"]
    values: list[object] = [which.since_ts]
    for column, value in (("workflow", which.workflow), ("tier", which.tier), ("outcome", which.outcome)):
        if value is not None:
            values.append(text(str(value)))
            conditions.append(f"{column} = ${len(values)}")
    return " AND ".join(conditions), values
