"""What fails in another process, and what its clocks say: the page that `failing.c`, loaded into it, reads at every call."""

import errno
import mmap
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import pytest

Kind = Literal["none", "socket", "connect", "connected", "accept", "read", "write", "option", "close", "disk"]
KINDS: tuple[Kind, ...] = get_args(Kind)
END, SHORT, KILLED = -1, -2, -3
NAMES = {END: "end", SHORT: "short", KILLED: "killed"} | errno.errorcode
FOR_EVER = 1_000_000_000
STEP = int(os.environ.get("TIERWISE_NTH_STEP", "11"))
SOURCE = Path(__file__).with_name("failing.c")
COMPILER = shutil.which("cc")
_PLAN, _CLOCKS, _CALLS = struct.Struct("5q"), struct.Struct("2q"), struct.Struct(f"{len(KINDS)}q")

possible = pytest.mark.skipif(
    COMPILER is None or not sys.platform.startswith("linux"), reason="needs Linux and a C compiler to fail libc's calls"
)


class Page:
    """The page of one process."""

    def __init__(self, file: Path, library: Path, memory: mmap.mmap) -> None:
        self._memory = memory
        self.environment = {"LD_PRELOAD": str(library), "NTH_CONTROL": str(file), "NTH_FILE": "ledger.sqlite"}

    def fail(self, kind: Kind, first: int = 1, many: int = FOR_EVER, how: int = errno.EIO) -> None:
        """Let these calls fail, counting from now."""
        self._memory[: _PLAN.size] = _PLAN.pack(0, 0, 0, 0, 0)
        start = _PLAN.size + _CLOCKS.size
        self._memory[start : start + _CALLS.size] = bytes(_CALLS.size)
        self._memory[: _PLAN.size] = _PLAN.pack(KINDS.index(kind), first, many, how, 0)

    def heal(self) -> None:
        """Let nothing fail any more; what was counted stays."""
        self._memory[: _PLAN.size] = _PLAN.pack(0, 0, 0, 0, 0)

    def calls(self) -> dict[Kind, int]:
        """Return how many calls of each kind were made since the last `fail`."""
        return dict(zip(KINDS, _CALLS.unpack_from(self._memory, _PLAN.size + _CLOCKS.size), strict=True))

    def clocks(self, *, wall_s: int = 0, slept_s: int = 0) -> None:
        """Set the wall clock wrong by so much, and let the machine have slept for so long in all."""
        self._memory[_PLAN.size : _PLAN.size + _CLOCKS.size] = _CLOCKS.pack(wall_s, slept_s)


@contextmanager
def page(folder: Path) -> Iterator[Page]:
    """Compile the library into the folder, and make a page on which nothing fails."""
    library, file = folder / "failing.so", folder / "control"
    command = [str(COMPILER), "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    file.write_bytes(bytes(mmap.PAGESIZE))
    with file.open("r+b") as opened, mmap.mmap(opened.fileno(), mmap.PAGESIZE) as memory:
        yield Page(file, library, memory)
