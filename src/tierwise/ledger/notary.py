"""Who signs what was recorded, and tells the witnesses? A task beside the calls, which never waits for it.

Invariant: what a witness was told is a checkpoint that stands in the ledger; a log that is not the one that was signed
last is never signed on, and `problem` says so until it is mended.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from tierwise.audit.checkpoint import opened
from tierwise.audit.notes import Signer
from tierwise.core.errors import ProviderError, StoreError, TierwiseError
from tierwise.ledger.once import appended, last_bytes

SEPARATOR = "\n\n"
"""Between two notes of a file, each of which ends with a line's end."""
NOTE_BYTES = 4096
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
        """Keep this checkpoint. Raises StoreError or ProviderError where it does not."""


class WitnessFile:
    """A file to which checkpoints are added, best on another machine or a medium that only grows."""

    def __init__(self, path: Path, every_s: float) -> None:
        self.name, self.every_s = str(path), every_s
        self._path = path

    async def last(self) -> str | None:
        """Return the newest checkpoint in the file."""
        end = await asyncio.to_thread(last_bytes, self._path, NOTE_BYTES)
        notes = [note for note in end.decode("utf-8", "replace").split("\n" + SEPARATOR) if note.strip()]
        return f"{notes[-1]}\n" if notes else None

    async def keep(self, size: int, note: str) -> None:
        """Add it at the end; it is on the disk when this returns."""
        await asyncio.to_thread(appended, self._path, note + SEPARATOR)


class Notary:
    """Signs one store's log. `problem` says why it cannot, or which witness does not keep what it is told."""

    def __init__(
        self,
        log: Log,
        signer: Signer,
        every_s: float,
        witnesses: Sequence[Witness] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log, self._signer, self._every_s, self._clock = log, signer, every_s, clock
        self._due = dict.fromkeys(witnesses, 0.0)
        self._told: dict[Witness, int] = {}
        self._compared: set[Witness] = set()
        self._problems: dict[str, str] = {}

    @property
    def problem(self) -> str | None:
        """Return what is wrong, None where all is well."""
        return "; ".join(self._problems.values()) or None

    async def follow(self) -> None:
        """Sign again and again, until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self, *, last: bool = False) -> None:
        """Sign what is new, and tell every witness whose turn it is; all of them where it is the last time."""
        try:
            await self._log.notarise()
            notes = await self._log.checkpoints()
            self._well("log")
        except StoreError as error:
            return self._ill("log", f"the ledger's log cannot be signed: {error}")
        except Exception as error:  # a defect of ours must not end the signing in silence
            _log.exception("the ledger's log could not be signed")
            return self._ill("log", f"the ledger's log could not be signed: {type(error).__name__}")
        if notes:
            await asyncio.gather(*(self._tell(one, notes[-1], last=last) for one in self._due))
        return None

    async def _tell(self, witness: Witness, note: str, *, last: bool) -> None:
        size = opened(note, self._signer.keys).size
        try:
            if witness not in self._compared:
                self._compare(await witness.last(), size, note)
                self._compared.add(witness)
            if (last or self._clock() >= self._due[witness]) and size > self._told.get(witness, -1):
                await witness.keep(size, note)
                self._told[witness], self._due[witness] = size, self._clock() + witness.every_s
        except (StoreError, ProviderError, TimeoutError) as error:
            self._due[witness] = self._clock() + min(witness.every_s, 60.0)
            return self._ill(witness.name, f"the witness {witness.name}: {error}")
        return self._well(witness.name)

    def _compare(self, seen: str | None, size: int, note: str) -> None:
        """Hold the log against what a witness saw of it before this process began."""
        if seen is None:
            return
        try:
            found = opened(seen, self._signer.keys)
        except TierwiseError as error:
            raise StoreError(f"what it keeps is of another log: {error}") from None
        if found.size > size:
            raise StoreError(
                f"it has seen {found.size} records, and here are {size}: an old copy, or the end is cut off"
            )
        if found.size == size and found.root != opened(note, self._signer.keys).root:
            raise StoreError("it has seen other records than are here")

    def _ill(self, what: str, problem: str) -> None:
        if self._problems.get(what) != problem:
            _log.error("%s", problem)
        self._problems[what] = problem

    def _well(self, what: str) -> None:
        self._problems.pop(what, None)
