"""What is kept of calls beside their records, on both kinds of ledger: written with the record, gone with it, erased."""

import asyncio
import sqlite3
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.contract.stores import KINDS, Open, opener
from tests.unit.ledger.samples import START, a_decision, an_id, an_intent
from tierwise.core.errors import StoreError
from tierwise.ledger.contents import Contents, Which
from tierwise.ledger.eraser import Eraser
from tierwise.ledger.postgres_contents import PostgresEraser
from tierwise.ledger.protocol import Erasing, Store
from tierwise.ledger.writer import Options
from tierwise.postgres.connect import Place, connect, disconnect

REQUEST, ANSWER = b'{"q": "wombat-7741"}', '{"a": "zwölf\\u0000"}'.encode()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 90))


@pytest.fixture(params=KINDS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Open, Path | Place]:
    return opener(request.param, request, tmp_path)


def erasing(where: Path | Place, who: str = "ann") -> Erasing:
    return Eraser(where, who) if isinstance(where, Path) else PostgresEraser(where, who)


def content(number: int, **changes: Any) -> Contents:
    fields: dict[str, Any] = {"id": an_id(number), "ts": float(START + number), "salt": bytes([number]) * 32}
    return Contents(**fields | {"level": "full", "request": REQUEST, "answer": ANSWER} | changes)


async def of(store: Store, *numbers: int) -> list[bool]:
    return [await store.content(an_id(number)) is not None for number in numbers]


def test_content_is_read_as_it_was_written_and_a_call_without_has_none(ledger: tuple[Open, Path | Place]) -> None:
    opened, _ = ledger

    async def work() -> None:
        store = await opened()
        await store.intent(an_intent(1))
        one, bare = content(1), content(2, level="hash", request=None, answer=None)
        results = await asyncio.gather(
            store.outcome(a_decision(1), one), store.outcome(a_decision(2), bare), store.outcome(a_decision(3))
        )
        assert results == [1, 2, 3]
        assert [await store.content(an_id(n)) for n in (1, 2, 3)] == [one, bare, None]
        assert store.pending_rows == 0
        await store.close()

    run(work())


def test_a_record_that_is_refused_leaves_no_content_and_one_written_twice_keeps_its_first(
    ledger: tuple[Open, Path | Place],
) -> None:
    opened, _ = ledger

    async def work() -> None:
        store = await opened()
        assert await store.outcome(a_decision(1), content(1)) == 1
        with pytest.raises(StoreError, match="already has a record"):
            await store.outcome(a_decision(1, outcome="failed"), content(1, request=b"{}"))
        assert await store.outcome(a_decision(1), content(1, salt=b"x" * 32)) == 1
        assert await store.content(an_id(1)) == content(1)
        results = await asyncio.gather(
            *(store.outcome(a_decision(n), content(n)) for n in (2, 3)),
            store.outcome(a_decision(1, outcome="failed"), content(1)),
            return_exceptions=True,
        )
        assert [isinstance(result, StoreError) for result in results] == [False, False, True]
        assert await of(store, 2, 3) == [True, True], "who was in the same batch loses nothing"
        await store.close()

    run(work())


def test_content_that_cannot_be_written_takes_its_record_along(ledger: tuple[Open, Path | Place]) -> None:
    opened, _ = ledger

    async def work() -> None:
        store = await opened()
        await store.intent(an_intent(1))
        with pytest.raises(StoreError):
            await store.outcome(a_decision(1), _Unwritable(id=an_id(1), ts=0.0, salt=b"", level="full"))
        found = await store.get(an_id(1))
        assert found is not None
        assert found.outcome != "answered", "neither without the other"
        assert await store.outcome(a_decision(2), content(2)) > 0, "and the next call is recorded"
        await store.close()

    run(work())


class _Unwritable(Contents, frozen=True, kw_only=True):
    """What the table refuses: a row without a salt."""

    @property
    def row(self) -> tuple[object, ...]:
        return (self.id, self.ts, None, self.level, None, None)


def test_content_goes_with_its_record(ledger: tuple[Open, Path | Place]) -> None:
    opened, _ = ledger

    async def work() -> None:
        store = await opened()
        for number in range(1, 5):
            await store.outcome(a_decision(number), content(number))
        assert await store.prune(START + 3.0) == 2
        assert await of(store, 1, 2, 3, 4) == [False, False, True, True]
        await store.close()

    run(work())


def test_content_may_have_a_shorter_life_than_its_record(ledger: tuple[Open, Path | Place]) -> None:
    opened, _ = ledger

    async def work() -> None:
        store = await opened(Options(clock=lambda: START + 100.0))
        for number in (10, 60, 90):
            await store.outcome(a_decision(number), content(number))
        await store.close()
        store = await opened(Options(content_keep_s=30.0, keep_s=80.0, clock=lambda: START + 100.0))
        deadline = time.monotonic() + 20
        while await of(store, 10, 60, 90) != [False, False, True] or await store.count() != 2:
            assert time.monotonic() < deadline, "content and record each go by their own age"
            await asyncio.sleep(0.02)
        await store.close()

    run(work())


@pytest.mark.parametrize(
    ("which", "gone"),
    [
        (Which(id=an_id(1)), {1}),
        (Which(session="s"), {1, 2, 3}),
        (Which(key_id="alice"), {1, 2, 4}),
        (Which(session="s", key_id="alice"), {1, 2}),
        (Which(session="nobody's"), set()),
        (Which(), set()),
    ],
)
def test_erasing_destroys_content_and_salts_and_leaves_records_and_a_trace(
    ledger: tuple[Open, Path | Place], which: Which, gone: set[int]
) -> None:
    opened, where = ledger
    calls = {1: ("s", "alice"), 2: ("s", "alice"), 3: ("s", "bob"), 4: ("other", "alice"), 5: (None, None)}

    async def work() -> None:
        store = await opened()
        for number, (session, key) in calls.items():
            await store.outcome(a_decision(number, session=session, key_id=key), content(number))
        assert await store.kept(which) == len(gone)
        assert await asyncio.to_thread(erasing(where).erase, which, "asked for") == len(gone)
        assert await of(store, *calls) == [number not in gone for number in calls]
        assert await store.count() == 5, "records stay"
        (trace,) = await store.erasures()
        assert (trace.seq, trace.who, trace.why, trace.what) == (1, "ann", "asked for", str(which))
        assert trace.calls == len(gone)
        assert abs(trace.ts - time.time()) < 60
        assert await store.outcome(a_decision(6), content(6)) == 6, "the gateway goes on"
        await store.close()

    run(work())


def test_nobody_can_change_the_trace(ledger: tuple[Open, Path | Place]) -> None:
    opened, where = ledger

    async def work() -> None:
        store = await opened()
        await asyncio.to_thread(erasing(where).erase, Which(id=an_id(1)), "why")
        for sql in ("DELETE FROM erasures", "UPDATE erasures SET who = 'nobody'"):
            if isinstance(where, Path):
                db = sqlite3.connect(where)
                with pytest.raises(sqlite3.Error, match="kept for the audit"):
                    db.execute(sql)
                db.close()
            else:
                server = await connect(where)
                with pytest.raises(Exception, match="kept for the audit"):
                    await server.execute(sql)
                await disconnect(server)
        assert len(await store.erasures()) == 1
        await store.close()

    run(work())


def test_in_a_file_no_byte_of_what_was_erased_is_left_once_the_ledger_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    opened, _ = opener("sqlite", None, tmp_path)  # type: ignore[arg-type]

    def left() -> bool:
        return any(b"wombat-7741" in file.read_bytes() for file in tmp_path.iterdir())

    async def work() -> None:
        store = await opened()
        for number in range(1, 30):
            await store.outcome(a_decision(number), content(number, answer=REQUEST * 500))
        assert left()
        await asyncio.to_thread(Eraser(path, "ann").erase, Which(id=an_id(3)), "why")
        assert left(), "the others are there"
        await store.prune(START + 1000.0)
        await store.close()
        assert not left()

    run(work())
