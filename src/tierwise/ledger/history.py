"""What happened before? Reads of the ledger for an event loop, in one thread of their own.

Works beside a running writer, in this process or another, without waiting for it or holding it up.
Invariant: the connection cannot write.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.core.label import Label
from tierwise.ledger import audit_tables, contents, incident_book, key_book, queries, releases, remarks, tables
from tierwise.ledger.audit_tables import LogReading
from tierwise.ledger.contents import Contents, Erasure, Which
from tierwise.ledger.incidents import Event, Incident
from tierwise.ledger.incidents import Which as Incidents
from tierwise.ledger.intent import Intent
from tierwise.ledger.keys import KeyChange, StoredKey
from tierwise.ledger.queries import Filter
from tierwise.ledger.releases import POLICY, Release
from tierwise.ledger.remarks import Remark
from tierwise.sqlite.connect import connect_reader, explained, inode
from tierwise.sqlite.migrate import check

T = TypeVar("T")
EVERYTHING = Filter()


class History:
    """The records of the ledger at `path`. Every method raises `StoreError` where the file cannot be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading: sqlite3.Connection | None = None
        self._inode = 0
        self._ended = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tierwise-ledger-read")

    async def get(self, id_or_prefix: str) -> Decision | None:
        """Return the decision whose id begins like this, None if there is none; an open one is `pending`.

        `InvalidCall` for fewer than 6 characters, or if several ids begin like this.
        """
        return await self._read(lambda db: queries.find(db, id_or_prefix))

    async def latest(self, limit: int, which: Filter = EVERYTHING) -> list[Decision]:
        """Return the newest decisions that fit, newest first; open ones are not among them."""
        return await self._read(lambda db: queries.latest(db, limit, which))

    async def iterate(self, which: Filter = EVERYTHING) -> AsyncIterator[Decision]:
        """Give all decisions that fit, in the order in which they were recorded; holds one page in memory."""
        after = which.after_seq
        while decisions := await self._read(partial(queries.page, after_seq=after, which=which)):
            for decision in decisions:
                yield decision
            after = decisions[-1].seq or 0

    async def spent_usd(self, since_ts: float, scope: str = "all") -> Decimal:
        """Add up what calls from this Unix time on cost; `scope` is that of a budget. Exact to a picodollar."""
        return await self._read(lambda db: queries.spent_usd(db, since_ts, scope))

    async def holds(self) -> list[tuple[Intent, Decimal]]:
        """Return the open calls that have money set aside, and how much, in US dollars."""
        return await self._read(queries.holds)

    async def open_calls(self) -> list[Intent]:
        """Return the calls whose outcome is open: under way, or cut short by a kill and not closed yet."""
        return await self._read(queries.open_calls)

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """Return the highest label that the key's session has carried since then, None if the session is new."""
        return await self._read(lambda db: queries.session_label(db, key_id, session, since_ts))

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
        return await self._read(audit_tables.checkpoints)

    async def read_log(self, reading: LogReading) -> None:
        """Have the whole audited log read as it is at one moment, also beside a writer."""
        await self._read(lambda db: audit_tables.read(db, reading))

    async def incidents(self, which: Incidents = "open", since_ts: float = 0.0) -> list[Incident]:
        """Return incidents, the newest first: those that were seen since then."""
        return await self._read(lambda db: incident_book.select(db, which, since_ts))

    async def incident_events(self, ident: str) -> list[Event]:
        """Return the history of the incident with exactly this id, oldest line first."""
        return await self._read(lambda db: incident_book.events(db, ident))

    async def count(self) -> int:
        """Return how many decisions are recorded; open ones are not counted."""
        return await self._read(queries.count)

    async def close(self) -> None:
        """Close the file. What is being read is finished first; what is asked later is refused."""
        self._ended = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._ended:
            raise StoreError(f"{self._path}: the ledger is closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._answer, question)

    def _answer(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with explained(self._path):
                return question(self._connected())
        except StoreError:
            self._disconnect()  # a later question begins afresh
            raise

    def _connected(self) -> sqlite3.Connection:
        if self._reading is None or inode(self._path) != self._inode:
            self._disconnect()
            db = connect_reader(self._path)
            try:
                check(db, self._path, tables.MIGRATIONS, application_id=tables.APPLICATION_ID)
            except BaseException:
                db.close()
                raise
            self._reading, self._inode = db, inode(self._path)
        return self._reading

    def _disconnect(self) -> None:
        db, self._reading = self._reading, None
        if db is not None:
            db.close()
