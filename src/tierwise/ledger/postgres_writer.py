"""How does a row become durable in PostgreSQL? One task takes everything that is queued and commits it at once.

It also says once a second that this process lives, closes what dead processes left open, and tells the accounts what
the others have spent.
Invariant: a row's future is resolved after its commit, or fails; what may have been written without anybody hearing
of it is written again, which changes nothing, or closed as interrupted once the server is back.
"""

import asyncio
import os
import platform
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from tierwise.core.errors import StoreBusy, StoreError
from tierwise.ledger import postgres_contents as contents
from tierwise.ledger import postgres_tables as tables
from tierwise.ledger.holds import Account
from tierwise.ledger.postgres_migrations import MIGRATIONS
from tierwise.ledger.postgres_tables import Answer, Entry
from tierwise.ledger.tables import weight_bytes
from tierwise.ledger.writer import MAX_BATCH_ROWS, PRUNE_EVERY_S, Options
from tierwise.postgres.connect import Place, Unfit, Unsure, connect, disconnect, explained
from tierwise.postgres.migrate import migrate

BEAT_EVERY_S = 1.0
# A process that was silent for so long is dead to the others: what it had open is closed, and it may not close it.
LEASE_S = 15.0
TRANSACTION_TIMEOUT_S = 15.0
MAX_LOST = 100_000

T = TypeVar("T")
Work = Callable[[Any], Awaitable[Any]]


class PostgresWriter:
    """The one task of this process that writes."""

    def __init__(self, where: Place, options: Options, lease_s: float = LEASE_S) -> None:
        self.pending_rows = self.pending_bytes = 0
        self.accounts: list[Account] = []
        self._where, self._options, self._lease_s = where, options, lease_s
        self._queue: deque[tuple[Entry | Work, asyncio.Future[Any]]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._db: Any = None
        self._process = ""
        self._says = 0.0
        self._server_clock: Callable[[], float] | None = None
        self._lost: dict[str, None] = {}
        self._beat_at = self._prune_at = 0.0
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> int:
        """Connect and start; return how many intents of dead processes were closed."""
        total = 0
        while closed := await self._interrupt():
            total += closed
        self._task = asyncio.create_task(self._work(), name="tierwise-ledger")
        return total

    def believed(self, says: float) -> float:
        """Return what time it is taken to be where the server's clock says so."""
        self._says = says
        if self._server_clock is None:
            self._server_clock = self._options.believed(lambda: self._says)
        return self._server_clock()

    def write(self, entry: Entry) -> asyncio.Future[Answer]:
        """Queue the row; the future gives its answer. `StoreBusy` if too much waits."""
        size, options = weight_bytes(entry.row), self._options
        if self.pending_rows >= options.max_pending_rows or self.pending_bytes + size > options.max_pending_bytes:
            raise StoreBusy(f"{self._where}: overloaded: {self.pending_rows} rows wait for the server")
        self.pending_rows += 1
        self.pending_bytes += size
        return self._put(entry)

    async def ask(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Do the work in a transaction of its own, after what was queued before."""
        result: T = await self._put(work)
        return result

    async def close(self) -> None:
        """Write what is queued, end the lease, let go of the server."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    def _put(self, what: Entry | Work) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.append((what, future))
        self._wake.set()
        return future

    # the task

    async def _work(self) -> None:
        while self._queue or not self._closing:
            if time.monotonic() >= self._beat_at:
                await self._beat()
            if not self._queue:
                self._wake.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(self._beat_at - time.monotonic(), 0)):
                        await self._wake.wait()
                continue
            what, future = self._queue[0]
            if isinstance(what, Entry):
                await self._write(self._take())
            else:
                self._queue.popleft()
                _resolve(future, await self._tried(what))
        if self._process and self._db is not None:
            await self._tried(lambda db: tables.leave(db, self._process))
        await self._drop()

    def _take(self) -> list[tuple[Entry, asyncio.Future[Any]]]:
        """Take all rows that stand at the front of the queue."""
        items: list[tuple[Entry, asyncio.Future[Any]]] = []
        while self._queue and len(items) < MAX_BATCH_ROWS:
            what, future = self._queue[0]
            if not isinstance(what, Entry):
                break
            items.append((what, future))
            self._queue.popleft()
        return items

    async def _write(self, items: Sequence[tuple[Entry, asyncio.Future[Any]]]) -> None:
        answers = await self._answers([entry for entry, _ in items])
        for (entry, future), answer in zip(items, answers, strict=True):
            self.pending_rows -= 1
            self.pending_bytes -= weight_bytes(entry.row)
            _resolve(future, answer)

    async def _answers(self, entries: Sequence[Entry]) -> Sequence[Answer]:
        found = await self._tried(lambda db: tables.write(db, self._process, entries, self.believed))
        if isinstance(found, Unfit) and len(entries) > 1:  # one of them is at fault: it must not take the others along
            return [(await self._answers([entry]))[0] for entry in entries]
        if isinstance(found, StoreError):
            if len(self._lost) < MAX_LOST:
                self._lost |= dict.fromkeys(entry.id for entry in entries if entry.begins or entry.recorded)
            return [found] * len(entries)
        answers, standings = found
        for account in self.accounts:
            if tables.name_of(account) in standings:
                standings[tables.name_of(account)].told(account)
        return answers  # type: ignore[no-any-return]

    async def _tried(self, work: Work) -> Any:
        """Do the work in a transaction, a second time where the connection broke; return its result or `StoreError`."""
        try:
            try:
                return await self._transaction(work)
            except Unsure:
                return await self._transaction(work)
        except StoreError as error:
            return error
        except Exception as error:  # the edge of the task: whoever waits must hear of it, whatever it is
            return StoreError(f"{self._where}: {error!r}")

    async def _transaction(self, work: Work) -> Any:
        try:
            with explained(self._where):
                async with asyncio.timeout(TRANSACTION_TIMEOUT_S):
                    db = await self._connected()
                    async with db.transaction():
                        return await work(db)
        except BaseException:
            await self._drop()
            raise

    async def _connected(self) -> Any:
        """Return the open connection, opened anew after a failure; this process is registered on it."""
        if self._db is None or self._db.is_closed():
            await self._drop()
            self._db = await connect(self._where)
            await migrate(self._db, self._where, MIGRATIONS)
            await self._register(self._db)
        return self._db

    async def _register(self, db: Any) -> None:
        """Say that this process lives; where the others gave it up, it begins anew under another name."""
        if not (self._process and await tables.alive(db, self._process)):
            self._process = os.urandom(16).hex()
            await tables.register(db, self._process, f"{platform.node()} process {os.getpid()}")

    async def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            await disconnect(db)

    # once a second

    async def _beat(self) -> None:
        """Say that we live, close what others left, look at the accounts. A failure shows at the next row."""
        await self._tried(self._look)
        closed = 0
        with suppress(StoreError):
            closed = await self._interrupt()
        if time.monotonic() >= self._prune_at:
            deleted = [await self._tried(work) for work in self._old()]
            if not any(isinstance(count, int) and count for count in deleted):
                self._prune_at = time.monotonic() + PRUNE_EVERY_S
        # Where there is more to close, that goes on between rows, so that nobody waits for all of it.
        self._beat_at = time.monotonic() + (0 if closed else BEAT_EVERY_S)

    def _old(self) -> list[Work]:
        """Return what deletes some of what is too old, where the age is limited."""
        options = self._options
        prune = partial(tables.prune, signer=options.signer)
        limited = ((options.keep_s, prune), (options.content_keep_s, contents.forget))
        now = options.clock()
        return [partial(some, before_ts=now - age_s) for age_s, some in limited if age_s is not None]

    async def _look(self, db: Any) -> None:
        await self._register(db)
        await tables.refresh(db, self.accounts, self.believed)

    async def _interrupt(self) -> int:
        """Close some of what the dead left open, and what this process could not; return how many calls that were."""
        lost = list(self._lost)[:MAX_BATCH_ROWS]
        work = partial(tables.interrupt, lease_s=self._lease_s, believed=self.believed, lost=lost)
        closed: int | StoreError = await self._tried(work)
        if isinstance(closed, StoreError):
            raise closed
        for ident in lost:
            del self._lost[ident]
        return closed


def _resolve(future: asyncio.Future[Any], result: Any) -> None:
    """Give a waiter its result, each its own exception; one that was cancelled meanwhile wants none."""
    if future.done():
        return
    if isinstance(result, StoreError):
        future.set_exception(type(result)(str(result)))
    else:
        future.set_result(result)
