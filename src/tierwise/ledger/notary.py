"""Who signs what was recorded, and tells the witnesses? A task beside the calls, which never waits for it.

Invariant: what a witness was told is a checkpoint that stands in the ledger; a log that is not the one that was signed
last, or that a witness has seen otherwise, is never signed on, and `problem` says so until it is mended.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from tierwise.audit.checkpoint import opened
from tierwise.audit.notes import Signer
from tierwise.core.errors import StoreError, TierwiseError, Unverified
from tierwise.ledger.once import appended, last_bytes

SEPARATOR = "\n\n"
"""Between two notes of a file, each of which ends with a line's end."""
NOTE_BYTES = 4096
RETRY_S = 60.0
CLOSE_S = 3.0
LOG = "log"
UNSIGNED = "the ledger's log is not signed, or a witness does not agree; `tierwise doctor` says why"
_log = logging.getLogger("tierwise.audit")


class Log(Protocol):
    """The store, as far as it is signed here."""

    async def notarise(self) -> int:
        """Sign what was recorded; return how much that was."""

    async def checkpoints(self) -> list[str]:
        """Return the checkpoints, the newest last."""


class Witness(Protocol):
    """Somebody else who keeps checkpoints."""

    @property
    def name(self) -> str:
        """Who it is, for people."""

    @property
    def every_s(self) -> float:
        """How often it is told at most."""

    async def last(self) -> str | None:
        """Return the newest checkpoint that it keeps, None where it keeps none, or cannot be asked."""

    async def keep(self, size: int, note: str) -> None:
        """Keep this checkpoint. Raises TierwiseError where it does not."""


class WitnessFile:
    """A file to which checkpoints are added, best on another machine or a medium that only grows."""

    def __init__(self, path: Path, every_s: float) -> None:
        self.name, self.every_s = str(path), every_s
        self.path = path

    async def last(self) -> str | None:
        """Return the newest checkpoint in the file."""
        end = await asyncio.to_thread(last_bytes, self.path, NOTE_BYTES)
        notes = [note for note in end.decode("utf-8", "replace").split("\n" + SEPARATOR) if note.strip()]
        return f"{notes[-1]}\n" if notes else None

    async def keep(self, size: int, note: str) -> None:
        """Add it at the end; it is on the disk when this returns."""
        await asyncio.to_thread(appended, self.path, note + SEPARATOR)


class Notary:
    """Signs one store's log. `problem` says why it cannot, or which witness does not keep what it is told.

    `unverified` is called each time that the log is found not to be the one that was signed.
    """

    def __init__(
        self,
        log: Log,
        signer: Signer,
        every_s: float,
        witnesses: Sequence[Witness] = (),
        unverified: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._signer, self._every_s, self._clock = log, signer, every_s, clock
        self._unverified = unverified
        self._due = dict.fromkeys(witnesses, 0.0)
        self._told: dict[Witness, int] = {}
        self._agreed = False
        self._seen: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._problems: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """Return what is wrong, None where all is well."""
        return "; ".join(self._problems.values()) or None

    @property
    def failing(self) -> int:
        """Return how many do not do their part now: the signer, and each witness."""
        return len(self._problems)

    def begin(self) -> None:
        """Sign again and again, until closed."""
        self._task = asyncio.create_task(self._follow(), name="tierwise-notary")

    async def close(self) -> None:
        """Sign what is there by now, and tell all witnesses of it, as far as they can be reached soon."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await self.look(last=True)

    async def _follow(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self, *, last: bool = False) -> None:
        """Sign what is new, and tell every witness whose turn it is; all of them where it is the last time."""
        try:
            await self._agree()
            await self._log.notarise()
            notes = await self._log.checkpoints()
            self._seen = notes[-1] if notes else None
            size = opened(notes[-1], self._signer.keys).size if notes else 0
            self._well(LOG)
        except StoreError as error:
            if isinstance(error, Unverified):  # a ledger that is busy, or away, breaks no promise of the log's
                self._unverified()
            return self._ill(LOG, f"the ledger's log is not signed on: {error}")
        except Exception as error:  # a defect of ours must not end the signing in silence
            self._unverified()
            _log.exception("the ledger's log could not be signed")
            return self._ill(LOG, f"the ledger's log could not be signed: {type(error).__name__}")
        if notes:
            await asyncio.gather(*(self._tell(one, size, notes[-1], last=last) for one in self._due))
        return None

    async def _agree(self) -> None:
        """Hold the log against what this process saw of it last, and witnesses before it began.

        An old copy is not signed on, nor one that was put there, or whose checkpoints were taken away, meanwhile.
        """
        notes = await self._log.checkpoints()
        compare(self._seen, notes, self._signer, "this gateway")
        if self._agreed:
            return
        for witness in self._due:
            compare(await seen_by(witness), notes, self._signer, f"the witness {witness.name}")
        self._agreed = True

    async def _tell(self, witness: Witness, size: int, note: str, *, last: bool) -> None:
        if size == self._told.get(witness) or not (last or self._clock() >= self._due[witness]):
            return None
        try:
            await witness.keep(size, note)
        except Exception as error:  # whatever is wrong with a witness must not end the signing
            if not isinstance(error, TierwiseError):
                _log.exception("the witness %s could not be told", witness.name)
            self._due[witness] = self._clock() + min(witness.every_s, RETRY_S)
            why = f"{error}" or type(error).__name__
            return self._ill(witness.name, f"the witness {witness.name} does not keep the log's checkpoints: {why}")
        self._told[witness], self._due[witness] = size, self._clock() + witness.every_s
        return self._well(witness.name)

    @property
    def warning(self) -> str | None:
        """Return what strangers may know of the problem: that there is one."""
        return UNSIGNED if self._problems else None

    def _ill(self, what: str, problem: str) -> None:
        if self._problems.get(what) != problem:
            _log.error("%s", problem)
        self._problems[what] = problem

    def _well(self, what: str) -> None:
        self._problems.pop(what, None)


async def seen_by(witness: Witness) -> str | None:
    """Return the newest checkpoint that the witness keeps. Raises StoreError that names it."""
    try:
        return await witness.last()
    except StoreError as error:
        raise StoreError(f"the witness {witness.name} cannot be read: {error}") from error


def compare(seen: str | None, notes: Sequence[str], signer: Signer, name: str) -> None:
    """Hold the log's checkpoints against the last that somebody has seen. Raises Unverified."""
    if seen is None:
        return
    here = opened(notes[-1], signer.keys) if notes else None
    try:
        found = opened(seen, signer.keys)
    except TierwiseError as error:
        raise Unverified(f"{name} has seen another log: {error}") from None
    size = here.size if here else 0
    if found.size > size:
        told = "an old copy, or its end is cut off"
        raise Unverified(f"{name} has seen {found.size} records, and here {size} are signed: {told}")
    if here and found.size == size and found.root != here.root:
        raise Unverified(f"{name} has seen other records than are here")
