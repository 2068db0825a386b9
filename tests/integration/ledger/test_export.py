"""What leaves the ledger is whole and exact, in both forms, and a file appears complete or not at all."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.unit.ledger.samples import a_decision, an_id
from tierwise.core.decision import Committed, ContentRecord, Decision
from tierwise.core.errors import StoreError
from tierwise.ledger.contents import Contents
from tierwise.ledger.encode import decode_decision
from tierwise.ledger.export import COLUMNS, complete, to_jsonl, to_parquet
from tierwise.ledger.store import Ledger

COSTS = [Decimal("0.000123456789"), None, Decimal("1234567.890123456789"), Decimal(0)]


async def filled(path: Path) -> None:
    async with await Ledger.open(path) as ledger:
        for number, cost in enumerate(COSTS):
            text = "línea\n'\"\u2028" if number == 1 else "w"
            await ledger.outcome(a_decision(number, total_cost_usd=cost, workflow=text))


async def recorded(path: Path) -> AsyncIterator[Decision]:
    async with await Ledger.open(path) as ledger:
        async for decision in ledger.iterate():
            yield decision


def test_a_line_of_json_is_a_record_as_the_ledger_holds_it(tmp_path: Path) -> None:
    out = tmp_path / "records.jsonl"

    async def work() -> None:
        await filled(tmp_path / "l.sqlite")
        with complete(out) as part, part.open("wb") as file:
            assert await to_jsonl(recorded(tmp_path / "l.sqlite"), file) == len(COSTS)
        found = [decode_decision(line) for line in out.read_bytes().splitlines()]
        assert found == [decision async for decision in recorded(tmp_path / "l.sqlite")]
        assert [decision.seq for decision in found] == [1, 2, 3, 4]
        assert [decision.total_cost_usd for decision in found] == COSTS

    asyncio.run(work())
    assert out.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["records.parquet", "it's.parquet"])
@pytest.mark.parametrize("empty", [False, True])
def test_parquet_has_a_row_a_record_and_amounts_to_the_last_digit(tmp_path: Path, name: str, empty: bool) -> None:
    duckdb = pytest.importorskip("duckdb", reason="the extra `duckdb` is not installed")
    out = tmp_path / name

    async def nothing() -> AsyncIterator[Decision]:
        for decision in ():
            yield decision

    async def work() -> None:
        await filled(tmp_path / "l.sqlite")
        count = await to_parquet(nothing() if empty else recorded(tmp_path / "l.sqlite"), out)
        assert count == (0 if empty else len(COSTS))

    asyncio.run(work())
    db = duckdb.connect()
    table = db.read_parquet(str(out))
    assert table.columns == list(COLUMNS)
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]
    db.close()
    if empty:
        assert rows == []
        return
    assert [row["id"] for row in rows] == [an_id(number) for number in range(len(COSTS))]
    assert [row["total_cost_usd"] for row in rows] == COSTS
    assert {(row["tier"], row["endpoint"], row["attempts"], row["outcome"]) for row in rows} == {
        ("local", "here", 1, "answered")
    }
    assert rows[1]["workflow"] == "línea\n'\"\u2028"
    assert json.loads(rows[0]["record"])["id"] == an_id(0)
    assert list(tmp_path.glob(".*")) == []


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "records.jsonl"
    out.write_text("before")
    with pytest.raises(KeyError), complete(out) as part:
        part.write_text("half")
        raise KeyError
    assert out.read_text() == "before"
    assert os.listdir(tmp_path) == ["records.jsonl"]  # noqa: PTH208
    with pytest.raises(StoreError, match="folder that can be written"), complete(tmp_path / "no" / "x.jsonl"):
        pass


def test_parquet_holds_content_where_that_is_asked_for_alone(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")

    async def work() -> None:
        async with await Ledger.open(tmp_path / "ledger.sqlite") as ledger:
            record = ContentRecord(level="full", request=Committed(size_bytes=7, kept="full"))
            kept = Contents(id=an_id(1), ts=1.0, salt=b"s" * 32, level="full", request=b'"q\xc3\xb6"')
            await ledger.outcome(a_decision(1, content=record), kept)
            await ledger.outcome(a_decision(2))
            assert await to_parquet(ledger.iterate(), tmp_path / "with.parquet", ledger.content) == 2
            assert await to_parquet(ledger.iterate(), tmp_path / "without.parquet") == 2

    asyncio.run(work())
    rows = duckdb.sql(f"SELECT kept_request, kept_answer FROM '{tmp_path}/with.parquet' ORDER BY seq").fetchall()
    assert rows == [('"qö"', None), (None, None)]
    assert "kept_request" not in duckdb.sql(f"SELECT * FROM '{tmp_path}/without.parquet'").columns
