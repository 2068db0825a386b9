"""Who may serve this call, who is tried first, and why not the others? The decision, before anything is sent.

Pure but for reading `Facts`: `handle`, the dry run and the replay all decide here.
Invariant: every model looked at appears in the record with its fate; the same ask and snapshot give the same ruling.
"""

import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tierwise.core.call import Features, Hints
from tierwise.core.decision import CandidateRecord, Decision, Labelled, RuleRecord
from tierwise.core.errors import BudgetExceeded, InvalidCall, NoCandidate, PolicyDenied, TierwiseError
from tierwise.core.grant import Grant
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.core.rollout import RolloutRecord
from tierwise.economics.budget import Account
from tierwise.gateway.canary import NAME, Caller, Tried, tried
from tierwise.gateway.candidates import LEAST_OUTPUT_TOKENS, candidates, needed, proven
from tierwise.gateway.certified import Standing, standing
from tierwise.gateway.facts import Facts
from tierwise.gateway.masking import DUTY
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.policy.granted import granted
from tierwise.policy.judge import Judgement, Target
from tierwise.router.candidate import Candidate, Held, Need
from tierwise.router.choose import Choice, Strategy, choose
from tierwise.router.eligible import Exclusion
from tierwise.router.strategies import Order, certain

AUTO = "auto"
ZERO = Decimal(0)
ALONE = "no_fallback"
"""The duty under which a target is asked first and alone, or not at all: nothing falls back from it or to it."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A call as the decision sees it: without content. `now` is monotonic, `ts` Unix time, both in seconds.

    `maker` is the model whose tool calls this call answers; `held` says who holds the session,
    `copy` whose shadow it is,
    `losses` what an endpoint could not be told, `unmaskable` why it cannot be sent the call with placeholders.
    """

    id: str
    ts: float
    now: float
    model: str
    wire: str
    features: Features
    hints: Hints = Hints()
    key_id: str | None = None
    grant: Grant | None = None
    maker: str | None = None
    held: Held | None = None
    copy: RolloutRecord | None = None
    losses: Callable[[Endpoint, Model], tuple[str, ...]] = lambda _endpoint, _model: ()
    unmaskable: Callable[[Endpoint], str] = lambda _endpoint: ""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One resolved target in the order of trial; `reserve_usd` is set aside before it is asked."""

    model: Model
    endpoint: Endpoint
    reserve_usd: Decimal = ZERO
    obligations: tuple[str, ...] = ()


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The order of trial and the record so far; `refusal` instead where nothing may serve the call."""

    hops: tuple[Hop, ...]
    decision: Decision
    workflow: Workflow | None = None
    accounts: tuple[Account, ...] = ()
    refusal: TierwiseError | None = None


class Pool(msgspec.Struct, frozen=True, kw_only=True):
    """The models that a call's `model` stands for. A pinned model has no fallback."""

    models: tuple[Model, ...]
    workflow: Workflow | None = None
    pinned: bool = False


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """The candidates and their order, before they are told; `workflow` as its certificate has it, if it names one."""

    looked_at: tuple[Candidate, ...]
    choice: Choice
    need: Need
    accounts: tuple[Account, ...]
    strategy: Strategy
    workflow: Workflow | None
    standing: Standing | None
    rollout: RolloutRecord | None = None
    chances: dict[str, float] = {}


def resolve(rules: Rules, ask: Ask) -> Pool:
    """Turn the caller's `model` and hints into a pool, or raise InvalidCall for a name that does not exist."""
    catalog = rules.catalog.models
    name, workflow = ask.model, _workflow(rules, ask)
    if name == AUTO or name.startswith(AUTO + ":") or (workflow is not None and workflow.claims(name, None)):
        if workflow is not None and workflow.candidates:
            rollout = rules.rollouts.get(workflow.name)
            canary = None if rollout is None else rollout.overlay.canary
            named = dict.fromkeys((*workflow.candidates, *(() if canary is None else (canary.model,))))
            return Pool(models=tuple(catalog[m] for m in named), workflow=workflow)
        return Pool(models=tuple(catalog.values()), workflow=workflow)
    if name.startswith("tier:"):
        tier = name.removeprefix("tier:")
        if tier not in tuple(Tier):
            raise InvalidCall(
                f"there is no tier {tier!r}; there are {', '.join(Tier)}",
                param="model",
                code="model_not_found",
                status=404,
            )
        inside = (m for m in catalog.values() if rules.catalog.endpoints[m.endpoint].tier == tier)
        return Pool(models=tuple(inside), workflow=workflow)
    model = catalog.get(name)
    if model is None:
        raise InvalidCall(
            f"there is no model {name!r}; GET /v1/models lists them, and 'auto' lets Tierwise choose",
            param="model", code="model_not_found", status=404,
        )  # fmt: skip
    # Naming a scoped model is asking for its task, so its workflow's gates and label apply.
    return Pool(models=(model,), workflow=workflow or rules.workflow_of(model), pinned=True)


def _workflow(rules: Rules, ask: Ask) -> Workflow | None:
    named = ask.model.removeprefix(AUTO + ":") if ask.model.startswith(AUTO + ":") else ask.hints.workflow
    if ask.hints.workflow not in (None, named):
        raise InvalidCall(
            f"the model names the workflow {named!r}, the hint {ask.hints.workflow!r}: one call belongs to one",
            param="x-tierwise-workflow", code="bad_hint",
        )  # fmt: skip
    if named is not None:
        found = rules.workflows.get(named)
        if found is None:
            known = ", ".join(sorted(rules.workflows)) or "none"
            raise InvalidCall(
                f"there is no workflow {named!r}; configured: {known}",
                param="model" if ask.model.startswith(AUTO + ":") else "x-tierwise-workflow",
                code="workflow_not_found", status=404 if ask.model.startswith(AUTO + ":") else 400,
            )  # fmt: skip
        return found
    return next((w for w in rules.workflows.values() if w.claims(ask.model, ask.key_id)), None)


def decide(rules: Rules, facts: Facts, ask: Ask, pool: Pool, label: Labelled) -> Ruling:
    """Judge and order the pool. An empty order comes back as a refusal, not as an exception."""
    targets = _targets(rules, pool)
    name, judged = pool.workflow.name if pool.workflow else None, judged_all(rules, ask, pool, label.value)
    weighed = weigh(rules, facts, ask, pool, judged)
    choice = weighed.choice
    hops = _hops(rules, choice.order.candidates, judged, pinned=pool.pinned)
    decision = Decision(
        id=ask.id,
        ts=ask.ts,
        requested_model=ask.model,
        caller_wire=ask.wire,
        features=ask.features,
        label=label,
        candidates=_records(weighed, judged, rules.policy.explain(label.value, name, ask.key_id, targets)),
        workflow=name,
        session=ask.hints.session,
        key_id=ask.key_id,
        team=ask.grant.team if ask.grant else None,
        strategy="pinned" if pool.pinned else weighed.strategy,
        policy_digest=rules.policy.digest,
        price_digest=rules.catalog.price_digest,
        registry_digest=rules.catalog.digest,
        chosen=hops[0].model.id if hops else None,
        reason=choice.order.reason,
        obligations=hops[0].obligations if hops else (),
        certificate=weighed.standing.record if weighed.standing else msgspec.UNSET,
        rollout=ask.copy or weighed.rollout or msgspec.UNSET,
        latency_target_ms=msgspec.UNSET if weighed.need.latency_ms is None else weighed.need.latency_ms,
    )
    refusal = None if hops else _refusal(decision, weighed.need, weighed.accounts)
    return Ruling(hops=hops, decision=decision, workflow=weighed.workflow, accounts=weighed.accounts, refusal=refusal)


def judged_all(rules: Rules, ask: Ask, pool: Pool, label: Label) -> dict[str, Judgement]:
    """Return the judgement of each model: policy, then what the caller's key and this call allow."""
    name, targets, judged = pool.workflow.name if pool.workflow else None, _targets(rules, pool), {}
    for target, verdict in zip(targets, rules.policy.judge(label, name, ask.key_id, targets), strict=True):
        found = granted(verdict, ask.grant, label, target)
        found = _demanding(found, ask, target) if found.requires_all else found
        judged[target.model.id] = _masking(found, ask, target.endpoint) if DUTY in found.obligations else found
    return judged


def _targets(rules: Rules, pool: Pool) -> list[Target]:
    return [Target(rules.catalog.endpoints[model.endpoint], model) for model in pool.models]


def weigh(rules: Rules, facts: Facts, ask: Ask, pool: Pool, judged: dict[str, Judgement]) -> Weighed:
    """Order what policy permits."""
    known = rules.certified.get(pool.workflow.name) if pool.workflow else None
    stands = standing(pool.workflow, known, ask.ts, facts.drifted)
    workflow = pool.workflow if stands is None or pool.workflow is None else stands.applied(pool.workflow)
    team = ask.grant.team if ask.grant else None
    accounts = facts.accounts_for(workflow.name if workflow else None, ask.key_id, team)
    holder = _holder(rules, ask, pool)
    left = facts.money_left(accounts, ask.ts) if accounts else None
    need = _need(ask, workflow, accounts, left, holder.endpoint if holder else None)
    looked_at = proven(candidates(rules, facts, pool.models, ask.features, workflow, ask.now, ask.held), stands)
    permitted = [c for c in looked_at if judged[c.model].allowed]
    strategy = workflow.strategy if workflow else rules.default_strategy
    draw = zlib.crc32(ask.id.encode()) / 2**32
    rollout = rules.rollouts.get(workflow.name) if workflow and not pool.pinned else None
    if rollout is None:
        found = Tried(choice=choose(strategy, permitted, need, draw))
    else:
        caller = Caller(id=ask.id, key_id=ask.key_id, session=ask.hints.session)
        found = tried(rollout, strategy, permitted, need, draw, caller)
    choice = msgspec.structs.replace(found.choice, order=_bound(found.choice.order, pool, holder))
    return Weighed(
        looked_at=looked_at,
        choice=choice,
        need=need,
        accounts=accounts,
        strategy=strategy,
        workflow=workflow,
        standing=stands,
        rollout=found.record,
        chances=found.chances,
    )


def _holder(rules: Rules, ask: Ask, pool: Pool) -> Model | None:
    """Return the model that an open tool loop stays with, where it still exists among those asked for."""
    maker = rules.catalog.models.get(ask.maker) if ask.maker else None
    if maker is None or pool.pinned or not any(model.endpoint == maker.endpoint for model in pool.models):
        return None
    return maker


def _demanding(verdict: Judgement, ask: Ask, target: Target) -> Judgement:
    """Deny an endpoint that could not be told everything, where a rule demands that."""
    lost = ask.losses(target.endpoint, target.model) if verdict.allowed else ()
    return verdict.denied(verdict.requires_all or "", f"cannot be told {', '.join(lost[:8])}") if lost else verdict


def _bound(order: Order, pool: Pool, holder: Model | None) -> Order:
    """Return the order as it is where there is no choice: the caller named the model, or a tool loop stays with one."""
    if not order.candidates or (holder is None and not pool.pinned):
        return order
    if holder is None:
        return msgspec.structs.replace(order, reason="named by the caller")
    ordered = sorted(order.candidates, key=lambda c: c.model != holder.id)
    return certain(ordered, f"continues the tool loop of {holder.id}")


def _masking(verdict: Judgement, ask: Ask, endpoint: Endpoint) -> Judgement:
    """Deny an endpoint that must get placeholders, where something in the call cannot be replaced."""
    problem = ask.unmaskable(endpoint) if verdict.allowed else ""
    return verdict.denied(DUTY, problem) if problem else verdict


def _need(
    ask: Ask, workflow: Workflow | None, accounts: Sequence[Account], left: Decimal | None, endpoint: str | None
) -> Need:
    limits = [
        limit for limit in (ask.hints.max_cost_usd, workflow.max_cost_usd if workflow else None) if limit is not None
    ]
    floors = [floor for floor in (ask.hints.quality, workflow.min_quality if workflow else None) if floor is not None]
    targets = [ms for ms in (ask.hints.latency_ms, workflow.latency_ms if workflow else None) if ms is not None]
    return Need(
        tasks=(workflow.knows,) if workflow else (),
        capabilities=needed(ask.features),
        output_tokens=ask.features.max_output_tokens or LEAST_OUTPUT_TOKENS,
        min_quality=max(floors, default=None),
        max_cost_usd=min(limits, default=None),
        money_left_usd=left,
        frugal=any(account.over_soft_limit() for account in accounts),
        spent_out=any(a.budget.on_limit == "reject" and a.left(ask.ts) <= 0 for a in accounts),
        latency_ms=min(targets, default=None),
        endpoint=endpoint,
        held=ask.held.model if ask.held else None,
        bound=ask.held is not None and ask.held.bound,
    )


def _hops(rules: Rules, order: Sequence[Candidate], judged: dict[str, Judgement], *, pinned: bool) -> tuple[Hop, ...]:
    hops = tuple(
        Hop(
            model=rules.catalog.models[c.model],
            endpoint=rules.catalog.endpoints[c.endpoint],
            reserve_usd=c.worst_cost_usd or ZERO,
            obligations=judged[c.model].obligations,
        )
        for c in order
    )
    if pinned or (hops and ALONE in hops[0].obligations):
        return hops[:1]
    return tuple(hop for hop in hops if ALONE not in hop.obligations)


def _records(
    weighed: Weighed, judged: dict[str, Judgement], applied: Sequence[tuple[RuleRecord, ...]]
) -> tuple[CandidateRecord, ...]:
    choice = weighed.choice
    places = {c.model: place for place, c in enumerate(choice.order.candidates)}
    found = []
    for candidate, policy in zip(weighed.looked_at, applied, strict=True):
        judgement = judged[candidate.model]
        record = _record(candidate, judgement, choice, places.get(candidate.model))
        if record.probability is None and candidate.model in weighed.chances:
            record = msgspec.structs.replace(record, probability=weighed.chances[candidate.model])
        rules = (*policy, *judgement.beside)
        found.append(msgspec.structs.replace(record, rules=rules) if rules else record)
    return tuple(found)


def _record(candidate: Candidate, judgement: Judgement, choice: Choice, place: int | None) -> CandidateRecord:
    why: Exclusion | None = choice.excluded.get(candidate.model)
    excluded_by = why.by if why else judgement.rule
    reason = why.reason if why else judgement.reason
    if place is not None:
        reason = choice.order.reason if place == 0 else f"not asked after another: {ALONE}"
        if place and ALONE not in judgement.obligations:
            reason = "next in the order of trial"
    return CandidateRecord(
        model=candidate.model,
        endpoint=candidate.endpoint,
        tier=candidate.tier,
        allowed=place is not None,
        excluded_by=None if place is not None else excluded_by,
        reason=reason,
        score=None if place is None else float(place),
        expected_cost_usd=candidate.cost_usd,
        own=msgspec.UNSET if candidate.metered or candidate.cost_usd is None else True,
        expected_quality=candidate.quality,
        expected_latency_ms=candidate.latency_ms,
        capacity=candidate.capacity or msgspec.UNSET,
        probability=None if place is None else choice.order.probabilities[place],
    )


# Which exclusion explains an empty order best: the one that came nearest to an answer.
_NEAREST = ("health", "budget", "price_unknown", "context", "capability", "policy", "tool_loop", "tasks", NAME)


def _refusal(decision: Decision, need: Need, accounts: Sequence[Account]) -> TierwiseError:
    causes = {_cause(c): c for c in reversed(decision.candidates)}
    reasons = [f"{c.model} ({c.tier}): {c.reason} [{c.excluded_by}]" for c in decision.candidates]
    cause = next((name for name in _NEAREST if name in causes), "nothing")
    told = "; ".join(reasons[:8])
    match cause:
        case "policy":
            rule = causes["policy"].excluded_by or "policy"
            return PolicyDenied(
                f"policy allows no model for this call, labelled {decision.label.value}: {told}",
                rule=rule,
                reasons=reasons,
            )
        case "budget":
            spent = sum((a.spent + a.reserved for a in accounts), ZERO)
            limit = min((a.budget.limit_usd for a in accounts), default=need.max_cost_usd or ZERO)
            return BudgetExceeded(
                f"no model fits the money that is left: {told}", limit=f"{limit}", spent=f"{spent}", estimate=""
            )
        case "tasks" | "canary" | "nothing":
            mend = "connect Ollama, set a key and start with --frontier, or name a GGUF file: see `tierwise init`"
            return NoCandidate(
                f"no general model is available here: {mend}" + (f" ({told})" if told else ""),
                cause="nothing",
                reasons=reasons,
            )
        case _:
            if cause == "health" and "policy" in causes:
                cause = "compliance"
            return NoCandidate(f"no model can serve this call: {told}", cause=cause, reasons=reasons)


def _cause(candidate: CandidateRecord) -> str:
    by = candidate.excluded_by or ""
    return by if by in _NEAREST else "policy"
