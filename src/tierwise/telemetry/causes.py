"""What happened, in words of closed sets? Reads them out of a record, whose own texts are for people.

Invariant: no text of a record leaves this module, only words that stand in it.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Literal, get_args

import msgspec

from tierwise.core.decision import STOPPED, AttemptRecord, Decision
from tierwise.core.errors import Verdict

Cause = Literal[
    "timeout", "rate_limit", "server_error", "unreachable", "unauthorized", "context", "bad_reply", "refusal", "empty",
    "gate_failed", "budget", "policy", "misconfigured", "other",
]  # fmt: skip
Refusal = Literal["policy", "budget", "limit", "no_candidate", "busy", "other"]
CAUSES: tuple[str, ...] = get_args(Cause)
VERDICTS = frozenset((*(verdict.value for verdict in Verdict), "escalate", "cancelled", STOPPED))
GATES = frozenset(("empty", "truncated", "repetition", "json", "schema", "tool_arguments", "refusal", "min_logprob"))
STRATEGIES = frozenset(("cheapest_sufficient", "best", "fastest", "cascade", "weighted", "pinned"))
OTHER, ANY_ERROR = "other", "_OTHER"
_SAID = re.compile(r"(\w{1,40})(?: (\d{3}))?:")
_ERRORS: dict[str, Cause] = {
    "TimedOut": "timeout",
    "RateLimited": "rate_limit",
    "Overloaded": "server_error",
    "Unreachable": "unreachable",
    "Unauthorized": "unauthorized",
    "ContextTooLong": "context",
    "BadReply": "bad_reply",
    "Refused": "refusal",
    "GateFailed": "gate_failed",
    "BudgetExceeded": "budget",
    "PolicyDenied": "policy",
    "ConfigError": "misconfigured",
    "ProviderError": "other",
}
_REFUSALS: dict[str, Refusal] = {
    "PolicyDenied": "policy",
    "BudgetExceeded": "budget",
    "LimitExceeded": "limit",
    "NoCandidate": "no_candidate",
    "StoreBusy": "busy",
}
_ENDS = frozenset((*_ERRORS, *_REFUSALS, "AllAttemptsFailed", "StreamBroken", "StoreError", "InvalidCall"))


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A step from one attempt to the next. One at the same model is a `retry`, never a fallback."""

    kind: Literal["retry", "fallback", "escalation"]
    cause: Cause
    before: AttemptRecord
    after: AttemptRecord


def error_of(attempt: AttemptRecord) -> tuple[str | None, int | None]:
    """Return the class of what went wrong and the HTTP status, None each where there was none."""
    if attempt.error is None:
        return ("cancelled" if attempt.verdict == "cancelled" else None), None
    name, status = _said(attempt.error)
    return (name if name in _ERRORS else ANY_ERROR), status


def end_of(decision: Decision) -> str | None:
    """Return the class of what ended a call without an answer, `cancelled` or `interrupted`, else None."""
    if decision.outcome in ("cancelled", "interrupted"):
        return decision.outcome
    if decision.outcome in ("answered", "flagged", "pending", "dry_run"):
        return None
    if decision.error is None:
        return None if decision.outcome == "review" else ANY_ERROR
    name, _ = _said(decision.error)
    return name if name in _ENDS else ANY_ERROR


def _said(error: str) -> tuple[str, int | None]:
    found = _SAID.match(error)
    return ("", None) if found is None else (found[1], int(found[2]) if found[2] else None)


def cause_of(attempt: AttemptRecord) -> Cause:
    """Return why an attempt was not the last."""
    match failed_gate(attempt):
        case None:
            pass
        case "refusal":
            return "refusal"
        case "empty":
            return "empty"
        case _:
            return "gate_failed"
    return _ERRORS.get(_said(attempt.error or "")[0], "other")


def failed_gate(attempt: AttemptRecord) -> str | None:
    """Return the gate that an answer failed, None where it failed none."""
    if attempt.gate is None or attempt.gate.verdict != "fail":
        return None
    return attempt.gate.name if attempt.gate.name in GATES else OTHER


def moves(decision: Decision) -> Iterator[Move]:
    """Give the steps from each attempt to the next."""
    for before, after in pairwise(decision.attempts):
        same = (before.endpoint, before.model) == (after.endpoint, after.model)
        yield Move(
            kind="retry" if same else "escalation" if failed_gate(before) else "fallback",
            cause=cause_of(before),
            before=before,
            after=after,
        )


def reason_of(decision: Decision, steps: tuple[Move, ...]) -> str:
    """Return in one word why the call went where it went, or why nowhere."""
    if not decision.attempts:
        if decision.outcome in ("refused", "failed"):
            return _REFUSALS.get(_said(decision.error or "")[0], OTHER)
    elif any(step.kind == "escalation" for step in steps):
        return "escalation"
    elif any(step.kind == "fallback" for step in steps):
        return "fallback"
    return decision.strategy if decision.strategy in STRATEGIES else OTHER


REASONS = (*sorted(STRATEGIES), "fallback", "escalation", *get_args(Refusal))
