"""What did somebody say of an answer? Feedback and reviews, joined to decisions, and their only SQL in a file.

A record is signed and stays as it is: what is said later stands beside it, and is joined when it is read.
Invariant: rows are only added; of them only a note, which is content, can be taken away again. A row goes with its
record. Saying the same again adds nothing.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import InvalidCall
from tierwise.ledger.beside import changing

What = Literal["feedback", "review"]
COLUMNS = "seq, decision, ts, what, who, score, seconds, note"
MAX_NOTE_CHARS = 2_000
MAX_WHO_CHARS = 200
MOST_SAID = 100
"""So often something of a kind is said of one decision; whoever says it chooses the name, so that is no bound."""
PAGE_ROWS = 256


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """What `who` said of one decision's answer. `score` is 0 (wrong) to 1 (right), `seconds` the time it took to judge.

    `what`: a caller's feedback, or the review of a person who was to look. `note` is content. The ledger sets `seq`
    and `ts`, Unix time in seconds.
    """

    decision: str
    score: float
    who: str = ""
    what: What = "feedback"
    seconds: float | None = None
    note: str = ""
    ts: float = 0.0
    seq: int = 0

    def says(self, other: "Remark") -> bool:
        """Say whether both say the same."""
        return all(getattr(self, name) == getattr(other, name) for name in ("what", "who", "score", "seconds", "note"))


def unsaid(ident: str, *, pending: bool) -> InvalidCall:
    """Make the refusal of a remark on what has no record."""
    if pending:
        text = f"the call {ident} is still under way: say it when the answer is there"
        return InvalidCall(text, param="decision", code="not_finished", status=409)
    return InvalidCall(f"there is no decision {ident[:64]!a}", param="decision", code="not_found", status=404)


def latest(before: Sequence[Remark], said: Remark) -> Remark | None:
    """Return what the same person said last, where it is the same. InvalidCall where enough was said by anybody."""
    alike = [one for one in before if one.what == said.what]
    own = [one for one in alike if one.who == said.who]
    if own and own[-1].says(said):
        return own[-1]
    if len(alike) >= MOST_SAID:
        raise InvalidCall(f"{MOST_SAID} times something was said of this decision, which is enough", param="decision")
    return None


def standing(remarks: Sequence[Remark]) -> list[Remark]:
    """Return what counts: of each who said something, and of each what, the last."""
    return list({(one.what, one.who): one for one in remarks}.values())


def joined(decision: Decision, remarks: Sequence[Remark]) -> Decision:
    """Return the decision with what was said of it, oldest first; its own fields where nothing was."""
    counted = standing(remarks)
    feedback = _told([one for one in counted if one.what == "feedback"])
    review = _told([one for one in counted if one.what == "review"])
    if review is not None:
        review = {"state": "done"} | review
    return msgspec.structs.replace(decision, feedback=feedback or decision.feedback, review=review or decision.review)


def _told(said: Sequence[Remark]) -> dict[str, Any] | None:
    if not said:
        return None
    seconds = [one.seconds for one in said if one.seconds is not None]
    rows = [{name: getattr(one, name) for name in ("who", "ts", "score", "seconds", "note")} for one in said]
    return {
        "score": sum(one.score for one in said) / len(said),
        "seconds": sum(seconds) if seconds else None,
        "remarks": rows,
    }


def remark_of(row: Sequence[Any]) -> Remark:
    """Return what a row of `COLUMNS` holds."""
    return msgspec.convert(dict(zip(COLUMNS.split(", "), row, strict=True)), Remark)


# in SQLite


def select(db: sqlite3.Connection, idents: Sequence[str]) -> list[Remark]:
    """Return what was said of the decisions with exactly these ids, oldest first."""
    sql = f"SELECT {COLUMNS} FROM remarks WHERE decision IN (SELECT value FROM json_each(?)) ORDER BY seq"  # noqa: S608
    return [remark_of(row) for row in db.execute(sql, (json.dumps(list(idents)),))]


def after(db: sqlite3.Connection, seq: int, since_ts: float) -> list[Remark]:
    """Return the next remarks on any decision, oldest first; empty when there are no more."""
    sql = f"SELECT {COLUMNS} FROM remarks WHERE seq > ? AND ts >= ? ORDER BY seq LIMIT ?"  # noqa: S608
    return [remark_of(row) for row in db.execute(sql, (seq, since_ts, PAGE_ROWS))]


def add(db: sqlite3.Connection, said: Remark, now: float) -> Remark:
    """Add what was said, inside a transaction, unless it is what the same person said of it last; return the row."""
    if (before := latest(select(db, [said.decision]), said)) is not None:
        return before
    if db.execute("SELECT 1 FROM records WHERE id = ?", (said.decision,)).fetchone() is None:
        found = db.execute("SELECT 1 FROM intents WHERE id = ?", (said.decision,)).fetchone()
        raise unsaid(said.decision, pending=found is not None)
    values = (said.decision, now, said.what, said.who, said.score, said.seconds, said.note)
    sql = "INSERT INTO remarks (decision, ts, what, who, score, seconds, note) VALUES (?, ?, ?, ?, ?, ?, ?)"
    cursor = db.execute(sql, values)
    return msgspec.structs.replace(said, ts=now, seq=int(cursor.lastrowid or 0))


class RemarkBook:
    """Adds remarks to the ledger at `path`. Blocks: from an event loop, use it in a thread."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path, clock

    def add(self, said: Remark) -> Remark:
        """Add what was said, once; InvalidCall where its decision has no record."""
        with changing(self._path) as db:
            return add(db, said, self._clock())
