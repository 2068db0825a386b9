"""Records such as gateways write, made by hand for what reads them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision, Labelled
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Usage


def record(
    seq: int, *, ts: float, workflow: str | None = "support", model: str | None = "small", models: Sequence[str] = (),
    outcome: Any = "answered", usage: Usage | None = None, cost: Decimal | None = Decimal(0),
    unknown: Decimal | None = None, reason: str = "cheapest",
) -> Decision:  # fmt: skip
    """Return a record; `models` were asked one after the other, `model` alone where none are given."""
    asked = models or ((model,) if model is not None else ())
    attempts = [
        AttemptRecord(
            endpoint="here", model=name, tier=Tier.LOCAL, started=ts + place, duration_ms=100.0, verdict="ok",
            usage=usage, unknown_usd=unknown,
        )
        for place, name in enumerate(asked)
    ]  # fmt: skip
    return Decision(
        id=f"01{seq:024d}", seq=seq, ts=ts, requested_model="auto", caller_wire="chat",
        features=Features(input_tokens_est=12),
        label=Labelled(value=Label.INTERNAL), workflow=workflow, outcome=outcome, reason=reason,
        chosen=asked[0] if asked else None, attempts=tuple(attempts), total_cost_usd=cost,
        candidates=tuple(
            CandidateRecord(model=name, endpoint="here", tier=Tier.LOCAL, allowed=True) for name in asked
        ),
    )  # fmt: skip
