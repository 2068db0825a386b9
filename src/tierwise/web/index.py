"""What do the pages look up? A small copy of the ledger's facts, laid out for lists and sums, that can be made again.

One row a call, and sums over five minutes and over six hours each; no content. It follows the ledger by its numbers,
in the process that draws, so that nothing of it is on a call's way. Invariant: the sums are those of the rows that were
read; a copy of another ledger is thrown away.
"""

import hashlib
import itertools
import json
import math
import operator
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.core.decision import Decision
from tierwise.economics.spend import Elsewhere, would_cost
from tierwise.sqlite.connect import transaction
from tierwise.web import spent
from tierwise.web.spent import Spent, picousd

VERSION = 7
SLOT_S = 300
GRAINS = (SLOT_S, 6 * 3600)
"""Sums are kept over times of these lengths: a month is read from the long ones, an hour from the short."""
MOST_INT = 1 << 63
"""SQLite keeps larger numbers as floating ones."""
PRUNED_AT_ONCE = 5_000
OF_ID_IS_TIME = 10
"""So many characters of an id are its millisecond: fewer are the beginning of very many."""
BUCKETS = 64
"""Latencies are counted in buckets that are a fifth wider each, from 1 ms on."""
GROWTH = 1.2
_SCHEMA = """
CREATE TABLE calls (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL, ts REAL NOT NULL, workflow TEXT NOT NULL, key_id TEXT NOT NULL,
    label TEXT NOT NULL, tier TEXT NOT NULL, model TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL,
    cost_picousd INTEGER, latency_ms REAL, attempts INTEGER NOT NULL
);
CREATE INDEX calls_id ON calls (id);
CREATE INDEX calls_ts ON calls (ts);
CREATE INDEX calls_workflow ON calls (workflow, seq);
CREATE INDEX calls_tier ON calls (tier, seq);
CREATE INDEX calls_outcome ON calls (outcome, seq);
CREATE INDEX calls_model ON calls (model, seq);
CREATE INDEX calls_key ON calls (key_id, seq);
CREATE TABLE slots (
    grain INTEGER NOT NULL, slot INTEGER NOT NULL, workflow TEXT NOT NULL, tier TEXT NOT NULL, model TEXT NOT NULL,
    calls INTEGER NOT NULL, answered INTEGER NOT NULL, refused INTEGER NOT NULL, failed INTEGER NOT NULL,
    escalated INTEGER NOT NULL, cost_picousd INTEGER NOT NULL, unknown_picousd INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, unmetered INTEGER NOT NULL,
    PRIMARY KEY (grain, slot, workflow, tier, model)
) WITHOUT ROWID;
CREATE TABLE latencies (
    grain INTEGER NOT NULL, slot INTEGER NOT NULL, workflow TEXT NOT NULL, tier TEXT NOT NULL, bucket INTEGER NOT NULL,
    calls INTEGER NOT NULL, PRIMARY KEY (grain, slot, workflow, tier, bucket)
) WITHOUT ROWID;
CREATE TABLE elsewhere (
    grain INTEGER NOT NULL, slot INTEGER NOT NULL, workflow TEXT NOT NULL, model TEXT NOT NULL, calls INTEGER NOT NULL,
    picousd INTEGER NOT NULL, PRIMARY KEY (grain, slot, workflow, model)
) WITHOUT ROWID;
CREATE TABLE followed (
    one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, id TEXT NOT NULL, said INTEGER NOT NULL,
    reckoned_by TEXT NOT NULL
);
INSERT INTO followed VALUES (1, 0, '', 0, '');
"""
_FAILED = frozenset({"failed", "broken", "interrupted"})
_ANSWERED = frozenset({"answered", "flagged", "review"})


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call in a list. Costs are picodollars, None where nothing was metered; empty text is none."""

    seq: int
    id: str
    ts: float
    workflow: str
    key_id: str
    label: str
    tier: str
    model: str
    outcome: str
    reason: str
    cost_picousd: int | None
    latency_ms: float | None
    attempts: int


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What calls came to, under one name."""

    name: str
    calls: int = 0
    answered: int = 0
    refused: int = 0
    failed: int = 0
    escalated: int = 0
    cost_picousd: int = 0
    unknown_picousd: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    unmetered: int = 0

    @property
    def spent_picousd(self) -> int | None:
        """What is known to be spent, None where no cost is known at all."""
        return self.cost_picousd if self.cost_picousd or self.unknown_picousd or not self.unmetered else None


_COLUMNS = tuple(CallRow.__struct_fields__)
_SUMMED = tuple(Sums.__struct_fields__)[1:]
FILTERS = ("workflow", "tier", "outcome", "model", "key_id", "label")
"""By what a list can be narrowed."""


class Index:
    """The copy at `path`. May be asked from several threads; no question waits for a change."""

    def __init__(
        self, path: Path, elsewhere: Elsewhere | None = None, criteria: Mapping[str, Criteria] | None = None
    ) -> None:
        """`elsewhere` gives the prices at which calls are reckoned once more, `criteria` are those of the workflows;
        others than last time mean a new copy."""
        self._path, self._elsewhere, self._criteria = path, elsewhere or {}, criteria or {}
        self._reckoned_by = _digest(self._elsewhere, self._criteria, time.time())
        self._changes, self._questions = threading.Lock(), threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db, self._asked = self._opened(), self._connected()
        if self._rows("SELECT reckoned_by FROM followed") != [(self._reckoned_by,)]:
            self.forget()

    def _connected(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")  # what is lost is read again
        return db

    def _opened(self) -> sqlite3.Connection:
        db = self._connected()
        if db.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            db.close()
            for end in ("", "-wal", "-shm"):
                Path(f"{self._path}{end}").unlink(missing_ok=True)
            db = self._connected()
            db.executescript(f"{_SCHEMA}{spent.SCHEMA} PRAGMA user_version={VERSION};")
            db.execute("UPDATE followed SET reckoned_by = ?", (self._reckoned_by,))
            self._path.chmod(0o600)
        return db

    def forget(self) -> None:
        """Begin anew: the ledger is another one."""
        with self._changes, self._questions:
            self._db.execute("PRAGMA user_version=0")
            self._asked.close()
            self._db.close()
            self._db, self._asked = self._opened(), self._connected()

    def close(self) -> None:
        """Let go of the file."""
        self._asked.close()
        self._db.close()

    # following

    @property
    def followed(self) -> tuple[int, str]:
        """The number and the id of the last record that was read."""
        seq, ident = self._rows("SELECT seq, id FROM followed")[0]
        return int(seq), str(ident)

    def add(self, decisions: Sequence[Decision]) -> list[CallRow]:
        """Take records in, and return their rows."""
        rows = [row_of(one) for one in decisions]
        would = [would_cost(one, self._elsewhere) for one in decisions]
        both = list(zip(rows, decisions, strict=True))
        with self._changes, transaction(self._db):
            places = ",".join("?" * len(_COLUMNS))
            self._db.executemany(
                f"INSERT OR IGNORE INTO calls ({','.join(_COLUMNS)}) VALUES ({places})",  # noqa: S608  # own words
                [tuple(getattr(row, name) for name in _COLUMNS) for row in rows],
            )
            self._db.executemany(_ADD_SLOTS, _summed(_slot(row, one) for row, one in both))
            self._db.executemany(_ADD_LATENCIES, _summed(_latency(row) for row in rows if row.latency_ms is not None))
            self._db.executemany(_ADD_ELSEWHERE, _summed(_elsewhere(rows, would)))
            spent.add(self._db, zip(decisions, would, strict=True), self._criteria)
            if rows:
                self._db.execute("UPDATE followed SET seq = ?, id = ?", (rows[-1].seq, rows[-1].id))
        return rows

    @property
    def heard(self) -> int:
        """The number of the last remark that was read."""
        return int(self._rows("SELECT said FROM followed")[0][0])

    def hear(self, seq: int, pairs: Sequence[tuple[Decision, Decision]]) -> None:
        """Take in what was said of calls, up to the remark of this number: each as recorded, and with all of it."""
        with self._changes, transaction(self._db):
            spent.say(self._db, pairs, self._criteria)
            self._db.execute("UPDATE followed SET said = ?", (seq,))

    def prune(self, before_seq: int) -> None:
        """Forget the calls with lower numbers, as the ledger did, and the sums of times from which none is left."""
        gone = "DELETE FROM calls WHERE seq IN (SELECT seq FROM calls WHERE seq < ? LIMIT ?) RETURNING seq"
        while self._change(gone, (before_seq, PRUNED_AT_ONCE)):
            pass
        for (first,) in self._rows("SELECT ts FROM calls ORDER BY ts LIMIT 1"):
            for table, grain in itertools.product(("slots", "latencies", "elsewhere"), GRAINS):
                old = f"DELETE FROM {table} WHERE grain = ? AND slot < ?"  # noqa: S608  # own words
                self._change(old, (grain, int(first // grain)))
            with self._changes, transaction(self._db):
                spent.prune(self._db, first)

    def _change(self, sql: str, values: Sequence[Any]) -> list[Any]:
        with self._changes:
            return self._db.execute(sql, values).fetchall()

    def _rows(self, sql: str, values: Sequence[Any] | dict[str, Any] = ()) -> list[Any]:
        with self._questions:
            return self._asked.execute(sql, values).fetchall()

    # asking

    def calls(
        self, where: dict[str, str], *, text: str = "", about: str = "", before: int | None = None, limit: int = 50,
        span: tuple[float | None, float | None] = (None, None),
    ) -> list[CallRow]:  # fmt: skip
        """Return calls that fit, newest first, from below the number `before`; `text` is the beginning of an id,
        `about` stands in the reason, `span` are the Unix times between which they came."""
        conditions, values = _conditions(where)
        # One filter has an index in the order of the list. Of several, no one index is short for all of them: then the
        # list itself is walked, which ends as soon as the page is full.
        walked = "NOT INDEXED" if len(where) + bool(text) > 1 or 0 < len(text) < OF_ID_IS_TIME else ""
        for place, moment in (("+ts >= ?", span[0]), ("+ts < ?", span[1])):  # + keeps the walk down the numbers
            if moment is not None:
                conditions.append(place)
                values.append(moment)
        if about:
            conditions.append("instr(lower(reason), ?) > 0")
            values.append(about.lower())
        if text:
            conditions.append("id >= ? AND id < ?")
            values += [text, text + "{"]
        if before is not None:
            conditions.append("seq < ?")
            values.append(before)
        sql = f"SELECT {','.join(_COLUMNS)} FROM calls {walked} {_where(conditions)} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        found = self._rows(sql, (*values, limit))
        return [CallRow(**dict(zip(_COLUMNS, row, strict=True))) for row in found]

    def workflows_of(self, idents: Sequence[str]) -> dict[str, str]:
        """Return the workflow of each of these calls that is in the copy."""
        sql = "SELECT id, workflow FROM calls WHERE id IN (SELECT value FROM json_each(?))"
        return dict(self._rows(sql, (json.dumps(list(idents)),)))

    def values(self, column: str) -> list[str]:
        """Return what there is in a column, the most frequent first."""
        if column not in ("workflow", "tier", "model"):
            raise ValueError(column)
        sql = f"SELECT {column} FROM slots WHERE grain = ? GROUP BY 1 ORDER BY sum(calls) DESC LIMIT 200"  # noqa: S608
        return [name for (name,) in self._rows(sql, (GRAINS[-1],)) if name]

    def sums(self, by: str, since_ts: float, workflow: str = "", step_s: int = SLOT_S) -> list[Sums]:
        """Return what calls since this time came to, by `time` (steps of so many seconds), `workflow`, `tier`, `model`,
        or `all` of them. The name of a step is its number."""
        group = {"all": "''", "time": _STEP, "workflow": "workflow", "tier": "tier", "model": "model"}[by]
        summed = ",".join(f"total({name})" for name in _SUMMED)  # a sum of whole numbers stops at 64 bits
        order = "1" if by == "time" else "2 DESC"
        sql = f"SELECT {group}, {summed} FROM slots {_SINCE} GROUP BY 1 ORDER BY {order}"  # noqa: S608
        found = self._rows(sql, _since(since_ts, workflow, step_s))
        return [Sums(name=str(name), **dict(zip(_SUMMED, map(int, rest), strict=True))) for name, *rest in found]

    def shares(self, since_ts: float, workflow: str, step_s: int) -> dict[int, dict[str, int]]:
        """Return how many calls each step had at each tier."""
        sql = f"SELECT {_STEP}, tier, sum(calls) FROM slots {_SINCE} GROUP BY 1, 2"  # noqa: S608
        found: dict[int, dict[str, int]] = {}
        for step, tier, calls in self._rows(sql, _since(since_ts, workflow, step_s)):
            found.setdefault(step, {})[tier] = calls
        return found

    def latencies(self, since_ts: float, workflow: str, step_s: int) -> dict[int, dict[int, int]]:
        """Return for each step how many answers fell into each bucket."""
        sql = f"SELECT {_STEP}, bucket, sum(calls) FROM latencies {_SINCE} GROUP BY 1, 2"  # noqa: S608
        found: dict[int, dict[int, int]] = {}
        for step, bucket, calls in self._rows(sql, _since(since_ts, workflow, step_s)):
            found.setdefault(step, {})[bucket] = calls
        return found

    def elsewhere(self, since_ts: float, workflow: str, step_s: int) -> dict[str, dict[int, tuple[int, int]]]:
        """Return for each model and step how many calls could be reckoned at its price, and the picodollars."""
        sql = f"SELECT model, {_STEP}, total(calls), total(picousd) FROM elsewhere {_SINCE} GROUP BY 1, 2"  # noqa: S608
        found: dict[str, dict[int, tuple[int, int]]] = {}
        for model, step, calls, cost in self._rows(sql, _since(since_ts, workflow, step_s)):
            found.setdefault(model, {})[step] = int(calls), int(cost)
        return found

    def spent(self, since_ts: float, workflow: str = "") -> Spent:
        """Return what was spent since the beginning of the day (UTC) of this time, as `tierwise cost` says it."""
        with self._questions:
            return spent.spent(self._asked, since_ts, workflow)

    def count(self) -> int:
        """Return how many calls are in the copy."""
        sql = "SELECT coalesce(sum(calls), 0) FROM slots WHERE grain = ?"
        number: int = self._rows(sql, (GRAINS[-1],))[0][0]
        return number


def _adding(table: str, keys: int, numbers: Sequence[str]) -> str:
    places = ",".join("?" * (2 + keys + len(numbers)))
    added = ", ".join(f"{name} = {name} + excluded.{name}" for name in numbers)
    return f"INSERT INTO {table} VALUES ({places}) ON CONFLICT DO UPDATE SET {added}"  # noqa: S608  # own words


_ADD_SLOTS = _adding("slots", 3, _SUMMED)
_ADD_LATENCIES = _adding("latencies", 3, ("calls",))
_ADD_ELSEWHERE = _adding("elsewhere", 2, ("calls", "picousd"))
_Counted = tuple[float, tuple[Any, ...], tuple[int, ...]]
"""When, under which names, and the numbers."""
_STEP = "slot / :per"
_SINCE = "WHERE grain = :grain AND slot >= :since AND (:workflow = '' OR workflow = :workflow)"


def _summed(counted: Iterable[_Counted]) -> Iterator[tuple[Any, ...]]:
    """Add up what comes under the same names in the same time, for each length of time."""
    found: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for ts, names, numbers in counted:
        for grain in GRAINS:
            key = (grain, int(ts // grain), *names)
            before = found.get(key)
            found[key] = numbers if before is None else tuple(map(operator.add, before, numbers))
    for key, numbers in found.items():
        yield *key, *(number if abs(number) < MOST_INT else float(number) for number in numbers)


def _since(since_ts: float, workflow: str, step_s: int) -> dict[str, Any]:
    grain = max(one for one in GRAINS if step_s % one == 0)
    return {"grain": grain, "since": int(since_ts // grain), "workflow": workflow, "per": step_s // grain}


def bucket_of(latency_ms: float) -> int:
    """Return the bucket that a latency is counted in."""
    return 0 if latency_ms <= 1 else min(BUCKETS - 1, int(math.log(latency_ms) / math.log(GROWTH)) + 1)


def quantile_ms(buckets: Iterable[tuple[int, int]], share: float) -> float | None:
    """Return the latency that this share of answers did not exceed, to a tenth; None of none."""
    counted = sorted(buckets)
    left = share * sum(calls for _, calls in counted)
    for bucket, calls in counted:
        left -= calls
        if left <= 0 and calls:
            return float(GROWTH ** (bucket - 0.5))
    return None


def row_of(decision: Decision) -> CallRow:
    """Return the row of a record."""
    last = decision.attempts[-1] if decision.attempts else None
    charged = decision.charged_usd
    return CallRow(
        seq=decision.seq or 0,
        id=decision.id,
        ts=decision.ts,
        workflow=decision.workflow or "",
        key_id=decision.key_id or "",
        label=decision.label.value.value,
        tier=last.tier.value if last else "",
        model=last.model if last else decision.chosen or "",
        outcome=decision.outcome,
        reason=decision.reason[:200],
        cost_picousd=None if charged is None else picousd(charged),
        latency_ms=_latency_ms(decision) if decision.outcome in _ANSWERED else None,
        attempts=len(decision.attempts),
    )


def _latency_ms(decision: Decision) -> float | None:
    took = [one.duration_ms for one in decision.attempts if one.duration_ms is not None]
    return sum(took) if took else None


def _elsewhere(rows: Sequence[CallRow], would: Sequence[Mapping[str, Decimal | None]]) -> Iterator["_Counted"]:
    for row, costs in zip(rows, would, strict=True):
        for model, usd in costs.items():
            if usd is not None:
                yield row.ts, (row.workflow, model), (1, picousd(usd))


def _digest(elsewhere: Elsewhere, criteria: Mapping[str, Criteria], now: float) -> str:
    """Identify what calls are reckoned by: the prices of today, and what the workflows' criteria say."""
    prices = [[name, elsewhere[name](now)] for name in sorted(elsewhere)]
    return hashlib.sha256(msgspec.json.encode([prices, dict(criteria)], order="sorted")).hexdigest()


def _slot(row: CallRow, decision: Decision) -> _Counted:
    used = [one.usage for one in decision.attempts if one.usage is not None]
    unknown = [one.unknown_usd for one in decision.attempts if one.unknown_usd is not None]
    pending = picousd(sum(unknown, Decimal(0)))
    return row.ts, (row.workflow, row.tier, row.model), (
        1, row.outcome in _ANSWERED, row.outcome == "refused",
        row.outcome in _FAILED, len({one.model for one in decision.attempts}) > 1,
        (row.cost_picousd or 0) - pending, pending, sum(one.read for one in used), sum(one.written for one in used),
        sum(one.usage is not None and one.cost_usd is None and not one.own_usd for one in decision.attempts),
    )  # fmt: skip


def _latency(row: CallRow) -> _Counted:
    return row.ts, (row.workflow, row.tier, bucket_of(row.latency_ms or 0.0)), (1,)


def _conditions(where: dict[str, str]) -> tuple[list[str], list[Any]]:
    conditions, values = [], []
    for column, value in where.items():
        if column not in FILTERS:
            raise ValueError(column)
        conditions.append(f"{column} = ?")
        values.append(value)
    return conditions, values


def _where(conditions: Sequence[str]) -> str:
    return f"WHERE {' AND '.join(conditions)}" if conditions else ""
