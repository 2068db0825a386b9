"""How did an endpoint do? Tells breaker and live figures of each attempt: when it begins, and once when it is over.

Decides nothing. Invariant: every attempt that was admitted is reported back exactly once, by who releases it.
"""

from time import monotonic

from tierwise.core.errors import GateFailed, ProviderError
from tierwise.fallback.plan import harms_endpoint
from tierwise.gateway.attempt import Attempt
from tierwise.gateway.candidates import input_tokens
from tierwise.gateway.facts import Facts
from tierwise.wires.known import APART


def admitted(facts: Facts, attempt: Attempt) -> bool:
    """Say whether the breaker lets the attempt through; count it if so."""
    hop, now = attempt.hop, monotonic()
    attempt.admitted = facts.breaker(hop.model.id).admit(now)
    if attempt.admitted:
        attempt.met = facts.live.began(hop.model.id, hop.endpoint.slots, now)
    return attempt.admitted


def report(facts: Facts, attempt: Attempt, workflow: str | None) -> None:
    """Tell how an attempt ended, and how long its answer took."""
    if not attempt.admitted:
        return
    model, error = attempt.hop.model.id, attempt.error
    facts.live.ended(model)
    breaker = facts.breaker(model)
    if error is not None and harms_endpoint(error):
        breaker.failed(monotonic(), error.retry_after_s if isinstance(error, ProviderError) else None)
    elif error is not None or attempt.verdict != "cancelled":
        breaker.succeeded()
        if attempt.call.wire not in APART and (error is None or isinstance(error, GateFailed)):
            _timed(facts, attempt, workflow)
    else:
        breaker.abandoned()


def _timed(facts: Facts, attempt: Attempt, workflow: str | None) -> None:
    usage = attempt.settled_usage()
    if attempt.duration_ms is not None and usage is not None:
        read = input_tokens(attempt.call.features, attempt.hop.endpoint)
        facts.live.answered(attempt.hop.model.id, workflow, attempt.met, read, usage.written, attempt.duration_ms)
