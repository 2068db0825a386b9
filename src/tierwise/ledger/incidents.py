"""What is an incident, and what does a sighting, a notice or a closing do to it? Decided without a store.

A sighting is a broken promise as somebody saw it; the first of a kind and subject opens an incident, the next ones
gather in it. What lasts closes by itself when it is not seen any more, everything else is closed by a person.
Invariant: of a kind and subject at most one is open; content of calls is in none, nor are words of an endpoint.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import msgspec

from tierwise.core.errors import ConfigError

Kind = Literal["leak_attempt", "budget", "audit", "drift", "endpoint_down", "gate"]
Severity = Literal["notice", "warning", "critical"]
What = Literal["opened", "seen", "raised", "notified", "not_notified", "closed"]
Which = Literal["open", "unsettled", "all"]
"""Incidents that are open; those too of which something is still to be told; all."""
Line = tuple[What, str, str]
"""What is added to a history: what, who, detail."""

TELLABLE = ("opened", "raised", "closed")
BEFORE = "before it could be recorded"
COLUMNS = "id, name, opened, closed, owed, incident"
EVENT_COLUMNS = "seq, incident, ts, what, who, detail, about"
# Of the calls that led to an incident the first are kept, which began it, and the newest.
FIRST_DECISIONS, NEWEST_DECISIONS = 16, 16
MAX_NOTE_CHARS = 500


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A broken promise, seen `count` times from `ts` to `last`. `id` names the incident if this opens one.

    `lasting`: it is a state that ends by itself, at `until` or when it is not seen any more; after a person has closed
    its incident it opens none for `rest_s`. `announced` are the notifiers that were told before it could be recorded.
    """

    id: str
    kind: Kind
    subject: str
    condition: str
    severity: Severity
    ts: float
    last: float
    count: int = 1
    decisions: tuple[str, ...] = ()
    lasting: bool = False
    until: float | None = None
    rest_s: float = 0.0
    announced: tuple[str, ...] = ()


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """A broken promise and how it stands. Times are Unix seconds; `opened` is when it was first seen.

    `closed_by` is a person, None where it closed by itself; `owed` the number of the event that is still to be told.
    """

    id: str
    kind: Kind
    subject: str
    condition: str
    severity: Severity
    opened: float
    last: float
    count: int = 0
    decisions: tuple[str, ...] = ()
    lasting: bool = False
    until: float | None = None
    closed: float | None = None
    closed_by: str | None = None
    note: str = ""
    owed: int = 0

    @property
    def name(self) -> bytes:
        """What only one open incident has."""
        return name_of(self.kind, self.subject)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an incident's history. `about` is the number of the event that a notice told."""

    seq: int
    incident: str
    ts: float
    what: What
    who: str = ""
    detail: str = ""
    about: int = 0


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """An incident as it is from now on, and what is added to its history."""

    incident: Incident
    events: tuple[Line, ...] = ()


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """An incident of which an event is to be told, and who has been told of it already."""

    incident: Incident
    what: What
    told: frozenset[str] = frozenset()


def name_of(kind: str, subject: str) -> bytes:
    """Return what only one open incident has."""
    return f"{kind} {subject}".encode()


def rank(severity: Severity) -> int:
    """Return the place on the scale, 0 for a notice."""
    return get_args(Severity).index(severity)


def merged(one: Sighting, other: Sighting) -> Sighting:
    """Return two sightings of the same as one: the identity is the first's, the severity the higher one's."""
    high = other if rank(other.severity) >= rank(one.severity) else one
    return msgspec.structs.replace(
        one,
        condition=high.condition,
        severity=high.severity,
        lasting=high.lasting,
        until=high.until,
        ts=min(one.ts, other.ts),
        last=max(one.last, other.last),
        count=one.count + other.count,
        decisions=gathered(one.decisions, other.decisions),
        announced=one.announced or other.announced,
    )


def gathered(before: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """Return the first ids and the newest ones, each once."""
    found = tuple(dict.fromkeys((*before, *more)))
    if len(found) <= FIRST_DECISIONS + NEWEST_DECISIONS:
        return found
    return found[:FIRST_DECISIONS] + found[-NEWEST_DECISIONS:]


def opened(sighting: Sighting) -> Incident:
    """Return the incident that a sighting opens."""
    same = {field: getattr(sighting, field) for field in (
        "id", "kind", "subject", "condition", "severity", "last", "count", "decisions", "lasting", "until",
    )}  # fmt: skip
    return Incident(opened=sighting.ts, **same)


def noted(known: Incident | None, sighting: Sighting, now: float) -> Change | None:
    """Return what a sighting changes; `known` is the newest incident of its kind and subject, None for none."""
    if known is None or known.closed is not None:
        if known is not None and _rests(known, sighting, now):
            return None
        told: list[Line] = [("notified", name, BEFORE) for name in sighting.announced]
        return Change(incident=opened(sighting), events=(("opened", "", sighting.condition), *told))
    count, raised = known.count + sighting.count, rank(sighting.severity) > rank(known.severity)
    events: tuple[Line, ...] = ()
    if raised:
        events = (("raised", "", f"{known.severity} to {sighting.severity}"),)
    elif known.count and len(str(count)) > len(str(known.count)):  # so a history of any length stays short
        events = (("seen", "", f"{count} times by now"),)
    changes: dict[str, Any] = {
        "opened": min(known.opened, sighting.ts),
        "last": max(known.last, sighting.last),
        "count": count,
        "decisions": gathered(known.decisions, sighting.decisions),
    }
    if rank(sighting.severity) >= rank(known.severity):
        changes |= {field: getattr(sighting, field) for field in ("condition", "severity", "lasting", "until")}
    return Change(incident=msgspec.structs.replace(known, **changes), events=events)


def _rests(known: Incident, sighting: Sighting, now: float) -> bool:
    """Say whether a state that was closed opens nothing now: a person knows of it, or it was seen before that."""
    if not sighting.lasting or known.closed is None:
        return False
    if sighting.last <= known.closed:
        return True
    return known.closed_by is not None and now < max(known.closed + sighting.rest_s, known.until or 0.0)


def closed(known: Incident, who: str, note: str, now: float) -> Change:
    """Close it for a person. ConfigError where it is closed already."""
    if known.closed is not None:
        raise ConfigError(f"incident {known.id} is closed already, by {known.closed_by or 'itself'}")
    return Change(incident=_closed(known, who, note, now), events=(("closed", who, note),))


def quieted(known: Incident, quiet_s: float, now: float) -> Change | None:
    """Close what lasts and was not seen for so long, None where it stays open."""
    if known.closed is not None or not known.lasting or now < max(known.last + quiet_s, known.until or 0.0):
        return None
    note = "its time is over" if known.until is not None else f"not seen for {quiet_s:g} s"
    return Change(incident=_closed(known, None, note, now), events=(("closed", "", note),))


def _closed(known: Incident, who: str | None, note: str, now: float) -> Incident:
    return msgspec.structs.replace(known, closed=now, closed_by=who, note=note)


def owed_of(incident: Incident, history: Sequence[Event]) -> Owed:
    """Return what is to be told of an incident."""
    what: What = next((event.what for event in history if event.seq == incident.owed), "opened")
    told = frozenset(event.who for event in history if event.what == "notified" and event.about == incident.owed)
    return Owed(incident=incident, what=what, told=told)


# as a row

_decoder = msgspec.json.Decoder(Incident)


def row_of(incident: Incident) -> tuple[str, bytes, float, float | None, int, bytes]:
    """Return an incident as a store keeps it."""
    body = msgspec.json.encode(incident)
    return (incident.id, incident.name, incident.opened, incident.closed, incident.owed, body)


def incident_of(owed: int, body: bytes) -> Incident:
    """Return what a store keeps."""
    return msgspec.structs.replace(_decoder.decode(body), owed=owed)


def event_of(row: Sequence[Any]) -> Event:
    """Return a line of a history."""
    return msgspec.convert(dict(zip(EVENT_COLUMNS.split(", "), row, strict=True)), Event)
