"""The kinds of store that a contract test runs on, each opened in its own way."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.postgres.server import Server
from tierwise.ledger.key_book import KeyBook
from tierwise.ledger.postgres import PostgresLedger
from tierwise.ledger.postgres_keys import PostgresKeyBook
from tierwise.ledger.protocol import Book, Store
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options
from tierwise.postgres.connect import Place

KINDS = ("sqlite", "postgres")
# Long enough for a busy machine, short enough to wait for.
LEASE_S = 3.0

Open = Callable[..., Awaitable[Store]]


def opener(kind: str, request: pytest.FixtureRequest, folder: Path) -> tuple[Open, Path | Place]:
    """Return what opens the store of a new, empty ledger, again and again, and where that is."""
    if kind == "sqlite":
        path = folder / "ledger.sqlite"

        async def open_file(options: Options | None = None) -> Store:
            return await Ledger.open(path, options=options)

        return open_file, path
    server: Server = request.getfixturevalue("postgres")
    place = server.database()

    async def open_database(options: Options | None = None) -> Store:
        return await PostgresLedger.open(place, options, lease_s=LEASE_S)

    return open_database, place


def book_of(where: Path | Place, who: str = "tester") -> Book:
    """Return who changes the keys of the ledger there."""
    return KeyBook(where, who) if isinstance(where, Path) else PostgresKeyBook(where, who)
