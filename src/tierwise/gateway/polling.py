"""What do our servers say of themselves at this moment? Asks them again and again, beside the calls and never in one.

Knows no server: it is handed a way to ask. Invariant: an outside API is never asked, and a server that does not answer
leaves what it said to grow old.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import monotonic
from typing import Protocol

from tierwise.core.capacity import Capacity
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.gateway.live import Live, LiveSettings
from tierwise.gateway.rules import Rules

RECENT_S = 60.0
"""A server that got no request of ours for so long is asked only what does not keep it awake."""
AskStatus = Callable[[Endpoint, bool], Awaitable[Mapping[str, Capacity] | None]]
"""Asks an endpoint, briefly or not; by served name, "" for any. None: it has nothing that could be asked."""
_log = logging.getLogger("tierwise.gateway")


class InForce(Protocol):
    """Which endpoints and models there are."""

    rules: Rules


class Polling:
    """Looks at the endpoints that are ours, for one gateway."""

    def __init__(self, in_force: Callable[[], Rules], live: Live, ask: AskStatus, settings: LiveSettings) -> None:
        self._in_force, self._live, self._ask, self._every_s = in_force, live, ask, settings.every_s
        live.stale_s = settings.stale_s

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while self._every_s > 0:
            try:
                await self.look()
            except Exception:  # a defect of ours must not end the following in silence
                _log.exception("servers could not be asked how busy they are")
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Ask every endpoint once, all at the same time."""
        catalog = self._in_force().catalog
        await asyncio.gather(
            *(
                self._look_at(endpoint, [one for one in catalog.models.values() if one.endpoint == name])
                for name, endpoint in catalog.endpoints.items()
                if endpoint.tier is not Tier.FRONTIER and name not in catalog.unusable
            )
        )

    async def _look_at(self, endpoint: Endpoint, models: Sequence[Model]) -> None:
        since = monotonic() - RECENT_S
        briefly = not any(self._live.asked_since(model.id, since) for model in models)
        told = await self._ask(endpoint, briefly)
        for model in models if told else ():
            capacity = (told or {}).get(model.served_name) or (told or {}).get("")
            if capacity is not None:
                self._live.told(model.id, capacity, monotonic())
