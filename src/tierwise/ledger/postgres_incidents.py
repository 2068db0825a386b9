"""Who writes incidents into a ledger in PostgreSQL? What `incident_book` is for a file, for several gateways.

Times are the server's. One lock for whoever writes: two gateways that see the same open one incident between them.
Invariant: a change is made whole, after every one before it, or not at all; lines of a history are only added.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.ledger import incidents
from tierwise.ledger.incident_book import WHERE
from tierwise.ledger.incidents import COLUMNS, EVENT_COLUMNS, TELLABLE, Change, Event, Incident, Owed, Sighting, Which
from tierwise.ledger.postgres_beside import changed
from tierwise.ledger.postgres_tables import text
from tierwise.postgres.connect import Place

# "Twli": the advisory lock of whoever writes incidents.
_LOCK = 0x5477_6C69


async def select(db: Any, which: Which = "open", since_ts: float = 0.0) -> list[Incident]:
    """Return incidents, the newest first: those that were seen since then."""
    sql = f"SELECT owed, incident FROM incidents WHERE {WHERE[which]} ORDER BY opened DESC, id DESC"  # noqa: S608
    found = [incidents.incident_of(*row) for row in await db.fetch(sql)]
    return [one for one in found if one.last >= since_ts]


async def events(db: Any, ident: str) -> list[Event]:
    """Return the history of an incident, oldest line first."""
    sql = f"SELECT {EVENT_COLUMNS} FROM incident_events WHERE incident = $1 ORDER BY seq"  # noqa: S608  # only columns
    return [incidents.event_of(row) for row in await db.fetch(sql, text(ident))]


class PostgresIncidentBook:
    """Writes incidents into this database. Blocks: from an event loop, use it in a thread."""

    def __init__(self, where: Place) -> None:
        self._where = where

    def note(self, sightings: Sequence[Sighting]) -> None:
        """Open an incident for each sighting, or gather it in the open one."""

        async def work(db: Any, now: float) -> None:
            for sighting in sightings:
                change = incidents.noted(await _newest(db, sighting), sighting, now)
                if change is not None:
                    await _apply(db, change, now)

        changed(self._where, _LOCK, work)

    def close(self, ident: str, who: str, note: str) -> Incident:
        """Close the incident of exactly this id. ConfigError where there is none, or it is closed."""

        async def work(db: Any, now: float) -> Incident:
            row = await db.fetchrow("SELECT owed, incident FROM incidents WHERE id = $1", text(ident))
            if row is None:
                raise ConfigError(f"there is no incident {ident!r}")
            return await _apply(db, incidents.closed(incidents.incident_of(*row), who, note, now), now)

        return changed(self._where, _LOCK, work)

    def quieten(self, quiet_s: float) -> list[Incident]:
        """Close what lasts and was not seen for so long; return it."""

        async def work(db: Any, now: float) -> list[Incident]:
            changes = [incidents.quieted(known, quiet_s, now) for known in await select(db)]
            return [await _apply(db, change, now) for change in changes if change is not None]

        return changed(self._where, _LOCK, work)

    def claim(self, claimant: str, lease_s: float) -> list[Owed]:
        """Take, for so long, what is to be told and nobody else has taken."""

        async def work(db: Any, now: float) -> list[Owed]:
            mine = "owed > 0 AND (claimant = $1 OR claimed_until <= $2 OR claimed_until > $4)"
            sql = f"UPDATE incidents SET claimant = $1, claimed_until = $3 WHERE {mine} RETURNING owed, incident"  # noqa: S608
            taken = (
                claimant,
                now,
                now + lease_s,
                now + 2 * lease_s,
            )  # farther ahead only a clock that was wrong has put
            found = [incidents.incident_of(*row) for row in await db.fetch(sql, *taken)]
            return [incidents.owed_of(one, await events(db, one.id)) for one in found]

        return changed(self._where, _LOCK, work)

    def told(self, about: Owed, who: str, detail: str, *, well: bool) -> None:
        """Add to the history that a notifier was told of an event, or could not be."""

        async def work(db: Any, now: float) -> None:
            what = "notified" if well else "not_notified"
            await _insert(db, about.incident.id, now, (what, who, detail), about.incident.owed)

        changed(self._where, _LOCK, work)

    def settle(self, about: Owed) -> None:
        """Say that nobody is left to be told of this event."""

        async def work(db: Any, _now: float) -> None:
            sql = "UPDATE incidents SET owed = 0 WHERE id = $1 AND owed = $2"
            await db.execute(sql, about.incident.id, about.incident.owed)

        changed(self._where, _LOCK, work)


async def _apply(db: Any, change: Change, now: float) -> Incident:
    incident = change.incident
    for event in change.events:
        seq = await _insert(db, incident.id, now, event, incident.owed)
        if event[0] in TELLABLE:
            incident = msgspec.structs.replace(incident, owed=seq)
    sql = (
        f"INSERT INTO incidents ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608
        "opened = excluded.opened, closed = excluded.closed, owed = excluded.owed, incident = excluded.incident"
    )
    await db.execute(sql, *incidents.row_of(incident))
    return incident


async def _newest(db: Any, sighting: Sighting) -> Incident | None:
    sql = "SELECT owed, incident FROM incidents WHERE name = $1 ORDER BY closed IS NULL DESC, closed DESC LIMIT 1"
    row = await db.fetchrow(sql, incidents.name_of(sighting.kind, sighting.subject))
    return None if row is None else incidents.incident_of(*row)


async def _insert(db: Any, ident: str, now: float, event: tuple[str, str, str], about: int) -> int:
    sql = (
        "INSERT INTO incident_events (incident, ts, what, who, detail, about) VALUES ($1, $2, $3, $4, $5, $6) "
        "RETURNING seq"
    )
    what, who, detail = event
    seq: int = await db.fetchval(sql, ident, now, what, text(who), text(detail), 0 if what in TELLABLE else about)
    return seq
