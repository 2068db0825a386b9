"""Where are small texts laid down outside, each as an object of its own? By PUT, over the one outbound path.

Object stores take them like this; one that lets nobody change what it holds is the best witness. Knows not what the
texts say. Invariant: no redirect is followed, and only a status of success counts as kept.
"""

from tierwise.core.errors import BadReply
from tierwise.providers.address import Address
from tierwise.providers.outlet import Outlet
from tierwise.providers.transport import Transport

TIMEOUT_S = 10.0


class Deposit:
    """A place that keeps checkpoints of the ledger's log."""

    def __init__(self, transport: Transport, address: Address, every_s: float) -> None:
        """Raises ConfigError for an address that is none."""
        self.name, self.every_s = address.url, every_s
        self._outlet = Outlet(transport, address)

    async def last(self) -> str | None:
        """Return None: such a place is only written to."""
        return None

    async def keep(self, size: int, note: str) -> None:
        """Put the note there under its size. Raises ProviderError where it is not taken."""
        status = await self._outlet.put(f"/{size}", note, TIMEOUT_S)
        if not 200 <= status < 300:
            raise BadReply(f"it answered with status {status}", status=status)
