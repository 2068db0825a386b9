"""What does the router know of a model, and what does the call need?

Facts only: prices, probes and certificates were looked up elsewhere and arrive as plain values.
Invariant: unknown is `None`; unknown quality is not sufficient.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from tierwise.core.capacity import CapacityRecord
from tierwise.core.label import Tier
from tierwise.core.model import Capability


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """Who served the session so far. `tokens` are those it may still have cached; `bound`: it has thought in it."""

    model: str
    tokens: int = 0
    bound: bool = False


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One model with everything that orders it. `cost_usd` None means unmetered or unknown, `metered` says which;
    without `metered` it is the cost of machines of one's own.

    `input_tokens` is the upper estimate of what this model would read, `output_tokens` what it may write where the
    caller sets no limit. `quality` is relative to the workflow's baseline, 0 to 1; `cache_saving_usd` is what the model
    saves with what it has cached of the session;
    `latency_ms` is that of the whole answer as expected now, `capacity` what it is made of. `step` is the place in the
    order that a certificate was issued for, None without one.
    `lacks` and `context_note` say why it cannot do, or read, what its row promises.
    `unavailable` carries the reason when the endpoint's breaker is open or its engine cannot start.
    """

    model: str
    endpoint: str
    tier: Tier
    tasks: tuple[str, ...] = ()
    capabilities: frozenset[Capability] = frozenset()
    context_tokens: int | None = None
    input_tokens: int = 0
    output_tokens: int | None = None
    gate_needs_logprobs: bool = False
    metered: bool = False
    price_known: bool = True
    cost_usd: Decimal | None = None
    worst_cost_usd: Decimal | None = None
    quality: float | None = None
    step: int | None = None
    trusted: bool = False
    strength: float | None = None
    latency_ms: float | None = None
    capacity: CapacityRecord | None = None
    cache_saving_usd: Decimal = Decimal(0)
    weight: float = 1.0
    unavailable: str | None = None
    lacks: Mapping[Capability, str] = {}
    context_note: str = ""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What the call asks of whoever serves it.

    `money_left_usd` None means that no budget binds; `spent_out` that one which rejects at its limit has reached it,
    `frugal` that a soft limit is reached. `endpoint` is the one whose tool calls this call answers; `held` is the model
    that holds the session, `bound` says that it has thought in it.
    """

    tasks: tuple[str, ...] = ()
    capabilities: frozenset[Capability] = frozenset()
    output_tokens: int = 0
    min_quality: float | None = None
    max_cost_usd: Decimal | None = None
    money_left_usd: Decimal | None = None
    frugal: bool = False
    spent_out: bool = False
    latency_ms: float | None = None
    endpoint: str | None = None
    held: str | None = None
    bound: bool = False


def late(candidate: Candidate, need: Need) -> bool:
    """Say whether the answer is expected after the call's target; what is not known is not late."""
    return need.latency_ms is not None and candidate.latency_ms is not None and candidate.latency_ms > need.latency_ms


def sufficient(candidate: Candidate, need: Need) -> bool:
    """Say whether the evidence suffices: measured quality where the call states one, else quality known or declared."""
    if need.min_quality is not None:
        return candidate.quality is not None and candidate.quality >= need.min_quality
    return candidate.trusted or candidate.quality is not None
