"""A key's text is nowhere, its name is given once, and every change leaves a trace or did not happen."""

import contextlib
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.unit.ledger.samples import a_decision
from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.grant import Grant, Rate
from tierwise.core.label import Label
from tierwise.ledger import tables
from tierwise.ledger.key_book import KeyBook, changes, select, version
from tierwise.ledger.keys import hashed
from tierwise.ledger.lock import WriterLock
from tierwise.sqlite.connect import connect_reader, connect_writer
from tierwise.sqlite.migrate import migrate

PEPPER = bytes(range(32))
GRANT = Grant(name="alice", team="red", models=("a*",), label=Label.INTERNAL, rate=Rate(concurrent=2))


class Book(KeyBook):
    """A book whose clock the test sets."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, 1000.0
        super().__init__(path, "tester", lambda: self.now)

    def live(self, name: str) -> list[str]:
        db = connect_reader(self.path)
        found = [key.prefix for key in select(db, name) if key.until is None or key.until > self.now]
        db.close()
        return found

    def did(self, name: str | None = None) -> list[tuple[str, str, str]]:
        db = connect_reader(self.path)
        found = [(change.what, change.name, change.who) for change in changes(db, name)]
        assert version(db) == len(changes(db))
        db.close()
        return found


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "ledger.sqlite")


def test_what_is_kept_recognizes_the_text_and_does_not_hold_it(book: Book) -> None:
    key, text = book.create(GRANT, PEPPER, expires=5000.0)
    shown = text.reveal()
    assert (key.grant, key.expires, key.hash) == (GRANT, 5000.0, hashed(PEPPER, shown.encode()))
    assert shown.startswith(key.prefix)
    assert key.hash != hashed(bytes(32), shown.encode())
    kept = b"".join(file.read_bytes() for file in book.path.parent.iterdir())
    assert shown[len(key.prefix) :].encode() not in kept
    db = connect_reader(book.path)
    assert select(db) == select(db, "alice") == [key]
    assert "red" in changes(db)[0].detail
    db.close()


def test_no_two_keys_are_alike(book: Book) -> None:
    texts = {book.create(Grant(name=f"k{n}"), PEPPER)[1].reveal() for n in range(50)}
    assert len(texts) == 50


@pytest.mark.parametrize("name", ["", " ", "a b", "a\nb", "key:a", "é", "-x", "x" * 65, "a'--", "a\x00"])
def test_a_name_that_would_confuse_a_reader_is_refused(book: Book, name: str) -> None:
    with pytest.raises(ConfigError, match="letters"):
        book.create(Grant(name=name), PEPPER)
    assert not book.path.exists()


def test_a_name_is_given_once_for_ever(book: Book) -> None:
    book.create(GRANT, PEPPER)
    book.revoke("alice")
    with pytest.raises(ConfigError, match="not given twice"):
        book.create(GRANT, PEPPER)
    assert book.did() == [("created", "alice", "tester"), ("revoked", "alice", "tester")]


def test_a_new_text_keeps_what_the_key_may_do_and_ends_the_old_one(book: Book) -> None:
    old, _ = book.create(GRANT, PEPPER, expires=5000.0)
    new, _ = book.rotate("alice", PEPPER)
    assert (new.grant, new.expires) == (GRANT, 5000.0)
    assert book.live("alice") == [new.prefix]
    book.now = 2000.0
    newest, _ = book.rotate("alice", PEPPER, grace_s=60)
    assert book.live("alice") == [new.prefix, newest.prefix]
    assert old.prefix not in book.live("alice")
    book.now = 2060.0
    assert book.live("alice") == [newest.prefix]
    assert book.revoke("alice")
    assert not book.revoke("alice")
    assert book.live("alice") == []
    with pytest.raises(ConfigError, match="keys create"):
        book.rotate("alice", PEPPER)
    assert [what for what, _, _ in book.did()] == ["created", "rotated", "rotated", "revoked"]


def test_revoking_ends_a_text_that_still_has_grace(book: Book) -> None:
    book.create(GRANT, PEPPER)
    book.rotate("alice", PEPPER, grace_s=3600)
    assert len(book.live("alice")) == 2
    book.revoke("alice")
    assert book.live("alice") == []


def test_an_expired_key_is_not_renewed(book: Book) -> None:
    book.create(GRANT, PEPPER, expires=1500.0)
    book.now = 1500.0
    assert not book.revoke("alice")
    with pytest.raises(ConfigError, match="expired"):
        book.rotate("alice", PEPPER)


def test_a_change_that_fails_leaves_no_trace(book: Book) -> None:
    book.create(GRANT, PEPPER)
    before = book.did()
    for fails in (lambda: book.revoke("nobody"), lambda: book.rotate("nobody", PEPPER)):
        with pytest.raises(ConfigError, match="keys list"):
            fails()
    db = connect_writer(book.path)
    db.execute("CREATE TRIGGER t BEFORE INSERT ON key_changes BEGIN SELECT raise(ABORT, 'no room'); END")
    with pytest.raises(StoreError, match="no room"):
        book.revoke("alice")
    with pytest.raises(StoreError, match="no room"):
        book.create(Grant(name="bob"), PEPPER)
    assert (book.did(), len(book.live("alice")), book.live("bob")) == (before, 1, [])
    db.close()


def test_two_at_once_do_not_share_a_name(book: Book) -> None:
    book.create(GRANT, PEPPER)
    made: list[str] = []

    def make() -> None:
        with contextlib.suppress(ConfigError):
            made.append(Book(book.path).create(Grant(name="bob"), PEPPER)[0].prefix)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert book.live("bob") == made


def test_tables_of_an_older_version_are_brought_up_to_date_unless_somebody_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    db = connect_writer(path)
    migrate(db, path, tables.MIGRATIONS[:1], application_id=tables.APPLICATION_ID)
    tables.insert(db, [tables.record_row(a_decision(1))], 0)
    db.close()
    lock = WriterLock(path)
    releaser = threading.Timer(0.2, lock.release)
    releaser.start()
    Book(path).create(GRANT, PEPPER)
    releaser.join()
    db = connect_reader(path)
    assert (len(select(db)), db.execute("SELECT count(*) FROM records").fetchone()[0]) == (1, 1)
    db.close()


def test_a_damaged_row_is_an_error_and_no_key(book: Book) -> None:
    book.create(GRANT, PEPPER)
    db = connect_writer(book.path)
    db.execute("UPDATE keys SET permissions = x'7b'")
    with pytest.raises(StoreError, match="cannot be read"):
        select(db)
    db.close()


def test_permissions_that_this_version_does_not_know_are_an_error(book: Book) -> None:
    book.create(GRANT, PEPPER)
    db: sqlite3.Connection = connect_writer(book.path)
    db.execute("UPDATE keys SET permissions = ?", (b'{"name":"alice","only_on_sundays":true}',))
    with pytest.raises(StoreError, match="only_on_sundays"):
        select(db)
    db.close()
