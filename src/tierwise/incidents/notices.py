"""What is said of an incident, to whom, and how often is it tried? Notices are told at least once.

What is owed stands in the ledger; one process takes it, for a time, and says there what came of each try. So what a
process did not get to tell, the next one tells.
Invariant: a notice holds ids, kinds, numbers, times and names from the configuration: no content, no one's prose.
"""

import asyncio
import json
import logging
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from tierwise.core.errors import StoreError
from tierwise.incidents.clerk import Clerk
from tierwise.incidents.conditions import look, sentence
from tierwise.incidents.senders import Sender, Sent
from tierwise.ledger.incidents import Incident, Owed
from tierwise.ledger.protocol import Noting

PAUSES_S = (0.0, 2.0, 8.0, 30.0, 120.0)
"""How long is waited before each try."""
LEASE_S = 15.0
RENEW_S = LEASE_S / 3
AT_ONCE = 8
_log = logging.getLogger("tierwise.incidents")


def notice(incident: Incident, event: str, *, recorded: bool = True) -> bytes:
    """Return what is said, as JSON. `delivery` is the same however often it is sent."""
    told: dict[str, Any] = {
        "version": 1,
        "event": event,
        "delivery": f"{incident.id}-{incident.owed}",
        "message": sentence(incident),
        "look": f"tierwise incidents show {incident.id}",
        "recorded": recorded,
        "incident": {
            field: getattr(incident, field)
            for field in (
                "id", "kind", "subject", "condition", "severity", "opened", "last", "count", "decisions", "closed",
            )
        } | {"look": look(incident), "by_itself": incident.closed is not None and incident.closed_by is None},
    }  # fmt: skip
    # Names may hold anything: in ASCII nothing of them steers a terminal that shows the log.
    return json.dumps(msgspec.to_builtins(told)).encode()


class Notices:
    """Tells what is owed. `claimant` names this process."""

    def __init__(self, clerk: Clerk, senders: Sequence[Sender], claimant: str) -> None:
        self._clerk, self._senders, self._claimant = clerk, senders, claimant
        self._under_way: dict[tuple[str, int], asyncio.Task[None]] = {}
        self._asked: set[tuple[str, int]] = set()
        self._renew_at = 0.0
        self._room = asyncio.Semaphore(AT_ONCE)

    async def tell(self, unsettled: Sequence[Incident]) -> None:
        """Begin to tell what is owed, and stop telling what was overtaken. Raises StoreError."""
        due = {(one.id, one.owed) for one in unsettled if one.owed}
        for name, task in list(self._under_way.items()):
            if task.done() or name not in due:
                task.cancel()
                del self._under_way[name]
        if due <= self._asked and (not due or time.monotonic() < self._renew_at):
            return
        self._asked, self._renew_at = due, time.monotonic() + RENEW_S
        for owed in await self._clerk.do(lambda book: book.claim(self._claimant, LEASE_S)):
            name = (owed.incident.id, owed.incident.owed)
            if name not in self._under_way:
                self._under_way[name] = asyncio.create_task(self._all(owed))

    async def announce(self, incident: Incident) -> tuple[str, ...]:
        """Tell, once, of an incident that cannot be recorded now; return who was told."""
        body = notice(incident, "opened", recorded=False)
        wanted = [sender for sender in self._senders if sender.row.wants(incident.kind, incident.severity)]
        done = await asyncio.gather(*(self._once(sender, body) for sender in wanted))
        return tuple(sender.row.name for sender, sent in zip(wanted, done, strict=True) if sent.well)

    async def finish(self) -> None:
        """Wait until everything under way is told or given up."""
        while self._under_way:
            await asyncio.gather(*self._under_way.values())
            self._under_way.clear()

    async def aclose(self) -> None:
        """Stop; what was not told stays owed."""
        for task in self._under_way.values():
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    async def _all(self, owed: Owed) -> None:
        incident = owed.incident
        wanted = [sender for sender in self._senders if sender.row.wants(incident.kind, incident.severity)]
        try:
            async with asyncio.TaskGroup() as group:
                for sender in wanted:
                    if sender.row.name not in owed.told:
                        group.create_task(self._one(owed, sender))
            await self._clerk.do(lambda book: book.settle(owed))
        except* StoreError:  # it stays owed, and is told again once the ledger can be written
            _log.info("what was told of incident %s could not be recorded", incident.id)

    async def _one(self, owed: Owed, sender: Sender) -> None:
        body = notice(owed.incident, owed.what)
        for number, pause_s in enumerate(PAUSES_S, start=1):
            await asyncio.sleep(pause_s)
            sent = await self._once(sender, body)
            detail = sent.detail if sent.well else f"{sent.detail} (try {number} of {len(PAUSES_S)})"
            await self._clerk.do(partial(_note, owed, sender.row.name, detail, well=sent.well))
            if sent.well:
                return

    async def _once(self, sender: Sender, body: bytes) -> Sent:
        async with self._room:
            try:
                return await sender.send(body)
            except Exception as error:  # a defect of ours must not keep the others from being told
                _log.exception("a notifier failed unexpectedly")
                return Sent(well=False, detail=type(error).__name__)


def _note(owed: Owed, who: str, detail: str, book: Noting, *, well: bool) -> None:
    book.told(owed, who, detail, well=well)
