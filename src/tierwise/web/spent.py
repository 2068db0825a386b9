"""What was spent, as `tierwise cost` says it, of any number of calls? Sums by day, workflow, tier and key, kept beside
the index of the pages.

The sums are made by `economics.spend`, one record after the other; what people say later of an answer is kept by its
call, and joined when it is read. Invariant: the lines are those that adding up every record anew would give.
"""

import operator
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.core.decision import Decision
from tierwise.core.usage import Usage
from tierwise.economics.spend import VIEWS, Line, Said, Sum, View, both, in_order, name_in, said_of, served

PICO = 12
MOST_USD = Decimal(1_000_000)
DAY_S = 86_400
_HALF = 10**6
"""A sum of picodollars may be more than 64 bits hold: it is added up in two halves."""
_COUNTS = ("calls", "accepted", "read", "written", "unmetered", "untimed", "judged", "wrong", "served")
_MONEY = ("cost", "unknown", "own", "review", "wrong_usd")
_MIX = ("input", "cache_read", "cache_write", "cache_write_1h", "output", "reasoning")
_SAID = ("accepted", "untimed", "judged", "wrong", "review", "wrong_usd")
_KINDS: tuple[View, ...] = ("workflow", "tier", "key")
"""By what sums are kept, each by day and workflow: a view reads its own and no more; days are read from workflows."""
_PLACE = "kind TEXT NOT NULL, day INTEGER NOT NULL, workflow TEXT NOT NULL, name TEXT NOT NULL"
_OF_CALL = "day INTEGER NOT NULL, workflow TEXT NOT NULL, tier TEXT NOT NULL, key TEXT NOT NULL"
_SUMMED = (*_COUNTS, *_MONEY, *(f"mix_{name}" for name in _MIX))
SCHEMA = f"""
CREATE TABLE spent ({_PLACE}, {", ".join(f"{name} INTEGER NOT NULL" for name in _SUMMED)},
    PRIMARY KEY (kind, day, workflow, name)) WITHOUT ROWID;
CREATE TABLE spent_elsewhere ({_PLACE}, model TEXT NOT NULL, calls INTEGER NOT NULL, cost INTEGER NOT NULL,
    PRIMARY KEY (kind, day, workflow, name, model)) WITHOUT ROWID;
CREATE TABLE said (id TEXT PRIMARY KEY, {_OF_CALL}, {", ".join(f"{name} INTEGER NOT NULL" for name in _SAID)})
    WITHOUT ROWID;
"""
Place = tuple[int, str, str, str]
Kept = tuple[str, int, str, str]


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent in a time: all of it, by each view, and the tokens of the answers by kind."""

    whole: Line
    views: dict[View, tuple[Line, ...]]
    mix: Usage
    first_day: int | None
    """Days since 1970-01-01 (UTC); None where nothing is on record."""


class _Batch:
    """What some records come to at one place."""

    def __init__(self) -> None:
        self.sum, self.mix, self.served = Sum(), Usage(), 0
        self.elsewhere: dict[str, tuple[int, Decimal]] = {}

    def add(self, decision: Decision, would: Mapping[str, Decimal | None], said: Said) -> None:
        self.sum.add(decision, {}, said)
        usage = served(decision)
        if usage is not None:
            self.mix, self.served = both(self.mix, usage), self.served + 1
        for model, usd in would.items():
            if usd is not None:
                calls, cost = self.elsewhere.get(model, (0, Decimal(0)))
                self.elsewhere[model] = calls + 1, cost + usd

    def row(self) -> tuple[int, ...]:
        line = self.sum.line("")
        counts = (
            line.calls, line.accepted, line.read, line.written, line.unmetered, line.untimed, line.judged, line.wrong,
            self.served,
        )  # fmt: skip
        money = line.cost_usd, line.unknown_usd, line.own_usd, line.review_usd, line.wrong_usd
        return (*counts, *map(picousd, money), *(getattr(self.mix, name) for name in _MIX))


def add(
    db: sqlite3.Connection,
    records: Iterable[tuple[Decision, Mapping[str, Decimal | None]]],
    criteria: Mapping[str, Criteria],
) -> None:
    """Count records, each with what it would have cost elsewhere. Dry runs asked nobody and count nowhere."""
    batches: dict[Place, _Batch] = {}
    for decision, would in records:
        if decision.outcome != "dry_run":
            said = said_of(decision, _of(criteria, decision))
            batches.setdefault(_place(decision), _Batch()).add(decision, would, said)
    sums: dict[Kept, tuple[int, ...]] = {}
    elsewhere: dict[tuple[Kept, str], tuple[int, int]] = {}
    for place, batch in batches.items():
        row = batch.row()
        for kept in _kept(place):
            sums[kept] = _added(sums.get(kept, (0,) * len(row)), row)
            for model, (calls, cost) in batch.elsewhere.items():
                before = elsewhere.get((kept, model), (0, 0))
                elsewhere[kept, model] = before[0] + calls, before[1] + picousd(cost)
    db.executemany(_ADD, [(*kept, *row) for kept, row in sums.items()])
    db.executemany(_ADD_ELSEWHERE, [(*kept, model, *row) for (kept, model), row in elsewhere.items()])


def say(db: sqlite3.Connection, pairs: Iterable[tuple[Decision, Decision]], criteria: Mapping[str, Criteria]) -> None:
    """Take in what was said of calls: each as it was recorded, and with all that was said of it by now."""
    rows = []
    for bare, joined in pairs:
        before, after = (said_of(one, _of(criteria, bare)) for one in (bare, joined))
        told = (_told(after)[at] - _told(before)[at] for at in range(len(_SAID)))
        if bare.outcome != "dry_run":
            rows.append((bare.id, *_place(bare), *told))
    db.executemany(f"INSERT OR REPLACE INTO said VALUES ({_places(5 + len(_SAID))})", rows)  # noqa: S608  # own words


def spent(db: sqlite3.Connection, since_ts: float, workflow: str) -> Spent:
    """Return what was spent since the beginning of the day (UTC) of this time; no workflow means all."""
    values = {"since": int(since_ts // DAY_S), "workflow": workflow}
    groups = {view: _lines(db, view, values) for view in VIEWS}
    whole, mix = _lines(db, None, values), Usage()
    mixed = f"SELECT {','.join(f'sum(mix_{name})' for name in _MIX)} FROM spent WHERE kind = 'workflow' AND {_SINCE}"  # noqa: S608
    for row in db.execute(mixed, values):
        mix = msgspec.convert(dict(zip(_MIX, (number or 0 for number in row), strict=True)), Usage)
    first = db.execute(f"SELECT min(day) FROM spent WHERE kind = 'workflow' AND {_SINCE}", values).fetchone()[0]  # noqa: S608
    nothing = Sum().line("all")
    return Spent(
        whole=whole[0] if whole else nothing,
        views={view: in_order(view, lines) for view, lines in groups.items()},
        mix=mix,
        first_day=first,
    )


def prune(db: sqlite3.Connection, first_ts: float) -> None:
    """Forget the days before the one of this time."""
    for table in ("spent", "spent_elsewhere", "said"):
        db.execute(f"DELETE FROM {table} WHERE day < ?", (int(first_ts // DAY_S),))  # noqa: S608  # own words


def picousd(amount: Decimal) -> int:
    """Return an amount as it is kept; a million dollars a call are as good as more."""
    return int(min(max(amount, -MOST_USD), MOST_USD).scaleb(PICO))


# in the tables

_SINCE = "day >= :since AND (:workflow = '' OR workflow = :workflow)"


def _places(count: int) -> str:
    return ",".join("?" * count)


_ADD = (
    f"INSERT INTO spent VALUES ({_places(4 + len(_SUMMED))}) ON CONFLICT DO UPDATE SET "  # noqa: S608  # own words
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _SUMMED)
)
_ADD_ELSEWHERE = (
    "INSERT INTO spent_elsewhere VALUES (?,?,?,?,?,?,?) "
    "ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, cost = cost + excluded.cost"
)


def _lines(db: sqlite3.Connection, view: View | None, values: dict[str, Any]) -> list[Line]:
    """Return the lines of a view, or one of everything, in no order."""
    kind = view if view in _KINDS else "workflow"
    by = {None: "''", "day": "day"}.get(view, "name")
    where = f"WHERE kind = '{kind}' AND {_SINCE}"
    summed = [*(f"sum({name})" for name in _COUNTS), *(_sum_of(name) for name in _MONEY)]
    sql = f"SELECT {by}, {','.join(summed)} FROM spent {where} GROUP BY 1"  # noqa: S608
    said = [*(f"sum({name})" for name in _SAID[:4]), *(_sum_of(name) for name in _SAID[4:])]
    of_call = "''" if view is None else view
    sql_said = f"SELECT {of_call}, {','.join(said)} FROM said WHERE {_SINCE} GROUP BY 1"  # noqa: S608
    more = {name: rest for name, *rest in db.execute(sql_said, values)}
    elsewhere: dict[Any, dict[str, tuple[int, Decimal]]] = {}
    sql_elsewhere = f"SELECT {by}, model, sum(calls), {_sum_of('cost')} FROM spent_elsewhere {where} GROUP BY 1, 2"  # noqa: S608
    for name, model, calls, high, low in db.execute(sql_elsewhere, values):
        elsewhere.setdefault(name, {})[model] = calls, _usd(high, low)
    nothing = (0,) * (len(_SAID) + 2)
    return [
        _line(view, row[0], row[1:], more.get(row[0], nothing), elsewhere.get(row[0], {}))
        for row in db.execute(sql, values).fetchall()
    ]


def _line(
    view: View | None, name: Any, row: Sequence[int], more: Sequence[int], would: Mapping[str, tuple[int, Decimal]]
) -> Line:
    counts = dict(zip(_COUNTS, row, strict=False))
    cost, unknown, own, review, wrong_usd = _halves(row[len(_COUNTS) :])
    accepted, untimed, judged, wrong = more[:4]
    more_review, more_wrong = _halves(more[4:])
    return Line(
        name="all" if view is None else _told_name(view, name),
        calls=counts["calls"], accepted=counts["accepted"] + accepted, read=counts["read"], written=counts["written"],
        cost_usd=cost, unknown_usd=unknown, unmetered=counts["unmetered"], own_usd=own,
        review_usd=review + more_review, untimed=counts["untimed"] + untimed, judged=counts["judged"] + judged,
        wrong=counts["wrong"] + wrong, wrong_usd=wrong_usd + more_wrong,
        elsewhere_usd={model: usd for model, (calls, usd) in would.items() if calls == counts["served"]},
    )  # fmt: skip


def _sum_of(name: str) -> str:
    return f"sum({name} / {_HALF}), sum({name} % {_HALF})"


def _halves(numbers: Sequence[int]) -> list[Decimal]:
    return [_usd(high, low) for high, low in zip(numbers[::2], numbers[1::2], strict=True)]


def _usd(high: int, low: int) -> Decimal:
    return Decimal(int(high) * _HALF + int(low)).scaleb(-PICO)


def _told_name(view: View, name: Any) -> str:
    return datetime.fromtimestamp(name * DAY_S, UTC).date().isoformat() if view == "day" else str(name)


def _place(decision: Decision) -> Place:
    workflow, tier, key = (name_in(view, decision) for view in VIEWS[:3])
    return int(decision.ts // DAY_S), workflow, tier, key


def _kept(place: Place) -> list[Kept]:
    day, workflow, tier, key = place
    names = {"workflow": workflow, "tier": tier, "key": key}
    return [(kind, day, workflow, names[kind]) for kind in _KINDS]


def _added(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(operator.add, one, other))


def _of(criteria: Mapping[str, Criteria], decision: Decision) -> Criteria:
    return criteria.get(decision.workflow or "", Criteria())


def _told(said: Said) -> tuple[int, ...]:
    """Return it in the order of `_SAID`."""
    judged, wrong_usd = said.wrong_usd is not None, said.wrong_usd or Decimal(0)
    return (said.accepted, said.untimed, judged, said.wrong, picousd(said.review_usd), picousd(wrong_usd))
