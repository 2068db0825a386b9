"""What follows a failed attempt: the same endpoint again, the next one, or the end?

Pure; `draw` is a number in [0, 1) for the jitter, so the caller owns the randomness.
Invariant: never more than `max_attempts` laps that asked an endpoint, one that said stop is not asked again, and no
wait passes the deadline.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from tierwise.core.errors import (
    BadReply,
    ContextTooLong,
    ProviderError,
    TierwiseError,
    Unauthorized,
    Unreachable,
    Verdict,
)

BACKOFF_BASE_S = 0.25
BACKOFF_MAX_S = 8.0
RETRY_AFTER_MAX_S = 10.0


class FallbackSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`max_attempts` counts every upstream attempt of one call, `retries_same` repeats on the same endpoint."""

    max_attempts: int = 3
    retries_same: int = 1
    total_timeout_s: float = 600.0


class Lap(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt that has ended: the place of its candidate in the order, and its error.

    `asked` is false where nothing was sent: the endpoint rests, or may no longer be asked.
    """

    place: int
    error: TierwiseError
    asked: bool = True


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What to do next: try the candidate at `place` after `wait_s`, or stop (`reason` says why)."""

    action: Literal["try", "stop"]
    place: int = 0
    wait_s: float = 0.0
    reason: str = ""


def backoff_s(retry: int, draw: float) -> float:
    """Return the wait before retry number `retry` (from 0): exponential, with full jitter above half of it."""
    ceiling = min(BACKOFF_BASE_S * float(2**retry), BACKOFF_MAX_S)
    return ceiling * (0.5 + 0.5 * draw)


def next_step(
    settings: FallbackSettings, laps: Sequence[Lap], candidates: int, *, draw: float, left_s: float, spare: bool = True
) -> Step:
    """Decide after the last of `laps`. A retry on the same endpoint waits; a change of endpoint does not.

    An endpoint's own Retry-After is a floor for the wait; one above `RETRY_AFTER_MAX_S`, or past the deadline, means
    the next endpoint instead. So does `spare` false: the endpoint has no retry left.
    """
    last = laps[-1]
    asked = sum(lap.asked for lap in laps)
    if asked >= settings.max_attempts:
        return Step(action="stop", reason=f"{asked} attempts, the most allowed")
    verdict = last.error.verdict if isinstance(last.error, ProviderError) else Verdict.NEXT
    if verdict is Verdict.STOP:
        return Step(action="stop", reason="the endpoint says that the request itself is wrong")
    if verdict is Verdict.RETRY_SAME:
        tried = sum(lap.place == last.place for lap in laps) - 1
        pause = last.error.retry_after_s if isinstance(last.error, ProviderError) else None
        wait = max(backoff_s(tried, draw), pause or 0.0)
        if spare and tried < settings.retries_same and (pause or 0.0) <= RETRY_AFTER_MAX_S and wait < left_s:
            return Step(action="try", place=last.place, wait_s=wait)
    following = max(lap.place for lap in laps) + 1
    if following < candidates:
        return Step(action="try", place=following)
    return Step(action="stop", reason="no other endpoint may serve this")


def harms_endpoint(error: TierwiseError) -> bool:
    """Say whether the error speaks against the endpoint's health (not against the call or the answer's quality)."""
    if isinstance(error, ContextTooLong):
        return False
    if isinstance(error, ProviderError):
        return error.verdict is not Verdict.STOP or isinstance(error, Unauthorized | Unreachable | BadReply)
    return False
