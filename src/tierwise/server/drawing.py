"""Where are the pages drawn? In a process of their own, started when a page is first asked for.

Knows no page. Invariant: however that process is, the gateway's own work does not wait for it; when the gateway ends,
however it ends, so does it.
"""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any

from tierwise.core.errors import Overloaded
from tierwise.core.extras import install
from tierwise.core.model import Limits
from tierwise.core.secret import Secret
from tierwise.providers.child import Child, Report
from tierwise.providers.egress import LOOPBACK
from tierwise.providers.transport import Address

START_TIMEOUT_S = 30.0
PAUSE_S = 3.0
"""So long after it failed it is not started again."""
LIMITS = Limits(
    connect_timeout_s=2.0, first_byte_timeout_s=30.0, idle_timeout_s=60.0, total_timeout_s=3600.0, max_connections=128
)


class Drawing:
    """The process that draws. `orders` is what it is told at its start, beside its key."""

    def __init__(self, orders: Mapping[str, Any]) -> None:
        self._orders = dict(orders)
        self._child: Child | None = None
        self._address: Address | None = None
        self._starting: asyncio.Task[Address] | None = None
        self._ended: asyncio.Task[str] | None = None
        self._why, self._not_before = "", 0.0

    @property
    def pid(self) -> int | None:
        """Process number of who draws, None while nobody does."""
        return None if self._child is None else self._child.pid

    async def address(self) -> Address:
        """Return where it answers, starting it if need be. Overloaded where it cannot be started, or just failed."""
        if self._address is not None and self._ended is not None and not self._ended.done():
            return self._address
        if self._starting is None:
            if asyncio.get_running_loop().time() < self._not_before:
                raise Overloaded(self._why, code="pages_down")
            self._starting = asyncio.create_task(self._start())
            self._starting.add_done_callback(self._started)
        return await asyncio.shield(self._starting)

    async def aclose(self) -> None:
        """End it."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait((self._starting,))
        await self._end()

    async def _start(self) -> Address:
        await self._end()
        key = secrets.token_urlsafe(32)
        try:
            child = await Child.spawn({**self._orders, "format": "pages", "key": key})
        except OSError as error:
            raise self._failed(f"the pages cannot be started: {error.strerror}") from error
        self._child, self._ended = child, asyncio.create_task(child.ended())
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                report = await child.report()
        except TimeoutError:
            report = Report(error="died", detail=f"not ready after {START_TIMEOUT_S:g} s")
        if report.port is None:
            await self._end()
            words = child.last_words() or report.detail
            missing = report.error == "no_engine"
            raise self._failed(f"the pages need more: {install('ui')}" if missing else f"the pages ended: {words}")
        self._address = Address(
            url=f"http://127.0.0.1:{report.port}", key=Secret(key), networks=LOOPBACK, limits=LIMITS
        )
        return self._address

    def _started(self, task: asyncio.Task[Address]) -> None:
        self._starting = None
        if not task.cancelled():
            task.exception()  # read, so that a start whose callers have all gone leaves no warning

    def _failed(self, why: str) -> Overloaded:
        self._why, self._not_before = why, asyncio.get_running_loop().time() + PAUSE_S
        return Overloaded(why, code="pages_down")

    async def _end(self) -> None:
        child, ended = self._child, self._ended
        self._child = self._ended = self._address = None
        if child is not None:
            await child.end()
        if ended is not None:
            ended.cancel()
