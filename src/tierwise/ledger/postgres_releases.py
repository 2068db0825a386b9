"""What was released here, as PostgreSQL keeps it? What `releases` is for a file, for several gateways.

Invariant: a release is added whole, after every one before it, or not at all.
"""

from typing import Any

from tierwise.ledger.postgres_beside import changed
from tierwise.ledger.postgres_tables import text
from tierwise.ledger.releases import COLUMNS, POLICY, Release, checked, release_of, released_after, values_of
from tierwise.postgres.connect import Place

# "Twlp": the advisory lock of whoever releases, so that numbers rise in the order of commits.
_LOCK = 0x5477_6C70


async def heads(db: Any) -> dict[str, int]:
    """Return the number of the release in force of each subject that has any; it rises with each release."""
    sql = "SELECT subject, max(number) FROM releases GROUP BY subject ORDER BY subject"
    return dict(map(tuple, await db.fetch(sql)))


async def version(db: Any, subject: str = POLICY) -> int:
    """Return the number of the subject's release in force, 0 for none; it rises with each."""
    sql = "SELECT coalesce(max(number), 0) FROM releases WHERE subject = $1"
    found: int = await db.fetchval(sql, text(subject))
    return found


async def find(db: Any, number: int | None = None, subject: str = POLICY) -> Release | None:
    """Return the release of this number, or the one in force, None if there is none. StoreError for a damaged one."""
    which = "subject = $1 AND ($2::bigint IS NULL OR number = $2)"
    sql = f"SELECT {COLUMNS} FROM releases WHERE {which} ORDER BY number DESC LIMIT 1"  # noqa: S608
    row = await db.fetchrow(sql, text(subject), number)
    return None if row is None else checked(release_of(row))


async def select(db: Any, subject: str = POLICY) -> list[Release]:
    """Return a subject's releases as they stand, newest first, unchecked: a list must show a damaged one too."""
    sql = f"SELECT {COLUMNS} FROM releases WHERE subject = $1 ORDER BY number DESC"  # noqa: S608
    return [release_of(row) for row in await db.fetch(sql, text(subject))]


class PostgresReleaseBook:
    """Adds releases to this database. `who` stands in each. Blocks: from an event loop, use it in a thread."""

    def __init__(self, where: Place, who: str) -> None:
        self._where, self._who = where, text(who)

    def add(self, body: bytes | None, why: str, *, after: int, subject: str = POLICY) -> Release:
        """Put the body in force, or the file's word for None. ConfigError where `after` is not in force any more."""

        async def work(db: Any, now: float) -> Release:
            newest = await version(db, subject)
            made = released_after(newest, after, body, text(subject), (self._who, text(why), now))
            places = ", ".join(f"${at}" for at in range(1, 9))
            await db.execute(f"INSERT INTO releases ({COLUMNS}) VALUES ({places})", *values_of(made))  # noqa: S608
            return made

        return changed(self._where, _LOCK, work)
