"""An address says who and where, never a password, and only this machine is spoken to in the clear."""

import pytest

from tierwise.core.errors import ConfigError
from tierwise.core.secret import Secret
from tierwise.postgres.connect import Place, place


@pytest.mark.parametrize(
    ("url", "parts", "near"),
    [
        ("postgresql://me@db.example/ledger", ("me", "db.example", 5432, "ledger"), False),
        ("postgres://me@localhost:5433/l", ("me", "localhost", 5433, "l"), True),
        ("postgresql://me@127.0.0.9/l", ("me", "127.0.0.9", 5432, "l"), True),
        ("postgresql://a%40b@[::1]:1/a%2Fb", ("a@b", "::1", 1, "a/b"), True),
        ("postgresql://me@localhost.example/l", ("me", "localhost.example", 5432, "l"), False),
        ("postgresql://me@10.0.0.1/l", ("me", "10.0.0.1", 5432, "l"), False),
    ],
)
def test_an_address_is_read(url: str, parts: tuple[object, ...], near: bool) -> None:
    found = place(url)
    assert (found.user, found.host, found.port, found.database, found.near) == (*parts, near)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:hunter2@db/l", "holds a password"),
        ("postgresql://me:@db/l", "holds a password"),
        ("mysql://me@db/l", "no address of a PostgreSQL"),
        ("postgresql://db/l", "no address of a PostgreSQL"),
        ("postgresql:///l", "no address of a PostgreSQL"),
        ("postgresql://me@db", "no database"),
        ("postgresql://me@db/", "no database"),
        ("postgresql://me@db/l?sslmode=disable", "more than that"),
        ("postgresql://me@db:x/l", "ledger.url"),
        ("postgresql://me@db:99999/l", "ledger.url"),
        ("", "no address"),
    ],
)
def test_what_is_no_address_is_refused_without_showing_a_password(url: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        place(url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.key == "ledger.url"


def test_a_place_is_named_without_its_password() -> None:
    where = Place(user="me", host="::1", port=5432, database="l", password=Secret("hunter2"))
    assert str(where) == "postgresql://me@[::1]:5432/l"
    assert "hunter2" not in repr(where)
