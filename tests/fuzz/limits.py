"""Does one run keep the promises: no error that is not ours, no hang, no memory beyond what the input explains?

Time is that of this thread's own work, so that a busy machine fails nothing. Knows no target.
"""

import time
import tracemalloc

from tests.fuzz.targets import Target

FLOOR_BYTES = 1 << 20
"""What the smallest input may take: tables that are made at first use, and the like."""


class TooMuch(AssertionError):
    """A run took more time or memory than it may."""


def run(target: Target, data: bytes) -> bool:
    """Run it once; say whether the input was refused. What the target may not raise goes on."""
    try:
        target.run(data)
    except target.refuses:
        return True
    return False


def timed(target: Target, data: bytes, limit_s: float | None = None) -> float:
    """Run it once and return the seconds of work. Raises TooMuch."""
    began = time.thread_time()
    run(target, data)
    took_s = time.thread_time() - began
    if took_s > (target.limit_s if limit_s is None else limit_s):
        raise TooMuch(f"{took_s:.1f} s for {len(data):,} bytes")
    return took_s


MEASURES = 3


def weighed(target: Target, data: bytes) -> int:
    """Run it once and return the bytes that it held at most. Raises TooMuch.

    What is too much is measured again: all of this process is counted, so that whatever else goes on in it only adds.
    """
    most = max(FLOOR_BYTES, target.times * len(data))
    peak = _peak(target, data)
    for _ in range(MEASURES - 1):
        if peak <= most:
            return peak
        peak = min(peak, _peak(target, data))
    if peak > most:
        raise TooMuch(f"{peak:,} bytes held for an input of {len(data):,}")
    return peak


def _peak(target: Target, data: bytes) -> int:
    tracemalloc.start()
    try:
        run(target, data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
