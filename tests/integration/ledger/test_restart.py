"""A ledger that was left with open intents goes on recording after it has closed them."""

import asyncio
from pathlib import Path

from tests.unit.ledger.samples import a_decision, an_intent
from tierwise.ledger.store import Ledger


def test_after_a_kill_the_next_process_records_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"

    async def first() -> None:
        ledger = await Ledger.open(path)
        for n in range(3):
            await ledger.intent(an_intent(n))
        await ledger.close()

    async def second() -> None:
        async with await Ledger.open(path) as ledger:
            assert ledger.interrupted == 3
            for n in range(3, 6):
                await ledger.intent(an_intent(n))
                assert await ledger.outcome(a_decision(n)) == n + 1
            assert await ledger.count() == 6

    asyncio.run(first())
    asyncio.run(second())
