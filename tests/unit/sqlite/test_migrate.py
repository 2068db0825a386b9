"""A file gets to our version whole or not at all, and what is not ours is never touched."""

import sqlite3
from pathlib import Path

import pytest

from tierwise.core.errors import StoreError
from tierwise.sqlite.connect import connect_writer
from tierwise.sqlite.migrate import check, migrate

ONE = "CREATE TABLE a (x); INSERT INTO a VALUES (1)"
TWO = "CREATE TABLE b (y); INSERT INTO b SELECT x FROM a"
ID = 0x1234


def tables(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}


def test_from_nothing_and_from_an_older_version(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = connect_writer(path)
    migrate(db, path, [ONE], application_id=ID)
    with pytest.raises(StoreError, match="version 1 of its tables is older"):
        check(db, path, [ONE, TWO], application_id=ID)
    migrate(db, path, [ONE, TWO], application_id=ID)
    migrate(db, path, [ONE, TWO], application_id=ID)
    check(db, path, [ONE, TWO], application_id=ID)
    assert db.execute("SELECT y FROM b").fetchall() == [(1,)]
    db.close()


def test_a_broken_migration_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = connect_writer(path)
    with pytest.raises(StoreError, match="no such table: nowhere"):
        migrate(db, path, [ONE, "CREATE TABLE b (y); INSERT INTO nowhere VALUES (1)"], application_id=ID)
    assert tables(db) == {"a"}
    migrate(db, path, [ONE, TWO], application_id=ID)
    assert tables(db) == {"a", "b"}
    db.close()


def test_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = connect_writer(path)
    migrate(db, path, [ONE, TWO], application_id=ID)
    for step in (migrate, check):
        with pytest.raises(StoreError, match="written by a newer Tierwise, this one knows up to 1: upgrade"):
            step(db, path, [ONE], application_id=ID)
    db.close()


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = connect_writer(path)
    db.execute("CREATE TABLE precious (x)")
    with pytest.raises(StoreError, match="another program's database"):
        migrate(db, path, [ONE], application_id=ID)
    assert tables(db) == {"precious"}
    db.close()
