"""Releases of the policy as the ledger keeps them."""

import sqlite3
from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError, StoreError
from tierwise.ledger.releases import Release, ReleaseBook, digest_of, find, select, version
from tierwise.sqlite.connect import connect_reader

ONE, TWO = b'{"labels":{}}', b'{"labels":{"default":"public"}}'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def book(path: Path) -> ReleaseBook:
    return ReleaseBook(path, "ann", clock=lambda: 1_800_000_000.0)


def test_releases_are_counted_and_each_names_the_one_that_it_replaces(book: ReleaseBook, path: Path) -> None:
    first = book.add(ONE, "to begin", after=0)
    assert first == Release(
        number=1, who="ann", why="to begin", ts=1_800_000_000.0, digest=digest_of(ONE), body=ONE, replaces=None
    )
    book.add(TWO, "looser", after=1)
    back = book.add(ONE, "back", after=2)
    assert (back.number, back.digest, back.replaces) == (3, first.digest, 2), "an old digest, a new release"
    db = connect_reader(path)
    assert version(db) == 3
    assert find(db) == back
    assert find(db, 1) == first
    assert find(db, 9) is None
    assert [release.number for release in select(db)] == [3, 2, 1]


def test_a_release_without_a_text_hands_back_to_the_file(book: ReleaseBook, path: Path) -> None:
    book.add(ONE, "a", after=0)
    assert book.add(None, "the file again", after=1).digest is None
    found = find(connect_reader(path))
    assert found is not None
    assert found.body is None


def test_what_was_compared_with_another_policy_is_not_released(book: ReleaseBook, path: Path) -> None:
    book.add(ONE, "a", after=0)
    with pytest.raises(ConfigError, match="release 1 was made meanwhile"):
        book.add(TWO, "b", after=0)
    assert version(connect_reader(path)) == 1


@pytest.mark.parametrize(
    "damage", ["body = x'7b7d'", "body = 7", "digest = 'sha256:0'", "body = NULL", "digest = NULL"]
)
def test_a_damaged_release_is_never_a_policy(book: ReleaseBook, path: Path, damage: str) -> None:
    book.add(ONE, "a", after=0)
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE releases SET {damage}")
    db.close()
    with pytest.raises(StoreError, match="release 1"):
        find(connect_reader(path))
    assert [release.number for release in select(connect_reader(path))] == [1], "it is listed all the same"
