"""What time is it in a test? Exactly what the test says.

Invariant: the clock never moves by itself and never back.
"""


class FrozenClock:
    """A clock that stands still until `advance` is called. Give `time` or `monotonic` where a clock is asked for."""

    def __init__(self, start_s: float = 1_700_000_000.0) -> None:
        self._start_s = start_s
        self._passed_s = 0.0

    def time(self) -> float:
        """Return wall-clock seconds since the epoch."""
        return self._start_s + self._passed_s

    def time_ns(self) -> int:
        """Return wall-clock nanoseconds since the epoch."""
        return round(self.time() * 1_000_000_000)

    def monotonic(self) -> float:
        """Return seconds since the clock was made."""
        return self._passed_s

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError for a step back."""
        if seconds < 0:
            raise ValueError("a clock does not go back")
        self._passed_s += seconds
