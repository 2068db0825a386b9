"""What was answered, word for word? One file of JSON lines a run, beside its evidence, for its owner alone.

A line is written once the call is over and before it is scored: what stands here is never asked for again, and
evidence can be made from it as often as one likes. Invariant: an unfinished last line is dropped.
"""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.evals.evidence import Observation

Key = tuple[str, str, int]
"""Item, subject, repeat: what makes a call distinct."""


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """One call that is over. `observed` is the observation but for its score; `text` None where nothing came."""

    item: str
    subject: str
    repeat: int = 0
    text: str | None
    observed: Observation

    @property
    def key(self) -> Key:
        """What was asked of whom, the how-manieth time."""
        return self.item, self.subject, self.repeat


_DECODER = msgspec.json.Decoder(Answered)
_ENCODER = msgspec.json.Encoder()


def read(path: Path) -> Iterator[Answered]:
    """Give what was answered, in order; nothing where there is no file. ConfigError for a line that is none."""
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _decoded(line, f"{path}, line {number}")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}", file=str(path)) from error


def _decoded(line: bytes, where: str) -> Answered:
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: not an answer: {error}") from error


class Answers:
    """Adds answers to a file; each is on the disk when `add` returns. One writer at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where there is none, after cutting off a line that a kill left unfinished."""
        self._path = path
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
            self._file: IO[bytes] = os.fdopen(descriptor, "ab", buffering=0)
            os.truncate(path, _whole_bytes(path))
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}", file=str(path)) from error

    def add(self, answered: Answered) -> None:
        """Add one."""
        line = _ENCODER.encode(answered) + b"\n"
        try:
            if self._file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(self._file.fileno())
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be written: {error.strerror}", file=str(self._path)) from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _whole_bytes(path: Path) -> int:
    """Return how much of a file is whole lines."""
    whole = 0
    with path.open("rb") as file:
        for line in file:
            whole += len(line) if line.endswith(b"\n") else 0
    return whole
