"""Is this endpoint worth asking at the moment? A circuit breaker per endpoint and model.

Time is an argument (monotonic seconds). Closed: calls pass. Open: none pass until `open_s` is over.
Half-open: exactly one probe passes; its result closes or opens again, longer.
Invariant: at most one probe is in flight; a probe that never reports expires after `open_s`.
"""

import msgspec


class BreakerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Open after `failures` in a row, for `open_s` doubling up to `max_open_s`."""

    failures: int = 5
    open_s: float = 5.0
    max_open_s: float = 120.0


class Breaker:
    """The state of one endpoint and model."""

    __slots__ = ("_failures", "_open_s", "_open_until", "_probing_until", "_settings")

    def __init__(self, settings: BreakerSettings) -> None:
        self._settings = settings
        self._failures = 0
        self._open_s = 0.0
        self._open_until = 0.0
        self._probing_until = 0.0

    @property
    def down(self) -> bool:
        """Say whether it failed repeatedly and has not answered since."""
        return self._open_s > 0

    def closed_in_s(self, now: float) -> float:
        """Return 0 when a call may pass now, else the seconds until the next probe may."""
        if not self._open_s:
            return 0.0
        return max(0.0, self._open_until - now, self._probing_until - now)

    def admit(self, now: float) -> bool:
        """Ask to pass; in the half-open state this takes the one probe."""
        if self.closed_in_s(now) > 0:
            return False
        if self._open_s:
            self._probing_until = now + self._settings.open_s
        return True

    def succeeded(self) -> None:
        """Report that the endpoint answered."""
        self._failures, self._open_s, self._probing_until = 0, 0.0, 0.0

    def failed(self, now: float, retry_after_s: float | None = None) -> None:
        """Report a failure of the endpoint (not of the caller). A `retry_after_s` opens the breaker at once."""
        self._failures += 1
        if self._open_s or self._failures >= self._settings.failures or retry_after_s is not None:
            grown = self._open_s * 2 or self._settings.open_s
            self._open_s = min(max(grown, retry_after_s or 0.0), self._settings.max_open_s)
            self._open_until = now + self._open_s
            self._probing_until = 0.0

    def abandoned(self) -> None:
        """Report that an admitted call ended without saying anything about the endpoint (the caller left)."""
        self._probing_until = 0.0
