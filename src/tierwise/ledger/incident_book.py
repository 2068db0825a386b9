"""Who writes incidents into a ledger in a file? Their tables, and the only SQL that writes them there.

Works beside a running server: each change is one short transaction on a connection of its own, with its line in the
history. What a change does is decided by `incidents`.
Invariant: a change is made whole or not at all; lines of a history are only added.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.ledger import incidents
from tierwise.ledger.beside import changing
from tierwise.ledger.incidents import COLUMNS, EVENT_COLUMNS, TELLABLE, Change, Event, Incident, Owed, Sighting, Which

WHERE: dict[Which, str] = {"open": "closed IS NULL", "unsettled": "(closed IS NULL OR owed > 0)", "all": "1 = 1"}


def select(db: sqlite3.Connection, which: Which = "open", since_ts: float = 0.0) -> list[Incident]:
    """Return incidents, the newest first: those that were seen since then."""
    sql = f"SELECT owed, incident FROM incidents WHERE {WHERE[which]} ORDER BY opened DESC, id DESC"  # noqa: S608
    found = [incidents.incident_of(owed, body) for owed, body in db.execute(sql)]
    return [one for one in found if one.last >= since_ts]


def events(db: sqlite3.Connection, ident: str) -> list[Event]:
    """Return the history of an incident, oldest line first."""
    sql = f"SELECT {EVENT_COLUMNS} FROM incident_events WHERE incident = ? ORDER BY seq"  # noqa: S608  # only columns
    return [incidents.event_of(row) for row in db.execute(sql, (ident,))]


class IncidentBook:
    """Writes incidents into the ledger at `path`. Blocks: from an event loop, use it in a thread."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock

    def note(self, sightings: Sequence[Sighting]) -> None:
        """Open an incident for each sighting, or gather it in the open one."""
        with changing(self._path) as db:
            for sighting in sightings:
                change = incidents.noted(_newest(db, sighting), sighting, self._clock())
                if change is not None:
                    self._apply(db, change)

    def close(self, ident: str, who: str, note: str) -> Incident:
        """Close the incident of exactly this id. ConfigError where there is none, or it is closed."""
        with changing(self._path) as db:
            row = db.execute("SELECT owed, incident FROM incidents WHERE id = ?", (ident,)).fetchone()
            if row is None:
                raise ConfigError(f"there is no incident {ident!r}")
            return self._apply(db, incidents.closed(incidents.incident_of(*row), who, note, self._clock()))

    def quieten(self, quiet_s: float) -> list[Incident]:
        """Close what lasts and was not seen for so long; return it."""
        with changing(self._path) as db:
            changes = [incidents.quieted(known, quiet_s, self._clock()) for known in select(db)]
            return [self._apply(db, change) for change in changes if change is not None]

    def claim(self, claimant: str, lease_s: float) -> list[Owed]:
        """Take, for so long, what is to be told and nobody else has taken."""
        with changing(self._path) as db:
            now = self._clock()  # under the lock: who waited for it must not think that it is earlier
            mine = "owed > 0 AND (claimant = ?1 OR claimed_until <= ?2 OR claimed_until > ?4)"
            sql = f"UPDATE incidents SET claimant = ?1, claimed_until = ?3 WHERE {mine} RETURNING owed, incident"  # noqa: S608
            taken = (
                claimant,
                now,
                now + lease_s,
                now + 2 * lease_s,
            )  # farther ahead only a clock that was wrong has put
            found = [incidents.incident_of(*row) for row in db.execute(sql, taken).fetchall()]
            return [incidents.owed_of(one, events(db, one.id)) for one in found]

    def told(self, about: Owed, who: str, detail: str, *, well: bool) -> None:
        """Add to the history that a notifier was told of an event, or could not be."""
        with changing(self._path) as db:
            what = "notified" if well else "not_notified"
            _insert(db, about.incident.id, self._clock(), (what, who, detail), about.incident.owed)

    def settle(self, about: Owed) -> None:
        """Say that nobody is left to be told of this event."""
        with changing(self._path) as db:
            sql = "UPDATE incidents SET owed = 0 WHERE id = ? AND owed = ?"
            db.execute(sql, (about.incident.id, about.incident.owed))

    def _apply(self, db: sqlite3.Connection, change: Change) -> Incident:
        incident, now = change.incident, self._clock()
        for event in change.events:
            seq = _insert(db, incident.id, now, event, incident.owed)
            if event[0] in TELLABLE:
                incident = msgspec.structs.replace(incident, owed=seq)
        sql = (
            f"INSERT INTO incidents ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "  # noqa: S608
            "opened = excluded.opened, closed = excluded.closed, owed = excluded.owed, incident = excluded.incident"
        )
        db.execute(sql, incidents.row_of(incident))
        return incident


def _newest(db: sqlite3.Connection, sighting: Sighting) -> Incident | None:
    sql = "SELECT owed, incident FROM incidents WHERE name = ? ORDER BY closed IS NULL DESC, closed DESC LIMIT 1"
    row = db.execute(sql, (incidents.name_of(sighting.kind, sighting.subject),)).fetchone()
    return None if row is None else incidents.incident_of(*row)


def _insert(db: sqlite3.Connection, ident: str, now: float, event: tuple[str, str, str], about: int) -> int:
    sql = "INSERT INTO incident_events (incident, ts, what, who, detail, about) VALUES (?, ?, ?, ?, ?, ?)"
    cursor = db.execute(sql, (ident, now, *event, 0 if event[0] in TELLABLE else about))
    return int(cursor.lastrowid or 0)
