"""How busy is each model now, and how long would this call take there? What servers said, and what we see ourselves.

Our own requests are counted as they come and go, so what a server said some seconds ago is only needed for those of
others: many calls at once do not all take the one slot that was free. One event loop owns it.
Invariant: what was said longer than `stale_s` ago is not known; times of calls that waited or loaded are no pace.
"""

from typing import Annotated, Literal

import msgspec

from tierwise.core.capacity import Capacity, CapacityRecord
from tierwise.gateway.pace import Pace

STALE_S = 10.0
WEIGHT = 0.2
Met = Literal["free", "full", "cold"]
"""What a request found when it was sent: nothing before it, all slots taken, or a model that had to be loaded."""


class LiveSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[live]`: every so many seconds servers that are ours are asked how busy they are, never if 0; what they said is
    not known any more after `stale_s`."""

    every_s: Annotated[float, msgspec.Meta(ge=0)] = 2.0
    stale_s: Annotated[float, msgspec.Meta(gt=0)] = STALE_S


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said at a moment (monotonic seconds), and how many requests of ours it had then."""

    capacity: Capacity
    at: float
    own: int


class Live:
    """What is known of the load of each model, by id. Of a model that is not among `heard_of` nothing is."""

    def __init__(self, stale_s: float = STALE_S) -> None:
        self.stale_s = stale_s
        self.heard_of: set[str] = set()
        self._seen: dict[str, Seen] = {}
        self._own: dict[str, int] = {}
        self._asked_at: dict[str, float] = {}
        self._slots: dict[str, int | None] = {}
        self._paces: dict[str, Pace] = {}
        self._loads_ms: dict[str, float] = {}
        self._lengths: dict[tuple[str, str | None], float] = {}

    def told(self, model: str, capacity: Capacity, now: float) -> None:
        """Keep what the model's server says."""
        self.heard_of.add(model)
        self._seen[model] = Seen(capacity=capacity, at=now, own=self._own.get(model, 0))
        if capacity.load_ms is not None:
            self._loads_ms[model] = capacity.load_ms

    def heard(self, model: str, record: CapacityRecord, now: float) -> None:
        """Take over what another gateway knows of the model."""
        self.told(
            model,
            Capacity(
                slots=record.slots,
                running=record.requests,
                loaded=record.loaded,
                context_tokens=record.context_tokens,
                load_ms=record.load_ms,
            ),
            now - (record.age_s or 0.0),
        )
        if record.answer_ms is not None:
            self.answered(model, None, "free", 0, 0, record.answer_ms)

    def asked_since(self, model: str, since: float) -> bool:
        """Say whether the model has been asked since then, or is being asked."""
        return bool(self._own.get(model)) or self._asked_at.get(model, -1.0) >= since

    def began(self, model: str, slots: int | None, now: float) -> Met:
        """Count a request that is sent now; return what it met."""
        record = self.expected(model, slots, 0, None, None, now)
        self._own[model] = self._own.get(model, 0) + 1
        self._asked_at[model], self._slots[model] = now, slots
        if record is None:
            return "free"
        if record.loaded is False:
            return "cold"
        known = record.slots is not None and record.requests is not None
        return "full" if known and (record.requests or 0) >= (record.slots or 0) else "free"

    def pace_ms(self, model: str) -> float | None:
        """Return what an answer takes on average where nothing is before it."""
        pace = self._paces.get(model)
        return None if pace is None else pace.ms

    def under_way(self, model: str) -> int:
        """Return how many requests of ours the model has now."""
        return self._own.get(model, 0)

    def ended(self, model: str) -> None:
        """Count a request that is over, however it ended."""
        self._own[model] -= 1

    def answered(self, model: str, workflow: str | None, met: Met, read: int, written: int, ms: float) -> None:
        """Learn from a whole answer."""
        for place in ((model, workflow), (model, None)):
            before = self._lengths.get(place)
            self._lengths[place] = written if before is None else before + WEIGHT * (written - before)
        pace = self._paces.get(model)
        if met == "free":
            if pace is None:
                pace = self._paces[model] = Pace()
                self.heard_of.add(model)
            pace.learn(read, written, ms)
        elif met == "cold":
            self._warmed(model, None if pace is None else max(ms - pace.answer_ms(read, written), 0.0))

    def _warmed(self, model: str, load_ms: float | None) -> None:
        """Know that the model is loaded now, without waiting to be told."""
        seen = self._seen[model]
        self._seen[model] = msgspec.structs.replace(seen, capacity=msgspec.structs.replace(seen.capacity, loaded=True))
        if load_ms is not None and seen.capacity.load_ms is None:
            self._loads_ms[model] = load_ms

    def expected(
        self, model: str, slots: int | None, read: int, limit: int | None, workflow: str | None, now: float
    ) -> CapacityRecord | None:
        """Return what is known of the model and how long a call would take, None where nothing is known.

        `slots` is what the configuration says; `limit` is the longest answer that the caller allows.
        """
        pace, seen = self._paces.get(model), self._seen.get(model)
        if seen is not None and now - seen.at > self.stale_s:
            seen = None
        if seen is None and pace is None:
            return None
        own, answer_ms = self._own.get(model, 0), None
        if pace is not None:
            length = self._lengths.get((model, workflow)) or self._lengths[model, None]
            answer_ms = pace.answer_ms(read, length if limit is None or length < limit else limit)
        if seen is None:
            wait = wait_ms(own, slots, pace)
            return CapacityRecord(slots=slots, requests=own, wait_ms=wait, answer_ms=answer_ms)
        said = seen.capacity
        there = (said.running or 0) + (said.waiting or 0)
        requests = own + there - seen.own if there > seen.own else own
        # A server that does not tell its slots has as many as it runs while others wait.
        slots = said.slots or slots or (said.running if said.waiting else None) or None
        return CapacityRecord(
            slots=slots,
            requests=requests,
            loaded=said.loaded,
            context_tokens=said.context_tokens,
            age_s=now - seen.at,
            wait_ms=0.0 if slots is not None and requests < slots else wait_ms(requests, slots, pace),
            load_ms=self._loads_ms.get(model) if said.loaded is False else None,
            answer_ms=answer_ms,
        )

    def known(self, now: float) -> dict[str, CapacityRecord]:
        """Return what is known of each model now, for an answer of its usual size."""
        found = {}
        for model in self.heard_of:
            pace = self._paces.get(model)
            record = self.expected(model, self._slots.get(model), int(pace.read) if pace else 0, None, None, now)
            if record is not None:
                found[model] = record
        return found


def wait_ms(requests: int, slots: int | None, pace: Pace | None) -> float | None:
    """Return how long a request waits for a slot with so many before it; None where that is not known.

    One that comes when all slots are taken waits for as many to end as are too many, and one of `slots` ends every
    mean time / slots (exact where times are exponential, as in M/M/c).
    """
    if slots is None:
        return None
    ahead = requests - slots + 1
    if ahead <= 0:
        return 0.0
    return None if pace is None else ahead * pace.ms / slots
