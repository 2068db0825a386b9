"""Which models could be asked, with every fact that orders them? Joins registry, prices, health and the workflow.

Pure but for reading `Facts`. The router and the policy see only what this module hands them.
"""

from collections.abc import Iterable
from decimal import Decimal

import msgspec

from tierwise.core.call import Features
from tierwise.core.capacity import CapacityRecord
from tierwise.core.label import Tier
from tierwise.core.model import Capability, Endpoint, Model
from tierwise.core.usage import TOKENS_PER_MTOK, Price
from tierwise.economics.price import expected_cost_usd, most_output_tokens, worst_cost_usd
from tierwise.gateway.certified import Standing
from tierwise.gateway.facts import Facts
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.quality.gate import needs_logprobs
from tierwise.router.candidate import Candidate, Held

# Room that is kept for an answer whose length the caller does not limit.
LEAST_OUTPUT_TOKENS = 64
ZERO = Decimal(0)


def input_tokens(features: Features, endpoint: Endpoint) -> int:
    """Return the upper estimate of what the endpoint will read."""
    return features.input_tokens_est + (0 if endpoint.grammar else features.schema_tokens_est)


def needed(features: Features) -> frozenset[Capability]:
    """Return what a model must be able to do to serve the call as it was asked.

    JSON is not among it: where an endpoint cannot enforce it, it is asked for in words and checked.
    """
    asked: list[tuple[bool, Capability]] = [
        (features.stream, "stream"),
        (features.tools > 0, "tools"),
        (features.images > 0, "images"),
        (features.files > 0, "files"),
        (features.logprobs, "logprobs"),
        (features.n > 1, "n"),
        (features.embeddings, "embeddings"),
    ]
    return frozenset(name for wanted, name in asked if wanted)


def candidates(
    rules: Rules,
    facts: Facts,
    models: Iterable[Model],
    features: Features,
    workflow: Workflow | None,
    now: float,
    held: Held | None = None,
) -> tuple[Candidate, ...]:
    """Join the facts of each model into what the router decides by."""
    return tuple(_candidate(rules, facts, model, features, workflow, now, held) for model in models)


def proven(found: tuple[Candidate, ...], standing: Standing | None) -> tuple[Candidate, ...]:
    """Return the candidates with what the workflow's certificate says of them."""
    if standing is None:
        return found
    return tuple(
        msgspec.structs.replace(one, quality=standing.quality(one.model), step=standing.step(one.model))
        for one in found
    )


def _candidate(
    rules: Rules,
    facts: Facts,
    model: Model,
    features: Features,
    workflow: Workflow | None,
    now: float,
    held: Held | None,
) -> Candidate:
    endpoint = rules.catalog.endpoints[model.endpoint]
    price, own = model.price, None if model.own is None else model.own.routed
    compared = price or own
    tokens = input_tokens(features, endpoint)
    output = features.max_output_tokens
    most = most_output_tokens(output, model.max_output_tokens, model.context_tokens)
    unavailable = rules.catalog.unusable.get(endpoint.name)
    resting_s = facts.resting_s(model.id, now)
    if unavailable is None and resting_s > 0:
        unavailable = f"it failed repeatedly; the next try is in {resting_s:.1f} s"
    context, note, capacity = model.context_tokens, model.context_note, None
    if model.id in facts.live.heard_of:
        flow = workflow.name if workflow else None
        capacity = facts.live.expected(model.id, endpoint.slots, tokens, output, flow, now)
        context, note = _context(model, capacity)
    return Candidate(
        model=model.id,
        endpoint=endpoint.name,
        tier=endpoint.tier,
        tasks=model.tasks,
        capabilities=model.capabilities,
        context_tokens=context,
        input_tokens=tokens,
        gate_needs_logprobs=workflow is not None and needs_logprobs(workflow.gates, model.id),
        metered=price is not None or endpoint.tier is Tier.FRONTIER,
        price_known=price is not None or endpoint.tier is not Tier.FRONTIER,
        cost_usd=None if compared is None else expected_cost_usd(compared, tokens, output),
        worst_cost_usd=None if price is None else _worst_cost_usd(price, tokens, features, most),
        trusted=workflow is not None and model.id in workflow.trusted,
        strength=model.strength,
        latency_ms=None if capacity is None else capacity.latency_ms,
        capacity=capacity,
        cache_saving_usd=ZERO if held is None else _saving(model, held, tokens),
        output_tokens=None if features.embeddings or output is not None else most,
        weight=workflow.weights.get(model.id, 1.0) if workflow else 1.0,
        unavailable=unavailable,
        lacks=model.lacks,
        context_note=note,
    )


def _context(model: Model, capacity: CapacityRecord | None) -> tuple[int | None, str]:
    """Return the context of one request and why it is that: what the row promises, or less where less is loaded."""
    promised, loaded = model.context_tokens, capacity.context_tokens if capacity else None
    if loaded is None or (promised is not None and promised <= loaded):
        return promised, model.context_note
    return loaded, "as it is loaded now"


def _saving(model: Model, held: Held, tokens: int) -> Decimal:
    """Return what the model saves with what it has read of the session before."""
    if held.model != model.id or model.price is None or model.price.cache_read_usd_per_mtok is None:
        return ZERO
    less = model.price.input_usd_per_mtok - model.price.cache_read_usd_per_mtok
    return max(less * min(held.tokens, tokens) / TOKENS_PER_MTOK, ZERO)


def _worst_cost_usd(price: Price, tokens: int, features: Features, most: int) -> Decimal:
    return worst_cost_usd(price, tokens, 0 if features.embeddings else most * features.n)
