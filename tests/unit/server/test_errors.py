"""Each exception has one reply; nothing private is in it."""

import pytest

from tierwise.core import errors
from tierwise.server.errors import failure

CASES = [
    (errors.InvalidCall("x", param="model", code="model_not_found", status=404), 404, "model_not_found", False),
    (errors.PolicyDenied("x", rule="ceiling:restricted"), 403, "policy_denied", False),
    (errors.PolicyDenied("x", rule="key:models"), 403, "model_not_allowed", False),
    (errors.PolicyDenied("x", rule="key:label"), 403, "label_not_allowed", False),
    (errors.LimitExceeded("x", scope="all", retry_after_s=7), 429, "rate_limit_exceeded", True),
    (errors.LimitExceeded("x", scope="all", retry_after_s=None), 429, "rate_limit_exceeded", False),
    (errors.BudgetExceeded("x", limit="1", spent="1", estimate="1"), 429, "insufficient_quota", False),
    (errors.NoCandidate("x", cause="context"), 400, "context_length_exceeded", False),
    (errors.NoCandidate("x", cause="price_unknown"), 403, "price_unknown", False),
    (errors.NoCandidate("x", cause="health"), 503, "upstream_unavailable", True),
    (errors.NoCandidate("x", cause="compliance"), 503, "no_compliant_backend", True),
    (errors.NoCandidate("x", cause="nothing"), 503, "no_model_available", False),
    (errors.RateLimited("x", retry_after_s=7.2), 429, "rate_limit_exceeded", True),
    (errors.TimedOut("x"), 504, "upstream_timeout", True),
    (errors.Unauthorized("x"), 502, "upstream_unauthorized", False),
    (errors.ContextTooLong("x"), 400, "context_length_exceeded", False),
    (errors.Refused("x", status=422), 422, "upstream_refused", False),
    (errors.Overloaded("x"), 503, "upstream_unavailable", True),
    (errors.BadReply("x", code="upstream_too_large"), 502, "upstream_too_large", True),
    (errors.GateFailed("x", gate="empty", detail=""), 502, "quality_gate", False),
    (errors.GateFailed("x", gate="empty", detail="", queued=True), 502, "queued_for_review", False),
    (errors.StoreError("/srv/somebody/ledger.sqlite is full"), 503, "audit_unavailable", True),
    (errors.StoreBusy("/srv/somebody/ledger.sqlite is locked"), 503, "overloaded", True),
    (
        errors.ConfigError("/srv/somebody/tierwise.toml: wrong", file="/srv/somebody/tierwise.toml"),
        503,
        "misconfigured",
        False,
    ),
    (
        errors.AllAttemptsFailed("x", errors=[errors.TimedOut("a"), errors.RateLimited("b")]),
        429,
        "rate_limit_exceeded",
        True,
    ),
    (RuntimeError("secret at /srv/somebody"), 500, "internal_error", False),
]


@pytest.mark.parametrize(("error", "status", "code", "retry"), CASES)
def test_table(error: Exception, status: int, code: str, retry: bool) -> None:
    failed = failure(error)
    assert (failed.status, failed.code, failed.retry) == (status, code, retry)
    assert "somebody" not in failed.message


@pytest.mark.parametrize(("asked", "passed_on"), [(0.0, 1), (7.2, 8), (1e9, 60), (None, None)])
def test_retry_after_is_bounded(asked: float | None, passed_on: int | None) -> None:
    assert failure(errors.RateLimited("x", retry_after_s=asked)).retry_after_s == passed_on
