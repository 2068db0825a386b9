"""What every store promises of keys: a name is given once, a change is whole and traced, what has ended stays so."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.contract.stores import KINDS, Open, book_of, opener
from tests.postgres.server import Server
from tests.unit.ledger.samples import an_intent
from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.grant import Grant, Rate
from tierwise.core.label import Label
from tierwise.ledger.keys import StoredKey, hashed
from tierwise.ledger.postgres_keys import PostgresKeyBook
from tierwise.ledger.protocol import Book
from tierwise.postgres.connect import Place

PEPPER = bytes(range(32))
GRANT = Grant(name="alice", team="rot\x00é", models=("a*",), label=Label.INTERNAL, rate=Rate(concurrent=2))
FAR_AWAY = (0.0, 1e12)


class Shelf:
    """A ledger, who changes its keys, and how to look at it."""

    def __init__(self, open_store: Open, where: Path | Place) -> None:
        self.open, self.where, self.book = open_store, where, book_of(where)

    def another(self) -> Book:
        return book_of(self.where, "another")

    def seen(self, name: str | None = None) -> tuple[int, list[StoredKey], list[tuple[str, str, str]]]:
        """Return the version, the keys, and who did what, as a gateway reads them."""

        async def work() -> Any:
            store = await self.open()
            try:
                changes = await store.key_changes(name)
                told = [(change.what, change.name, change.who) for change in changes]
                return await store.key_version(), await store.keys(name), told
            finally:
                await store.close()

        return run(work())


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture(params=KINDS)
def shelf(request: pytest.FixtureRequest, tmp_path: Path) -> Shelf:
    return Shelf(*opener(request.param, request, tmp_path))


def test_a_key_from_its_making_to_its_end(shelf: Shelf) -> None:
    old, text = shelf.book.create(GRANT, PEPPER, expires=9e9)
    assert shelf.seen() == (1, [old], [("created", "alice", "tester")])
    assert (old.grant, old.expires, old.hash) == (GRANT, 9e9, hashed(PEPPER, text.reveal().encode()))
    new, _ = shelf.another().rotate("alice", PEPPER, grace_s=3600)
    version, (before, after), _ = shelf.seen()
    assert (version, after) == (2, new)
    assert (before.taken_at(before.created), before.taken_at(before.created + 7200)) == (True, False)
    assert new.expires == 9e9
    assert shelf.book.revoke("alice")
    assert not shelf.book.revoke("alice")
    version, keys, did = shelf.seen()
    assert (version, [w for w, _, _ in did]) == (3, ["created", "rotated", "revoked"])
    assert not any(key.taken_at(at) for key in keys for at in FAR_AWAY), "whatever a clock says"
    with pytest.raises(ConfigError, match="keys create"):
        shelf.book.rotate("alice", PEPPER)


def test_a_text_that_is_replaced_without_grace_ends_whatever_a_clock_says(shelf: Shelf) -> None:
    shelf.book.create(GRANT, PEPPER)
    shelf.book.rotate("alice", PEPPER, grace_s=60)
    newest, _ = shelf.book.rotate("alice", PEPPER)
    assert [key.ended for key in shelf.seen()[1]] == [True, True, False]
    assert shelf.seen()[1][-1] == newest


def test_a_key_that_looks_expired_is_ended_all_the_same(shelf: Shelf) -> None:
    shelf.book.create(GRANT, PEPPER, expires=1.0)
    assert not shelf.book.revoke("alice"), "here it was not taken any more"
    (key,) = shelf.seen()[1]
    assert not key.taken_at(0.5), "on a machine whose clock is behind it would have been"


def test_one_name_is_asked_about(shelf: Shelf) -> None:
    for name in ("alice", "bob"):
        shelf.book.create(Grant(name=name), PEPPER)
    version, keys, did = shelf.seen("bob")
    assert (version, [key.grant.name for key in keys], did) == (2, ["bob"], [("created", "bob", "tester")])
    assert shelf.seen("b\x00b") == (2, [], [])


def test_a_change_that_is_refused_leaves_no_trace(shelf: Shelf) -> None:
    shelf.book.create(GRANT, PEPPER)
    before = shelf.seen()
    refused = {
        "letters": lambda: shelf.book.create(Grant(name="a b"), PEPPER),
        "not given twice": lambda: shelf.book.create(GRANT, PEPPER),
        "keys list": lambda: shelf.book.revoke("nobody"),
        "no key named": lambda: shelf.book.rotate("nobody", PEPPER),
    }
    for why, change in refused.items():
        with pytest.raises(ConfigError, match=why):
            change()
    assert shelf.seen() == before


def test_of_many_at_once_one_gets_the_name_and_every_change_its_number(shelf: Shelf) -> None:
    shelf.book.create(GRANT, PEPPER)

    def make(number: int) -> bool:
        book = shelf.another()
        book.create(Grant(name=f"own-{number}"), PEPPER)
        try:
            book.create(Grant(name="wanted"), PEPPER)
        except ConfigError:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(make, range(6))) == 1
    version, keys, did = shelf.seen()
    assert (version, len(keys), len(did)) == (8, 8, 8)


def test_keys_change_beside_a_gateway_that_writes(shelf: Shelf) -> None:
    async def work() -> None:
        store = await shelf.open()
        writing = asyncio.gather(*(store.intent(an_intent(number)) for number in range(2000)))
        key, _ = await asyncio.to_thread(shelf.book.create, GRANT, PEPPER)
        assert await store.keys() == [key], "at once"
        await writing
        assert await asyncio.to_thread(shelf.book.revoke, "alice")
        assert [known.ended for known in await store.keys()] == [True]
        await store.close()

    run(work())


def test_a_machine_with_another_secret_is_told_so_and_may_still_revoke(postgres: Server) -> None:
    book = PostgresKeyBook(postgres.database(), "tester")
    book.create(GRANT, PEPPER)
    for change in (lambda: book.create(Grant(name="bob"), bytes(32)), lambda: book.rotate("alice", bytes(32))):
        with pytest.raises(ConfigError, match=r"another secret.*server\.key_pepper"):
            change()
    assert book.revoke("alice")


def test_a_server_that_is_away_is_said() -> None:
    place = Place(user="me", host="127.0.0.1", port=9, database="none")
    with pytest.raises(StoreError, match="check the address"):
        PostgresKeyBook(place, "tester").create(GRANT, PEPPER)
