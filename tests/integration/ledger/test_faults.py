"""What the disk and its owner can do to the ledger: every waiter hears of it, nothing is lost, and it heals."""

import asyncio
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ledger.samples import a_decision, an_id, an_intent
from tierwise.core.errors import StoreError
from tierwise.ledger.history import History
from tierwise.ledger.store import Ledger

ROOT = Path(__file__).parents[3]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


def content(path: Path) -> bytes:
    return path.read_bytes()


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_no_room_at_any_size_and_room_again(path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.ledger.no_room", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["integrity"] == "ok"
    assert found["failed"] >= found["limits"] > 50, "every limit was hit"
    assert found["lost"] == []
    assert found["twice"] == []
    assert found["acknowledged"] > found["limits"]


def test_a_ledger_that_cannot_be_opened_says_why(path: Path, tmp_path: Path) -> None:
    async def work() -> None:
        with pytest.raises(StoreError, match="TIERWISE_HOME"):
            await Ledger.open(Path("/proc/self/tierwise/ledger.sqlite"))
        (tmp_path / "file").touch()
        with pytest.raises(StoreError, match="TIERWISE_HOME"):
            await Ledger.open(tmp_path / "file" / "ledger.sqlite")
        write(path, b"this is not a database" * 100)
        for _ in range(2):  # the lock was given back
            with pytest.raises(StoreError, match=r"ledger\.sqlite: it is not an SQLite database"):
                await Ledger.open(path)

    run(work())


def test_a_ledger_of_a_newer_tierwise_is_left_alone(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(a_decision(1))
        db = sqlite3.connect(path)
        db.execute("PRAGMA user_version = 99")
        db.close()
        before = content(path)
        with pytest.raises(StoreError, match="written by a newer Tierwise"):
            await Ledger.open(path)
        history = History(path)
        with pytest.raises(StoreError, match="written by a newer Tierwise"):
            await history.latest(1)
        await history.close()
        assert content(path) == before

    run(work())


def test_a_damaged_page_is_an_error_and_the_rest_can_be_read(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await asyncio.gather(*(ledger.outcome(a_decision(number)) for number in range(500)))
        whole = bytearray(content(path))
        middle = len(whole) // 4096 // 2 * 4096
        whole[middle : middle + 2000] = b"\xff" * 2000
        write(path, whole)
        async with await Ledger.open(path) as ledger:
            errors = found = 0
            for number in range(500):
                try:
                    found += await ledger.get(an_id(number)) is not None
                except StoreError as error:
                    errors += 1
                    assert "it is damaged: restore it from a backup" in str(error)
            assert errors > 0
            assert found > 0

    run(work())


def test_writes_wait_for_another_programs_lock_and_reads_do_not(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(a_decision(1))
            backup = sqlite3.connect(path, isolation_level=None)
            backup.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(ledger.outcome(a_decision(2)))
            assert await ledger.count() == 1
            assert not waiting.done()
            backup.execute("ROLLBACK")
            backup.close()
            assert await waiting == 2

    run(work())


def test_a_file_moved_away_is_noticed_and_begun_anew(path: Path, tmp_path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(a_decision(1))
            os.rename(path, tmp_path / "old.sqlite")  # noqa: PTH104
            number = 2
            while await ledger.outcome(a_decision(number)) != 1:  # a new file begins with number 1
                number += 1
            assert await ledger.get(an_id(number - 1)) is None
            assert await ledger.get(an_id(number)) is not None
        old = History(tmp_path / "old.sqlite")
        assert [decision.id for decision in await old.latest(1)] == [an_id(number - 1)]
        assert await old.count() == number - 1
        await old.close()

    run(work())


def test_a_folder_that_is_gone_and_back_again(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    path = folder / "ledger.sqlite"

    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.intent(an_intent(1))
            shutil.rmtree(folder)
            folder.touch()  # a file stands in its place
            with pytest.raises(StoreError):
                for number in itertools.count(100):
                    await ledger.intent(an_intent(number))
            results = await asyncio.gather(
                *(ledger.intent(an_intent(number)) for number in range(2, 12)), return_exceptions=True
            )
            assert all(isinstance(result, StoreError) for result in results)
            assert ledger.pending_rows == 0
            folder.unlink()
            await ledger.intent(an_intent(20))
            assert await ledger.get(an_id(20)) is not None

    run(work())
