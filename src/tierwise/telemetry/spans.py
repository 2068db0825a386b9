"""Which spans does a decision make? One for the call as its caller saw it, below it one for each attempt.

Pure. Tokens and cost stand on attempts alone, so that nothing is added up twice; no text that is for people leaves, and
a name that a caller or an endpoint wrote leaves only if it looks like one.
Invariant: where the label does not reach the collector, nothing private leaves, not even the caller's trace.
"""

import re
from decimal import ROUND_CEILING, Decimal
from typing import Literal

import msgspec

from tierwise.core.decision import AttemptRecord, Decision, of_policy
from tierwise.core.trace import Trace, span_id, trace_id
from tierwise.core.usage import Usage
from tierwise.telemetry.causes import VERDICTS, end_of, error_of, failed_gate, moves, reason_of
from tierwise.telemetry.known import Known
from tierwise.telemetry.names import Naming

Value = str | bool | int | float | tuple[str, ...]
MAX_INT = (1 << 63) - 1
MAX_DUTIES = 16
_NAME = re.compile(r"[\w.:/@+~#-]{1,128}", re.ASCII)
_PICO = 12
_NOBODY = Trace()


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One span; ids in hexadecimal, times in Unix nanoseconds."""

    name: str
    kind: Literal["server", "client"]
    trace: str
    id: str
    parent: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Value]
    failed: bool


class _Facts:
    """Attributes under the names in use."""

    __slots__ = ("_naming", "_withheld", "found")

    def __init__(self, naming: Naming, *, withheld: bool) -> None:
        self._naming, self._withheld = naming, withheld
        self.found: dict[str, Value] = {}

    def add(self, **facts: Value | None) -> None:
        for fact, value in facts.items():
            if value is None or (self._withheld and fact in self._naming.private):
                continue
            for name in self._naming.names[fact]:
                self.found[name] = value


def spans(
    decision: Decision, duration_s: float, known: Known, naming: Naming, *, reaches: bool = True
) -> tuple[Span, ...]:
    """Return the span of the call, then those of its attempts. `reaches`: its label may go where they go."""
    said = decision.trace if reaches and isinstance(decision.trace, Trace) else _NOBODY
    trace, call = said.id or trace_id(decision.id), span_id(decision.id)
    start_ns = _ns(decision.ts)
    end = end_of(decision)
    whole = Span(
        name=f"tierwise {_operation(decision)}",
        kind="server",
        trace=trace,
        id=call,
        parent=said.parent or "",
        start_ns=start_ns,
        end_ns=start_ns + max(0, _ns(duration_s)),
        attributes=_of_call(decision, end, naming, withheld=not reaches),
        failed=end is not None,
    )
    laps = (
        _attempt(decision, place, attempt, known, naming, (trace, call, reaches))
        for place, attempt in enumerate(decision.attempts)
    )
    return (whole, *laps)


def sampled(decision: Decision, share: float) -> bool:
    """Say whether spans of the call are wanted: as its caller decided, else this share, by the trace's id."""
    said = decision.trace
    if isinstance(said, Trace) and said.id is not None:
        return said.sampled
    return share >= 1 or int(trace_id(decision.id)[-14:], 16) < share * (1 << 56)


def picousd(amount_usd: Decimal | None) -> int | None:
    """Return the amount in whole picodollars, as the ledger counts them; None where it has none that fits."""
    if amount_usd is None or not amount_usd.is_finite() or amount_usd.adjusted() > _PICO:
        return None
    whole = int(amount_usd.scaleb(_PICO).to_integral_value(ROUND_CEILING))
    return whole if abs(whole) <= MAX_INT else None


def _attempt(
    decision: Decision, place: int, attempt: AttemptRecord, known: Known, naming: Naming, within: tuple[str, str, bool]
) -> Span:
    trace, parent, reaches = within
    served, operation = known.served(attempt.endpoint, attempt.model), _operation(decision)
    error, status = error_of(attempt)
    streams, start_ns = decision.features.stream, _ns(attempt.started)
    facts = _Facts(naming, withheld=not reaches)
    facts.add(
        operation=operation,
        provider=served.provider,
        response_model=_name(attempt.served_model),
        response=_name(attempt.upstream_id) if operation == "chat" else None,
        address=served.address,
        port=served.port,
        error=error,
        stream=True if streams else None,
        conversation=_name(decision.session),
        first_chunk=attempt.first_byte_ms / 1000 if streams and attempt.first_byte_ms else None,
        attempt=place,
        endpoint=served.endpoint,
        model=served.model,
        tier=attempt.tier.value,
        verdict=attempt.verdict if attempt.verdict in VERDICTS else "other",
        status=status,
        gate=failed_gate(attempt),
        confidence=attempt.confidence,
        suspicious=True if attempt.suspicion is not None else None,
    )
    if operation == "embeddings":
        facts.add(kind="EMBEDDING", request_model=served.name, embedding_model=served.name)
    else:
        features = decision.features
        facts.add(
            kind="LLM",
            request_model=served.name,
            max_tokens=features.max_output_tokens,
            choices=features.n if features.n != 1 else None,
            output_type="json" if features.json or features.schema else None,
        )
    _account(facts, attempt, operation, counted=_counted(decision))
    return Span(
        name=f"{operation} {served.name}",
        kind="client",
        trace=trace,
        id=span_id(decision.id, place),
        parent=parent,
        start_ns=start_ns,
        end_ns=start_ns + max(0, _ns((attempt.duration_ms or 0) / 1000)),
        attributes=facts.found,
        failed=error is not None,
    )


def _account(facts: _Facts, attempt: AttemptRecord, operation: str, *, counted: bool) -> None:
    """Add tokens and cost. What the caller reports itself is left to it; the cost under our own name stays."""
    cost = picousd(attempt.cost_usd)
    if cost is not None:
        facts.add(cost=cost, currency="USD", cost_source="local")
    facts.add(unknown=picousd(attempt.unknown_usd))
    usage = attempt.usage
    if counted:
        facts.add(counted=True)
    elif usage is not None:
        _tokens(facts, usage, operation)
        facts.add(dollars=None if cost is None else float(attempt.cost_usd or 0))


def _tokens(facts: _Facts, usage: Usage, operation: str) -> None:
    facts.add(input=_int(usage.read), total=_int(usage.read + usage.written))
    facts.add(estimated=True if usage.estimated else None)
    if operation == "embeddings":
        return
    facts.add(
        output=_int(usage.written),
        cache_read=_int(usage.cache_read) or None,
        cache_write=_int(usage.cache_write + usage.cache_write_1h) or None,
        reasoning=_int(usage.reasoning) or None,
    )


def _of_call(decision: Decision, end: str | None, naming: Naming, *, withheld: bool) -> dict[str, Value]:
    steps = tuple(moves(decision))
    away = [step for step in steps if step.kind != "retry"]
    facts = _Facts(naming, withheld=withheld)
    facts.add(
        kind="CHAIN",
        id=_name(decision.id),
        asked=_name(decision.requested_model),
        workflow=_name(decision.workflow),
        conversation=None,
        policy=_name(decision.policy_digest),
        registry=_name(decision.registry_digest),
        prices=_name(decision.price_digest),
        tier=decision.attempts[-1].tier.value if decision.attempts else None,
        reason=reason_of(decision, steps),
        outcome=decision.outcome,
        considered=len(decision.candidates),
        denied=sum(1 for one in decision.candidates if of_policy(one.excluded_by)),
        attempts=len(decision.attempts),
        fallback=any(step.kind == "fallback" for step in away),
        cause=away[-1].cause if away else None,
        escalated=any(step.kind == "escalation" for step in away),
        label=decision.label.value.value,
        duties=tuple(duty for duty in decision.obligations[:MAX_DUTIES] if _name(duty)) or None,
        review=True if decision.outcome == "review" else None,
        error=end,
        counted=True if _counted(decision) else None,
        withheld=True if withheld else None,
    )
    total = picousd(decision.total_cost_usd)
    if total is not None:
        facts.add(sum=total, currency="USD", cost_source="local")
    return facts.found


def _operation(decision: Decision) -> str:
    return "embeddings" if decision.features.embeddings else "chat"


def _counted(decision: Decision) -> bool:
    return isinstance(decision.trace, Trace) and decision.trace.counted


def _name(text: str | None) -> str | None:
    """Return what looks like a name, None for anything else."""
    return text if text and _NAME.fullmatch(text) else None


def _int(number: int) -> int:
    return max(0, min(number, MAX_INT))


def _ns(seconds: float) -> int:
    """Return nanoseconds that fit 64 bits, whatever a record says."""
    return int(max(0.0, min(seconds, 9e9)) * 1e9) if seconds == seconds else 0  # noqa: PLR0124  # NaN
