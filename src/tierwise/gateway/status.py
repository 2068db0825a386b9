"""How is everything that this gateway serves with, at this moment? One value, for people who look.

Reads rules, facts and breakers; asks nobody. Invariant: no key and no content is in it, and unknown is None.
"""

import time
from collections.abc import Mapping
from decimal import Decimal
from pathlib import PurePath
from typing import Any

import msgspec

from tierwise.core.capacity import CapacityRecord
from tierwise.core.criteria import Criteria
from tierwise.core.label import Tier
from tierwise.core.model import Capability, Endpoint, Model
from tierwise.core.usage import Price
from tierwise.gateway.certified import standing
from tierwise.gateway.facts import Facts
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.overlay import Canary, Shadow
from tierwise.gateway.workflow import Workflow
from tierwise.registry.probed import Probed


class EndpointStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint. `unusable` says why it cannot be asked; `engine` how its engine is, where it is one of ours."""

    name: str
    kind: str
    tier: Tier
    url: str
    wires: tuple[str, ...]
    unusable: str | None
    engine: str | None


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One model.

    `resting_s`: for so long it is not asked, because it failed; `latency_ms` is what its answers take on average,
    `capacity` how busy its server is. `context_tokens` is what may be relied upon, `stated_tokens` what its row says
    where that is more; `lacks` says what else its row promises and a probe did not see. `own` is what it costs on a
    machine of one's own, `file` what an engine of ours reads.
    """

    id: str
    endpoint: str
    served_name: str
    tier: Tier
    tasks: tuple[str, ...]
    capabilities: tuple[str, ...]
    context_tokens: int | None
    price: Price | None
    strength: float | None
    latency_ms: float | None
    capacity: CapacityRecord | None
    resting_s: float
    probed: float | None
    own: Price | None
    stated_tokens: int | None
    lacks: dict[Capability, str]
    probe: Probed | None
    file: str | None


class BudgetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One budget in its window now, in US dollars."""

    scope: str
    window: str
    limit_usd: Decimal
    left_usd: Decimal
    reserved_usd: Decimal


class TrialStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A model on trial, and in which share of the calls."""

    model: str
    share: Decimal


class WorkflowStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow as it is in force, by `release` (None: as the file says), and what is on trial in it.

    `void` says why its certificate does not count. The rest is what its evaluation asks.
    """

    name: str
    candidates: tuple[str, ...]
    baseline: str | None
    strategy: str
    environment: str | None
    label: str | None
    certificate: str | None
    void: tuple[str, ...]
    release: int | None
    first: str | None
    canary: TrialStatus | None
    shadow: TrialStatus | None
    trusted: tuple[str, ...]
    on_gate_failure: str
    data: str | None
    prompt: str | None
    scorer: str | None
    judge: str | None
    criteria: Criteria | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. `ts` is Unix seconds; `policy`, `registry` and `prices` are digests, as each record names them."""

    ts: float
    policy: str
    registry: str
    prices: str
    preset: str
    endpoints: tuple[EndpointStatus, ...]
    models: tuple[ModelStatus, ...]
    workflows: tuple[WorkflowStatus, ...]
    budgets: tuple[BudgetStatus, ...]


Engines = Mapping[str, Any]


def _model(
    one: Model, endpoint: Endpoint, probe: Probed | None, busy: CapacityRecord | None, facts: Facts, now: float
) -> ModelStatus:
    return ModelStatus(
        id=one.id, endpoint=one.endpoint, served_name=one.served_name, tier=endpoint.tier, tasks=one.tasks,
        capabilities=tuple(sorted(one.capabilities)), context_tokens=one.context_tokens, price=one.price,
        strength=one.strength, latency_ms=facts.live.pace_ms(one.id), capacity=busy,
        resting_s=facts.resting_s(one.id, now), probed=None if probe is None else probe.ts,
        own=None if one.own is None else one.own.full, stated_tokens=one.stated_tokens, lacks=one.lacks, probe=probe,
        file=None if endpoint.engine is None else PurePath(endpoint.engine.file).name,
    )  # fmt: skip


def status(gateway: Gateway, engines: Engines) -> Status:
    """Look at all of it. `engines` have a `state` and a `reason`, by the endpoint's name."""
    rules, facts = gateway.rules, gateway.facts
    now, catalog, busy = facts.clock(), rules.catalog, facts.live.known(time.monotonic())
    return Status(
        ts=now,
        policy=rules.policy.digest,
        registry=catalog.digest,
        prices=catalog.price_digest,
        preset=rules.labels.preset,
        endpoints=tuple(
            EndpointStatus(
                name=one.name, kind=one.kind, tier=one.tier, url=one.url, wires=tuple(one.wires),
                unusable=catalog.unusable.get(one.name),
                engine=None if (engine := engines.get(one.name)) is None else f"{engine.state} {engine.reason}".strip(),
            )
            for one in catalog.endpoints.values()
        ),
        models=tuple(
            _model(one, catalog.endpoints[one.endpoint], catalog.probes.get(one.id), busy.get(one.id), facts, now)
            for one in catalog.models.values()
        ),
        workflows=tuple(_workflow(one, gateway, now) for one in rules.workflows.values()),
        budgets=tuple(
            BudgetStatus(
                scope=one.budget.scope, window=one.budget.window, limit_usd=one.budget.limit_usd,
                left_usd=one.left(now), reserved_usd=one.reserved,
            )
            for one in facts.accounts
        ),
    )  # fmt: skip


def _workflow(one: Workflow, gateway: Gateway, now: float) -> WorkflowStatus:
    rules, drifted = gateway.rules, gateway.facts.drifted
    rollout, stands = rules.rollouts.get(one.name), standing(one, rules.certified.get(one.name), now, drifted)
    overlay = None if rollout is None else rollout.overlay
    return WorkflowStatus(
        name=one.name, candidates=one.candidates, baseline=one.baseline, strategy=one.strategy,
        environment=one.environment, label=None if one.label is None else one.label.value,
        certificate=one.certificate, void=() if stands is None else stands.record.void,
        release=None if rollout is None else rollout.number,
        first=None if overlay is None else overlay.first,
        canary=None if overlay is None else _trial(overlay.canary),
        shadow=None if overlay is None else _trial(overlay.shadow),
        trusted=one.trusted, on_gate_failure=one.on_gate_failure, data=one.data, prompt=one.prompt,
        scorer=one.scorer, judge=one.judge, criteria=one.criteria,
    )  # fmt: skip


def _trial(one: Canary | Shadow | None) -> TrialStatus | None:
    return None if one is None else TrialStatus(model=one.model, share=one.share)
