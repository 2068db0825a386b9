"""Which HTTP answer does an error become? The one table from exception to reply.

Says whether Tierwise or the endpoint failed, and whether a repeat can help.
Invariant: no traceback, path or secret leaves; an unknown exception says nothing but that it happened.
"""

import math
from pathlib import PurePath

import msgspec

from tierwise.core.errors import (
    AllAttemptsFailed,
    BadReply,
    BudgetExceeded,
    CallRejected,
    ConfigError,
    ContextTooLong,
    GateFailed,
    InvalidCall,
    LimitExceeded,
    NoCandidate,
    Overloaded,
    PolicyDenied,
    ProviderError,
    RateLimited,
    Refused,
    StoreBusy,
    StoreError,
    StreamBroken,
    TierwiseError,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from tierwise.policy.granted import LABEL, MODELS

MAX_RETRY_AFTER_S = 60
INVALID, PERMISSION, SERVER = "invalid_request_error", "permission_error", "server_error"
RATE, QUOTA = "rate_limit_error", "insufficient_quota"


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """An error as the caller gets it. `retry` says whether the same request may succeed later."""

    status: int
    type: str
    code: str
    message: str
    param: str | None = None
    retry: bool = False
    retry_after_s: int | None = None


_NO_CANDIDATE = {
    "context": (400, INVALID, "context_length_exceeded", False),
    "capability": (400, INVALID, "unsupported_capability", False),
    "price_unknown": (403, PERMISSION, "price_unknown", False),
    "health": (503, SERVER, "upstream_unavailable", True),
    "compliance": (503, SERVER, "no_compliant_backend", True),
    "tool_loop": (503, SERVER, "tool_loop_held", True),
    "nothing": (503, SERVER, "no_model_available", False),
}


_BROKEN = ("upstream_invalid", "upstream_too_large")
_DENIED = {MODELS: "model_not_allowed", LABEL: "label_not_allowed"}


def failure(error: BaseException) -> Failure:
    """Return the reply for an exception."""
    match error:
        case CallRejected():
            return _rejected(error)
        case AllAttemptsFailed():
            text = f"every attempt failed; the last: {error.errors[-1]}"
            return msgspec.structs.replace(failure(error.errors[-1]), message=text)
        case GateFailed():
            code = "queued_for_review" if error.queued else "quality_gate"
            return Failure(status=502, type=SERVER, code=code, message=str(error))
        case StoreBusy():
            text = "the ledger is busy, and nothing is answered unrecorded: try again"
            return Failure(status=503, type=SERVER, code="overloaded", message=text, retry=True, retry_after_s=1)
        case StoreError():
            text = "the ledger cannot be written, and nothing is answered unrecorded: see `tierwise doctor`"
            return Failure(status=503, type=SERVER, code="audit_unavailable", message=text, retry=True)
        case StreamBroken():
            code = error.code if error.code in _BROKEN else "upstream_incomplete"
            return Failure(status=502, type=SERVER, code=code, message=str(error))
        case ProviderError():
            return _upstream(error)
        case ConfigError():
            # Who calls may be somebody else than who may see this machine's folders.
            text = str(error) if error.file is None else str(error).replace(error.file, PurePath(error.file).name)
            return Failure(status=503, type=SERVER, code="misconfigured", message=text)
        case TierwiseError():
            return Failure(status=500, type=SERVER, code="internal_error", message=str(error))
        case _:
            return Failure(status=500, type=SERVER, code="internal_error", message="Tierwise failed; its log says more")


def _rejected(error: CallRejected) -> Failure:
    match error:
        case InvalidCall():
            code = error.code or "invalid_value"
            return Failure(status=error.status, type=INVALID, code=code, message=str(error), param=error.param)
        case PolicyDenied():
            code = _DENIED.get(error.rule, "policy_denied")
            return Failure(status=403, type=PERMISSION, code=code, message=str(error))
        case LimitExceeded():
            wait = error.retry_after_s
            return Failure(
                status=429, type=RATE, code="rate_limit_exceeded", message=str(error), retry=wait is not None,
                retry_after_s=wait,
            )  # fmt: skip
        case BudgetExceeded():
            return Failure(status=429, type=QUOTA, code="insufficient_quota", message=str(error))
        case NoCandidate():
            status, kind, code, retry = _NO_CANDIDATE.get(error.cause, _NO_CANDIDATE["nothing"])
            param = "model" if status == 400 else None
            return Failure(status=status, type=kind, code=code, message=str(error), param=param, retry=retry)
        case _:
            return Failure(status=400, type=INVALID, code="invalid_request", message=str(error))


def _upstream(error: ProviderError) -> Failure:
    refused = isinstance(error, Refused | ContextTooLong)
    text = f"the endpoint {'refused the request' if refused else 'failed'}, not Tierwise: {error}"
    wait = error.retry_after_s
    after = None if wait is None else max(1, min(math.ceil(wait), MAX_RETRY_AFTER_S))
    match error:
        case RateLimited():
            return Failure(
                status=429, type=RATE, code="rate_limit_exceeded", message=text, retry=True, retry_after_s=after
            )
        case TimedOut():
            return Failure(status=504, type=SERVER, code="upstream_timeout", message=text, retry=True)
        case ContextTooLong():
            return Failure(status=400, type=INVALID, code="context_length_exceeded", message=text, param="messages")
        case Unauthorized():
            text += "; check the key of this endpoint in the configuration"
            return Failure(status=502, type=SERVER, code="upstream_unauthorized", message=text)
        case Refused():
            status = error.status if error.status and 400 <= error.status < 500 else 400
            return Failure(status=status, type=INVALID, code=error.code or "upstream_refused", message=text)
        case Overloaded() | Unreachable():
            return Failure(
                status=503, type=SERVER, code="upstream_unavailable", message=text, retry=True, retry_after_s=after
            )
        case BadReply():
            return Failure(status=502, type=SERVER, code=error.code or "upstream_invalid", message=text, retry=True)
        case _:
            return Failure(status=502, type=SERVER, code="upstream_error", message=text, retry=True)
