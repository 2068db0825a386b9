"""How does a large file get here, whole? Part by part beside its place, which it takes once its digest is right.

What came before a break, of a connection or of this process, is kept and read on from. It asks nobody whether it may.
Invariant: under its own name a file has the size and the digest that were asked for; one process at a time writes it.
"""

import asyncio
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from tierwise.core.errors import BadReply, InvalidCall, Overloaded, ProviderError, RateLimited, TimedOut, Unreachable
from tierwise.providers.ranges import Ranges

SPARE_BYTES: Final = 1024 * 1024 * 1024
"""What has to stay free on a disk."""
_CHUNK_BYTES = 8 * 1024 * 1024
_PART = ".part"

Tell = Callable[[int], None]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file as it must be. `sha256` None: the source tells none, and size alone is checked."""

    size_bytes: int
    sha256: str | None


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How often in a row nothing may come before it is given up, and how long is waited between, doubled each time."""

    attempts: int = 8
    first_wait_s: float = 0.5
    longest_wait_s: float = 30.0


def part_of(file: Path) -> Path:
    """Return where a file grows before it is whole."""
    return file.with_name(file.name + _PART)


def missing_bytes(file: Path, wanted: Wanted) -> int:
    """Return how much is still to be fetched."""
    if file.is_file():
        return 0
    part = part_of(file)
    return wanted.size_bytes - (min(part.stat().st_size, wanted.size_bytes) if part.is_file() else 0)


def check_disk(folder: Path, needed_bytes: int) -> int:
    """Return what is free where a folder is or will be. Raises InvalidCall where it is too little."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if needed_bytes + SPARE_BYTES > free:
        wanted = f"{needed_bytes / 1e9:.1f} GB are needed and {SPARE_BYTES / 1e9:.1f} GB must stay free"
        raise InvalidCall(f"{wanted}, but {there} has {free / 1e9:.1f} GB")
    return free


def verify(file: Path, wanted: Wanted) -> str:
    """Return the SHA-256 of a file that is here. Raises BadReply where it is not the wanted one."""
    size = file.stat().st_size
    if size != wanted.size_bytes:
        told = f"{file} has {size} bytes instead of {wanted.size_bytes}: remove it to fetch it again"
        raise BadReply(told, code="other_size")
    with file.open("rb") as source:
        found = _hashed(source).hexdigest()
    if wanted.sha256 not in (None, found):
        told = f"{file} has the digest {found} instead of {wanted.sha256}: remove it to fetch it again"
        raise BadReply(told, code="other_digest")
    return found


async def download(ranges: Ranges, file: Path, wanted: Wanted, tell: Tell, patience: Patience | None = None) -> str:
    """Fetch what is missing of a file and return its SHA-256; `tell` hears how many bytes are here.

    Raises:
        BadReply: what came is not the file that was wanted; nothing of it is kept.
        ProviderError: it cannot be had now; what came is kept, and the next call reads on from there.
        InvalidCall: another process writes it, or its disk is full.
    """
    if await asyncio.to_thread(file.is_file):
        return verify(file, wanted)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _opened(part_of(file)) as out:
        state = _hashed(out)
        if out.tell() > wanted.size_bytes:
            state = _restarted(out)
        tell(out.tell())
        await _filled(ranges, out, state, wanted, tell, patience or Patience())
        found = state.hexdigest()
        if wanted.sha256 not in (None, found):
            part_of(file).unlink()
            told = f"what came has the digest {found} instead of {wanted.sha256}: it is not kept"
            raise BadReply(told, code="other_digest")
        out.flush()
        os.fsync(out.fileno())
        part_of(file).replace(file)
    return found


async def _filled(
    ranges: Ranges, out: BinaryIO, state: "hashlib._Hash", wanted: Wanted, tell: Tell, patience: Patience
) -> None:
    """Read on until the size is reached; give up after some attempts in a row that brought nothing."""
    fruitless = 0
    while (start := out.tell()) < wanted.size_bytes:
        try:
            await _read_on(ranges, out, state, wanted, tell)
        except (Unreachable, TimedOut, Overloaded, RateLimited, BadReply) as error:
            if isinstance(error, BadReply) and error.code != "upstream_incomplete":
                raise
            fruitless = 0 if out.tell() > start else fruitless + 1
            if fruitless >= patience.attempts:
                raise
            wait_s = min(patience.first_wait_s * 2 ** max(0, fruitless - 1), patience.longest_wait_s)
            await asyncio.sleep(max(wait_s, min(error.retry_after_s or 0.0, patience.longest_wait_s)))


async def _read_on(ranges: Ranges, out: BinaryIO, state: "hashlib._Hash", wanted: Wanted, tell: Tell) -> None:
    part = await ranges.part(out.tell())
    if part.size_bytes != wanted.size_bytes:
        raise BadReply(f"the file has {part.size_bytes} bytes instead of {wanted.size_bytes}", code="other_size")
    async with aclosing(part.chunks()) as chunks:
        async for chunk in chunks:
            try:
                out.write(chunk)
            except OSError as error:
                raise InvalidCall(f"{out.name}: {error.strerror}") from error
            state.update(chunk)
            tell(out.tell())


@contextmanager
def _opened(part: Path) -> Iterator[BinaryIO]:
    """Open a file to go on with, for this process alone; the lock is the system's and ends with its holder."""
    with part.open("ab+") as out:
        try:
            fcntl.flock(out, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InvalidCall(f"{part}: another process is fetching this file") from error
        if not part.exists() or not os.path.samestat(part.stat(), os.fstat(out.fileno())):
            raise InvalidCall(f"{part}: another process has just fetched this file")
        out.seek(0)
        yield out


def _hashed(source: BinaryIO) -> "hashlib._Hash":
    state = hashlib.sha256()
    while chunk := source.read(_CHUNK_BYTES):
        state.update(chunk)
    return state


def _restarted(out: BinaryIO) -> "hashlib._Hash":
    out.seek(0)
    out.truncate()
    return hashlib.sha256()


__all__ = ["Patience", "ProviderError", "Wanted", "check_disk", "download", "missing_bytes", "part_of", "verify"]
