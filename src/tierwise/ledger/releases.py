"""Which policies were released here, by whom, why, and which is in force? The table of releases, and its only SQL.

A policy is text here: `policy.released` knows what it says. To roll back is to release an old text again; a release
without a text hands back to what the configuration file says.
Invariant: rows are only ever added, each naming the one that it replaces; a text that is not what its digest names is
an error, never a policy.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.errors import ConfigError, StoreError
from tierwise.ledger.beside import changing

COLUMNS = "number, digest, policy, who, why, ts, replaces"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release. `policy` is canonical JSON and `digest` its own, both None where the file's policy is back in force.

    `ts` is Unix time in seconds; `replaces` is the number of the release before, None for the first.
    """

    number: int
    who: str
    why: str
    ts: float
    digest: str | None = None
    policy: bytes | None = None
    replaces: int | None = None


def version(db: sqlite3.Connection) -> int:
    """Return the number of the release in force, 0 for none; it rises with each."""
    found: int = db.execute("SELECT coalesce(max(number), 0) FROM releases").fetchone()[0]
    return found


def find(db: sqlite3.Connection, number: int | None = None) -> Release | None:
    """Return the release of this number, or the one in force, None if there is none. StoreError for a damaged one."""
    sql = f"SELECT {COLUMNS} FROM releases WHERE ?1 IS NULL OR number = ?1 ORDER BY number DESC LIMIT 1"  # noqa: S608
    row = db.execute(sql, (number,)).fetchone()
    return None if row is None else checked(release_of(row))


def select(db: sqlite3.Connection) -> list[Release]:
    """Return all releases as they stand in the table, newest first, unchecked: a list must show a damaged one too."""
    return [release_of(row) for row in db.execute(f"SELECT {COLUMNS} FROM releases ORDER BY number DESC")]  # noqa: S608


def checked(release: Release) -> Release:
    """Return the release, or raise StoreError where its text is not the one that was released."""
    if (release.policy is None) != (release.digest is None) or (
        release.policy is not None and digest_of(release.policy) != release.digest
    ):
        raise StoreError(
            f"release {release.number} of the policy is damaged in the ledger: its text is not what was released; "
            "release another: tierwise policy apply FILE, or tierwise policy rollback N"
        )
    return release


def digest_of(policy: bytes) -> str:
    """Return the name of a policy's text."""
    return "sha256:" + hashlib.sha256(policy).hexdigest()


class ReleaseBook:
    """Adds releases to the ledger at `path`. `who` stands in each."""

    def __init__(self, path: Path, who: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._who, self._clock = path, who, clock

    def add(self, policy: bytes | None, why: str, *, after: int) -> Release:
        """Put the policy in force, or the file's for None. ConfigError where `after` is not in force any more."""
        with changing(self._path) as db:
            made = released_after(version(db), after, policy, self._who, why, self._clock())
            values = (made.number, made.digest, made.policy, made.who, made.why, made.ts, made.replaces)
            db.execute(f"INSERT INTO releases ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)  # noqa: S608
        return made


def released_after(newest: int, after: int, policy: bytes | None, who: str, why: str, now: float) -> Release:
    """Make the next release; ConfigError where another one is the newest than was looked at."""
    if newest != after:
        raise ConfigError(
            f"release {newest} was made meanwhile, so what was compared is not in force any more: look again with "
            "`tierwise policy diff`, then repeat this"
        )
    return Release(
        number=newest + 1,
        digest=None if policy is None else digest_of(policy),
        policy=policy,
        who=who,
        why=why,
        ts=now,
        replaces=newest or None,
    )


def release_of(row: Sequence[Any]) -> Release:
    """Return a row as it stands: whatever was written into it must be listed, and is `checked` before it counts."""
    number, digest, policy, who, why, ts, replaces = row
    return Release(
        number=number,
        digest=None if digest is None else str(digest),
        policy=policy if isinstance(policy, bytes | None) else str(policy).encode(),
        who=str(who),
        why=str(why),
        ts=float(ts) if isinstance(ts, int | float) else 0.0,
        replaces=replaces if isinstance(replaces, int) else None,
    )
