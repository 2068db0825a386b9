"""Did anything with this label ever go there? Reads the records of a log and counts what would contradict "no".

The answer is only as good as the log is whole (`verifier`) and complete (witnesses, the provider's bill): whoever asks
adds that. Pure. Invariant: a call of which it is not known where it went never counts as absent.
"""

from collections.abc import Collection, Sequence

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.core.label import Label, Tier

MOST_NAMED = 50


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """Calls that carried `label` or a higher one, and attempts that went to one of these tiers or endpoints.

    `since` and `until` are Unix seconds; `until` is not counted.
    """

    label: Label
    tiers: tuple[Tier, ...] = (Tier.FRONTIER,)
    endpoints: tuple[str, ...] = ()
    workflow: str | None = None
    since: float = 0.0
    until: float


class _Attempt(msgspec.Struct, frozen=True):
    endpoint: str
    tier: Tier
    started: float


class _Labelled(msgspec.Struct, frozen=True):
    value: Label
    sources: list[dict[str, str]] = []


class _Record(msgspec.Struct, frozen=True):
    """What of a record is asked about."""

    id: str
    ts: float
    label: _Labelled
    outcome: str
    workflow: str | None = None
    attempts: list[_Attempt] = []


class Counted(msgspec.Struct, kw_only=True):
    """What was found. Numbers are of calls; `went` lists those that contradict, `unknown` those that were cut short
    or are still open.

    `declassified` carried a lowered label; `removed` records are gone by their age, and what lies before `whole_from`
    cannot be answered for that. `oldest` is the earliest time of any record that is there. `strange` are endpoints and
    workflows that were asked about and that no record names.
    """

    looked_at: int = 0
    labelled: int = 0
    attempts: dict[Tier, int] = msgspec.field(default_factory=dict)
    went: list[str] = msgspec.field(default_factory=list)
    went_calls: int = 0
    unknown: list[str] = msgspec.field(default_factory=list)
    unknown_calls: int = 0
    open_calls: int = 0
    declassified: int = 0
    removed: int = 0
    whole_from: float | None = None
    oldest: float | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    strange: list[str] = msgspec.field(default_factory=list)


_records = msgspec.json.Decoder(_Record)


class Absence:
    """Reads a log's rows and counts (`found`)."""

    def __init__(self, question: Question) -> None:
        named = [*question.endpoints, *([question.workflow] if question.workflow is not None else [])]
        self.found = Counted(strange=named)
        self._asked = question
        self._gap, self._floor = False, 0.0

    def still_open(self, call: Decision) -> None:
        """Count a call that has no record yet: under way, or cut short by a kill after which no gateway has begun."""
        asked = self._asked
        inside = asked.since <= call.ts < asked.until and asked.workflow in (None, call.workflow)
        if inside and call.label.value.rank >= asked.label.rank:
            self.found.open_calls += 1
            _name(self.found.unknown, call.id)

    def begin(self, _checkpoints: Sequence[str], _removal: str | None) -> None:
        """Signatures are looked at by the verifier."""

    def take(self, rows: Sequence[tuple[int, bytes | None, bytes | None]]) -> None:
        """Count the next rows."""
        for seq, record, _ in rows:
            if record is None:
                self.found.removed += 1
                self.found.whole_from, self._gap = None, True
                continue
            try:
                self._count(seq, _records.decode(record))
            except (msgspec.MsgspecError, UnicodeError) as error:
                raise StoreError(f"record {seq} cannot be read: {error}") from None

    def _count(self, seq: int, record: _Record) -> None:
        found, asked = self.found, self._asked
        found.oldest = record.ts if found.oldest is None else min(found.oldest, record.ts)
        if self._gap:  # only what was older than this one went: any other record says nothing of it
            found.whole_from = self._floor = max(self._floor, record.ts)
            self._gap = False
        if found.strange:
            met = {record.workflow, *(one.endpoint for one in record.attempts)}
            found.strange = [name for name in found.strange if name not in met]
        times = (record.ts, *(attempt.started for attempt in record.attempts))
        inside = any(asked.since <= ts < asked.until for ts in times)
        if not inside or asked.workflow not in (None, record.workflow):
            return
        found.looked_at += 1
        found.first_seq = seq if found.first_seq is None else found.first_seq
        found.last_seq = seq
        found.declassified += any(one.get("source", "").startswith("declassified:") for one in record.label.sources)
        if record.label.value.rank < asked.label.rank:
            return
        found.labelled += 1
        for attempt in record.attempts:
            found.attempts[attempt.tier] = found.attempts.get(attempt.tier, 0) + 1
        if any(one.tier in asked.tiers or one.endpoint in asked.endpoints for one in record.attempts):
            found.went_calls += 1
            _name(found.went, record.id)
        elif record.outcome == "interrupted":
            found.unknown_calls += 1
            _name(found.unknown, record.id)


def doubts(asked: Question, found: Counted, known: Collection[str] = ()) -> list[str]:
    """Return why "no" is not shown by these records, nothing where it is. `known` names are no mistakes of writing."""
    said = [f"no record names {name!r}, nor does the configuration" for name in found.strange if name not in known]
    if found.went_calls:
        said.append(f"{_calls(found.went_calls)} with this label went there")
    if found.unknown_calls:
        said.append(f"of {_calls(found.unknown_calls)} it is not known where they went: the gateway was killed")
    if found.open_calls:
        said.append(f"{_calls(found.open_calls)} with this label have no outcome yet: ask about the time before them")
    if found.removed and (found.whole_from is None or asked.since < found.whole_from):
        said.append("records from the beginning of this time are not there any more")
    if found.oldest is None or found.oldest >= asked.until:
        said.append("the ledger has no record of this time, nor of any before: it knows nothing of it")
    return said


def _name(named: list[str], ident: str) -> None:
    if len(named) < MOST_NAMED:
        named.append(ident)


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
