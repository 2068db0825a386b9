"""Every question gets the rows that fit, in the order that was promised, and sums are exact."""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.ledger.samples import START, a_decision, an_id, an_intent
from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, Decision, Labelled
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label, Tier
from tierwise.ledger.queries import PAGE_ROWS, Filter, count, find, latest, page, session_label, spent_usd
from tierwise.ledger.tables import APPLICATION_ID, MIGRATIONS, insert, intent_row, record_row
from tierwise.sqlite.connect import connect_writer
from tierwise.sqlite.migrate import migrate


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    path = tmp_path / "ledger.db"
    connection = connect_writer(path, "normal")
    migrate(connection, path, MIGRATIONS, application_id=APPLICATION_ID)
    yield connection
    connection.close()


def write(db: sqlite3.Connection, *decisions: Decision) -> None:
    insert(db, [record_row(decision) for decision in decisions], count(db))


def numbers(decisions: list[Decision]) -> list[int]:
    return [int(decision.ts) - START for decision in decisions]


def test_found_by_id_prefix_and_in_capitals(db: sqlite3.Connection) -> None:
    write(db, a_decision(1), a_decision(100_000_000))
    for name in (an_id(1), an_id(1)[:10], an_id(1).upper()):
        found = find(db, name)
        assert found is not None
        assert (found.id, found.seq) == (an_id(1), 1)
    assert find(db, "zzzzzz") is None


def test_a_prefix_that_fits_several_or_is_too_short_is_the_askers_mistake(db: sqlite3.Connection) -> None:
    write(db, a_decision(1), a_decision(2))
    with pytest.raises(InvalidCall, match="several ids"):
        find(db, an_id(1)[:6])
    with pytest.raises(InvalidCall, match="at least 6"):
        find(db, an_id(1)[:5])


def test_an_open_call_is_found_as_pending(db: sqlite3.Connection) -> None:
    insert(db, [intent_row(an_intent(1, workflow="w"))], 0)
    found = find(db, an_id(1))
    assert found is not None
    assert (found.outcome, found.workflow, found.seq) == ("pending", "w", None)
    write(db, a_decision(1))
    found = find(db, an_id(1)[:12])
    assert found is not None
    assert found.outcome == "answered"


def test_latest_is_newest_first_and_filtered(db: sqlite3.Connection) -> None:
    out = AttemptRecord(endpoint="away", model="big", tier=Tier.FRONTIER, started=1.5, verdict="ok")
    write(
        db, a_decision(2), a_decision(1, workflow="w"), a_decision(3, outcome="failed"), a_decision(4, attempts=(out,))
    )
    assert numbers(latest(db, 10, Filter())) == [4, 3, 2, 1]
    assert numbers(latest(db, 2, Filter())) == [4, 3]
    assert numbers(latest(db, 9, Filter(since_ts=START + 2.0))) == [4, 3, 2]
    assert numbers(latest(db, 9, Filter(workflow="w"))) == [1]
    assert numbers(latest(db, 9, Filter(tier=Tier.FRONTIER))) == [4]
    assert numbers(latest(db, 9, Filter(outcome="failed", tier=Tier.LOCAL))) == [3]
    assert latest(db, 9, Filter(outcome="failed", workflow="w")) == []


def test_pages_give_everything_once_in_the_order_of_recording(db: sqlite3.Connection) -> None:
    total = 2 * PAGE_ROWS + 3
    write(db, *(a_decision(total - number) for number in range(total)))
    seen: list[int] = []
    while decisions := page(db, seen[-1] if seen else 0, Filter()):
        seen += [decision.seq or 0 for decision in decisions]
    assert seen == list(range(1, total + 1))
    assert [d.seq for d in page(db, 0, Filter(since_ts=START + total - 1.0))] == [1, 2]
    assert page(db, 0, Filter(since_ts=START + total + 1.0)) == []


def test_spending_by_scope_and_time(db: sqlite3.Connection) -> None:
    write(
        db,
        a_decision(1, total_cost_usd=Decimal("0.1"), workflow="w", key_id="k"),
        a_decision(2, total_cost_usd=Decimal("0.000000000002"), workflow="w"),
        a_decision(3, total_cost_usd=Decimal("0.02"), key_id="k", team="red"),
        a_decision(4),
        a_decision(5, total_cost_usd=Decimal(0)),
    )
    assert spent_usd(db, 0, "all") == Decimal("0.120000000002")
    assert spent_usd(db, START + 2, "all") == Decimal("0.020000000002")
    assert spent_usd(db, 0, "workflow:w") == Decimal("0.100000000002")
    assert spent_usd(db, 0, "key:k") == Decimal("0.12")
    assert spent_usd(db, 0, "key:nobody") == 0
    assert spent_usd(db, 0, "team:red") == Decimal("0.02")
    assert spent_usd(db, 0, "team:nobody") == 0
    with pytest.raises(ValueError, match="no such scope"):
        spent_usd(db, 0, "colour:red")


def test_sums_beyond_what_64_bits_hold_stay_exact(db: sqlite3.Connection) -> None:
    write(db, *(a_decision(number, total_cost_usd=Decimal("9000000.000000000001")) for number in range(10)))
    assert spent_usd(db, 0, "all") == Decimal("90000000.00000000001")


def test_a_session_keeps_its_highest_label_per_key(db: sqlite3.Connection) -> None:
    def called(number: int, label: Label, key: str | None) -> Decision:
        return a_decision(number, session="s", key_id=key, label=Labelled(value=label))

    write(db, called(1, Label.CONFIDENTIAL, "k"), called(2, Label.PUBLIC, "k"), called(3, Label.INTERNAL, None))
    assert session_label(db, "k", "s") == Label.CONFIDENTIAL
    assert session_label(db, None, "s") == Label.INTERNAL
    assert session_label(db, "other", "s") is None
    assert session_label(db, "k", "other") is None
    still_open = an_intent(4, session="s", key_id="k", label=Labelled(value=Label.RESTRICTED))
    insert(db, [intent_row(still_open)], 3)
    assert session_label(db, "k", "s") == Label.RESTRICTED


def plan(db: sqlite3.Connection, sql: str) -> str:
    return " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}"))


def test_the_questions_of_every_start_and_every_call_use_an_index(db: sqlite3.Connection) -> None:
    assert "COVERING INDEX records_cost" in plan(
        db, "SELECT sum(cost_picousd) FROM records WHERE cost_picousd > 0 AND ts >= 1 AND workflow = 'w'"
    )
    assert "COVERING INDEX records_session" in plan(
        db, "SELECT DISTINCT label FROM records WHERE session = 's' AND key_id IS 'k'"
    )


def test_features_of_an_older_record_are_read_with_todays_defaults(db: sqlite3.Connection) -> None:
    write(db, a_decision(1))
    db.execute("""UPDATE records SET record = json_set(record, '$.features', json('{"input_tokens_est":5}'))""")
    found = find(db, an_id(1))
    assert found is not None
    assert found.features == Features(input_tokens_est=5)
