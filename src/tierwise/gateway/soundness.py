"""Can this configuration be taken as it stands? What it says is judged beforehand, for every label, workflow and key.

A rule can only deny and a ceiling cannot widen, so what can leak is a tier that says too near. Sends nothing.
Invariant: what is refused here names the way that a call would take; what is only doubtful is `doubts`, for the doctor.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.grant import Grant
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint
from tierwise.gateway.rules import Rules
from tierwise.gateway.workflow import Workflow
from tierwise.policy.judge import Target
from tierwise.policy.settings import Rule, ceilings, listed
from tierwise.registry.kinds import kinds
from tierwise.registry.load import nearest
from tierwise.registry.place import claim, outside


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """Something that leaks nothing and may still not be meant. `well`: it can be left as it is."""

    what: str
    detail: str
    mend: str = ""
    well: bool = False


def refuse(rules: Rules, written: Sequence[Rule]) -> None:
    """Raise ConfigError for a rule that names what does not exist, or a tier that keeps not what it promises."""
    for number, rule in enumerate(written, 1):
        _names(rules, rule, f"rule {rule.name or number!r}")
    for endpoint in rules.catalog.endpoints.values():
        _place(rules, endpoint, written)


def _names(rules: Rules, rule: Rule, called: str) -> None:
    """A rule that names nothing that exists never applies: what was to be forbidden would be allowed."""
    when = rule.when
    known = {
        "endpoint": rules.catalog.endpoints.keys(),
        "model": rules.catalog.models.keys(),
        "kind": kinds().keys(),
        "workflow": rules.workflows.keys(),
        "workflow_not": rules.workflows.keys(),
    }
    for key, names in known.items():
        for name in listed(getattr(when, key)):
            if name not in names:
                raise ConfigError(
                    f"{called}: when.{key} names {name!r}, which does not exist{nearest(name, names)}",
                    key=f"rule.{rule.name}.when.{key}",
                )


def _place(rules: Rules, endpoint: Endpoint, written: Sequence[Rule]) -> None:
    models = tuple(model for model in rules.catalog.models.values() if model.endpoint == endpoint.name)
    for model in (None, *models):
        really = outside(endpoint, () if model is None else (model,))
        if not really:
            continue
        reached = models if model is None else (model,)
        way = _way(rules, [Target(endpoint, one) for one in reached], written)
        told = " → ".join((*way, f"endpoint {endpoint.name} (tier {endpoint.tier})", really)) if way else really
        raise ConfigError(
            f'endpoint {endpoint.name!r} says tier = "{endpoint.tier}", but what it gets leaves for an outside API: '
            f'{told}; write tier = "frontier"' + (f", or take out the model {model.id!r}" if model else ""),
            key="endpoint.tier",
        )


def _way(rules: Rules, targets: Sequence[Target], written: Sequence[Rule]) -> tuple[str, ...]:
    """Return how the most sensitive call that must not go outside would get there; empty where none would."""
    reach = ceilings(rules.labels)
    keys = (None, *dict.fromkeys(key for rule in written for key in listed(rule.when.key)))
    for label in reversed(Label):
        if reach[label] is Tier.FRONTIER:
            continue
        for workflow, key in itertools.product((None, *rules.workflows), keys):
            for target, verdict in zip(targets, rules.policy.judge(label, workflow, key, targets), strict=True):
                if verdict.allowed:
                    called = [f"workflow {workflow}" if workflow else "any workflow", *([f"key {key}"] if key else [])]
                    stays = f"ceiling {reach[label]}, and no rule denies it"
                    return (f"label {label}", *called, stays, f"model {target.model.id}")
    return ()


def doubts(rules: Rules, written: Sequence[Rule], keys: Sequence[str]) -> Iterator[Doubt]:
    """Return what may not be meant; `keys` are the names of all keys that there are."""
    for workflow in rules.workflows.values():
        yield from _unserved(rules, workflow)
    for number, rule in enumerate(written, 1):
        for key in listed(rule.when.key):
            if key not in keys:
                detail = f"names the key {key!r}, which does not exist{nearest(key, keys)}: so far it never applies"
                yield Doubt(what=f"rule {rule.name or number}", detail=detail, mend="correct it, or make the key")
    for endpoint in rules.catalog.endpoints.values():
        if host := claim(endpoint):
            detail = f'tier = "self_hosted" is only a claim: nothing here can tell that {host} is yours'
            yield Doubt(what=f"tier of {endpoint.name}", detail=detail, well=True)


def idle(rules: Rules, scopes: Iterable[tuple[str, str]], grants: Sequence[Grant]) -> Iterator[Doubt]:
    """Return what counts for nobody: limits and budgets (what, scope) of nothing, keys whose models do not exist."""
    known = {
        "workflow": list(rules.workflows),
        "key": [grant.name for grant in grants],
        "team": [grant.team for grant in grants if grant.team],
    }
    for what, scope in scopes:
        kind, _, name = scope.partition(":")
        if kind in known and name not in known[kind]:
            detail = f"so far it bounds nobody: there is no {kind} {name!r}{nearest(name, known[kind])}"
            yield Doubt(what=f"{what} on {scope}", detail=detail, mend=f"correct it, or make the {kind}")
    for grant in grants:
        for model in grant.models:
            if not any(fnmatchcase(one, model) for one in rules.catalog.models):
                detail = f"may use {model!r}, which no model is called{nearest(model, rules.catalog.models)}"
                yield Doubt(what=f"key {grant.name}", detail=detail, mend="make another key, or the model")


def _unserved(rules: Rules, workflow: Workflow) -> Iterator[Doubt]:
    """Name the models of a workflow that policy always keeps from it: its label never falls below its own."""
    catalog, label = rules.catalog, workflow.label or Label.PUBLIC
    named = dict.fromkeys((*workflow.candidates, *workflow.trusted, *workflow.weights))
    general = (model for model in catalog.models.values() if not model.tasks or workflow.knows in model.tasks)
    models = [catalog.models[name] for name in named] or list(general)
    targets = [Target(catalog.endpoints[model.endpoint], model) for model in models]
    verdicts = rules.policy.judge(label, workflow.name, None, targets)
    denied = {t.model.id: v for t, v in zip(targets, verdicts, strict=True) if not v.allowed}
    what = f"workflow {workflow.name}"
    if denied and len(denied) == len(models):
        told = "; ".join(f"{model}: {verdict.reason} [{verdict.rule}]" for model, verdict in list(denied.items())[:8])
        mend = "every call is refused; change its label, its candidates or one of these rules, unless that is meant"
        yield Doubt(what=what, detail=f"at {label} and above policy allows none of its models: {told}", mend=mend)
        return
    for model in named:
        if model in denied:
            detail = f"{model} is never asked at {label} and above: {denied[model].reason} [{denied[model].rule}]"
            yield Doubt(what=what, detail=detail, mend=f"take {model} out of it, or change its label or the rule")
    baseline = catalog.models[workflow.baseline] if workflow.baseline else None
    if baseline is not None and baseline.id not in named:
        target = Target(catalog.endpoints[baseline.endpoint], baseline)
        (verdict,) = rules.policy.judge(label, workflow.name, None, [target])
        if not verdict.allowed:
            detail = f"its baseline {baseline.id} only prices calls, and can never be asked: {verdict.reason}"
            yield Doubt(what=what, detail=detail, well=True)
