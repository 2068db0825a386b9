"""What time is it, if the clock of this machine may be set while we run? Unix time that a step does not move.

Time passes with the clock that nobody can set; the wall clock is followed where it drifts, and believed where it
differs for `BELIEVED_S`. So a wrong step that is soon corrected neither frees a budget nor ends a key.
Invariant: between two readings never more passes than really did, until a step is believed.
"""

import time
from collections.abc import Callable

DRIFT_S = 1.0
BELIEVED_S = 300.0


def since_start() -> float:
    """Return seconds since a fixed moment, sleep of the machine included where the system counts it."""
    clock: int | None = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


class Clock:
    """Gives Unix seconds. `wall` is the clock that people set, `steady` the one that only runs."""

    __slots__ = ("_anchor", "_differs_since", "_steady", "_wall")

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = since_start) -> None:
        self._wall, self._steady = wall, steady
        self._anchor = wall() - steady()
        self._differs_since: float | None = None

    def __call__(self) -> float:
        """Return the time. Two threads may ask at once."""
        ran, since = self._steady(), self._differs_since
        says = self._wall() - ran
        if abs(says - self._anchor) <= DRIFT_S:
            self._anchor, self._differs_since = says, None
        elif since is None:
            self._differs_since = ran
        elif ran - since >= BELIEVED_S:
            self._anchor, self._differs_since = says, None
        return self._anchor + ran
