"""Who destroys content in a ledger in a file? One transaction beside a running server, then nothing of it in the log.

Invariant: content and salts are gone together with the trace of who did it, or nothing is.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tierwise.ledger import contents
from tierwise.ledger.beside import changing
from tierwise.ledger.contents import Which
from tierwise.sqlite.connect import connect_writer


class Eraser:
    """Destroys content and salts in the ledger at `path`. `who` stands in the trace."""

    def __init__(self, path: Path, who: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._who, self._clock = path, who, clock

    def erase(self, which: Which, why: str) -> int:
        """Destroy the content of these calls, and leave a trace; return of how many there was any."""
        with changing(self._path) as db:
            gone = contents.erase(db, which, self._who, why, self._clock())
        self._fold()
        return gone

    def _fold(self) -> None:
        """Empty the log, in which pages stand as they were; where a reader is in the way the server does it later."""
        with suppress(sqlite3.Error):
            db = connect_writer(self._path)
            try:
                db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            finally:
                db.close()
