"""How fast does this machine read its memory? Measured, since a model's speed on processors hangs on it.

Each core searches its own block for a byte that is not there: reading alone, as an engine reads weights, and outside of
Python's lock. The blocks are larger than caches. Invariant: it takes about half a second and at most an eighth of the
memory that is free; where that leaves too little to measure, or anything fails, the answer is None. What other work
takes away is no property of the machine, so that the best reading is kept.
"""

import contextlib
import ctypes
import mmap
import sys
import threading
import time
from datetime import date
from pathlib import Path

import msgspec

LIMIT_S = 0.35
"""For reading; making the blocks takes the rest of the half second."""
_BLOCK_BYTES, _LEAST_BYTES, _MOST_CORES = 64 << 20, 128 << 20, 64
_SHARE = 8


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The best reading of this processor with so many cores, and its day."""

    processor: str
    cores: int
    gb_s: float
    as_of: date


def best(file: Path, now: Best) -> Best:
    """Return the best reading that `file` knows of the same processor and cores, `now` among them, and keep it."""
    with contextlib.suppress(OSError, msgspec.DecodeError):  # a figure that is lost is measured again
        kept = msgspec.json.decode(file.read_bytes(), type=Best)
        if (kept.processor, kept.cores) == (now.processor, now.cores) and kept.gb_s >= now.gb_s:
            return kept
    with contextlib.suppress(OSError):
        new = file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(now))
        new.replace(file)
    return now


def measure_gb_s(cores: int, available_bytes: int | None, limit_s: float = LIMIT_S) -> float | None:
    """Return the best rate at which all cores together read memory, in GB/s (10^9 bytes)."""
    threads = max(1, min(cores, _MOST_CORES))
    size = max(_BLOCK_BYTES, _LEAST_BYTES // threads)
    if available_bytes is not None:
        size = min(size, available_bytes // _SHARE // threads)
    if size * threads < _LEAST_BYTES // 2:
        return None
    try:
        return _Reading(threads, size).best_gb_s(limit_s)
    except (OSError, ValueError, AttributeError, RuntimeError):
        return None


class _Reading:
    """Threads that read their blocks in rounds; a round is as long as its slowest."""

    def __init__(self, threads: int, size: int) -> None:
        self._size, self._threads = size, threads
        library = ctypes.CDLL("msvcrt" if sys.platform == "win32" else None)
        self._search = library.memchr
        self._search.argtypes, self._search.restype = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t], ctypes.c_void_p
        self._round = threading.Barrier(threads, action=self._tick)
        self._ticks: list[float] = []
        self._until = 0.0

    def best_gb_s(self, limit_s: float) -> float:
        """Read until the time is up."""
        self._limit_s = limit_s
        others = [threading.Thread(target=self._read, daemon=True) for _ in range(self._threads - 1)]
        for one in others:
            one.start()
        self._read()
        for one in others:
            one.join()
        if self._round.broken:
            raise RuntimeError("no memory to read")
        shortest = min(after - before for before, after in zip(self._ticks, self._ticks[1:], strict=False))
        return self._threads * self._size / shortest / 1e9

    def _tick(self) -> None:
        now = time.perf_counter()
        self._until = self._until or now + self._limit_s
        self._ticks.append(now)

    def _read(self) -> None:
        try:
            with mmap.mmap(-1, self._size) as block:
                if hasattr(mmap, "MADV_HUGEPAGE"):
                    block.madvise(mmap.MADV_HUGEPAGE)
                view = ctypes.c_char.from_buffer(block)
                start = ctypes.addressof(view)
                ctypes.memset(start, 1, self._size)  # pages that nobody wrote are all one page
                self._round.wait()
                while True:
                    self._search(start, 0, self._size)
                    self._round.wait()
                    if self._ticks[-1] >= self._until:
                        break
                del view
        except (OSError, ValueError, RuntimeError):
            self._round.abort()  # the others stop too
