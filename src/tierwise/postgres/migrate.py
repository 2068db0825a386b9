"""Which version are the tables, and how do they get to ours?

Migration n (counted from 1) is SQL that leads from version n-1 to n; the schema keeps its number in `version`.
Invariant: a migration is applied whole or not at all, by one process at a time, and a newer version is never touched.
"""

from collections.abc import Sequence
from typing import Any

from tierwise.core.errors import StoreError
from tierwise.postgres.connect import SCHEMA, Place, explained

# Whoever migrates holds this advisory lock: "Twlg".
_LOCK = 0x5477_6C67


async def migrate(db: Any, where: Place, migrations: Sequence[str]) -> None:
    """Bring the tables to the version that the migrations lead to; raise `StoreError` where that is impossible."""
    with explained(where):
        async with db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            have = await _version(db)
            _check_known(where, have, len(migrations))
            if have == 0:
                await db.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
                await db.execute("CREATE TABLE version (version INTEGER NOT NULL)")
                await db.execute("INSERT INTO version VALUES (0)")
            for script in migrations[have:]:
                await db.execute(script)
            if have < len(migrations):
                await db.execute("UPDATE version SET version = $1", len(migrations))


async def check(db: Any, where: Place, migrations: Sequence[str]) -> None:
    """Raise `StoreError` unless the tables have exactly the version that the migrations lead to."""
    with explained(where):
        have = await _version(db)
    _check_known(where, have, len(migrations))
    if have == 0:
        raise StoreError(f"{where}: it has no tables yet: start `tierwise serve` once, which makes them")
    if have < len(migrations):
        raise StoreError(
            f"{where}: version {have} of its tables is older than this program's {len(migrations)}: "
            "start `tierwise serve` once to bring it up to date"
        )


async def _version(db: Any) -> int:
    if await db.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.version") is None:
        return 0
    version: int = await db.fetchval("SELECT version FROM version")
    return version


def _check_known(where: Place, have: int, known: int) -> None:
    if have > known:
        raise StoreError(
            f"{where}: version {have} of its tables was written by a newer Tierwise, this one knows up to {known}: "
            "upgrade Tierwise or name another database"
        )
