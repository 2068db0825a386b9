"""An id is in one table at most, numbers have no gaps, amounts are exact, and a batch is whole or not there."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.ledger.samples import a_decision, an_id, an_intent
from tierwise.core.decision import CandidateRecord
from tierwise.core.errors import StoreError
from tierwise.core.label import Tier
from tierwise.ledger.encode import decode_decision
from tierwise.ledger.tables import (
    APPLICATION_ID,
    MIGRATIONS,
    STATEMENT_ROWS,
    insert,
    intent_row,
    interrupt,
    last_seq,
    picousd,
    prune,
    record_row,
    recorded_seq,
    tier_of,
)
from tierwise.sqlite.connect import connect_writer
from tierwise.sqlite.migrate import migrate


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "ledger.db"
    connection = connect_writer(path, "normal")
    migrate(connection, path, MIGRATIONS, application_id=APPLICATION_ID)
    yield connection
    connection.close()


def ids(db: sqlite3.Connection, table: str) -> list[str]:
    return [found for (found,) in db.execute(f"SELECT id FROM {table} ORDER BY id")]


def test_an_outcome_closes_its_intent(db: sqlite3.Connection) -> None:
    assert insert(db, [intent_row(an_intent(1)), intent_row(an_intent(2))], 0) == [0, 0]
    assert ids(db, "intents") == [an_id(1), an_id(2)]
    assert insert(db, [record_row(a_decision(1)), intent_row(an_intent(3)), record_row(a_decision(9))], 0) == [1, 0, 2]
    assert ids(db, "intents") == [an_id(2), an_id(3)]
    assert ids(db, "records") == [an_id(1), an_id(9)]
    assert last_seq(db) == 2


@pytest.mark.parametrize("count", [1, STATEMENT_ROWS, STATEMENT_ROWS + 1, 3 * STATEMENT_ROWS + 7])
def test_batches_of_any_size_are_whole_or_not_there(db: sqlite3.Connection, count: int) -> None:
    rows = [record_row(a_decision(number)) for number in range(count)]
    with pytest.raises(sqlite3.IntegrityError):
        insert(db, [*rows, rows[0]], 0)
    assert ids(db, "records") == []
    assert insert(db, rows, 0) == list(range(1, count + 1))
    assert ids(db, "records") == [an_id(number) for number in range(count)]


def test_the_same_row_twice_is_recognised_another_for_the_same_id_is_not(db: sqlite3.Connection) -> None:
    insert(db, [record_row(a_decision(1)), intent_row(an_intent(2))], 0)
    assert recorded_seq(db, record_row(a_decision(1))) == 1
    assert recorded_seq(db, record_row(a_decision(1, outcome="failed"))) is None
    assert recorded_seq(db, intent_row(an_intent(2))) == 0
    assert recorded_seq(db, intent_row(an_intent(2, chosen="larger"))) is None


def test_open_intents_of_the_dead_become_interrupted_records_once(db: sqlite3.Connection) -> None:
    intents = [an_intent(number, reserved_usd=Decimal("0.5")) for number in range(STATEMENT_ROWS + 5)]
    insert(db, [intent_row(intent) for intent in intents], 0)
    insert(db, [record_row(a_decision(0))], 0)
    assert interrupt(db) == STATEMENT_ROWS + 4
    assert interrupt(db) == 0
    assert ids(db, "intents") == []
    assert last_seq(db) == STATEMENT_ROWS + 5
    record, charged = db.execute("SELECT record, cost_picousd FROM records WHERE id = ?", (an_id(1),)).fetchone()
    decision = decode_decision(record)
    assert (decision.outcome, decision.total_cost_usd, charged) == ("interrupted", None, 5 * 10**11)


def test_numbers_are_not_used_again_after_everything_was_pruned(db: sqlite3.Connection) -> None:
    insert(db, [record_row(a_decision(number)) for number in range(700)], 0)
    deleted = 0
    while count := prune(db, a_decision(699).ts + 1):
        deleted += count
    assert deleted == 700
    assert ids(db, "records") == []
    assert last_seq(db) == 700


def test_prune_deletes_what_is_older_and_nothing_else(db: sqlite3.Connection) -> None:
    insert(db, [record_row(a_decision(number)) for number in range(10)], 0)
    assert prune(db, a_decision(4).ts) == 4
    assert prune(db, a_decision(4).ts) == 0
    assert ids(db, "records") == [an_id(number) for number in range(4, 10)]


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_picodollars_are_exact(pico: int) -> None:
    assert picousd(Decimal(pico).scaleb(-12)) == pico


def test_less_than_a_picodollar_counts_against_the_budget() -> None:
    assert picousd(Decimal("0.0000000000001")) == 1


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "1E+30", "9300000"])
def test_what_is_no_amount_is_refused(amount: str) -> None:
    with pytest.raises(StoreError, match="cannot be recorded"):
        picousd(Decimal(amount))


def test_the_tier_is_where_the_call_went_last_or_would_have_gone() -> None:
    seen = CandidateRecord(model="small", endpoint="here", tier=Tier.SELF_HOSTED, allowed=True)
    assert tier_of(a_decision(1)) == "local"
    assert tier_of(a_decision(1, attempts=(), candidates=(seen,))) == "self_hosted"
    assert tier_of(a_decision(1, attempts=())) is None
