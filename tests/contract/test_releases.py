"""Releases of the policy and long reads, on both kinds of ledger."""

import asyncio
from pathlib import Path

import pytest

from tests.contract.stores import KINDS, opener
from tests.unit.ledger.samples import a_decision
from tierwise.core.errors import ConfigError
from tierwise.ledger.encode import decode_decision
from tierwise.ledger.postgres_releases import PostgresReleaseBook
from tierwise.ledger.postgres_scan import PostgresScan
from tierwise.ledger.protocol import Records, Releasing
from tierwise.ledger.releases import ReleaseBook, digest_of
from tierwise.ledger.scan import PAGE_ROWS, Range, Scan
from tierwise.postgres.connect import Place

ONE, TWO = b'{"labels":{}}', b'{"labels":{"default":"public"}}'


def releasing(where: Path | Place) -> Releasing:
    return ReleaseBook(where, "ann") if isinstance(where, Path) else PostgresReleaseBook(where, "ann")


def records(where: Path | Place, since_ts: float = 0.0) -> Records:
    return Scan(where, since_ts) if isinstance(where, Path) else PostgresScan(where, since_ts)


@pytest.mark.parametrize("kind", KINDS)
def test_a_release_is_seen_by_a_store_that_is_open(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    open_store, where = opener(kind, request, tmp_path)

    async def scene() -> None:
        store = await open_store()
        book = releasing(where)
        assert (await store.release_version(), await store.release(), await store.releases()) == (0, None, [])
        first = await asyncio.to_thread(book.add, ONE, "to begin", after=0)
        assert (first.number, first.digest, first.replaces, first.who) == (1, digest_of(ONE), None, "ann")
        assert (await store.release_version(), await store.release()) == (1, first)
        with pytest.raises(ConfigError, match="release 1 was made meanwhile"):
            await asyncio.to_thread(book.add, TWO, "late", after=0)
        detached = await asyncio.to_thread(book.add, None, "the file again", after=1)
        assert (detached.digest, detached.body, detached.replaces) == (None, None, 1)
        assert await store.release(1) == first
        assert await store.release(9) is None
        assert await store.releases() == [detached, first]
        await store.close()

    asyncio.run(scene())


@pytest.mark.parametrize("kind", KINDS)
def test_of_two_who_release_at_once_one_is_told(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    open_store, where = opener(kind, request, tmp_path)

    async def scene() -> None:
        store = await open_store()
        both = (asyncio.to_thread(releasing(where).add, policy, "x", after=0) for policy in (ONE, TWO))
        made = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(one).__name__ for one in made) == ["ConfigError", "Release"]
        assert await store.release_version() == 1
        await store.close()

    asyncio.run(scene())


@pytest.mark.parametrize("kind", KINDS)
def test_ranges_hold_each_record_once_and_only_those_since(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    open_store, where = opener(kind, request, tmp_path)
    count = PAGE_ROWS + 100

    async def fill() -> None:
        store = await open_store()
        await asyncio.gather(*(store.outcome(a_decision(number, ts=float(number))) for number in range(count)))
        await store.close()

    asyncio.run(fill())
    everything, late = records(where), records(where, since_ts=500.0)
    assert everything.range() == Range(0, count)
    parts = everything.range().split(7)
    read = [decode_decision(record) for part in parts for record in everything.records(part)]
    assert sorted(decision.ts for decision in read) == [float(number) for number in range(count)]
    assert len(list(everything.records(everything.range()))) == count, "one range goes over pages too"
    assert {decode_decision(r).ts for r in late.records(late.range())} == {float(n) for n in range(500, count)}
    assert records(where, since_ts=1e9).range() == Range(0, 0)
