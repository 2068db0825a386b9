"""Who is let in while keys come and go, and while nobody can say which there are."""

import asyncio
from typing import Any, cast

import pytest

from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.grant import Grant
from tierwise.core.secret import Secret
from tierwise.ledger.keys import StoredKey, hashed
from tierwise.server.http import Rejected, Request
from tierwise.server.ring import Configured, Ring

PEPPER = b"p" * 32


class Table:
    """Keys as a ledger keeps them; `broken` is what reading them raises."""

    def __init__(self, *texts: str) -> None:
        self.rows = [stored(text) for text in texts]
        self.version, self.asked = 0, 0
        self.broken: StoreError | None = None

    async def key_version(self) -> int:
        self.asked += 1
        if self.broken is not None:
            raise self.broken
        return self.version

    async def keys(self) -> list[StoredKey]:
        return list(self.rows)

    def change(self, *rows: StoredKey) -> None:
        self.rows, self.version = list(rows), self.version + 1


def stored(text: str, **more: Any) -> StoredKey:
    fields = {"prefix": text[:6], "hash": hashed(PEPPER, text.encode()), "created": 0.0, "grant": Grant(name=text)}
    return StoredKey(**(fields | more))


def request(key: str | None = None, host: bytes = b"localhost") -> Request:
    async def nobody(*_: Any) -> Any:
        raise AssertionError("nothing is received or sent")

    head = {b"host": host} | ({b"x-api-key": key.encode()} if key else {})
    return Request(b"/v1/models", head, cast(Any, nobody), cast(Any, nobody))


async def let_in(ring: Ring, key: str | None = None, *, local: bool = True) -> str | int | None:
    """Return whose key it is, or the status of the refusal."""
    one = request(key)
    try:
        await ring.identify(one, local=local)
    except Rejected as rejected:
        return rejected.failed.status
    return one.key_id


def test_a_key_is_wanted_from_the_first_one_on_and_for_ever() -> None:
    async def story() -> None:
        table = Table()
        ring = Ring([], table, lambda: PEPPER)
        assert await let_in(ring) is None
        assert await let_in(ring, local=False) == 403
        assert not await ring.required()
        table.change(stored("tw-a"))
        assert await let_in(ring, "tw-a") is None, "nobody was asked for one a moment ago"
        assert await ring.required()
        assert [await let_in(ring), await let_in(ring, "tw-a"), await let_in(ring, "tw-b")] == [401, "tw-a", 401]
        table.change(stored("tw-b"))
        assert await let_in(ring, "tw-b") == "tw-b", "who shows a key that is not known is looked up anew"
        assert await let_in(ring, "tw-a") == 401
        table.change()
        assert await ring.required()
        assert await let_in(ring) == 401, "a ledger without keys opens no door"

    asyncio.run(story())


@pytest.mark.parametrize("until", ["revoked", "expires"])
def test_a_key_with_an_end_is_refused_after_it(until: str) -> None:
    async def story() -> None:
        table = Table()
        ring = Ring([], table, lambda: PEPPER)
        table.change(stored("tw-a", **{until: 1.0}), stored("tw-b", **{until: 9e9}))
        assert await ring.required()
        assert [await let_in(ring, "tw-a"), await let_in(ring, "tw-b")] == [401, "tw-b"]

    asyncio.run(story())


def test_a_key_that_was_ended_stays_so_also_where_its_end_is_still_to_come() -> None:
    """By another machine's clock, or by this one's before it was set back."""

    async def story() -> None:
        table = Table()
        ring = Ring([], table, lambda: PEPPER)
        table.change(stored("tw-a", revoked=9e9, ended=True), stored("tw-b"))
        assert await ring.required()
        assert [await let_in(ring, "tw-a"), await let_in(ring, "tw-b")] == [401, "tw-b"]

    asyncio.run(story())


def test_where_keys_cannot_be_read_nobody_new_is_let_in_on_old_knowledge() -> None:
    async def story() -> None:
        table = Table("tw-a")
        own = Configured(secret=Secret("own"), grant=Grant(name="own"))
        ring = Ring([own], table, lambda: PEPPER)
        assert await let_in(ring, "tw-a") == "tw-a"
        table.broken = StoreError("gone")
        with pytest.raises(StoreError, match="cannot be read"):
            await let_in(ring, "tw-unknown")
        table.broken = None
        assert await let_in(ring, "own") == "own"

    asyncio.run(story())


def test_a_gateway_whose_keys_are_all_configured_does_not_need_the_ledger_to_know_them() -> None:
    async def story() -> None:
        table = Table()
        table.broken = StoreError("gone")
        own = Configured(secret=Secret("own"), grant=Grant(name="own"), expires=9e9)
        old = Configured(secret=Secret("old"), grant=Grant(name="old"), expires=1.0)
        ring = Ring([own, old], table, lambda: PEPPER)
        assert [await let_in(ring, key) for key in ("own", "old", "tw-x")] == ["own", 401, 401]

    asyncio.run(story())


def test_without_the_secret_keys_were_hashed_with_nobody_is_let_in() -> None:
    def lost() -> bytes:
        raise ConfigError("the secret is lost")

    async def story() -> None:
        ring = Ring([], Table("tw-a"), lost)
        with pytest.raises(ConfigError, match="lost"):
            await ring.required()
        for _ in range(2):
            with pytest.raises(StoreError, match="lost"):
                await let_in(ring, "tw-a")

    asyncio.run(story())


def test_a_key_of_the_ledger_never_passes_for_a_configured_one() -> None:
    async def story() -> None:
        table = Table()
        ring = Ring([Configured(secret=Secret("own"), grant=Grant(name="boss"))], table, lambda: PEPPER)
        table.change(stored("tw-fake", grant=Grant(name="boss", scopes=("admin",))))
        assert [await let_in(ring, "tw-fake"), await let_in(ring, "own")] == [401, "boss"]

    asyncio.run(story())


def test_a_crowd_asks_the_ledger_once() -> None:
    async def story() -> None:
        table = Table("tw-a")
        ring = Ring([], table, lambda: PEPPER)
        assert set(await asyncio.gather(*(let_in(ring, "tw-a") for _ in range(200)))) == {"tw-a"}
        assert table.asked == 1

    asyncio.run(story())
