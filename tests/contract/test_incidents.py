"""Incidents on both kinds of ledger: opened once, gathered, told, closed, and what happened to them line by line."""

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.contract.stores import KINDS, opener
from tests.unit.ledger.samples import an_id
from tierwise.core.errors import ConfigError
from tierwise.ledger.incident_book import IncidentBook
from tierwise.ledger.incidents import Event, Sighting
from tierwise.ledger.postgres_incidents import PostgresIncidentBook
from tierwise.ledger.protocol import Noting, Store
from tierwise.postgres.connect import Place

LEASE_S = 60.0
Work = Callable[[Store, Noting], Coroutine[Any, Any, None]]


def book_at(where: Path | Place) -> Noting:
    return IncidentBook(where) if isinstance(where, Path) else PostgresIncidentBook(where)


def seen(number: int = 1, **fields: Any) -> Sighting:
    """Return a sighting of the same thing; its number gives it an id of its own and a time."""
    usual = {
        "id": an_id(number), "kind": "endpoint_down", "subject": "endpoint:up", "condition": "down",
        "severity": "warning", "ts": float(number), "last": float(number), "lasting": True,
    }  # fmt: skip
    return Sighting(**(usual | fields))


@pytest.fixture(params=KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Work], None]:
    """Run a scene on a store that is open, beside a book."""
    open_store, where = opener(request.param, request, tmp_path)

    def run(scene: Work) -> None:
        async def whole() -> None:
            store = await open_store()
            await scene(store, book_at(where))
            await store.close()

        asyncio.run(whole())

    return run


def lines(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.what, event.who) for event in events]


def test_an_incident_is_opened_once_gathers_and_is_closed(at: Callable[[Work], None]) -> None:
    async def scene(store: Store, book: Noting) -> None:
        await asyncio.to_thread(book.note, [seen(1, decisions=(an_id(1),))])
        await asyncio.to_thread(book.note, [seen(2, decisions=(an_id(2),), count=9, severity="critical"), seen(3)])
        [one] = await store.incidents()
        assert (one.id, one.count, one.opened, one.last) == (an_id(1), 11, 1.0, 3.0)
        assert (one.severity, one.decisions) == ("critical", (an_id(1), an_id(2)))
        done = await asyncio.to_thread(book.close, one.id, "ann", "plug pulled")
        assert (done.closed_by, done.note) == ("ann", "plug pulled")
        assert await store.incidents() == []
        assert await store.incidents("all") == await store.incidents("unsettled") == [done]
        assert await store.incidents("all", since_ts=4.0) == []
        assert lines(await store.incident_events(one.id)) == [("opened", ""), ("raised", ""), ("closed", "ann")]
        with pytest.raises(ConfigError, match="closed already, by ann"):
            await asyncio.to_thread(book.close, one.id, "bob", "again")
        with pytest.raises(ConfigError, match="no incident"):
            await asyncio.to_thread(book.close, "nothing", "bob", "?")

    at(scene)


def test_of_many_who_see_the_same_at_once_one_opens_it(at: Callable[[Work], None]) -> None:
    async def scene(store: Store, book: Noting) -> None:
        await asyncio.gather(*(asyncio.to_thread(book.note, [seen(number)]) for number in range(1, 9)))
        [one] = await store.incidents("all")
        assert one.count == 8
        assert lines(await store.incident_events(one.id))[0] == ("opened", "")

    at(scene)


def test_what_is_owed_is_claimed_by_one_until_its_lease_is_over(at: Callable[[Work], None]) -> None:
    async def scene(store: Store, book: Noting) -> None:
        await asyncio.to_thread(book.note, [seen()])
        both = await asyncio.gather(*(asyncio.to_thread(book.claim, who, LEASE_S) for who in ("one", "two")))
        [(holder, [owed])] = [(who, found) for who, found in zip(("one", "two"), both, strict=True) if found]
        assert (owed.what, owed.told, owed.incident.owed > 0) == ("opened", frozenset(), True)
        assert await asyncio.to_thread(book.claim, holder, LEASE_S) == [owed], "who has it keeps it"
        await asyncio.to_thread(book.told, owed, "pager", "HTTP 500", well=False)
        await asyncio.to_thread(book.told, owed, "log", "", well=True)
        assert await asyncio.to_thread(book.claim, holder, 0.0), "and lets it go"
        [again] = await asyncio.to_thread(book.claim, "third", LEASE_S)
        assert again.told == {"log"}, "who was told is not told again"
        await asyncio.to_thread(book.settle, again)
        assert await asyncio.to_thread(book.claim, "third", LEASE_S) == []
        history = await store.incident_events(owed.incident.id)
        assert [(e.what, e.who, e.detail, e.about) for e in history[1:]] == [
            ("not_notified", "pager", "HTTP 500", history[0].seq), ("notified", "log", "", history[0].seq),
        ]  # fmt: skip

    at(scene)


def test_what_happens_while_a_notice_is_under_way_is_owed_all_the_same(at: Callable[[Work], None]) -> None:
    async def scene(store: Store, book: Noting) -> None:
        await asyncio.to_thread(book.note, [seen()])
        [opening] = await asyncio.to_thread(book.claim, "one", LEASE_S)
        await asyncio.to_thread(book.close, opening.incident.id, "ann", "done")
        await asyncio.to_thread(book.settle, opening)
        [closing] = await asyncio.to_thread(book.claim, "one", LEASE_S)
        assert (opening.what, closing.what) == ("opened", "closed")
        await asyncio.to_thread(book.settle, closing)
        assert await store.incidents("unsettled") == []

    at(scene)


def test_only_what_lasts_is_closed_by_itself(at: Callable[[Work], None]) -> None:
    async def scene(store: Store, book: Noting) -> None:
        leak = seen(2, kind="leak_attempt", subject="key:a", lasting=False)
        await asyncio.to_thread(book.note, [seen(1), leak, seen(3, subject="endpoint:far", until=4e12)])
        [quiet] = await asyncio.to_thread(book.quieten, 60.0)
        assert (quiet.id, quiet.closed_by, quiet.note) == (an_id(1), None, "not seen for 60 s")
        assert {one.id for one in await store.incidents()} == {an_id(2), an_id(3)}
        await asyncio.to_thread(book.note, [seen(4, last=4e12)])
        assert {one.id for one in await store.incidents()} == {an_id(2), an_id(3), an_id(4)}, (
            "seen again, it is another"
        )

    at(scene)


def test_names_of_any_kind_stay_what_they_are(at: Callable[[Work], None]) -> None:
    subjects = ["endpoint:\x00", "endpoint:\x1b[2J", "endpoint:'; DROP TABLE incidents;--", "endpoint:\u202e☃\n"]

    async def scene(store: Store, book: Noting) -> None:
        await asyncio.to_thread(book.note, [seen(n, subject=subject) for n, subject in enumerate(subjects, start=1)])
        assert [one.subject for one in reversed(await store.incidents())] == subjects
        [first, *_] = await asyncio.to_thread(book.claim, "one", LEASE_S)
        await asyncio.to_thread(book.told, first, "\x00", "\x00", well=True)
        await asyncio.to_thread(book.close, first.incident.id, "a\x00b", "\x00")

    at(scene)


@pytest.mark.parametrize("sql", ["DELETE FROM incident_events", "UPDATE incident_events SET who = 'x'"])
def test_a_history_is_only_added_to(tmp_path: Path, sql: str) -> None:
    path = tmp_path / "ledger.sqlite"
    IncidentBook(path).note([seen()])
    with sqlite3.connect(path) as db, pytest.raises(sqlite3.IntegrityError, match="kept for the audit"):
        db.execute(sql)
    db.close()
