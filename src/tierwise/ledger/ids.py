"""How is a decision named? 26 characters that sort by time: 48 bits of milliseconds, 80 random bits.

Layout and alphabet (Crockford's base 32) are those of ULID, in lower case; neither clock nor randomness is read here
but through what the caller hands over.
Invariant: one source never gives the same id twice, and each sorts after the one before, whatever the clock does.
"""

from collections.abc import Callable

LENGTH = 26
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
# An id is 13 groups of 10 bits; a table of all pairs of characters halves the steps.
_PAIRS = tuple(first + second for first in ALPHABET for second in ALPHABET)
_SHIFTS = tuple(range(120, -1, -10))
_LIMIT = 1 << 128


def new_id(now_ns: int, random: bytes) -> str:
    """Return the id of this instant (Unix nanoseconds) with these 10 random bytes."""
    return _spell(_number(now_ns, random))


class IdSource:
    """Gives ids in ascending order. `clock_ns` is Unix nanoseconds; `random_bytes` gives n random bytes."""

    __slots__ = ("_clock_ns", "_last", "_random_bytes")

    def __init__(self, clock_ns: Callable[[], int], random_bytes: Callable[[int], bytes]) -> None:
        self._clock_ns, self._random_bytes = clock_ns, random_bytes
        self._last = -1

    def next(self) -> str:
        """Return a new id; where the clock stands still or steps back, the successor of the last one."""
        self._last = max(self._last + 1, _number(self._clock_ns(), self._random_bytes(10)))
        return _spell(self._last)


def _number(now_ns: int, random: bytes) -> int:
    return (now_ns // 1_000_000 << 80 | int.from_bytes(random, "big")) % _LIMIT


def _spell(number: int) -> str:
    return "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])
