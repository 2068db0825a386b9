"""What only the ledger in a file has: one writer, commits that are shared, readers beside it. The rest is in the contract."""

import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ledger.samples import a_decision, an_id, an_intent
from tierwise.core.errors import StoreError
from tierwise.ledger.history import History
from tierwise.ledger.settings import LedgerSettings
from tierwise.ledger.store import Ledger


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.sqlite"


def test_many_rows_share_a_commit(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            wal = path.with_name(path.name + "-wal")
            before = wal.stat().st_size
            await asyncio.gather(*(ledger.intent(an_intent(number)) for number in range(1000)))
            pages = (wal.stat().st_size - before) / 4096
            assert pages < 400, "a commit each would write at least a page each"
            seqs = await asyncio.gather(*(ledger.outcome(a_decision(number)) for number in range(1000)))
            assert sorted(seqs) == list(range(1, 1001))

    run(work())


SECOND_WRITER = """
import asyncio, sys
from pathlib import Path
from tierwise.core.errors import StoreError
from tierwise.ledger.store import Ledger
try:
    asyncio.run(Ledger.open(Path(sys.argv[1])))
except StoreError as error:
    print(error)
"""


def test_a_second_writer_is_told_who_the_first_is_and_readers_are_welcome(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(a_decision(1))
            done = await asyncio.to_thread(
                subprocess.run, [sys.executable, "-c", SECOND_WRITER, str(path)], capture_output=True, text=True
            )
            assert "already writes to this ledger: stop it" in done.stdout, done.stderr
            with pytest.raises(StoreError, match="already writes to this ledger"):
                await Ledger.open(path)
            history = History(path)
            assert await history.count() == 1
            await ledger.outcome(a_decision(2))
            assert [decision.id for decision in await history.latest(1)] == [an_id(2)]
            await history.close()

    run(work())


def test_reading_what_nobody_has_written_yet(path: Path) -> None:
    async def work() -> None:
        history = History(path)
        with pytest.raises(StoreError, match="there is no such file"):
            await history.latest(10)
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(a_decision(1))
            assert await history.count() == 1, "the same reader finds it once it is there"
        await history.close()

    run(work())


def test_retention_is_kept_without_being_asked(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(a_decision(1, ts=1_000_000_000.0))
            await ledger.outcome(a_decision(2, ts=4_000_000_000.0))
        async with await Ledger.open(path, LedgerSettings(retention_days=30)) as ledger:
            while await ledger.count() > 1:
                await asyncio.sleep(0.01)
            assert [decision.id for decision in await ledger.latest(2)] == [an_id(2)]

    run(work())


def test_a_ledger_that_is_closed_is_one_file_and_its_lock(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(a_decision(1))

    run(work())
    assert {file.name for file in path.parent.iterdir()} == {"ledger.sqlite", "ledger.sqlite.lock"}
