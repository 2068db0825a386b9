"""How is something handed to a server that is no model? One `Outlet` for one address, over the one path out.

Knows no formats; judges no status. Invariant: as the transport's: no redirect, no proxy, TLS as it is.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tierwise.providers.address import Address, parse
from tierwise.providers.transport import Headers, Transport


class Outlet:
    """Sends to one address, waits for the whole answer and returns its status; raises as `Transport.post` does."""

    def __init__(self, transport: Transport, address: Address) -> None:
        """Raises ConfigError for an address that is none: at the start, not in a task that nobody watches."""
        parse(address)
        self._transport, self._address = transport, address

    async def post(self, path: str, body: bytes, timeout_s: float, headers: Headers = ()) -> int:
        """Post these bytes."""
        exchange = await self._transport.post(
            self._address, path, body, deadline=_from_now(timeout_s), stream=False, headers=headers
        )
        return exchange.status

    async def put(self, path: str, text: str, timeout_s: float) -> int:
        """Put this text there, as an object of its own."""
        exchange = await self._transport.put(self._address, path, text, deadline=_from_now(timeout_s))
        return exchange.status


def _from_now(timeout_s: float) -> float:
    return asyncio.get_running_loop().time() + timeout_s


@asynccontextmanager
async def outlet(address: Address) -> AsyncIterator[Outlet]:
    """Open a way to an address; its connections end with the block."""
    transport = Transport()
    try:
        yield Outlet(transport, address)
    finally:
        await transport.aclose()
