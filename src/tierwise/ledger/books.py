"""Who changes the ledger beside running gateways? One of each kind, for wherever the ledger is.

Invariant: nothing is opened here; each change opens the ledger for itself.
"""

import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tierwise.ledger.eraser import Eraser
from tierwise.ledger.incident_book import IncidentBook
from tierwise.ledger.key_book import KeyBook
from tierwise.ledger.postgres_contents import PostgresEraser
from tierwise.ledger.postgres_incidents import PostgresIncidentBook
from tierwise.ledger.postgres_keys import PostgresKeyBook
from tierwise.ledger.postgres_releases import PostgresReleaseBook
from tierwise.ledger.postgres_remarks import PostgresRemarkBook
from tierwise.ledger.postgres_scan import PostgresScan
from tierwise.ledger.protocol import Book, Erasing, Noting, Records, Releasing, Remarking
from tierwise.ledger.releases import ReleaseBook
from tierwise.ledger.remarks import RemarkBook
from tierwise.ledger.scan import Scan
from tierwise.postgres.connect import Place


class Books(msgspec.Struct, frozen=True):
    """The ledger at `path`, or in the database at `place`. `who` stands in what is changed."""

    path: Path
    place: Place | None = None

    def keys(self, who: str) -> Book:
        """Return who changes keys."""
        return KeyBook(self.path, who) if self.place is None else PostgresKeyBook(self.place, who)

    def eraser(self, who: str) -> Erasing:
        """Return who destroys content."""
        return Eraser(self.path, who) if self.place is None else PostgresEraser(self.place, who)

    def releases(self, who: str) -> Releasing:
        """Return who adds releases."""
        return ReleaseBook(self.path, who) if self.place is None else PostgresReleaseBook(self.place, who)

    def remarks(self) -> Remarking:
        """Return who adds what was said of answers."""
        return RemarkBook(self.path) if self.place is None else PostgresRemarkBook(self.place)

    def incidents(self, clock: Callable[[], float] = time.time) -> Noting:
        """Return who writes incidents."""
        return IncidentBook(self.path, clock) if self.place is None else PostgresIncidentBook(self.place)

    def records(self, since_ts: float) -> Records:
        """Return the records since this Unix time, for reading very many of them."""
        return Scan(self.path, since_ts) if self.place is None else PostgresScan(self.place, since_ts)
