"""How does a row become durable? One thread takes everything that is queued and commits it at once (group commit).

Knows rows and futures, not decisions. It waits for nothing but work: a lone row is committed immediately, and under
load a batch is what arrived while the one before it went to the disk.
Invariant: a row's future is resolved after its commit, or fails; a failed write leaves the thread ready for the next.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from tierwise.audit.notes import Signer
from tierwise.core.errors import StoreBusy, StoreError
from tierwise.ledger import contents, tables
from tierwise.ledger.lock import WriterLock
from tierwise.ledger.tables import Row
from tierwise.sqlite.connect import Durability, connect_writer, explained, inode
from tierwise.sqlite.migrate import migrate

MAX_BATCH_ROWS = 1024
# SQLite checkpoints by itself when its log has this many pages (4 MiB); larger ones stall a batch for longer, measured
# with benchmarks/ledger.py. An idle writer does it before, out of everybody's way.
CHECKPOINT_PAGES = 1000
IDLE_S = 1.0
# Looking whether the file is still there gives up the GIL, so not every batch does it.
LOOK_EVERY_S = 0.25
PRUNE_EVERY_S = 3600.0

Future = asyncio.Future[int]
Result = int | StoreError
T = TypeVar("T")


class Chore:
    """Something long, done in short steps; it goes back into the queue until a step finds nothing left to do.

    `some` does some of it and says how much.
    """

    def __init__(self, some: Callable[[sqlite3.Connection], int]) -> None:
        self.some, self.done = some, 0


class Stop:
    """A request to close the file and end, behind everything that was queued before."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How the writer treats the file, what time it is, and how much may wait for it before a call is refused.

    `clock` gives Unix seconds, in any thread: what is older than `keep_s` goes by it, content older than
    `content_keep_s`, and the windows of budgets in a file. `signer` vouches for what is recorded, and for what goes by
    its age; without one the ledger is not audited. `believed` makes of a clock that may be set one that is
    believed: a server's, where that is the clock.
    """

    durability: Durability = "full"
    keep_s: float | None = None
    content_keep_s: float | None = None
    signer: Signer | None = None
    clock: Callable[[], float] = time.time
    believed: Callable[[Callable[[], float]], Callable[[], float]] = lambda clock: clock
    max_pending_rows: int = 10_000
    max_pending_bytes: int = 64 * 1024 * 1024


Request = Row | Chore | Stop
Item = tuple[Request, Future | None]


class Writer(threading.Thread):
    """The one thread that writes. `run` is the thread; the rest is for the event loop in which it was made."""

    def __init__(self, path: Path, options: Options) -> None:
        super().__init__(name="tierwise-ledger", daemon=True)
        self.pending_rows = self.pending_bytes = 0
        self._path, self._options = path, options
        self._loop = asyncio.get_running_loop()
        self._opened: Future = self._loop.create_future()
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._set_aside: Item | None = None
        self._db: sqlite3.Connection | None = None
        self._inode = self._seq = 0
        self._checkpointed = True
        self._prune_at = self._look_at = 0.0

    async def open(self) -> int:
        """Start; return how many intents of dead processes were closed. `StoreError` if the file cannot be used."""
        self.start()
        return await self._opened

    def write(self, row: Row) -> Future:
        """Queue the row; the future gives the record's number, or 0 for an intent. `StoreBusy` if too much waits."""
        size = tables.weight_bytes(row)
        options = self._options
        if self.pending_rows >= options.max_pending_rows or self.pending_bytes + size > options.max_pending_bytes:
            raise StoreBusy(f"{self._path}: overloaded: {self.pending_rows} rows wait for the disk")
        self.pending_rows += 1
        self.pending_bytes += size
        return self.ask(row)

    def ask(self, request: Request) -> Future:
        """Queue the request; for a `Chore` the future gives how much was done."""
        future = self._loop.create_future()
        self._queue.put((request, future))
        return future

    def run(self) -> None:
        """Open, work until told to stop, close."""
        lock = self._guarded(self._lock)
        if isinstance(lock, StoreError):
            self._tell(_resolve, self._opened, lock)
            return
        waiting: Future | None = self._opened
        result: Result = 0
        try:
            result = self._guarded(self._interrupt)
            if not isinstance(result, StoreError):
                self._tell(_resolve, self._opened, result)
                waiting, result = self._work(), 0
        finally:
            self._disconnect()
            lock.release()
            self._tell(_resolve, waiting, result)

    def _interrupt(self) -> int:
        """Close what a dead process left open; the numbers that this uses up must be counted."""
        db = self._connected()
        closed = tables.interrupt(db)
        self._seq = tables.last_seq(db)
        return closed

    def _work(self) -> Future:
        """Do one thing after the other until told to stop; return the future of that request."""
        stopped: Future | None = None
        while stopped is None:
            stopped = self._round()
        return stopped

    def _round(self) -> Future | None:
        """Do the next thing, or wait for it; return the future of the request to stop, if that was it."""
        items = self._take()
        match items:
            case []:
                self._tidy()
            case [(Stop(), future)]:
                return future
            case [(Chore() as request, future)]:
                self._do(request, future)
            case _:
                rows = [item[0] for item in items]
                results = self._guarded(lambda: self._insert(rows))  # type: ignore[arg-type]  # only rows are left
                if isinstance(results, StoreError):
                    results = [results] * len(items)
                self._checkpointed = False
                self._tell(self._settle, items, results)
        return None

    def _take(self) -> list[Item]:
        """Wait for work; return all rows that are queued, or one other request, or nothing when it is time to tidy."""
        if self._set_aside is not None:
            other, self._set_aside = self._set_aside, None
            return [other]
        old = self._old()
        if old and time.monotonic() >= self._prune_at:
            self._prune_at = time.monotonic() + PRUNE_EVERY_S
            for request in old[1:]:
                self._queue.put((request, None))
            return [(old[0], None)]
        wait_s = PRUNE_EVERY_S if old else None
        try:
            items = [self._queue.get(timeout=wait_s if self._checkpointed else IDLE_S)]
        except queue.Empty:
            return []
        while isinstance(items[-1][0], tuple) and len(items) < MAX_BATCH_ROWS and not self._queue.empty():
            items.append(self._queue.get_nowait())
        if len(items) > 1 and not isinstance(items[-1][0], tuple):
            self._set_aside = items.pop()
        return items

    def _old(self) -> list[Chore]:
        """Return what has to be deleted by its age, where that is limited."""
        options = self._options
        prune = partial(tables.prune, signer=options.signer)
        limited = ((options.keep_s, prune), (options.content_keep_s, contents.forget))
        now = options.clock()
        return [Chore(partial(some, before_ts=now - age_s)) for age_s, some in limited if age_s is not None]

    def _insert(self, rows: Sequence[Row]) -> list[Result]:
        db = self._connected()
        try:
            seqs: list[Result] = list(tables.insert(db, rows, self._seq))
        except sqlite3.IntegrityError as error:
            if len(rows) > 1:  # one of them is at fault: it must not take the others with it
                return [self._insert([row])[0] for row in rows]
            known = tables.recorded_seq(db, rows[0])
            return [StoreError(f"call {rows[0][0]} already has a record: {error}") if known is None else known]
        self._seq += sum(1 for seq in seqs if seq)
        return seqs

    def _do(self, chore: Chore, future: Future | None) -> None:
        done = self._guarded(lambda: chore.some(self._connected()))
        if isinstance(done, StoreError):
            self._tell(_resolve, future, done)
        elif done:
            chore.done += done
            self._queue.put((chore, future))
        else:
            self._tell(_resolve, future, chore.done)

    def _tidy(self) -> None:
        """Fold the log into the file after work, so that nobody has to wait for it later."""
        if not self._checkpointed:
            self._guarded(lambda: self._connected().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone())
            self._checkpointed = True

    def _lock(self) -> WriterLock:
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return WriterLock(self._path)

    def _connected(self) -> sqlite3.Connection:
        """Return the open connection, opened anew after a failure or when the file was moved away under us."""
        if self._db is not None:
            now = time.monotonic()
            if now < self._look_at:
                return self._db
            self._look_at = now + LOOK_EVERY_S
            if inode(self._path) == self._inode:
                return self._db
            # The log did not move along: what it holds goes into the file that did, wherever that is now.
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._disconnect()
        db = connect_writer(self._path, self._options.durability)
        try:
            db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
            migrate(db, self._path, tables.MIGRATIONS, application_id=tables.APPLICATION_ID)
            self._seq = tables.last_seq(db)
            self._inode = inode(self._path)
        except BaseException:
            db.close()
            raise
        self._db = db
        return db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _guarded(self, work: Callable[[], T]) -> T | StoreError:
        """Do the work; on any failure drop the connection, so that the next work begins with a fresh one."""
        try:
            with explained(self._path):
                return work()
        except StoreError as error:
            self._disconnect()
            return error
        except Exception as error:  # the edge of the thread: whoever waits must hear of it, whatever it is
            self._disconnect()
            return StoreError(f"{self._path}: {error!r}")

    def _settle(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        """Resolve a batch. Runs in the event loop, once a batch."""
        for (request, future), result in zip(items, results, strict=True):
            self.pending_rows -= 1
            self.pending_bytes -= tables.weight_bytes(request)  # type: ignore[arg-type]  # only rows come here
            _resolve(future, result)

    def _tell(self, call: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more, but what is written is written
            self._loop.call_soon_threadsafe(call, *arguments)


def _resolve(future: Future | None, result: Result) -> None:
    """Give a waiter its result, each its own exception; one that was cancelled meanwhile wants none."""
    if future is None or future.done():
        return
    if isinstance(result, StoreError):
        future.set_exception(type(result)(str(result)))
    else:
        future.set_result(result)
