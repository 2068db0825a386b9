"""How do the ledger's rows lie in SQLite, and how are they written? The only SQL that changes anything.

`intents` holds exactly the calls whose outcome is open; `records` grows at its end, in the order of commits.
Rows go in through the view `entries`, so that a whole batch is one statement and one commit: each statement of the
`sqlite3` module gives up the GIL and may wait milliseconds for a busy event loop to hand it back (docs/decisions).
Keys have two tables of their own, which `ledger.key_book` writes, releases one (`ledger.releases`), and the content of
calls one, with the trace of what was erased (`ledger.contents`); incidents have two (`ledger.incident_book`), what
proves that records are whole three (`ledger.audit_tables`), what was said of answers one (`ledger.remarks`).
Invariant: an id is in one of the two tables at most; `seq` has no gaps and is never used twice.
"""

import sqlite3
from collections.abc import Sequence
from decimal import ROUND_CEILING, Decimal

from tierwise.audit.notes import Signer
from tierwise.core.decision import Decision
from tierwise.core.errors import StoreError
from tierwise.ledger import audit_tables, contents
from tierwise.ledger.contents import Contents
from tierwise.ledger.encode import decode_intent, encode_decision, encode_intent
from tierwise.ledger.intent import Intent
from tierwise.sqlite.connect import transaction

APPLICATION_ID = 0x5477_6C67  # "Twlg"

# Amounts are whole picodollars: every price with up to six decimals per million tokens is exact, and 64 bits reach
# 9.2 million dollars a record.
PICO = 12
_MAX_PICOUSD = (1 << 63) - 1

MIGRATIONS = (
    """
    CREATE TABLE intents (id TEXT PRIMARY KEY, ts REAL NOT NULL, record BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE records (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL, ts REAL NOT NULL, workflow TEXT, key_id TEXT, session TEXT,
        label TEXT NOT NULL, tier TEXT, outcome TEXT NOT NULL, cost_picousd INTEGER, record BLOB NOT NULL
    );
    CREATE UNIQUE INDEX records_id ON records (id);
    CREATE INDEX records_ts ON records (ts);
    CREATE INDEX records_cost ON records (ts, workflow, key_id, cost_picousd) WHERE cost_picousd > 0;
    CREATE INDEX records_session ON records (session, key_id, label) WHERE session IS NOT NULL;
    CREATE TABLE pruned (last_seq INTEGER NOT NULL, before_ts REAL NOT NULL, records INTEGER NOT NULL);
    CREATE VIEW entries AS
        SELECT seq, id, ts, workflow, key_id, session, label, tier, outcome, cost_picousd, record FROM records;
    CREATE TRIGGER entries_intent INSTEAD OF INSERT ON entries WHEN NEW.seq IS NULL BEGIN
        INSERT INTO intents VALUES (NEW.id, NEW.ts, NEW.record);
    END;
    CREATE TRIGGER entries_record INSTEAD OF INSERT ON entries WHEN NEW.seq IS NOT NULL BEGIN
        INSERT INTO records VALUES (NEW.seq, NEW.id, NEW.ts, NEW.workflow, NEW.key_id, NEW.session, NEW.label,
            NEW.tier, NEW.outcome, NEW.cost_picousd, NEW.record);
        DELETE FROM intents WHERE id = NEW.id;
    END;
    """,
    """
    CREATE TABLE keys (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL, prefix TEXT NOT NULL, hash BLOB NOT NULL UNIQUE,
        created REAL NOT NULL, expires REAL, revoked REAL, permissions BLOB NOT NULL
    );
    CREATE INDEX keys_name ON keys (name);
    CREATE TABLE key_changes (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, ts REAL NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
        name TEXT NOT NULL, detail TEXT NOT NULL
    );
    """,
    # What an open call has set aside may grow with each endpoint that it goes to; an entry without a record says so.
    # A session's label is asked for by columns: SQLite's JSON functions end a text at its first NUL.
    """
    ALTER TABLE intents ADD COLUMN key_id TEXT;
    ALTER TABLE intents ADD COLUMN session TEXT;
    ALTER TABLE intents ADD COLUMN label TEXT;
    ALTER TABLE intents ADD COLUMN held_picousd INTEGER;
    DROP TRIGGER entries_intent;
    CREATE TRIGGER entries_intent INSTEAD OF INSERT ON entries WHEN NEW.seq IS NULL AND length(NEW.record) > 0 BEGIN
        INSERT INTO intents VALUES (NEW.id, NEW.ts, NEW.record, NEW.key_id, NEW.session, NEW.label, NEW.cost_picousd);
    END;
    CREATE TRIGGER entries_hold INSTEAD OF INSERT ON entries WHEN NEW.seq IS NULL AND length(NEW.record) = 0 BEGIN
        UPDATE intents SET held_picousd = NEW.cost_picousd WHERE id = NEW.id;
    END;
    """,
    # A key that was ended at once stays so, whatever a clock says.
    """
    ALTER TABLE keys ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;
    UPDATE keys SET ended = 1 WHERE name IN (SELECT name FROM key_changes WHERE what = 'revoked');
    """,
    """
    CREATE TABLE releases (
        number INTEGER PRIMARY KEY, digest TEXT, policy BLOB, who TEXT NOT NULL, why TEXT NOT NULL, ts REAL NOT NULL,
        replaces INTEGER UNIQUE
    );
    """,
    # Content goes with its record. It is not in the view: a call with content is a statement more, in one commit.
    """
    CREATE TABLE contents (
        id TEXT NOT NULL UNIQUE, ts REAL NOT NULL, salt BLOB NOT NULL, level TEXT NOT NULL, request BLOB, answer BLOB
    );
    CREATE INDEX contents_ts ON contents (ts);
    CREATE TRIGGER contents_go AFTER DELETE ON records BEGIN DELETE FROM contents WHERE id = OLD.id; END;
    CREATE TABLE erasures (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, ts REAL NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL,
        what TEXT NOT NULL, calls INTEGER NOT NULL
    );
    CREATE TRIGGER erasures_stay BEFORE DELETE ON erasures BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    CREATE TRIGGER erasures_same BEFORE UPDATE ON erasures BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    """,
    # What proves that no record was changed (`ledger.audit_tables`): a leaf for each, and signed notes.
    """
    CREATE TABLE leaves (seq INTEGER PRIMARY KEY, hash BLOB NOT NULL);
    CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, ts REAL NOT NULL, note TEXT NOT NULL, frontier BLOB NOT NULL);
    CREATE TABLE removals (one INTEGER PRIMARY KEY CHECK (one = 1), note TEXT NOT NULL);
    """,
    # Incidents (`ledger.incident_book`): how each stands, and what happened to it, line by line.
    """
    CREATE TABLE incidents (
        id TEXT PRIMARY KEY, name BLOB NOT NULL, opened REAL NOT NULL, closed REAL, owed INTEGER NOT NULL,
        incident BLOB NOT NULL, claimant TEXT NOT NULL DEFAULT '', claimed_until REAL NOT NULL DEFAULT 0
    );
    CREATE UNIQUE INDEX incidents_open ON incidents (name) WHERE closed IS NULL;
    CREATE INDEX incidents_name ON incidents (name, closed);
    CREATE INDEX incidents_unsettled ON incidents (id) WHERE closed IS NULL OR owed > 0;
    CREATE TABLE incident_events (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, incident TEXT NOT NULL, ts REAL NOT NULL, what TEXT NOT NULL,
        who TEXT NOT NULL, detail TEXT NOT NULL, about INTEGER NOT NULL
    );
    CREATE INDEX incident_events_of ON incident_events (incident, seq);
    CREATE TRIGGER incident_events_stay BEFORE DELETE ON incident_events
        BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    CREATE TRIGGER incident_events_same BEFORE UPDATE ON incident_events
        BEGIN SELECT RAISE(ABORT, 'kept for the audit'); END;
    """,
    # What was said of answers (`ledger.remarks`): it goes with its record; of itself only a note can go.
    """
    CREATE TABLE remarks (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, decision TEXT NOT NULL, ts REAL NOT NULL, what TEXT NOT NULL,
        who TEXT NOT NULL, score REAL NOT NULL, seconds REAL, note TEXT NOT NULL
    );
    CREATE INDEX remarks_of ON remarks (decision, seq);
    CREATE TRIGGER remarks_go AFTER DELETE ON records BEGIN DELETE FROM remarks WHERE decision = OLD.id; END;
    CREATE TRIGGER remarks_stay BEFORE DELETE ON remarks WHEN EXISTS (SELECT 1 FROM records WHERE id = OLD.decision)
        BEGIN SELECT RAISE(ABORT, 'kept with its record'); END;
    CREATE TRIGGER remarks_same BEFORE UPDATE ON remarks
        WHEN NEW.note <> '' OR (NEW.seq, NEW.decision, NEW.ts, NEW.what, NEW.who, NEW.score, NEW.seconds)
            IS NOT (OLD.seq, OLD.decision, OLD.ts, OLD.what, OLD.who, OLD.score, OLD.seconds)
        BEGIN SELECT RAISE(ABORT, 'kept with its record'); END;
    """,
    # Workflows are released as the policy is: each subject counts its own releases.
    """
    ALTER TABLE releases RENAME TO policies;
    CREATE TABLE releases (
        subject TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT, body BLOB, who TEXT NOT NULL, why TEXT NOT NULL,
        ts REAL NOT NULL, replaces INTEGER, PRIMARY KEY (subject, number), UNIQUE (subject, replaces)
    );
    INSERT INTO releases (subject, number, digest, body, who, why, ts, replaces)
        SELECT 'policy', number, digest, policy, who, why, ts, replaces FROM policies;
    DROP TABLE policies;
    """,
)

# id, ts, workflow, key_id, session, label, tier, outcome (None for an intent and for what it holds), cost_picousd
# (what an intent holds), record (empty where only that changes), content of the call where any is kept
Row = tuple[
    str, float, str | None, str | None, str | None, str | None, str | None, str | None, int | None, bytes,
    Contents | None,
]  # fmt: skip
_ID, _OUTCOME, _RECORD, _CONTENT = 0, 7, 9, 10
_COLUMNS = 11

STATEMENT_ROWS = 64
_INSERT = tuple(
    f"INSERT INTO entries VALUES {','.join(['(?,?,?,?,?,?,?,?,?,?,?)'] * count)}"  # noqa: S608  # only places
    for count in range(STATEMENT_ROWS + 1)
)
_PRUNE_ROWS = 500


def intent_row(intent: Intent, held_usd: Decimal | None = None) -> Row:
    """Return the row of an intent that holds so much; `StoreError` where it cannot be encoded."""
    return (
        intent.id,
        intent.ts,
        intent.workflow,
        intent.key_id,
        intent.session,
        intent.label.value.value,
        intent.tier.value,
        None,
        None if held_usd is None else picousd(held_usd),
        encode_intent(intent),
        None,
    )


def hold_row(ident: str, held_usd: Decimal) -> Row:
    """Return the row that says how much the open call of this id holds by now."""
    return (ident, 0.0, None, None, None, None, None, None, picousd(held_usd), b"", None)


def record_row(decision: Decision, charged_usd: Decimal | None = None, content: Contents | None = None) -> Row:
    """Return the row of an outcome. `charged_usd` counts as spent where the record's own cost is unknown."""
    cost = charged_usd if decision.charged_usd is None else decision.charged_usd
    return (
        decision.id,
        decision.ts,
        decision.workflow,
        decision.key_id,
        decision.session,
        decision.label.value.value,
        tier_of(decision),
        decision.outcome,
        None if cost is None else picousd(cost),
        encode_decision(decision),
        content,
    )


def weight_bytes(row: Row) -> int:
    """Return what a row weighs while it waits."""
    *_, record, content = row
    return len(record) + (0 if content is None else content.size_bytes)


def tier_of(decision: Decision) -> str | None:
    """Return the tier of the last attempt, else that of the chosen candidate, else None."""
    if decision.attempts:
        return decision.attempts[-1].tier.value
    chosen = (candidate.tier.value for candidate in decision.candidates if candidate.model == decision.chosen)
    return next(chosen, None)


def picousd(amount_usd: Decimal) -> int:
    """Return the amount in picodollars; a fraction of one rounds up, against the budget."""
    try:
        whole = int(amount_usd.scaleb(PICO).to_integral_value(ROUND_CEILING))
    except (ArithmeticError, ValueError) as error:
        raise StoreError(f"an amount of {amount_usd} US dollars cannot be recorded") from error
    if abs(whole) > _MAX_PICOUSD:
        raise StoreError(f"an amount of {amount_usd} US dollars cannot be recorded")
    return whole


def last_seq(db: sqlite3.Connection) -> int:
    """Return the highest number that a record has or had, 0 for none."""
    sql = "SELECT max(coalesce((SELECT max(seq) FROM records), 0), coalesce((SELECT max(last_seq) FROM pruned), 0))"
    last: int = db.execute(sql).fetchone()[0]
    return last


def insert(db: sqlite3.Connection, rows: Sequence[Row], seq: int) -> list[int]:
    """Commit all rows or none, and return their numbers: from `seq` + 1 on for records, 0 for intents."""
    seqs: list[int] = []
    flat: list[object] = []
    kept: list[Contents] = []
    for row in rows:
        record = row[_OUTCOME] is not None
        seq += record
        seqs.append(seq if record else 0)
        flat.append(seq if record else None)
        flat += row[:_CONTENT]
        if row[10] is not None:
            kept.append(row[10])
    if len(rows) <= STATEMENT_ROWS and not kept:
        db.execute(_INSERT[len(rows)], flat)
        return seqs
    with transaction(db):
        for start in range(0, len(rows), STATEMENT_ROWS):
            count = min(STATEMENT_ROWS, len(rows) - start)
            db.execute(_INSERT[count], flat[start * _COLUMNS : (start + count) * _COLUMNS])
        if kept:
            contents.insert(db, kept)
    return seqs


def recorded_seq(db: sqlite3.Connection, row: Row) -> int | None:
    """Return the number under which exactly this row already stands (0 for an intent), None if it does not."""
    if row[_OUTCOME] is None and not row[_RECORD]:
        return 0
    if row[_OUTCOME] is None:
        found = db.execute("SELECT 0 FROM intents WHERE id = ? AND record = ?", (row[_ID], row[_RECORD])).fetchone()
    else:
        found = db.execute("SELECT seq FROM records WHERE id = ? AND record = ?", (row[_ID], row[_RECORD])).fetchone()
    return None if found is None else found[0]


def interrupt(db: sqlite3.Connection) -> int:
    """Close every open intent as an `interrupted` record and return how many there were.

    What such a call cost is unknown, so its record says null; for budgets all that it held counts as spent.
    """
    closed = 0
    sql = "SELECT record, held_picousd FROM intents ORDER BY ts, id LIMIT ?"
    while found := db.execute(sql, (STATEMENT_ROWS,)).fetchall():
        rows = [interrupted_row(decode_intent(record), held) for record, held in found]
        insert(db, rows, last_seq(db))
        closed += len(rows)
    return closed


def interrupted_row(intent: Intent, held_picousd: int | None) -> Row:
    """Return the row of a call whose process died; without a word on what it held, all that it reserved counts."""
    held = intent.reserved_usd if held_picousd is None else Decimal(held_picousd).scaleb(-PICO)
    return record_row(intent.decision("interrupted", "the process ended before the outcome was known"), held)


def prune(db: sqlite3.Connection, before_ts: float, signer: Signer | None = None) -> int:
    """Delete some of the records from before this Unix time and return how many; 0 when none is left."""
    with contents.overwriting(db), transaction(db):
        last = last_seq(db)
        seqs = [seq for (seq,) in db.execute("SELECT seq FROM records WHERE ts < ? LIMIT ?", (before_ts, _PRUNE_ROWS))]
        if seqs:
            if signer is not None:
                audit_tables.remove(db, signer, seqs)
            db.executemany("DELETE FROM records WHERE seq = ?", [(seq,) for seq in seqs])
            db.execute("INSERT INTO pruned VALUES (?, ?, ?)", (last, before_ts, len(seqs)))
    return len(seqs)
