"""Who changes the keys of a ledger in PostgreSQL? The tables of keys there, and the only SQL that writes them.

All gateways must hash with one secret: the first key leaves a keyed mark of it, and a machine with another one is told
so instead of making keys that nobody knows.
Invariant: a change is made whole, with its trace, or not at all, and after every change before it.
"""

import hmac
from typing import Any

from tierwise.core.errors import ConfigError
from tierwise.core.grant import Grant
from tierwise.core.secret import Secret
from tierwise.ledger import keys
from tierwise.ledger.keys import CHANGE_COLUMNS, COLUMNS, Change, KeyChange, StoredKey, hashed
from tierwise.ledger.postgres_beside import changed
from tierwise.ledger.postgres_tables import text
from tierwise.postgres.connect import Place

# "Twlk": the advisory lock of whoever changes keys, so that the numbers of changes rise in the order of their commits.
_LOCK = 0x5477_6C6B
_MARK = b"the keys of this ledger"


async def version(db: Any) -> int:
    """Return the number of the last change; it rises with each."""
    found: int = await db.fetchval("SELECT coalesce(max(seq), 0) FROM key_changes")
    return found


async def select(db: Any, name: str | None = None) -> list[StoredKey]:
    """Return the keys of this name, or all of them, in the order in which they were made."""
    sql = f"SELECT {COLUMNS} FROM keys WHERE $1::text IS NULL OR name = $1 ORDER BY id"  # noqa: S608  # only columns
    return [keys.key_of(row) for row in await db.fetch(sql, name if name is None else text(name))]


async def changes(db: Any, name: str | None = None) -> list[KeyChange]:
    """Return what was done to the key of this name, or to all, oldest first."""
    sql = f"SELECT {CHANGE_COLUMNS} FROM key_changes WHERE $1::text IS NULL OR name = $1 ORDER BY seq"  # noqa: S608
    return [keys.change_of(row) for row in await db.fetch(sql, name if name is None else text(name))]


class PostgresKeyBook:
    """Makes, replaces and revokes keys in this database. `who` stands in the trace of each change.

    Blocks: from an event loop, use it in a thread.
    """

    def __init__(self, where: Place, who: str) -> None:
        self._where, self._who = where, text(who)

    def create(self, grant: Grant, pepper: bytes, expires: float | None = None) -> tuple[StoredKey, Secret]:
        """Make a key; its text is returned here and never again. ConfigError for a name that was ever given."""
        name = keys.checked_name(grant.name)

        async def work(db: Any, now: float) -> tuple[StoredKey, Secret]:
            await self._same(db, pepper)
            made = keys.created(await select(db, name), grant, pepper, expires, now)
            await self._apply(db, made.change, now)
            return made.key, made.text

        return changed(self._where, _LOCK, work)

    def rotate(self, name: str, pepper: bytes, grace_s: float = 0.0) -> tuple[StoredKey, Secret]:
        """Give the key a new text; the old one is taken for `grace_s` more seconds."""

        async def work(db: Any, now: float) -> tuple[StoredKey, Secret]:
            await self._same(db, pepper)
            made = keys.rotated(await select(db, name), name, pepper, grace_s, now)
            await self._apply(db, made.change, now)
            return made.key, made.text

        return changed(self._where, _LOCK, work)

    def revoke(self, name: str) -> bool:
        """End the key, every text of it; say whether any was still taken."""

        async def work(db: Any, now: float) -> bool:
            known = await select(db, name)
            change = keys.revoked(known, name, now)
            if change is not None:
                await self._apply(db, change, now)
            return any(key.taken_at(now) for key in known)

        return changed(self._where, _LOCK, work)

    async def _apply(self, db: Any, change: Change, now: float) -> None:
        if change.revoked is not None:
            await db.execute(
                "UPDATE keys SET revoked = least(revoked, $1), ended = $2 WHERE name = $3 AND NOT ended",
                change.revoked, change.ended, change.name,
            )  # fmt: skip
        if change.new is not None:
            sql = f"INSERT INTO keys ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"  # noqa: S608  # only columns
            await db.execute(sql, *keys.key_row(change.new))
        await db.execute(
            "INSERT INTO key_changes (seq, ts, who, what, name, detail) VALUES ($1, $2, $3, $4, $5, $6)",
            await version(db) + 1, now, self._who, change.what, change.name, text(change.detail),
        )  # fmt: skip

    async def _same(self, db: Any, pepper: bytes) -> None:
        """Raise ConfigError where the keys of the ledger were hashed with another secret."""
        mine = hashed(pepper, _MARK)
        await db.execute("INSERT INTO key_mark (mark) VALUES ($1) ON CONFLICT DO NOTHING", mine)
        if not hmac.compare_digest(await db.fetchval("SELECT mark FROM key_mark"), mine):
            raise ConfigError(
                f"{self._where}: its keys were hashed with another secret than this machine has: set server.key_pepper "
                "to the same one everywhere, or copy key.pepper from the machine that made the first key",
                key="server.key_pepper",
            )
