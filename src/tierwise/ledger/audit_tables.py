"""How does the audited log lie in SQLite? A leaf for each record, signed checkpoints, and what was removed on purpose.

Everything runs in the writer's thread, in small steps between batches; nothing is added to the path of a call. A leaf
is kept for good: it says which record was changed, and stands for one that is gone.
Invariant: a step is committed whole; checkpoints cover leaves from number 1 on, without gaps.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from tierwise.audit.log import continued, extended, missing, signed
from tierwise.audit.notes import Signer
from tierwise.audit.removed import added, stated, statement
from tierwise.audit.tree import leaf_hash
from tierwise.sqlite.connect import transaction

STEP_LEAVES = 1000
# Of older checkpoints one an hour stays: each covers all before it.
THIN_S = 3600
PAGE_ROWS = 2000
MOST_RECORDS = (1 << 63) - 1
BEFORE_ALL = -MOST_RECORDS - 1
"""Before any number that a row can have, also one that no ledger gives."""

LogRow = tuple[int, bytes | None, bytes | None]
"""A record's number, its bytes (None: taken away), and its leaf (None: not hashed yet)."""


class LogReading(Protocol):
    """Who reads a log."""

    def begin(self, checkpoints: Sequence[str], removal: str | None) -> None:
        """Take the signed notes, before any row: the checkpoints, and what was removed on purpose."""

    def take(self, rows: Sequence[LogRow]) -> None:
        """Take the next rows in the order of their numbers."""


def notarised(db: sqlite3.Connection, signer: Signer, clock: Callable[[], float]) -> int:
    """Take some of what was recorded into the log and sign it; return how much, 0 when nothing is left.

    StoreError where the log is not the one that was signed last.
    """
    with transaction(db):
        return _notarised(db, signer, clock())


def _notarised(db: sqlite3.Connection, signer: Signer, now: float) -> int:
    kept = db.execute("SELECT note, frontier FROM checkpoints ORDER BY size DESC LIMIT 1").fetchone()
    frontier = continued(kept, signer)
    if kept is None:
        _begin(db, signer)
    _hash(db, STEP_LEAVES)
    sql = "SELECT seq, hash FROM leaves WHERE seq > ? ORDER BY seq LIMIT ?"
    leaves = db.execute(sql, (frontier.size, STEP_LEAVES)).fetchall()
    if not leaves:
        return 0
    grown = extended(frontier, leaves)
    note, blob = signed(signer, grown)
    db.execute("DELETE FROM checkpoints WHERE ts >= ?", (now - now % THIN_S,))
    db.execute("INSERT INTO checkpoints VALUES (?, ?, ?, ?)", (grown.size, now, note, blob))
    return len(leaves)


def remove(db: sqlite3.Connection, signer: Signer, seqs: Sequence[int]) -> None:
    """Say that the records of these numbers go on purpose; call it before they do, in the same transaction."""
    while _hash(db, STEP_LEAVES):
        pass
    _state(db, signer, seqs)


def checkpoints(db: sqlite3.Connection) -> list[str]:
    """Return the notes of all checkpoints that are kept, oldest first."""
    return [note for (note,) in db.execute("SELECT note FROM checkpoints ORDER BY size")]


def removal(db: sqlite3.Connection) -> str | None:
    """Return the note of what was removed on purpose, None if nothing was."""
    found = db.execute("SELECT note FROM removals").fetchone()
    return None if found is None else found[0]


def read(db: sqlite3.Connection, reading: LogReading) -> None:
    """Have the whole log read as it is at one moment."""
    with transaction(db, "DEFERRED"):
        reading.begin(checkpoints(db), removal(db))
        after = BEFORE_ALL
        while rows := page(db, after):
            reading.take(rows)
            after = rows[-1][0]


def page(db: sqlite3.Connection, after_seq: int) -> list[LogRow]:
    """Return the rows of the next numbers, in their order."""
    sql = "SELECT seq, record, hash FROM records LEFT JOIN leaves USING (seq) WHERE seq > ? ORDER BY seq LIMIT ?"
    there: list[LogRow] = db.execute(sql, (after_seq, PAGE_ROWS)).fetchall()
    sql = (
        "SELECT seq, NULL, hash FROM leaves WHERE seq > ? AND seq <= ? AND NOT EXISTS "
        "(SELECT 1 FROM records WHERE records.seq = leaves.seq) ORDER BY seq LIMIT ?"
    )
    last = there[-1][0] if len(there) == PAGE_ROWS else MOST_RECORDS
    return merged(there, db.execute(sql, (after_seq, last, PAGE_ROWS)).fetchall())


def merged(there: list[LogRow], gone: list[LogRow]) -> list[LogRow]:
    """Return both in the order of their numbers, up to where both are known."""
    last = gone[-1][0] if len(gone) == PAGE_ROWS else MOST_RECORDS
    return sorted((row for row in (*there, *gone) if row[0] <= last), key=lambda row: row[0])


def _hash(db: sqlite3.Connection, limit: int) -> int:
    """Keep the leaves of the next records; return of how many."""
    sql = "SELECT seq, record FROM records WHERE seq > (SELECT coalesce(max(seq), 0) FROM leaves) ORDER BY seq LIMIT ?"
    rows = [(seq, leaf_hash(seq, record)) for seq, record in db.execute(sql, (limit,))]
    db.executemany("INSERT INTO leaves VALUES (?, ?)", rows)
    return len(rows)


def _begin(db: sqlite3.Connection, signer: Signer) -> None:
    """Begin the log of a ledger older than it: numbers whose records are gone already get a leaf of their own."""
    if db.execute("SELECT EXISTS (SELECT 1 FROM leaves) OR NOT EXISTS (SELECT 1 FROM pruned)").fetchone()[0]:
        return
    last = db.execute("SELECT coalesce(max(seq), 0) FROM records").fetchone()[0]
    gone = missing((seq for (seq,) in db.execute("SELECT seq FROM records")), last)
    db.executemany("INSERT INTO leaves VALUES (?, ?)", [(seq, leaf_hash(seq, b"")) for seq in gone])
    rows: Iterator[tuple[int, bytes]] = db.execute("SELECT seq, record FROM records")
    db.executemany("INSERT INTO leaves VALUES (?, ?)", [(seq, leaf_hash(seq, record)) for seq, record in rows])
    _state(db, signer, gone)


def _state(db: sqlite3.Connection, signer: Signer, seqs: Sequence[int]) -> None:
    if seqs:
        note = statement(signer, added(stated(removal(db), signer.keys), seqs))
        db.execute("INSERT INTO removals VALUES (1, ?) ON CONFLICT DO UPDATE SET note = excluded.note", (note,))
