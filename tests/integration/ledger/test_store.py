"""The promises of `Store`, kept by the SQLite ledger on real files."""

import asyncio
import subprocess
import sys
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ledger.samples import START, a_decision, an_id, an_intent
from tierwise.core.errors import StoreError
from tierwise.core.label import Label
from tierwise.ledger.history import History
from tierwise.ledger.protocol import Store
from tierwise.ledger.queries import Filter
from tierwise.ledger.settings import LedgerSettings
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "ledger.sqlite"


def test_a_call_from_intent_to_outcome(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            store: Store = ledger
            await store.intent(an_intent(1))
            pending = await store.get(an_id(1))
            assert pending is not None
            assert pending.outcome == "pending"
            assert await store.count() == 0
            assert await store.outcome(a_decision(1)) == 1
            assert await store.outcome(a_decision(2)) == 2, "an outcome without an intent, such as a refusal"
            assert [decision.seq for decision in await store.latest(10)] == [2, 1]
            assert [decision.id async for decision in store.iterate()] == [an_id(1), an_id(2)]
            assert ledger.pending_rows == 0

    run(work())
    assert {file.name for file in path.parent.iterdir()} == {"ledger.sqlite", "ledger.sqlite.lock"}


def test_a_decision_survives_and_the_next_number_follows(path: Path) -> None:
    written = a_decision(1, total_cost_usd=Decimal("0.000123456789012345"), session="s")

    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.outcome(written)
        async with await Ledger.open(path) as ledger:
            found = await ledger.get(written.id)
            assert found is not None
            assert found.total_cost_usd == written.total_cost_usd
            assert await ledger.outcome(a_decision(2)) == 2
            assert await ledger.session_label(None, "s") == Label.INTERNAL
            assert await ledger.spent_usd(0) == Decimal("0.000123456790"), "rounded up to a picodollar"

    run(work())


def test_repeating_an_outcome_is_harmless_and_changing_one_is_refused(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            assert await ledger.outcome(a_decision(1)) == 1
            results = await asyncio.gather(
                ledger.outcome(a_decision(2)),
                ledger.outcome(a_decision(1)),
                ledger.outcome(a_decision(1, outcome="failed")),
                ledger.outcome(a_decision(3)),
                return_exceptions=True,
            )
            assert results[:2] == [2, 1]
            assert isinstance(results[2], StoreError)
            assert "already has a record" in str(results[2])
            assert results[3] == 3
            assert [decision.seq for decision in await ledger.latest(10)] == [3, 2, 1]

    run(work())


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


def test_the_row_of_a_cancelled_caller_is_written(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            task = asyncio.create_task(ledger.outcome(a_decision(1)))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await ledger.outcome(a_decision(2)) == 2
            assert await ledger.count() == 2
            assert ledger.pending_rows == 0

    run(work())


@pytest.mark.parametrize("options", [Options(max_pending_rows=3), Options(max_pending_bytes=2000)])
def test_too_much_at_once_is_refused_and_nothing_else_is(path: Path, options: Options) -> None:
    async def work() -> None:
        async with await Ledger.open(path, options=options) as ledger:
            results = await asyncio.gather(
                *(ledger.intent(an_intent(number)) for number in range(20)), return_exceptions=True
            )
            refused = [result for result in results if result is not None]
            assert 10 < len(refused) < 20
            assert all(isinstance(result, StoreError) and "overloaded" in str(result) for result in refused)
            await ledger.intent(an_intent(30))
            for number, result in enumerate(results):
                assert (await ledger.get(an_id(number)) is None) == (result is not None)

    run(work())


def test_what_a_dead_process_left_open_is_closed_and_its_reservation_counts(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await ledger.intent(an_intent(1, reserved_usd=Decimal("0.5"), workflow="w"))
            await ledger.intent(an_intent(2))
            await ledger.outcome(a_decision(2))
            assert ledger.interrupted == 0
        async with await Ledger.open(path) as ledger:
            assert ledger.interrupted == 1
            (decision,) = await ledger.latest(10, Filter(outcome="interrupted"))
            assert (decision.id, decision.seq, decision.total_cost_usd) == (an_id(1), 2, None)
            assert await ledger.spent_usd(0, "workflow:w") == Decimal("0.5")

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


def test_pruning_goes_on_beside_writing(path: Path) -> None:
    async def work() -> None:
        async with await Ledger.open(path) as ledger:
            await asyncio.gather(*(ledger.outcome(a_decision(number)) for number in range(1500)))
            pruned, *seqs = await asyncio.gather(
                ledger.prune(START + 1400.0), *(ledger.outcome(a_decision(number)) for number in range(2000, 2050))
            )
            assert pruned == 1400
            assert seqs == list(range(1501, 1551))
            assert await ledger.count() == 150

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


def test_closed_is_closed(path: Path) -> None:
    async def work() -> None:
        ledger = await Ledger.open(path)
        waiting = asyncio.gather(*(ledger.outcome(a_decision(number)) for number in range(50)))
        await asyncio.sleep(0)
        await ledger.close()
        assert await waiting == list(range(1, 51)), "what was queued before is written"
        await ledger.close()
        with pytest.raises(StoreError, match="closed"):
            await ledger.intent(an_intent(60))
        with pytest.raises(StoreError, match="closed"):
            await ledger.key_version()

    run(work())
