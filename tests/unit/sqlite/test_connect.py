"""Every way in which a file cannot be opened is said in words that name the file and the mend."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tierwise.core.errors import StoreBusy, StoreError
from tierwise.sqlite.connect import connect_reader, connect_writer, explained


def pragma(db: sqlite3.Connection, name: str) -> object:
    return db.execute(f"PRAGMA {name}").fetchone()[0]


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_a_writer_is_durable_as_asked(tmp_path: Path, durability: str, level: int) -> None:
    db = connect_writer(tmp_path / "a" / "b.db", durability)  # type: ignore[arg-type]
    assert pragma(db, "journal_mode") == "wal"
    assert pragma(db, "synchronous") == level
    assert pragma(db, "foreign_keys") == 1
    assert pragma(db, "busy_timeout") == 5000
    db.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits for this")
def test_what_is_created_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "home" / "x.db"
    db = connect_writer(path)
    db.execute("CREATE TABLE t (x)")
    modes = {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    db.close()


def test_a_reader_sees_what_a_running_writer_committed_and_cannot_write(tmp_path: Path) -> None:
    writer = connect_writer(tmp_path / "x.db")
    writer.execute("CREATE TABLE t (x)")
    reader = connect_reader(tmp_path / "x.db")
    writer.execute("INSERT INTO t VALUES (7)")
    assert reader.execute("SELECT x FROM t").fetchall() == [(7,)]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO t VALUES (8)")
    reader.close()
    writer.close()


def test_a_reader_needs_no_writer(tmp_path: Path) -> None:
    writer = connect_writer(tmp_path / "x.db")
    writer.execute("CREATE TABLE t (x)")
    writer.close()
    reader = connect_reader(tmp_path / "x.db")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    reader.close()


def test_a_reader_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"none\.db: there is no such file"):
        connect_reader(tmp_path / "none.db")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="TIERWISE_HOME"):
        connect_writer(tmp_path / "file" / "x.db")


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="only Linux has a folder that even root cannot write to")
def test_a_read_only_folder() -> None:
    with pytest.raises(StoreError, match="TIERWISE_HOME"):
        connect_writer(Path("/proc/self/tierwise/x.db"))


@pytest.mark.parametrize("connect", [connect_reader, connect_writer])
def test_a_file_that_is_no_database(tmp_path: Path, connect: type[sqlite3.Connection]) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"no database at all, but long enough to have a header of one hundred bytes" * 4)
    with pytest.raises(StoreError, match=r"x\.db: it is not an SQLite database: move it away"):
        connect(path)
    assert path.read_bytes().startswith(b"no database")


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=str(tmp_path)):
        connect_writer(tmp_path)


def test_a_full_database_is_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    db = connect_writer(path)
    db.execute("CREATE TABLE t (x)")
    db.execute("PRAGMA max_page_count = 2")
    with pytest.raises(StoreError, match=r"x\.db: the disk is full: free some space"), explained(path):
        db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    db.close()


def test_a_locked_database_names_the_cause(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    one, two = connect_writer(path), connect_writer(path)
    one.execute("BEGIN IMMEDIATE")
    two.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(StoreBusy, match="another program holds it"), explained(path):
        two.execute("BEGIN IMMEDIATE")
    one.close()
    two.close()


def test_a_reader_works_in_a_read_only_folder(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    writer = connect_writer(folder / "x.db")
    writer.execute("CREATE TABLE t (x)")
    writer.close()
    folder.chmod(0o555)
    reader = connect_reader(folder / "x.db")
    assert reader.execute("SELECT count(*) FROM t").fetchone() == (0,)
    reader.close()
    folder.chmod(0o755)


def test_another_connection_that_comes_and_goes_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    first = connect_writer(path)
    first.execute("CREATE TABLE t (x)")
    connect_writer(path).close()
    look = (
        "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('SELECT * FROM t').fetchall(); db.close()"
    )
    subprocess.run([sys.executable, "-c", look, str(path)], check=True, timeout=30)
    assert path.with_name("x.db-wal").exists(), "a command beside us took our log away"
    first.execute("INSERT INTO t VALUES (7)")
    reader = connect_reader(path)
    assert reader.execute("SELECT x FROM t").fetchall() == [(7,)]
    reader.close()
    first.close()
