"""How do the pages keep up with the ledger? A loop that reads what is new, and tells who watches.

Invariant: a watcher that does not listen loses lines, and holds up nobody.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from itertools import islice

from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.ledger.protocol import Reader
from tierwise.ledger.queries import Filter
from tierwise.ledger.remarks import joined
from tierwise.web.index import CallRow, Index

EVERY_S = 1.0
PAGE = 500
MOST_WAITING = 200
_log = logging.getLogger("tierwise.web")
Reading = Callable[[], AbstractAsyncContextManager[Reader | None]]


class Follower:
    """Keeps the index at the ledger's end. `behind` is how many calls are still to be read, None if unknown."""

    def __init__(self, index: Index, reading: Reading) -> None:
        self.index, self._reading = index, reading
        self.behind: int | None = None
        self.problem = ""
        self._watchers: set[asyncio.Queue[CallRow]] = set()

    @contextmanager
    def watched(self) -> Iterator[asyncio.Queue[CallRow]]:
        """Give a queue of what is recorded from now on."""
        queue: asyncio.Queue[CallRow] = asyncio.Queue(MOST_WAITING)
        self._watchers.add(queue)
        try:
            yield queue
        finally:
            self._watchers.discard(queue)

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            try:
                async with self._reading() as ledger:
                    if ledger is not None:
                        await self._same(ledger)
                        await self._read(ledger)
                        await self._hear(ledger)
                self.problem = ""
            except TierwiseError as error:
                self.problem = str(error)
            except Exception as error:
                self.problem = f"the index of the pages cannot be kept: {type(error).__name__}"
                _log.exception("the index cannot be kept")
            await asyncio.sleep(EVERY_S)

    async def _same(self, ledger: Reader) -> None:
        """Begin anew where the last record that was read is not the ledger's."""
        _, ident = self.index.followed
        if ident and await ledger.get(ident) is None and await ledger.count():
            newest = await ledger.latest(1)
            if not newest or (newest[0].seq or 0) < self.index.followed[0]:
                self.index.forget()

    async def _read(self, ledger: Reader) -> None:
        while True:
            seq, _ = self.index.followed
            page = [one async for one in _some(ledger.iterate(Filter(after_seq=seq)), PAGE)]
            if not page:
                self.behind = 0
                return
            rows = await asyncio.to_thread(self.index.add, page)
            if len(page) == PAGE:
                newest = await ledger.latest(1)
                self.behind = max(0, (newest[0].seq or 0) - rows[-1].seq) if newest else 0
            for queue in self._watchers:
                for row in islice(rows, max(0, len(rows) - MOST_WAITING), None):
                    if not queue.full():
                        queue.put_nowait(row)

    async def _hear(self, ledger: Reader) -> None:
        """Read what people have said of answers since."""
        while said := await ledger.remarks_after(self.index.heard):
            pairs = []
            for ident in dict.fromkeys(one.decision for one in said):
                found = await ledger.get(ident)
                if found is not None:
                    pairs.append((found, joined(found, await ledger.remarks(ident))))
            await asyncio.to_thread(self.index.hear, said[-1].seq, pairs)


async def _some(found: AsyncIterator[Decision], most: int) -> AsyncIterator[Decision]:
    count = 0
    async for one in found:
        yield one
        count += 1
        if count == most:
            return
