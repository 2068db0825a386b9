"""What is promised of a ledger? `Reader` is for the commands, `Store` for the gateway, `Book` for changes of keys.

Two keep each promise, `store` in SQLite and `postgres` in PostgreSQL; the same tests hold them to it.
Invariants: `intent` and `outcome` return only when the row is durable; a row that was handed over is written even if
its caller is cancelled; a failed write is a `StoreError` for everyone who waited for it, never a row lost in silence.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from decimal import Decimal
from typing import Protocol

from tierwise.core.decision import Decision
from tierwise.core.grant import Grant
from tierwise.core.label import Label
from tierwise.core.secret import Secret
from tierwise.ledger.audit_tables import LogReading
from tierwise.ledger.contents import Contents, Erasure, Which
from tierwise.ledger.history import EVERYTHING
from tierwise.ledger.holds import Account
from tierwise.ledger.incidents import Event, Incident, Owed, Sighting
from tierwise.ledger.incidents import Which as Incidents
from tierwise.ledger.intent import Intent
from tierwise.ledger.keys import KeyChange, StoredKey
from tierwise.ledger.queries import Filter
from tierwise.ledger.releases import POLICY, Release
from tierwise.ledger.remarks import Remark
from tierwise.ledger.scan import Range


class Reader(Protocol):
    """What any ledger can tell. Every method raises `StoreError` where it cannot be read now."""

    async def get(self, id_or_prefix: str) -> Decision | None:
        """Return the decision whose id begins like this, None if there is none; an open one is `pending`."""

    async def latest(self, limit: int, which: Filter = EVERYTHING) -> list[Decision]:
        """Return the newest decisions that fit, newest first."""

    def iterate(self, which: Filter = EVERYTHING) -> AsyncIterator[Decision]:
        """Give all decisions that fit, in the order in which they were recorded."""

    async def spent_usd(self, since_ts: float, scope: str = "all") -> Decimal:
        """Add up what calls from this Unix time on cost; `scope` is that of a budget."""

    async def holds(self) -> list[tuple[Intent, Decimal]]:
        """Return the open calls that have money set aside, and how much, in US dollars."""

    async def open_calls(self) -> list[Intent]:
        """Return the calls whose outcome is open: under way, or cut short by a kill and not closed yet."""

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """Return the highest label that the key's session has carried since then, None if the session is new."""

    async def key_version(self) -> int:
        """Return the number of the last change of any key; it rises with each."""

    async def keys(self, name: str | None = None) -> list[StoredKey]:
        """Return the keys of this name, or all, in the order in which they were made; those that ended too."""

    async def key_changes(self, name: str | None = None) -> list[KeyChange]:
        """Return who did what to the key of this name, or to all, oldest first."""

    async def release_heads(self) -> dict[str, int]:
        """Return the number of the release in force of each subject that has any; it rises with each."""

    async def release_version(self, subject: str = POLICY) -> int:
        """Return the number of the subject's release in force, 0 for none; it rises with each."""

    async def release(self, number: int | None = None, subject: str = POLICY) -> Release | None:
        """Return the release of this number, or the one in force, None for none. `StoreError` for a damaged one."""

    async def releases(self, subject: str = POLICY) -> list[Release]:
        """Return all releases of a subject as they stand, newest first, a damaged one too."""

    async def content(self, ident: str) -> Contents | None:
        """Return what is kept of the call with exactly this id, None for nothing (any more)."""

    async def kept(self, which: Which) -> int:
        """Return of how many such calls content is kept."""

    async def erasures(self) -> list[Erasure]:
        """Return who had content destroyed, and why, newest first."""

    async def remarks(self, *idents: str) -> list[Remark]:
        """Return what was said of the decisions with exactly these ids, oldest first."""

    async def remarks_after(self, seq: int, since_ts: float = 0.0) -> list[Remark]:
        """Return the next remarks on any decision, oldest first; empty when there are no more."""

    async def checkpoints(self) -> list[str]:
        """Return the signed checkpoints of the audited log that are kept, oldest first."""

    async def read_log(self, reading: LogReading) -> None:
        """Have the whole audited log read as it is at one moment, also beside a writer."""

    async def incidents(self, which: Incidents = "open", since_ts: float = 0.0) -> list[Incident]:
        """Return incidents, the newest first: those that were seen since then."""

    async def incident_events(self, ident: str) -> list[Event]:
        """Return the history of the incident with exactly this id, oldest line first."""

    async def count(self) -> int:
        """Return how many decisions are recorded."""

    async def close(self) -> None:
        """Make durable what is on its way, then let go of the ledger."""


class Calls(Protocol):
    """What a call needs of the ledger. Every method raises `StoreError` where the store cannot do it now."""

    @property
    def alone(self) -> bool:
        """Say whether no other process writes calls there."""

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """Return when the intent is durable (`Store`)."""

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """Set the amount aside for the open call (`Store`)."""

    async def outcome(self, decision: Decision, content: Contents | None = None) -> object:
        """Return when the record is durable (`Store`)."""

    async def session_label(self, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
        """Return the highest label that the key's session has carried since then (`Reader`)."""


class Store(Reader, Protocol):
    """What any ledger can do. Every method raises `StoreError` where the store cannot do it now."""

    @property
    def alone(self) -> bool:
        """Say whether no other process writes calls there."""

    @property
    def interrupted(self) -> int:
        """How many calls were found open whose process was dead, when the store was opened."""

    @property
    def pending_rows(self) -> int:
        """How many rows wait to become durable."""

    async def enforce(self, accounts: Sequence[Account]) -> None:
        """Tell the accounts what had been spent in their windows; from here on the store keeps them true."""

    async def intent(self, intent: Intent, accounts: Sequence[Account] = ()) -> Account | None:
        """Return when the intent is durable, and what it reserves is set aside in all accounts or in none.

        No byte may go upstream before. Returns the account that has too little left, if one has: then the intent
        stands and holds nothing.
        """

    async def hold(self, ident: str, amount_usd: Decimal, accounts: Sequence[Account]) -> Account | None:
        """Set the amount aside for the open call instead of what it held, in all accounts or in none; durable.

        Returns the account that has too little left, if one has: then nothing has changed.
        """

    async def outcome(self, decision: Decision, content: Contents | None = None) -> int:
        """Return the record's number when it is durable, its content with it; closes the intent of the same id, if any.

        What the call held is given back and its cost counted, with the record and exactly once. Recording the
        same decision twice gives the same number; another record for the same id is refused.
        """

    async def prune(self, before_ts: float) -> int:
        """Delete the records from before this Unix time, and their content; return how many there were.

        Their numbers and leaves stay in the audited log, with a signed statement that they went.
        """

    async def notarise(self) -> int:
        """Take what was recorded since the last time into the audited log, and sign it; return how much that was.

        StoreError where nobody signs, or where the log is not the one that was signed last: it was tampered with.
        """


class Book(Protocol):
    """Who makes and ends keys, beside running gateways. Each change is durable, with its trace, when it returns.

    Blocks: from an event loop, use it in a thread. `ConfigError` for what may not be done to a key, `StoreError` where
    the ledger cannot be written now.
    """

    def create(self, grant: Grant, pepper: bytes, expires: float | None = None) -> tuple[StoredKey, Secret]:
        """Make a key; its text is returned here and never again. ConfigError for a name that was ever given."""

    def rotate(self, name: str, pepper: bytes, grace_s: float = 0.0) -> tuple[StoredKey, Secret]:
        """Give the key a new text; the old one is taken for `grace_s` more seconds."""

    def revoke(self, name: str) -> bool:
        """End the key, every text of it; say whether any was still taken."""


class Releasing(Protocol):
    """Who adds releases, beside running gateways. Blocks: from an event loop, use it in a thread."""

    def add(self, body: bytes | None, why: str, *, after: int, subject: str = POLICY) -> Release:
        """Put the body in force, or the file's word for None. `ConfigError` where `after` is not in force any more."""


class Erasing(Protocol):
    """Who destroys content, beside running gateways. Blocks: from an event loop, use it in a thread."""

    def erase(self, which: Which, why: str) -> int:
        """Destroy the content of these calls, and leave a trace; return of how many there was any."""


class Remarking(Protocol):
    """Who adds what was said of answers, beside running gateways. Blocks: from an event loop, use it in a thread."""

    def add(self, said: Remark) -> Remark:
        """Add what was said, once; it is durable on return. `InvalidCall` where its decision has no record."""


class Noting(Protocol):
    """Who writes incidents, beside running gateways. Each change is durable, with its line in the history.

    Blocks: from an event loop, use it in a thread. `StoreError` where the ledger cannot be written now.
    """

    def note(self, sightings: Sequence[Sighting]) -> None:
        """Open an incident for each sighting, or gather it in the open one of its kind and subject."""

    def close(self, ident: str, who: str, note: str) -> Incident:
        """Close the incident of exactly this id, for a person. ConfigError where there is none, or it is closed."""

    def quieten(self, quiet_s: float) -> list[Incident]:
        """Close what lasts and was not seen for so long; return it."""

    def claim(self, claimant: str, lease_s: float) -> list[Owed]:
        """Take, for so long, what is to be told and nobody else has taken."""

    def told(self, about: Owed, who: str, detail: str, *, well: bool) -> None:
        """Add to the history that a notifier was told of an event, or could not be."""

    def settle(self, about: Owed) -> None:
        """Say that nobody is left to be told of this event."""


class Records(Protocol):
    """Very many records, as bytes, in ranges that processes share. Blocks."""

    def range(self) -> Range:
        """Return where the records are that are wanted."""

    def records(self, part: Range) -> Iterator[bytes]:
        """Give the records of a range, in the order in which they were recorded."""
