"""Who brings what was seen to the ledger, closes what is over, and has it told? One task, off every call's way.

Invariant: nothing here is waited for by a call; what cannot be stored is kept, told, and stored later.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

import msgspec

from tierwise.core.errors import StoreError
from tierwise.incidents.clerk import Clerk
from tierwise.incidents.notices import Notices
from tierwise.incidents.watch import Watch
from tierwise.ledger.incidents import Incident, Sighting, Which, opened, quieted, rank
from tierwise.telemetry.families import Family, Point

POLL_S = 1.0
GATHER_S = 5.0
"""How often what is seen again is written; what is new is written at once."""
UNRECORDED_S = 5.0
"""How long the ledger may refuse a sighting before those who are told hear of it all the same."""
ENDING_S = 2.0
_log = logging.getLogger("tierwise.incidents")


class Reader(Protocol):
    """Where incidents are looked up."""

    async def incidents(self, which: Which = "open", since_ts: float = 0.0) -> list[Incident]:
        """Return incidents."""


class Drift(Protocol):
    """What sees that traffic is no longer that of a certificate."""

    def look(self) -> Iterable[tuple[str, str]]:
        """Return subjects that drift since the last time, each with a call."""

    def open_now(self, subjects: Collection[str]) -> None:
        """Take up of which an incident is open."""


def drifting(incidents: Iterable[Incident]) -> set[str]:
    """Return of which subjects an incident of drift is open."""
    return {one.subject for one in incidents if one.kind == "drift" and one.closed is None}


class Desk:
    """Follows the sightings of one gateway."""

    def __init__(
        self,
        watch: Watch,
        clerk: Clerk,
        reader: Reader,
        notices: Notices,
        quiet_s: float,
        clock: Callable[[], float] = time.time,
        drift: Drift | None = None,
    ) -> None:
        self._watch, self._clerk, self._reader, self._notices, self._drift = watch, clerk, reader, notices, drift
        self._quiet_s, self._clock = quiet_s, clock
        self._gather_s = min(GATHER_S, quiet_s / 3)
        self._open: dict[bytes, Incident] = {}
        self._gather_at, self._first = 0.0, True
        self._refused_since: float | None = None
        self._announced: set[bytes] = set()

    def open_now(self) -> Family:
        """Return how many incidents are open, as a metric."""
        counts = Counter((one.kind, one.severity) for one in self._open.values())
        points = tuple(
            Point(labels={"kind": kind, "severity": how}, value=n) for (kind, how), n in sorted(counts.items())
        )
        return Family(name="tierwise.incidents.open", kind="gauge", text="Open incidents.", points=points)

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            await self._look_safely()

    async def aclose(self) -> None:
        """Store what was seen last, within a limit; what was not told yet stays owed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                self._gather_at = 0.0
                await self._look_safely()
                await self._notices.finish()
        await self._notices.aclose()
        self._clerk.close()

    async def look(self) -> None:
        """Store what was seen, close what is over, tell what is owed. Raises StoreError."""
        for subject, ident in self._drift.look() if self._drift else ():
            self._watch.saw("drift", subject, (ident,))
        sightings = self._watch.taken(time.monotonic())
        if self._watch.missed:
            missed, self._watch.missed = self._watch.missed, 0
            _log.warning("%d calls or sightings were too many to be looked at for incidents", missed)
        if sightings:
            await self._store(sightings)
        unsettled = await self._reader.incidents("unsettled")
        self._open = {one.name: one for one in unsettled if one.closed is None}
        if self._drift:
            self._drift.open_now(drifting(unsettled))
        # At first always: what the book needs of the machine is then taken before there is anything to tell.
        if self._first or any(quieted(one, self._quiet_s, self._clock()) for one in unsettled):
            await self._clerk.do(lambda book: book.quieten(self._quiet_s))
            unsettled, self._first = await self._reader.incidents("unsettled"), False
        await self._notices.tell(unsettled)

    async def _look_safely(self) -> None:
        try:
            await self.look()
        except StoreError:  # the calls say it, and so does an incident of its own
            _log.debug("incidents cannot be followed now", exc_info=True)
        except Exception:  # a defect of ours must not end the following in silence
            _log.exception("incidents could not be followed")

    async def _store(self, sightings: Sequence[Sighting]) -> None:
        now = time.monotonic()
        if now < self._gather_at and not any(map(self._new, sightings)):
            self._watch.put_back(sightings)
            return
        try:
            await self._clerk.do(lambda book: book.note(sightings))
        except StoreError:
            self._watch.put_back(await self._announce(sightings, now))
            raise
        self._gather_at, self._refused_since = now + self._gather_s, None
        self._announced.clear()

    def _new(self, sighting: Sighting) -> bool:
        known = self._open.get(f"{sighting.kind} {sighting.subject}".encode())
        return known is None or rank(sighting.severity) > rank(known.severity)

    async def _announce(self, sightings: Sequence[Sighting], now: float) -> list[Sighting]:
        """Tell of what the ledger has refused for too long, once each; return what is to be kept."""
        self._refused_since = self._refused_since or now
        kept = []
        for sighting in sightings:
            incident, told = opened(sighting), sighting.announced
            late = now - self._refused_since >= UNRECORDED_S
            if late and incident.name not in self._announced and incident.name not in self._open:
                self._announced.add(incident.name)
                told = await self._notices.announce(incident)
            kept.append(msgspec.structs.replace(sighting, announced=told))
        return kept
