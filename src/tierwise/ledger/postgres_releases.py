"""Which policies were released here, as PostgreSQL keeps it? What `releases` is for a file, for several gateways.

Invariant: a release is added whole, after every one before it, or not at all.
"""

from typing import Any

from tierwise.ledger.postgres_beside import changed
from tierwise.ledger.postgres_tables import text
from tierwise.ledger.releases import COLUMNS, Release, checked, release_of, released_after
from tierwise.postgres.connect import Place

# "Twlp": the advisory lock of whoever releases, so that numbers rise in the order of commits.
_LOCK = 0x5477_6C70


async def version(db: Any) -> int:
    """Return the number of the release in force, 0 for none; it rises with each."""
    found: int = await db.fetchval("SELECT coalesce(max(number), 0) FROM releases")
    return found


async def find(db: Any, number: int | None = None) -> Release | None:
    """Return the release of this number, or the one in force, None if there is none. StoreError for a damaged one."""
    sql = f"SELECT {COLUMNS} FROM releases WHERE $1::bigint IS NULL OR number = $1 ORDER BY number DESC LIMIT 1"  # noqa: S608
    row = await db.fetchrow(sql, number)
    return None if row is None else checked(release_of(row))


async def select(db: Any) -> list[Release]:
    """Return all releases as they stand in the table, newest first, unchecked: a list must show a damaged one too."""
    return [release_of(row) for row in await db.fetch(f"SELECT {COLUMNS} FROM releases ORDER BY number DESC")]  # noqa: S608


class PostgresReleaseBook:
    """Adds releases to this database. `who` stands in each. Blocks: from an event loop, use it in a thread."""

    def __init__(self, where: Place, who: str) -> None:
        self._where, self._who = where, text(who)

    def add(self, policy: bytes | None, why: str, *, after: int) -> Release:
        """Put the policy in force, or the file's for None. ConfigError where `after` is not in force any more."""

        async def work(db: Any, now: float) -> Release:
            made = released_after(await version(db), after, policy, self._who, text(why), now)
            values = (made.number, made.digest, made.policy, made.who, made.why, made.ts, made.replaces)
            await db.execute(f"INSERT INTO releases ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)", *values)  # noqa: S608
            return made

        return changed(self._where, _LOCK, work)
