"""The index follows a real ledger: it opens it once, forgets what the ledger forgot, and notices another one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.unit.ledger.samples import START, a_decision
from tierwise.ledger.history import History
from tierwise.ledger.protocol import Reader
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options
from tierwise.web.follow import PAGE, Follower
from tierwise.web.index import GRAINS, SLOT_S, Index

LIMIT_S = 20.0


class Opened:
    """Opens the ledger at `path` for reading, and counts how often."""

    def __init__(self, path: Path) -> None:
        self.path, self.times = path, 0

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader | None]:
        self.times += 1
        ledger = History(self.path) if self.path.exists() else None
        try:
            yield ledger
        finally:
            if ledger is not None:
                await ledger.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def index(tmp_path: Path) -> Index:
    return Index(tmp_path / "pages" / "index.sqlite")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not holds():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def following(index: Index, opened: Opened) -> AsyncIterator[Follower]:
    follower = Follower(index, opened.reading)
    await follower.begin()
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def recorded(path: Path, *numbers: int) -> None:
    async with await Ledger.open(path, options=Options(durability="normal")) as ledger:
        await asyncio.gather(*(ledger.outcome(a_decision(number)) for number in numbers))


def test_it_opens_the_ledger_once_however_long_it_follows(path: Path, index: Index) -> None:
    async def scene() -> int:
        opened = Opened(path)
        await recorded(path, 1)
        async with following(index, opened):
            for number in (2, 3):
                await recorded(path, number)
                await until(lambda count=number: index.count() == count)
        return opened.times

    assert asyncio.run(scene()) == 2, "once to see how far behind it is, once to follow"


def test_how_much_is_to_be_read_is_known_before_the_first_page(path: Path, index: Index) -> None:
    async def scene() -> None:
        await recorded(path, *range(1, PAGE + 101))
        follower = Follower(index, Opened(path).reading)
        await follower.begin()
        assert follower.behind == PAGE + 100 and index.count() == 0
        async with following(index, Opened(path)) as follower:
            await until(lambda: index.count() == PAGE + 100)
            await until(lambda: follower.behind == 0)

    asyncio.run(scene())


def test_what_the_ledger_forgot_is_forgotten_here(path: Path, index: Index) -> None:
    later = 2 * GRAINS[-1]

    async def scene() -> None:
        await recorded(path, 1, 2, later, later + 1)
        async with following(index, Opened(path)):
            await until(lambda: index.count() == 4)
        async with await Ledger.open(path) as ledger:
            assert await ledger.prune(START + later) == 2
        async with following(index, Opened(path)):
            await until(lambda: index.count() == 2)
        assert len(index.calls({})) == index.sums("all", 0.0)[0].calls == 2
        assert index.followed[0] == 4, "nothing is read twice"

    asyncio.run(scene())


def test_all_that_was_read_may_have_gone_from_the_ledger(path: Path, index: Index) -> None:
    async def scene() -> None:
        await recorded(path, 1, 2)
        async with following(index, Opened(path)):
            await until(lambda: index.count() == 2)
        await recorded(path, 10 * SLOT_S)
        async with await Ledger.open(path) as ledger:
            await ledger.prune(START + SLOT_S)
        async with following(index, Opened(path)):
            await until(lambda: [one.seq for one in index.calls({})] == [3])

    asyncio.run(scene())


@pytest.mark.parametrize("others", [(8,), (7, 8, 9, 10)])
def test_another_ledger_is_read_from_its_beginning(path: Path, index: Index, others: tuple[int, ...]) -> None:
    async def scene() -> None:
        await recorded(path, 1, 2, 3)
        async with following(index, Opened(path)):
            await until(lambda: index.count() == 3)
        for file in path.parent.glob("ledger.sqlite*"):
            file.unlink()
        await recorded(path, *others)
        async with following(index, Opened(path)):
            await until(lambda: {one.id for one in index.calls({})} == {a_decision(number).id for number in others})

    asyncio.run(scene())


def test_a_ledger_that_cannot_be_read_is_a_problem_that_is_told_and_ends(path: Path, index: Index) -> None:
    path.write_bytes(b"no database at all" * 100)

    async def scene() -> None:
        async with following(index, Opened(path)) as follower:
            assert "not an SQLite database" in follower.problem
            await asyncio.to_thread(path.unlink)
            await recorded(path, 1)
            await until(lambda: index.count() == 1 and not follower.problem)

    asyncio.run(scene())
