"""Where are small texts laid down outside, each as an object of its own? By PUT, over the one outbound path.

Object stores take them like this; one that lets nobody change what it holds is the best witness. Knows not what the
texts say. Invariant: no redirect is followed, and only a status of success counts as kept.
"""

import asyncio

from tierwise.core.errors import BadReply
from tierwise.providers.address import Address
from tierwise.providers.transport import Transport

TIMEOUT_S = 10.0


class Deposit:
    """A place that keeps checkpoints of the ledger's log."""

    def __init__(self, transport: Transport, address: Address, every_s: float) -> None:
        self.name, self.every_s = address.url, every_s
        self._transport, self._address = transport, address

    async def last(self) -> str | None:
        """Return None: such a place is only written to."""
        return None

    async def keep(self, size: int, note: str) -> None:
        """Put the note there under its size. Raises ProviderError where it is not taken."""
        deadline = asyncio.get_running_loop().time() + TIMEOUT_S
        exchange = await self._transport.put(self._address, f"/{size}", note, deadline=deadline)
        await exchange.read_all()
        if not 200 <= exchange.status < 300:
            raise BadReply(f"it answered with status {exchange.status}", status=exchange.status)
