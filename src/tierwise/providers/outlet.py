"""How is something handed to a server that is no model? One `Outlet` for one address, over the one path out.

Knows no formats; judges no status. Invariant: as the transport's: no redirect, no proxy, TLS as it is.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tierwise.providers.address import Address
from tierwise.providers.transport import Transport


class Outlet:
    """Posts to one address, in the loop that it was opened in."""

    def __init__(self, transport: Transport, address: Address) -> None:
        self._transport, self._address = transport, address

    async def post(self, path: str, body: bytes, timeout_s: float) -> int:
        """Send, wait for the whole answer, return its status; raises as `Transport.post` does."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        exchange = await self._transport.post(self._address, path, body, deadline=deadline, stream=False)
        exchange.release()
        return exchange.status


@asynccontextmanager
async def outlet(address: Address) -> AsyncIterator[Outlet]:
    """Open a way to an address; its connections end with the block."""
    transport = Transport()
    try:
        yield Outlet(transport, address)
    finally:
        await transport.aclose()
