"""Who writes into the book of incidents for a gateway? One thread, so that changes come one after another.

Each change opens the ledger anew. Many at once would wait for one another's lock in threads that others need, and
each would leave a descriptor behind: SQLite keeps those of closed connections while another one of the process is open.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from tierwise.ledger.protocol import Noting

Told = TypeVar("Told")


class Clerk:
    """Makes changes in a book, off the event loop."""

    def __init__(self, book: Noting) -> None:
        self._book = book
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tierwise-incidents")

    async def do(self, change: Callable[[Noting], Told]) -> Told:
        """Make the change; raises what the book raises. One that was begun is made, also where the caller is gone."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, change, self._book)

    def close(self) -> None:
        """Take no more; what is under way is finished in its own time."""
        self._thread.shutdown(wait=False)
