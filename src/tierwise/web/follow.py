"""How do the pages keep up with the ledger? A loop that reads what is new, and tells who watches.

Invariant: a watcher that does not listen loses lines, and holds up nobody.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from itertools import islice

from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.ledger.protocol import Reader
from tierwise.ledger.queries import Filter
from tierwise.ledger.remarks import joined
from tierwise.web.index import CallRow, Index

EVERY_S = 1.0
PRUNE_EVERY_S = 60.0
PAGE = 500
MOST_WAITING = 200
_log = logging.getLogger("tierwise.web")
Reading = Callable[[], AbstractAsyncContextManager[Reader | None]]


class Follower:
    """Keeps the index at the ledger's end. `behind` is about how many calls are still to be read."""

    def __init__(self, index: Index, reading: Reading) -> None:
        self.index, self._reading = index, reading
        self.behind = 0
        self.problem = ""
        self._watchers: set[asyncio.Queue[CallRow]] = set()
        self._pruned_at, self._oldest = -PRUNE_EVERY_S, 0

    @contextmanager
    def watched(self) -> Iterator[asyncio.Queue[CallRow]]:
        """Give a queue of what is recorded from now on."""
        queue: asyncio.Queue[CallRow] = asyncio.Queue(MOST_WAITING)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    async def begin(self) -> None:
        """Look how far the index is behind, so that the first page can say so."""
        async with self._told(), self._reading() as ledger:
            if ledger is not None:
                await self._look(ledger)

    async def run(self) -> None:
        """Follow for ever, with one reader for as long as it can read."""
        while True:
            async with self._told(), self._reading() as ledger:
                while ledger is not None:
                    await self._look(ledger)
                    await self._read(ledger)
                    await self._hear(ledger)
                    self.problem = ""
                    await asyncio.sleep(EVERY_S)
            await asyncio.sleep(EVERY_S)

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """Keep what went wrong for the pages to say."""
        try:
            yield
        except TierwiseError as error:
            self.problem = str(error)
        except Exception as error:
            self.problem = f"the index of the pages cannot be kept: {type(error).__name__}"
            _log.exception("the index cannot be kept")

    async def _look(self, ledger: Reader) -> None:
        """Forget what the ledger has forgotten, all of it where this is another ledger; say how much is to be read."""
        newest = await ledger.latest(1)
        last = (newest[0].seq or 0) if newest else 0
        seq, ident = self.index.followed
        unknown = bool(newest and ident) and await ledger.get(ident) is None
        now = asyncio.get_running_loop().time()
        if unknown or (newest and now >= self._pruned_at + PRUNE_EVERY_S):
            self._pruned_at = now
            self._oldest = await _oldest(ledger)
            if unknown and self._oldest <= seq:
                await asyncio.to_thread(self.index.forget)
                seq = 0
            else:
                await asyncio.to_thread(self.index.prune, self._oldest)
        left = last - max(seq, self._oldest - 1)
        self.behind = left if left > PAGE else 0

    async def _read(self, ledger: Reader) -> None:
        seq, _ = self.index.followed
        live = not self.behind  # what is only caught up with is no news
        async for page in _pages(ledger.iterate(Filter(after_seq=seq))):
            rows = await asyncio.to_thread(self.index.add, page)
            self.behind = max(0, self.behind - len(rows))
            for queue in self._watchers if live else ():
                for row in islice(rows, max(0, len(rows) - MOST_WAITING), None):
                    if not queue.full():
                        queue.put_nowait(row)
        self.behind = 0

    async def _hear(self, ledger: Reader) -> None:
        """Read what people have said of answers since."""
        while said := await ledger.remarks_after(self.index.heard):
            pairs = []
            for ident in dict.fromkeys(one.decision for one in said):
                found = await ledger.get(ident)
                if found is not None:
                    pairs.append((found, joined(found, await ledger.remarks(ident))))
            await asyncio.to_thread(self.index.hear, said[-1].seq, pairs)


async def _oldest(ledger: Reader) -> int:
    """Return the number of the first record that is still there, 0 for none."""
    async for one in ledger.iterate():
        return one.seq or 0
    return 0


async def _pages(found: AsyncIterator[Decision]) -> AsyncIterator[list[Decision]]:
    page: list[Decision] = []
    async for one in found:
        page.append(one)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
