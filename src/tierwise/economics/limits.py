"""May this call begin now, and if not, when? Requests and tokens in any minute, and calls at once.

Pure: time is an argument, in monotonic seconds, so no step of the wall clock frees or blocks anybody. What was counted
is remembered one by one for a minute, so that there is no edge of a window at which twice as much passes.
Invariant: in no span of 60 s are more requests admitted, or more tokens reserved or settled, than a limit says; a call
is admitted by all of its limits or by none; it is settled once.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import Annotated

import msgspec

from tierwise.core.grant import Grant, Rate
from tierwise.economics.budget import within

MINUTE_S = 60.0
# Where a caller sets no limit, an answer counts as this long until it has ended.
ASSUMED_OUTPUT_TOKENS = 4096


class Limit(Rate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[limit]]`. `scope` is `all`, `team:NAME` or `key:NAME`."""

    scope: Annotated[str, msgspec.Meta(pattern="^(all|(team|key):.+)$")]

    def covers(self, key_id: str | None, team: str | None) -> bool:
        """Say whether a call of this key and team counts."""
        return within(self.scope, key=key_id, team=team)


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call may not begin: `most` of `what`. `retry_after_s` None means that waiting never helps."""

    scope: str
    what: str
    most: int
    retry_after_s: int | None


class Admission:
    """A call under way: the meters that count it, and the tokens that it may use at most."""

    __slots__ = ("meters", "settled", "tokens")

    def __init__(self, meters: Sequence["Meter"], tokens: int) -> None:
        self.meters, self.tokens, self.settled = meters, tokens, False


class _Span:
    """Amounts of the last minute, oldest first."""

    __slots__ = ("_marks", "total")

    def __init__(self) -> None:
        self._marks: deque[tuple[float, int]] = deque()
        self.total = 0

    def forget(self, now: float) -> None:
        while self._marks and self._marks[0][0] + MINUTE_S <= now:
            self.total -= self._marks.popleft()[1]

    def add(self, amount: int, now: float) -> None:
        self._marks.append((now, amount))
        self.total += amount

    def free_in_s(self, amount: int, now: float) -> float | None:
        """Return after how long so much will have been forgotten, None if there is not so much."""
        for at, counted in self._marks:
            amount -= counted
            if amount <= 0:
                return at + MINUTE_S - now
        return None


class Meter:
    """One limit's running state. Tokens of calls under way count until they are settled, whenever they began."""

    __slots__ = ("open", "rate", "requests", "reserved", "scope", "tokens")

    def __init__(self, scope: str, rate: Rate) -> None:
        self.scope, self.rate = scope, rate
        self.requests, self.tokens = _Span(), _Span()
        self.reserved = self.open = 0

    def refusal(self, tokens: int, now: float) -> Wait | None:
        """Say what stands in the way of a call that may use so many tokens."""
        self.requests.forget(now)
        self.tokens.forget(now)
        most = self.rate.concurrent
        if most is not None and self.open >= most:
            return self._wait("calls at once", most, 1.0)
        most = self.rate.requests_per_minute
        if most is not None and self.requests.total >= most:
            return self._wait("requests a minute", most, self.requests.free_in_s(1, now))
        most = self.rate.tokens_per_minute
        if most is None or self.tokens.total + self.reserved + tokens <= most:
            return None
        if tokens > most:
            return Wait(scope=self.scope, what="tokens a minute", most=most, retry_after_s=None)
        over = self.tokens.total + self.reserved + tokens - most
        # What is still under way may end at any time: nobody knows when, so the shortest wait is told.
        return self._wait("tokens a minute", most, self.tokens.free_in_s(over, now) or 1.0)

    def begin(self, tokens: int, now: float) -> None:
        """Count a call that was admitted."""
        self.open += 1
        self.reserved += tokens
        if self.rate.requests_per_minute is not None:
            self.requests.add(1, now)

    def end(self, reserved: int, used: int, now: float) -> None:
        """Replace what was reserved by what was used."""
        self.open -= 1
        self.reserved -= reserved
        if used and self.rate.tokens_per_minute is not None:
            self.tokens.forget(now)
            self.tokens.add(used, now)

    def _wait(self, what: str, most: int, wait_s: float | None) -> Wait:
        seconds = 1 if wait_s is None else max(1, min(math.ceil(wait_s), int(MINUTE_S)))
        return Wait(scope=self.scope, what=what, most=most, retry_after_s=seconds)


class Limits:
    """All limits of one process: those of the configuration, and each key's own."""

    def __init__(self, limits: Sequence[Limit] = ()) -> None:
        self._limits = [(limit, Meter(limit.scope, limit)) for limit in limits]
        self._own: dict[str, Meter] = {}

    def admit(self, grant: Grant | None, tokens: int, now: float) -> Admission | Wait:
        """Admit a call that may use so many tokens, or say what to wait for; then nothing has been counted."""
        meters = self._meters(grant)
        waits = [wait for meter in meters if (wait := meter.refusal(tokens, now)) is not None]
        if waits:
            return max(waits, key=lambda wait: math.inf if wait.retry_after_s is None else wait.retry_after_s)
        for meter in meters:
            meter.begin(tokens, now)
        return Admission(meters, tokens)

    def settle(self, admission: Admission, tokens: int, now: float) -> None:
        """Count what a call really used; only the first time."""
        if admission.settled:
            return
        admission.settled = True
        for meter in admission.meters:
            meter.end(admission.tokens, tokens, now)

    def _meters(self, grant: Grant | None) -> list[Meter]:
        name, team = (None, None) if grant is None else (grant.name, grant.team)
        found = [meter for limit, meter in self._limits if limit.covers(name, team)]
        if grant is not None and grant.rate != _UNLIMITED:
            own = self._own.get(grant.name)
            if own is None:
                own = self._own[grant.name] = Meter(f"key:{grant.name}", grant.rate)
            own.rate = grant.rate
            found.append(own)
        return found


_UNLIMITED = Rate()
