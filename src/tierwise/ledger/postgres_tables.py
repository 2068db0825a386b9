"""How do the ledger's rows lie in PostgreSQL, and how do several processes write them? The only SQL that changes them.

The tables mean what those of `tables` mean; an intent names its process, and accounts and holds stand in tables of
their own. Whoever numbers records or moves money takes one lock first (`lock`): batches of all processes form one
line, each short, so numbers have no gaps, and an admission sees every admission before it.
Invariants: an id is in one of `intents` and `records` at most; an amount is held in all accounts of a call or in
none, and leaves them with the call's record, in the same transaction.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.audit.notes import Signer
from tierwise.core.errors import StoreError
from tierwise.ledger import postgres_audit
from tierwise.ledger.contents import COLUMNS, Contents
from tierwise.ledger.encode import decode_intent
from tierwise.ledger.holds import ZERO, Account
from tierwise.ledger.tables import PICO, Row, interrupted_row

CLOCK = "extract(epoch FROM clock_timestamp())::float8"
# "Twlh": the advisory lock of whoever writes. It is given in the order in which it was asked for; the lock of a row
# may be taken again by who has just given it back, and one of two busy processes then waited for more than 5 s.
_LOCK = 0x5477_6C68
_PRUNE_ROWS = 500
_INTERRUPT_ROWS = 256

Answer = int | Account | StoreError
"""A record's number, 0 for what was written without one, the account that has too little, or what was wrong."""


Believed = Callable[[float], float]
"""What time it is taken to be where the server's clock says so: that may have been set."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row to write; `amount_usd` is to be held for its call in `accounts`."""

    row: Row
    accounts: tuple[Account, ...] = ()
    amount_usd: Decimal = ZERO

    @property
    def id(self) -> str:
        """The call's id."""
        return self.row[0]

    @property
    def recorded(self) -> bool:
        """Say whether it is an outcome."""
        return self.row[7] is not None

    @property
    def begins(self) -> bool:
        """Say whether it is an intent."""
        return not self.recorded and bool(self.row[9])


class Standing:
    """An account as the table has it, under the lock; in US dollars."""

    __slots__ = ("reserved", "spent", "start")

    def __init__(self, start: float, spent: Decimal, reserved: Decimal) -> None:
        self.start, self.spent, self.reserved = start, spent, reserved

    def told(self, account: Account) -> None:
        """Let this process's account agree with the table."""
        account.seen(start=self.start, spent=self.spent, reserved=self.reserved)


Standings = dict[str, Standing]


def name_of(account: Account) -> str:
    """Return under which name every process keeps this account."""
    return text(f"{account.budget.scope} {account.budget.window_s}")


def text(value: str) -> str:
    """Return the text as PostgreSQL can hold it: it knows no NUL."""
    return value.replace("\x00", "\ufffd")


async def lock(db: Any, believed: Believed) -> tuple[int, float]:
    """Wait for our turn, up to the transaction's end; return the last record's number and the time."""
    await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    # A statement of its own: one that waited would see the state from before its wait.
    seq, now = await db.fetchrow(f"SELECT last_seq, {CLOCK} FROM head")  # noqa: S608  # only our own words
    return seq, believed(now)


async def write(db: Any, process: str, entries: Sequence[Entry], believed: Believed) -> tuple[list[Answer], Standings]:
    """Write the entries in their order; return an answer for each, and the accounts that were touched as they now are.

    Inside a transaction. What is a row's own fault is its answer; everything else raises, and nothing is written.
    """
    seq = now = None
    if any(entry.recorded or entry.accounts for entry in entries):
        seq, now = await lock(db, believed)
    batch = _Batch(entries, seq or 0)
    await batch.read(db, now)
    answers = [batch.place(entry) for entry in entries]
    await batch.store(db, process)
    return answers, batch.standings


class _Batch:
    """What stands in the tables of the batch's calls, and what is to change there."""

    def __init__(self, entries: Sequence[Entry], seq: int) -> None:
        self.standings: Standings = {}
        self._entries, self._seq = entries, seq
        self._first = seq
        self._open: dict[str, bytes] = {}
        self._records: dict[str, tuple[int, bytes]] = {}
        self._held: dict[str, dict[str, Decimal]] = {}
        self._new_intents: dict[str, Entry] = {}
        self._new_records: dict[str, tuple[int, Row]] = {}
        self._moved: dict[str, int | None] = {}

    async def read(self, db: Any, now: float | None) -> None:
        """Read what stands there of these calls; under the lock where money or numbers are concerned."""
        ids = list({entry.id for entry in self._entries})
        self._open = dict(await db.fetch("SELECT id, record FROM intents WHERE id = ANY($1)", ids))
        found = await db.fetch("SELECT id, seq, record FROM records WHERE id = ANY($1)", ids)
        self._records = {ident: (seq, record) for ident, seq, record in found}
        if now is None:
            return
        for ident, account, usd in await db.fetch("SELECT id, account, usd FROM holds WHERE id = ANY($1)", ids):
            self._held.setdefault(ident, {})[account] = usd
        names = {name_of(account) for entry in self._entries for account in entry.accounts}
        names |= {account for held in self._held.values() for account in held}
        self.standings = await standings(db, names, now)

    def place(self, entry: Entry) -> Answer:
        """Decide about one entry, as if those before it were written."""
        ident = entry.id
        if entry.recorded:
            return self._record(entry)
        if ident in self._records or ident in self._new_records:
            return StoreError(f"call {ident} already has a record")
        if entry.begins:
            known = self._new_intents[ident].row[9] if ident in self._new_intents else self._open.get(ident)
            if known is None:
                self._new_intents[ident] = entry
            elif known != entry.row[9]:
                return StoreError(f"call {ident} already has another intent")
            elif not entry.accounts:
                return 0
        elif ident not in self._open and ident not in self._new_intents:
            return StoreError(f"call {ident} is not open")
        return self._hold(entry)

    def _hold(self, entry: Entry) -> Answer:
        held = self._held.setdefault(entry.id, {}) if entry.accounts else {}
        more = {name_of(a): entry.amount_usd - held.get(name_of(a), ZERO) for a in entry.accounts}
        for account in entry.accounts:
            standing = self.standings[name_of(account)]
            wanted = more[name_of(account)]
            if wanted > 0 and standing.spent + standing.reserved + wanted > account.budget.limit_usd:
                if entry.begins:
                    self._moved[entry.id] = 0
                return account
        for name, amount in more.items():
            self.standings[name].reserved += amount
            held[name] = entry.amount_usd
        self._moved[entry.id] = entry.row[8]
        return 0

    def _record(self, entry: Entry) -> Answer:
        ident, record = entry.id, entry.row[9]
        seq, known = self._records.get(ident, (0, b""))
        if ident in self._new_records:
            seq, row = self._new_records[ident]
            known = row[9]
        if seq:
            return seq if known == record else StoreError(f"call {ident} already has a record")
        self._seq += 1
        self._new_records[ident] = (self._seq, entry.row)
        cost = Decimal(entry.row[8] or 0).scaleb(-PICO)
        for name, usd in self._held.get(ident, {}).items():
            self.standings[name].reserved -= usd
            self.standings[name].spent += cost
        return self._seq

    async def store(self, db: Any, process: str) -> None:
        """Write everything that was decided."""
        opened = [e.row for ident, e in self._new_intents.items() if ident not in self._new_records]
        if opened:
            await db.execute(
                "INSERT INTO intents (process, held_picousd, id, ts, key_id, session, label, record) SELECT $1, * FROM "
                "unnest($2::bigint[], $3::text[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::bytea[])",
                process, [self._moved.get(row[0]) for row in opened], *_columns(opened, (0, 1, 3, 4, 5, 9)),
            )  # fmt: skip
        moved = {ident: held for ident, held in self._moved.items() if ident not in self._new_records}
        grown = {ident: held for ident, held in moved.items() if ident not in self._new_intents}
        if grown:
            await db.execute(
                "UPDATE intents i SET held_picousd = h.held FROM unnest($1::text[], $2::bigint[]) h (id, held) "
                "WHERE i.id = h.id",
                list(grown), list(grown.values()),
            )  # fmt: skip
        await _store_holds(db, [(i, name, usd) for i in moved for name, usd in self._held.get(i, {}).items()])
        if self._new_records:
            await insert_records(db, list(self._new_records.values()))
            await _insert_contents(db, [one for _, row in self._new_records.values() if (one := row[10]) is not None])
        if self._seq != self._first:
            await db.execute("UPDATE head SET last_seq = $1", self._seq)
        await _store_standings(db, self.standings)


async def insert_records(db: Any, numbered: Sequence[tuple[int, Row]]) -> None:
    """Add records with their numbers and take away what stood open of their calls; accounts are the caller's."""
    rows = [row for _, row in numbered]
    ids = [row[0] for row in rows]
    await db.execute(
        "INSERT INTO records (seq, id, ts, workflow, key_id, session, label, tier, outcome, cost_picousd, record, "
        "team) SELECT * FROM unnest($1::bigint[], $2::text[], $3::float8[], $4::text[], $5::text[], $6::text[], "
        "$7::text[], $8::text[], $9::text[], $10::bigint[], $11::bytea[], $12::text[])",
        [seq for seq, _ in numbered], *_columns(rows, range(10)), [_team(row[9]) for row in rows],
    )  # fmt: skip
    await db.execute("DELETE FROM intents WHERE id = ANY($1)", ids)
    await db.execute("DELETE FROM holds WHERE id = ANY($1)", ids)


async def _insert_contents(db: Any, rows: Sequence[Contents]) -> None:
    if rows:
        await db.executemany(
            f"INSERT INTO contents ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)",  # noqa: S608  # only columns
            [one.row for one in rows],
        )


class _Team(msgspec.Struct, frozen=True):
    """What of a record has a column here only: PostgreSQL's JSON does not take every text that a record may hold."""

    team: str | None = None


_teams = msgspec.json.Decoder(_Team)


def _team(record: bytes) -> str | None:
    team = _teams.decode(record).team
    return None if team is None else text(team)


def _columns(rows: Sequence[Row], places: Iterable[int]) -> list[list[Any]]:
    """Turn rows into one list a column, in words that PostgreSQL can hold."""
    return [[text(value) if isinstance(value := row[at], str) else value for row in rows] for at in places]


async def _store_holds(db: Any, holds: Sequence[tuple[str, str, Decimal]]) -> None:
    if holds:
        await db.execute(
            "INSERT INTO holds SELECT * FROM unnest($1::text[], $2::text[], $3::numeric[]) "
            "ON CONFLICT (id, account) DO UPDATE SET usd = excluded.usd",
            *map(list, zip(*holds, strict=True)),
        )


async def _store_standings(db: Any, found: Standings) -> None:
    if found:
        await db.execute(
            "UPDATE accounts a SET start = n.start, spent = n.spent, reserved = n.reserved FROM "
            "unnest($1::text[], $2::float8[], $3::numeric[], $4::numeric[]) n (name, start, spent, reserved) "
            "WHERE a.name = n.name",
            list(found),
            [one.start for one in found.values()],
            [one.spent for one in found.values()],
            [one.reserved for one in found.values()],
        )


# accounts


async def standings(db: Any, names: Iterable[str], now: float) -> Standings:
    """Return the accounts in their present windows; what is reserved carries over into a new one.

    `now` is the server's clock, one for all processes, as far as it is believed. Where it went back, what was spent is
    added up anew.
    """
    found: Standings = {}
    rows = await db.fetch(
        "SELECT name, scope, window_s, start, spent, reserved FROM accounts WHERE name = ANY($1)", list(names)
    )
    for name, scope, window_s, start, spent, reserved in rows:
        current = now - now % window_s
        known = spent if start == current else await spent_usd(db, current, scope)
        found[name] = Standing(current, known, reserved)
    return found


async def enforce(db: Any, accounts: Sequence[Account], believed: Believed) -> None:
    """Make sure that the accounts have rows, and that these hold at least what the records of their windows cost."""
    _, now = await lock(db, believed)
    for account in accounts:
        name, window_s, scope = name_of(account), account.budget.window_s, account.budget.scope
        start = now - now % window_s
        await db.execute(
            "INSERT INTO accounts VALUES ($1, $2, $3, $4, 0, 0) ON CONFLICT (name) DO NOTHING",
            name, text(scope), window_s, start,
        )  # fmt: skip
        standing = (await standings(db, [name], now))[name]
        standing.spent = max(standing.spent, await spent_usd(db, start, scope))
        await _store_standings(db, {name: standing})
        standing.told(account)


async def refresh(db: Any, accounts: Sequence[Account], believed: Believed) -> None:
    """Let the accounts agree with what every process has spent and set aside by now."""
    now = believed(await db.fetchval(f"SELECT {CLOCK}"))
    if not accounts:
        return
    found = await standings(db, {name_of(account) for account in accounts}, now)
    for account in accounts:
        if name_of(account) in found:
            found[name_of(account)].told(account)


async def spent_usd(db: Any, since_ts: float, scope: str) -> Decimal:
    """Add up what calls from this time on cost; `scope` as in `queries.spent_usd`."""
    kind, _, name = scope.partition(":")
    column = {"all": None, "workflow": "workflow", "key": "key_id", "team": "team"}
    if kind not in column:
        raise ValueError(f"no such scope of spending: {scope!a}")
    condition = f"AND {column[kind]} = $2" if column[kind] else ""
    sql = f"SELECT sum(cost_picousd) FROM records WHERE cost_picousd > 0 AND ts >= $1 {condition}"  # noqa: S608
    total = await db.fetchval(sql, since_ts, *([text(name)] if column[kind] else []))
    return Decimal(total or 0).scaleb(-PICO).normalize() + 0


# processes


async def register(db: Any, process: str, name: str) -> None:
    """Enter a process; it lives as long as it says so (`alive`)."""
    await db.execute("INSERT INTO processes VALUES ($1, $2, clock_timestamp())", process, text(name))


async def alive(db: Any, process: str) -> bool:
    """Say that the process lives; False where others have given it up, and closed what it had open."""
    updated: str = await db.execute("UPDATE processes SET seen = clock_timestamp() WHERE id = $1", process)
    return updated == "UPDATE 1"


async def leave(db: Any, process: str) -> None:
    """End the process's lease: the next one that looks closes what it left open."""
    await db.execute("UPDATE processes SET seen = '-infinity' WHERE id = $1", process)


async def interrupt(db: Any, lease_s: float, believed: Believed, lost: Sequence[str] = ()) -> int:
    """Close some of what dead processes left open, and the calls of these ids; return how many: 0 when all are closed.

    In a transaction. What such a call cost is unknown, so its record says null; for budgets all that it held counts
    as spent. Where the server's clock was set, nobody is taken for dead until that is believed: by then all who live
    have said so by the clock as it is now.
    """
    says = await db.fetchval(f"SELECT {CLOCK}")
    stepped = abs(believed(says) - says) > 1.0
    gone = "SELECT id FROM processes WHERE seen < clock_timestamp() - make_interval(secs => $1)"
    dead = [] if stepped else [ident for (ident,) in await db.fetch(gone, lease_s)]
    if not dead and not lost:
        return 0
    seq, now = await lock(db, believed)
    if dead:  # asked again under the lock: another process may have been quicker, or the silent one is back
        dead = [ident for (ident,) in await db.fetch(gone + " FOR UPDATE", lease_s)]
    sql = "SELECT id, record, held_picousd FROM intents WHERE "
    rows = await db.fetch(sql + "id = ANY($1) ORDER BY id", list(lost))
    for process in dead:
        left = _INTERRUPT_ROWS - len(rows)
        rows += [] if left <= 0 else await db.fetch(
            sql + "process = $1 AND id <> ALL($2) ORDER BY id LIMIT $3", process, list(lost), left
        )  # fmt: skip
    ids = [ident for ident, _, _ in rows]
    numbered = [(seq + at, interrupted_row(decode_intent(r), held)) for at, (_, r, held) in enumerate(rows, start=1)]
    if numbered:
        held = await db.fetch("SELECT account, sum(usd) FROM holds WHERE id = ANY($1) GROUP BY account", ids)
        found = await standings(db, [name for name, _ in held], now)
        for name, usd in held:
            found[name].reserved -= usd
            found[name].spent += usd
        await _store_standings(db, found)
        await insert_records(db, numbered)
        await db.execute("UPDATE head SET last_seq = $1", seq + len(numbered))
    await db.execute(
        "DELETE FROM processes p WHERE id = ANY($1) AND NOT EXISTS (SELECT FROM intents WHERE process = p.id)", dead
    )
    return len(numbered)


async def prune(db: Any, before_ts: float, signer: Signer | None = None) -> int:
    """Delete some of the records from before this Unix time and return how many; 0 when none is left."""
    last, _ = await lock(db, float)
    found = await db.fetch("SELECT seq FROM records WHERE ts < $1 LIMIT $2", before_ts, _PRUNE_ROWS)
    seqs = [seq for (seq,) in found]
    if seqs:
        if signer is not None:
            await postgres_audit.remove(db, signer, seqs)
        await db.execute("DELETE FROM records WHERE seq = ANY($1)", seqs)
        await db.execute("INSERT INTO pruned VALUES ($1, $2, $3)", last, before_ts, len(seqs))
    return len(seqs)
