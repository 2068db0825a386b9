"""What has this machine, and what is in this file? The probes' only way to the system.

It decides nothing: `probes` read what it brings. Invariant: nothing is changed but the best reading of memory, no tool
runs longer than its limit, and no file is read beyond a cap.
"""

import hashlib
import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tierwise.hardware.bandwidth import Best, best, measure_gb_s
from tierwise.hardware.gguf import Header, Unreadable, read_header
from tierwise.hardware.parts import with_figures
from tierwise.hardware.probes import survey
from tierwise.hardware.snapshot import Machine
from tierwise.linear import header as linear
from tierwise.linear.header import Layout

BANDWIDTH = "bandwidth.json"
BUSY = 0.8
"""A reading below this share of the best is other work's."""
_TOOL_TIMEOUT_S = 5.0
_MAX_OUTPUT = 4 * 1024 * 1024
_MAX_FILE_BYTES = 4 * 1024 * 1024  # the list of parts on the bus is the largest that is read
_DIGEST_CHUNK_BYTES = 1024 * 1024


class Here:
    """This machine, or a folder that looks like one."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self.kind = platform.system()
        self.cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def read(self, path: str) -> str:
        """Return the beginning of a file."""
        try:
            with (self._root / path.lstrip("/")).open("rb") as source:
                return source.read(_MAX_FILE_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def names(self, folder: str) -> tuple[str, ...]:
        """Return the names in a folder, sorted."""
        try:
            return tuple(sorted(os.listdir(self._root / folder.lstrip("/"))))  # noqa: PTH208
        except OSError:
            return ()

    def run(self, *command: str) -> str | None:
        """Return what a tool prints."""
        found = shutil.which(command[0])
        if found is None:
            return None
        try:
            done = subprocess.run(  # noqa: S603 - the probes' own words, looked up on the path
                [found, *command[1:]], capture_output=True, stdin=subprocess.DEVNULL, timeout=_TOOL_TIMEOUT_S,
                check=False,
            )  # fmt: skip
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout[:_MAX_OUTPUT].decode("utf-8", "replace")


def machine(folder: Path | None = None, root: Path = Path("/")) -> Machine:
    """Look at cores, memory and, in `folder`, disk: what is asked at every start. `root` is for tests."""
    here = survey.plain(Here(root))
    return msgspec.structs.replace(here, disk_free_bytes=None if folder is None else _disk_free(folder))


def whole_machine(folder: Path | None = None, seen: str | None = None) -> Machine:
    """Look at everything, devices and the bandwidth of memory too, for about half a second.

    `seen` is CUDA_VISIBLE_DEVICES, None where it is not set: what it hides cannot be used.
    """
    here = visible(survey.whole(Here()), seen)
    rate, notes = _bandwidth(here, folder)
    return msgspec.structs.replace(
        here,
        devices=tuple(with_figures(one) for one in here.devices),
        memory_bandwidth_gb_s=rate,
        disk_free_bytes=None if folder is None else _disk_free(folder),
        notes=(*here.notes, *notes),
    )


def _bandwidth(here: Machine, folder: Path | None) -> tuple[float | None, tuple[str, ...]]:
    """Return the best reading of the memory by now, and what is to be said of the one that was made now."""
    rate = measure_gb_s(here.cores, here.memory_available_bytes)
    if rate is None or folder is None:
        return rate, ()
    now = Best(processor=here.cpu.name or "", cores=here.cores, gb_s=rate, as_of=datetime.now(UTC).date())
    kept = best(folder / BANDWIDTH, now)
    if rate >= BUSY * kept.gb_s:
        return kept.gb_s, ()
    told = (
        f"memory was read at {rate:.1f} GB/s now and at {kept.gb_s:.1f} on {kept.as_of}, which counts: other work runs"
    )
    return kept.gb_s, (told,)


def visible(here: Machine, seen: str | None) -> Machine:
    """Return the machine without the devices that CUDA_VISIBLE_DEVICES hides: all, where it is more than numbers."""
    cuda = [one for one in here.devices if one.kind == "cuda"]
    if seen is None or not cuda:
        return here
    named = [word.strip() for word in seen.split(",")] if seen.strip() else []
    numbers = {int(word) for word in named if word.isdecimal()}
    shown = [one for place, one in enumerate(cuda) if place in numbers] if len(numbers) == len(named) else []
    told = f"CUDA_VISIBLE_DEVICES={seen!r} shows {len(shown)} of {len(cuda)} devices; the others are not counted"
    return msgspec.structs.replace(
        here,
        devices=tuple(one for one in here.devices if one.kind != "cuda" or one in shown),
        notes=here.notes if len(shown) == len(cuda) else (*here.notes, told),
    )


def read_gguf(name: str | Path) -> Header:
    """Read the header of a model file. Raises OSError and Unreadable."""
    file = Path(name)
    if not file.is_file():  # a pipe or a device would block, a folder cannot be read
        raise Unreadable("it is not a file" if file.exists() else "there is no such file")
    with file.open("rb") as source:
        return read_header(source, os.fstat(source.fileno()).st_size)


def read_linear(name: str | Path) -> Layout:
    """Read the header of a linear model's file. Raises OSError and `linear.header.Unreadable`."""
    file = Path(name)
    if not file.is_file():
        raise linear.Unreadable("it is not a file" if file.exists() else "there is no such file")
    with file.open("rb") as source:
        return linear.read_header(source.read(linear.MAX_HEAD_BYTES), os.fstat(source.fileno()).st_size)


def digest(file: Path) -> str:
    """Return the SHA-256 of a file, as hexadecimal text."""
    with file.open("rb") as source:
        state = hashlib.sha256()
        while chunk := source.read(_DIGEST_CHUNK_BYTES):
            state.update(chunk)
    return state.hexdigest()


def _disk_free(folder: Path) -> int | None:
    for place in (folder, *folder.parents):
        if place.is_dir():
            return shutil.disk_usage(place).free
    return None
