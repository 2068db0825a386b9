"""May a call ask the same endpoint once more? A share of the calls that it gets, however many of them fail.

What fails half of the time and is asked again each time gets half as much again, just when it can bear least.
Invariant: over any number of calls the retries are at most `AT_ONCE` and a `SHARE` of them.
"""

SHARE = 0.1
AT_ONCE = 5.0


class Retries:
    """What is left for one endpoint and model."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = AT_ONCE

    @property
    def left(self) -> bool:
        """Say whether there is one."""
        return self._left >= 1

    def asked(self, *, again: bool) -> None:
        """Take note of an attempt: the first of a call earns a share of a retry, another one is a retry."""
        self._left = max(0.0, self._left - 1) if again else min(AT_ONCE, self._left + SHARE)
