"""What was released here, by whom, why, and which is in force? The table of releases, and its only SQL.

A release is of a subject: the policy, or one workflow. Its body is text here; who takes it up knows what it says. To
roll back is to release an old body again; a release without one hands back to what the configuration file says.
Invariant: rows are only ever added, each naming the one of its subject that it replaces; a body that is not what its
digest names is an error, never in force.
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

POLICY = "policy"
_WORKFLOW = "workflow:"
COLUMNS = "subject, number, digest, body, who, why, ts, replaces"


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release of `subject`. `body` is canonical JSON and `digest` its own; both None hand back to the file.

    `number` counts the subject's releases from 1; `ts` is Unix time in seconds; `replaces` is the number of the
    release before, None for the first.
    """

    number: int
    who: str
    why: str
    ts: float
    subject: str = POLICY
    digest: str | None = None
    body: bytes | None = None
    replaces: int | None = None

    def __str__(self) -> str:
        """Name it in words."""
        return f"release {self.number} of {in_words(self.subject)}"


def of_workflow(name: str) -> str:
    """Return the subject of a workflow's releases."""
    return _WORKFLOW + name


def workflow_in(subject: str) -> str | None:
    """Return the name of the workflow that this is the subject of, None where it is the policy's."""
    return subject.removeprefix(_WORKFLOW) if subject.startswith(_WORKFLOW) else None


def in_words(subject: str) -> str:
    """Return a subject as sentences name it."""
    return "the policy" if subject == POLICY else f"the workflow {workflow_in(subject)!r}"


def heads(db: sqlite3.Connection) -> dict[str, int]:
    """Return the number of the release in force of each subject that has any; it rises with each release."""
    return dict(db.execute("SELECT subject, max(number) FROM releases GROUP BY subject ORDER BY subject"))


def version(db: sqlite3.Connection, subject: str = POLICY) -> int:
    """Return the number of the subject's release in force, 0 for none; it rises with each."""
    sql = "SELECT coalesce(max(number), 0) FROM releases WHERE subject = ?"
    found: int = db.execute(sql, (subject,)).fetchone()[0]
    return found


def find(db: sqlite3.Connection, number: int | None = None, subject: str = POLICY) -> Release | None:
    """Return the release of this number, or the one in force, None if there is none. StoreError for a damaged one."""
    which = "subject = ?1 AND (?2 IS NULL OR number = ?2)"
    sql = f"SELECT {COLUMNS} FROM releases WHERE {which} ORDER BY number DESC LIMIT 1"  # noqa: S608
    row = db.execute(sql, (subject, number)).fetchone()
    return None if row is None else checked(release_of(row))


def select(db: sqlite3.Connection, subject: str = POLICY) -> list[Release]:
    """Return a subject's releases as they stand, newest first, unchecked: a list must show a damaged one too."""
    sql = f"SELECT {COLUMNS} FROM releases WHERE subject = ? ORDER BY number DESC"  # noqa: S608
    return [release_of(row) for row in db.execute(sql, (subject,))]


def checked(release: Release) -> Release:
    """Return the release, or raise StoreError where its body is not the one that was released."""
    if (release.body is None) != (release.digest is None) or (
        release.body is not None and digest_of(release.body) != release.digest
    ):
        name = workflow_in(release.subject)
        mend = "tierwise policy apply FILE, or tierwise policy rollback N"
        mend = mend if name is None else f"tierwise rollback {name} N"
        raise StoreError(
            f"{release} is damaged in the ledger: its text is not what was released; release another: {mend}"
        )
    return release


def digest_of(body: bytes) -> str:
    """Return the name of a body."""
    return "sha256:" + hashlib.sha256(body).hexdigest()


class ReleaseBook:
    """Adds releases to the ledger at `path`. `who` stands in each."""

    def __init__(self, path: Path, who: str, clock: Callable[[], float] = time.time) -> None:
        self._path, self._who, self._clock = path, who, clock

    def add(self, body: bytes | None, why: str, *, after: int, subject: str = POLICY) -> Release:
        """Put the body in force, or the file's word for None. ConfigError where `after` is not in force any more."""
        with changing(self._path) as db:
            made = released_after(version(db, subject), after, body, subject, (self._who, why, self._clock()))
            db.execute(f"INSERT INTO releases ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values_of(made))  # noqa: S608
        return made


def released_after(newest: int, after: int, body: bytes | None, subject: str, said: tuple[str, str, float]) -> Release:
    """Make the next release; `said` is who, why and when. ConfigError where another than `after` is the newest."""
    if newest != after:
        name = workflow_in(subject)
        look = "`tierwise policy diff`" if name is None else "`tierwise rollout status`"
        raise ConfigError(
            f"release {newest} was made meanwhile, so what was compared is not in force any more: look again with "
            f"{look}, then repeat this"
        )
    who, why, now = said
    return Release(
        subject=subject,
        number=newest + 1,
        digest=None if body is None else digest_of(body),
        body=body,
        who=who,
        why=why,
        ts=now,
        replaces=newest or None,
    )


def values_of(release: Release) -> tuple[object, ...]:
    """Return the values of `COLUMNS`."""
    return tuple(getattr(release, name) for name in COLUMNS.split(", "))


def release_of(row: Sequence[Any]) -> Release:
    """Return a row as it stands: whatever was written into it must be listed, and is `checked` before it counts."""
    subject, number, digest, body, who, why, ts, replaces = row
    return Release(
        subject=str(subject),
        number=number,
        digest=None if digest is None else str(digest),
        body=body if isinstance(body, bytes | None) else str(body).encode(),
        who=str(who),
        why=str(why),
        ts=float(ts) if isinstance(ts, int | float) else 0.0,
        replaces=replaces if isinstance(replaces, int) else None,
    )
