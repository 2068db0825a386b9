"""What can go wrong, and what is to be done about it?

TierwiseError
├─ CallRejected        the caller can mend it: InvalidCall, PolicyDenied, BudgetExceeded, LimitExceeded, NoCandidate
│                      LeakStopped, a PolicyDenied that should have come earlier, is ours
├─ ProviderError       an endpoint failed; `verdict` says what follows: Unreachable, TimedOut, RateLimited,
│                      Overloaded, Unauthorized, ContextTooLong, Refused, BadReply
├─ StreamBroken        content had already been delivered
├─ AllAttemptsFailed   every attempt, in order
├─ GateFailed          no answer was good enough
├─ ConfigError         file, key, expected, found, nearest valid name
└─ StoreError          the ledger cannot be read or written; StoreBusy: not now, because others are before
"""

import enum
from collections.abc import Sequence

from tierwise.core.answer import Answer
from tierwise.core.decision import Decision


class Verdict(enum.StrEnum):
    """What follows an attempt."""

    OK = "ok"
    RETRY_SAME = "retry_same"
    NEXT = "next"
    STOP = "stop"


class TierwiseError(Exception):
    """Anything that Tierwise raises on purpose. The text is for people; programs read the fields.

    `decision` is the record of the call as it ended, where there was a call.
    """

    decision: Decision | None = None


class CallRejected(TierwiseError):
    """The caller can mend it; no endpoint was asked in vain."""


class InvalidCall(CallRejected):
    """The request itself is wrong. `param` names the field, `status` is the HTTP status that fits."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.param, self.code, self.status = param, code, status


class PolicyDenied(CallRejected):
    """Policy leaves no candidate. `rule` is the rule that excluded the last of them."""

    def __init__(self, message: str, *, rule: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.rule, self.reasons = rule, tuple(reasons)


class LeakStopped(PolicyDenied):
    """The last check before sending stopped what every earlier one had let pass: a defect, though nothing left."""


class BudgetExceeded(CallRejected):
    """A budget leaves no candidate. Amounts are US dollars as text."""

    def __init__(self, message: str, *, limit: str, spent: str, estimate: str) -> None:
        super().__init__(message)
        self.limit, self.spent, self.estimate = limit, spent, estimate


class LimitExceeded(CallRejected):
    """A rate limit is reached. `retry_after_s` None: no wait helps, the call alone is larger than the limit."""

    def __init__(self, message: str, *, scope: str, retry_after_s: int | None) -> None:
        super().__init__(message)
        self.scope, self.retry_after_s = scope, retry_after_s


class NoCandidate(CallRejected):
    """No endpoint may or can serve the call. `reasons` says per model why not; `cause` is the filter that fits most."""

    def __init__(self, message: str, *, cause: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.cause, self.reasons = cause, tuple(reasons)


class ProviderError(TierwiseError):
    """An endpoint failed. `retry_after_s` is what it asked for; `code` is its own machine-readable code.

    `said` is the part of the message that is the endpoint's own prose: it may quote the call, so it is no record.
    """

    verdict = Verdict.NEXT
    said = ""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after_s = status, code, retry_after_s
        if verdict is not None:
            self.verdict = verdict


class Unreachable(ProviderError):
    """No connection: refused, no such host, TLS not trusted, or lost before any byte of the answer."""


class TimedOut(ProviderError):
    """A limit passed: connect, first byte, idle or total (`code` says which)."""


class RateLimited(ProviderError):
    """429."""


class Overloaded(ProviderError):
    """5xx and the like: the same endpoint may succeed shortly."""

    verdict = Verdict.RETRY_SAME


class Unauthorized(ProviderError):
    """401 or 403: the endpoint does not accept the configured key."""


class ContextTooLong(ProviderError):
    """The endpoint says that the request does not fit."""


class Refused(ProviderError):
    """A 4xx that says the request is wrong: no other endpoint is asked, the caller gets it."""

    verdict = Verdict.STOP


class BadReply(ProviderError):
    """An answer that is not one: HTML, broken JSON, an error inside a 200, a cut stream before any content."""


class StreamBroken(TierwiseError):
    """A stream ended early after content had been delivered; it cannot be continued elsewhere."""

    def __init__(self, message: str, *, code: str = "upstream_incomplete") -> None:
        super().__init__(message)
        self.code = code


class AllAttemptsFailed(TierwiseError):
    """Every attempt failed; `errors` are in order, the last decides the status."""

    def __init__(self, message: str, *, errors: Sequence[TierwiseError]) -> None:
        super().__init__(message)
        self.errors = tuple(errors)


class GateFailed(TierwiseError):
    """An answer was not good enough and no better one could be had. `gate` is the check, `detail` what it saw.

    `answer` is the withheld one, for a person who reviews it; it never goes into a message or a record.
    """

    def __init__(
        self, message: str, *, gate: str, detail: str, answer: Answer | None = None, queued: bool = False
    ) -> None:
        super().__init__(message)
        self.gate, self.detail, self.answer, self.queued = gate, detail, answer, queued


class ConfigError(TierwiseError):
    """The configuration is wrong: where, and what would be right."""

    def __init__(self, message: str, *, file: str | None = None, key: str | None = None) -> None:
        super().__init__(message)
        self.file, self.key = file, key


class StoreError(TierwiseError):
    """The ledger cannot be written or read; calls are refused rather than answered unrecorded."""


class LogChanged(StoreError):
    """The ledger's log is not the one that was signed last, or that a witness has seen: somebody changed it."""


class StoreBusy(StoreError):
    """The ledger cannot be written now because others are before: it is locked, or too much waits. It can be later."""
