"""What do the ledger's tables say? Every question that is asked of them, on a connection that cannot write.

SQL is put together from this module's own words only; values are always bound.
Invariant: each question sees one state of the ledger and is read to its end, so it never holds back a checkpoint.
"""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.core.decision import Decision, Outcome
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label, Tier, highest
from tierwise.ledger.encode import decode_decision, decode_intent
from tierwise.ledger.intent import Intent
from tierwise.ledger.tables import PICO

MIN_PREFIX = 6
PAGE_ROWS = 256
# Sorts behind every character of an id.
BEHIND = "{"


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which records? All that are set must fit; `since_ts` is Unix seconds, compared with the record's `ts`.

    `after_seq` is where `iterate` begins; it counts nowhere else.
    """

    since_ts: float = 0.0
    workflow: str | None = None
    tier: Tier | None = None
    outcome: Outcome | None = None
    after_seq: int = 0


def find(db: sqlite3.Connection, id_or_prefix: str) -> Decision | None:
    """Return the one decision whose id is or begins like this, as far as it is known if it is still open.

    `InvalidCall` when fewer than 6 characters are given or several ids begin like this.
    """
    prefix = prefix_of(id_or_prefix)
    sql = (
        "SELECT seq, id, record FROM records WHERE id >= ?1 AND id < ?2 "
        "UNION ALL SELECT NULL, id, record FROM intents WHERE id >= ?1 AND id < ?2 LIMIT 2"
    )
    found = alone(id_or_prefix, db.execute(sql, (prefix, prefix + BEHIND)).fetchall())
    if found is None:
        return None
    seq, _, record = found
    if seq is None:
        return decode_intent(record).decision("pending", "the outcome is still open")
    return numbered(seq, record)


def prefix_of(given: str) -> str:
    """Return the beginning of an id as ids are spelled; `InvalidCall` for one that is too short."""
    if len(given) < MIN_PREFIX:
        raise InvalidCall(f"{given!a}: give at least {MIN_PREFIX} characters of the id", param="id")
    return given.lower()


def alone(given: str, found: Sequence[Sequence[Any]]) -> Sequence[Any] | None:
    """Return the one row (its second column is the id) that was found, if any; `InvalidCall` for several."""
    if len(found) > 1:
        raise InvalidCall(
            f"{given!a}: several ids begin like this, among them {found[0][1]} and {found[1][1]}", param="id"
        )
    return found[0] if found else None


def latest(db: sqlite3.Connection, limit: int, which: Filter) -> list[Decision]:
    """Return the newest decisions that fit, newest first."""
    where, values = _where(which)
    sql = f"SELECT seq, record FROM records INDEXED BY records_ts WHERE {where} ORDER BY ts DESC, seq DESC LIMIT ?"  # noqa: S608
    return [numbered(*row) for row in db.execute(sql, (*values, limit))]


def page(db: sqlite3.Connection, after_seq: int, which: Filter) -> list[Decision]:
    """Return the next decisions that fit, in the order in which they were recorded; empty when there are no more."""
    where, values = _where(which)
    if after_seq == 0 and which.since_ts > 0:
        sql = "SELECT min(seq) FROM records INDEXED BY records_ts WHERE ts >= ?"
        after_seq = (db.execute(sql, (which.since_ts,)).fetchone()[0] or 1) - 1
    sql = f"SELECT seq, record FROM records NOT INDEXED WHERE seq > ? AND {where} ORDER BY seq LIMIT ?"  # noqa: S608
    return [numbered(*row) for row in db.execute(sql, (after_seq, *values, PAGE_ROWS))]


def spent_usd(db: sqlite3.Connection, since_ts: float, scope: str) -> Decimal:
    """Add up what calls from this time on cost. `scope` is `all`, `workflow:NAME`, `team:NAME` or `key:NAME`.

    Interrupted calls count with their whole reservation, as nobody knows what they cost.
    """
    condition, values = _scope(scope)
    # Two sums, since one of picodollars alone would overflow 64 bits at 9.2 million dollars.
    sums = "coalesce(sum(cost_picousd / 1000000), 0), coalesce(sum(cost_picousd % 1000000), 0)"
    sql = f"SELECT {sums} FROM records WHERE cost_picousd > 0 AND ts >= ? AND {condition}"  # noqa: S608
    micros, rest = db.execute(sql, (since_ts, *values)).fetchone()
    return Decimal(micros * 1_000_000 + rest).scaleb(-PICO).normalize() + 0


def holds(db: sqlite3.Connection) -> list[tuple[Intent, Decimal]]:
    """Return the open calls that have money set aside, and how much."""
    return held(db.execute(HOLDS).fetchall())


OPEN = "SELECT record FROM intents ORDER BY id"


def open_calls(db: sqlite3.Connection) -> list[Intent]:
    """Return the calls whose outcome is open."""
    return [decode_intent(record) for (record,) in db.execute(OPEN)]


HOLDS = "SELECT record, held_picousd FROM intents WHERE held_picousd > 0"


def held(rows: Sequence[Sequence[Any]]) -> list[tuple[Intent, Decimal]]:
    """Read what `HOLDS` gives."""
    return [(decode_intent(record), Decimal(picousd).scaleb(-PICO).normalize()) for record, picousd in rows]


def session_label(db: sqlite3.Connection, key_id: str | None, session: str, since_ts: float = 0.0) -> Label | None:
    """Return the highest label of the key's calls in this session, open ones included; None if there were none."""
    sql = (
        "SELECT DISTINCT label FROM records WHERE session = ?1 AND key_id IS ?2 AND ts >= ?3 UNION "
        "SELECT label FROM intents WHERE session = ?1 AND key_id IS ?2 AND ts >= ?3"
    )
    labels = [Label(label) for (label,) in db.execute(sql, (session, key_id, since_ts))]
    return highest(labels) if labels else None


def count(db: sqlite3.Connection) -> int:
    """Return how many records there are."""
    number: int = db.execute("SELECT count(*) FROM records").fetchone()[0]
    return number


def _where(which: Filter) -> tuple[str, list[object]]:
    conditions: list[str] = ["ts >= ?"]
    values: list[object] = [which.since_ts]
    for column, value in (("workflow", which.workflow), ("tier", which.tier), ("outcome", which.outcome)):
        if value is not None:
            conditions.append(f"{column} = ?")
            values.append(str(value))
    return " AND ".join(conditions), values


def _scope(scope: str) -> tuple[str, tuple[str, ...]]:
    kind, _, name = scope.partition(":")
    match kind:
        case "all":
            return "1", ()
        case "workflow":
            return "workflow = ?", (name,)
        case "key":
            return "key_id = ?", (name,)
        case "team":
            # Asked once at the start of a gateway that has a budget for a team: not worth a column.
            return "json_extract(record, '$.team') = ?", (name,)
        case _:
            raise ValueError(f"no such scope of spending: {scope!a}")


def numbered(seq: int, record: bytes) -> Decision:
    """Return the decision of a record with its number."""
    return msgspec.structs.replace(decode_decision(record), seq=seq)
