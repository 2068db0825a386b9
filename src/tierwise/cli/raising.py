"""How does a command open an incident, and tell of it? For what is found where no gateway watches.

In a gateway that runs, `Wired.watch.saw` opens one.
Invariant: what is not told in time stays owed to the next gateway, or command, that looks.
"""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress

import msgspec

from tierwise import bootstrap
from tierwise.config import Settings
from tierwise.incidents.conditions import CONDITIONS
from tierwise.incidents.notices import Notices
from tierwise.ledger.ids import IdSource
from tierwise.providers.transport import Transport

TELLING_S = 10.0


async def open_incident(settings: Settings, condition: str, subject: str, decisions: Sequence[str] = ()) -> None:
    """Open an incident, or gather in the open one; `condition` is a row of `incidents.conditions`."""
    sighting = CONDITIONS[condition].sighting(new_id(), subject, time.time(), settings.document.incidents.rest_s)
    seen = msgspec.structs.replace(sighting, decisions=tuple(decisions))
    await asyncio.to_thread(bootstrap.incident_book(settings).note, [seen])
    await tell_incidents(settings)


async def tell_incidents(settings: Settings) -> None:
    """Tell what is owed and no gateway has taken; a while is waited for that."""
    async with AsyncExitStack() as stack:
        transport = Transport()
        stack.push_async_callback(transport.aclose)
        told = Notices(bootstrap.incident_book(settings), bootstrap.senders(settings, transport), os.urandom(8).hex())
        stack.push_async_callback(told.aclose)
        reader = await stack.enter_async_context(bootstrap.reading(settings))
        if reader is not None:
            await told.tell(await reader.incidents("unsettled"))
        with suppress(TimeoutError):
            async with asyncio.timeout(TELLING_S):
                await told.finish()


def new_id() -> str:
    """Return an id for an incident."""
    return IdSource(time.time_ns, os.urandom).next()
