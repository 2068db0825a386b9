"""Who may serve a call? The grammar of `[labels]` and `[[rule]]` as its documentation says it, one sentence at a time.

Shares nothing with `tierwise.policy.judge`: no masks, no memory, one rule and one target after the other.
"""

from typing import Any, NamedTuple

from tierwise.core.model import Endpoint, Model
from tierwise.policy.settings import LabelSettings, Rule, When

LABELS = ["public", "internal", "confidential", "restricted"]
TIERS = ["local", "self_hosted", "frontier"]


class Call(NamedTuple):
    """The call as rules see it. `environment` is that of its workflow; None where it states none, or there is none."""

    label: str
    workflow: str | None = None
    key: str | None = None
    environment: str | None = None


class Verdict(NamedTuple):
    """What follows for one target. `applied` are all rules that applied, in their order, with their effects."""

    allowed: bool
    rule: str | None
    duties: frozenset[str]
    requires_all: str | None
    applied: tuple[tuple[str, tuple[str, ...]], ...]


def verdict(labels: LabelSettings, rules: list[Rule], call: Call, endpoint: Endpoint, model: Model) -> Verdict:
    """Judge one target."""
    denials, duties, demanding, applied = [], set(), [], []
    reach = farthest(labels, call.label)
    if TIERS.index(endpoint.tier) > TIERS.index(reach):
        denials.append(f"ceiling:{call.label}")
        applied.append((f"ceiling:{call.label}", ("deny",)))
    for number, rule in enumerate(rules, 1):
        if not applies(rule.when, call, endpoint, model):
            continue
        name = f"rule:{rule.name or number}"
        effects = []
        if rule.then.deny:
            effects.append("deny")
            denials.append(name)
        if rule.then.require == "all":
            effects.append("require_all")
            demanding.append(name)
        for duty in rule.then.obligations:
            effects.append(duty)
            duties.add(duty)
        applied.append((name, tuple(effects)))
    if denials:
        return Verdict(False, denials[0], frozenset(), None, tuple(applied))
    return Verdict(True, None, frozenset(duties), demanding[0] if demanding else None, tuple(applied))


def farthest(labels: LabelSettings, label: str) -> str:
    """By default public and internal may go anywhere, confidential to local and self_hosted, restricted to local only;
    private keeps internal inside too; what `ceilings` says of a label holds instead."""
    for given, tier in labels.ceilings.items():
        if given == label:
            return tier
    if label == "internal" and labels.preset == "private":
        return "self_hosted"
    return {"public": "frontier", "internal": "frontier", "confidential": "self_hosted", "restricted": "local"}[label]


def applies(when: When, call: Call, endpoint: Endpoint, model: Model) -> bool:
    """All conditions that are given must hold."""
    if when.label is not None and LABELS.index(call.label) < LABELS.index(when.label):
        return False
    for wanted, actual in (
        (when.workflow, call.workflow),
        (when.key, call.key),
        (when.tier, endpoint.tier),
        (when.endpoint, endpoint.name),
        (when.kind, endpoint.kind),
        (when.model, model.id),
    ):
        if wanted is not None and actual not in listed(wanted):
            return False
    if when.workflow_not is not None and call.workflow in listed(when.workflow_not):
        return False
    # A workflow that states no environment, and a call without a workflow, match.
    if when.workflow_environment is not None and call.environment not in (None, *listed(when.workflow_environment)):
        return False
    # A fact that an endpoint outside this machine does not state counts as matching; a local one's does not.
    unstated = endpoint.tier != "local"
    for wanted, fact in ((when.region, endpoint.region), (when.environment, endpoint.environment)):
        if wanted is not None and not (unstated if fact is None else fact in listed(wanted)):
            return False
    for unwanted, fact in (
        (when.region_not, endpoint.region),
        (when.agreement_not, endpoint.agreement),
        (when.sla_not, endpoint.sla),
        (when.environment_not, endpoint.environment),
    ):
        if unwanted is not None and not (unstated if fact is None else fact not in listed(unwanted)):
            return False
    trains, days = endpoint.trains_on_data, endpoint.retention_days
    if when.trains_on_data is not None and not (unstated if trains is None else trains is when.trains_on_data):
        return False
    most = when.retention_over_days
    return most is None or (unstated if days is None else days > most)


def listed(value: Any) -> list[Any]:
    """One name or several."""
    return list(value) if isinstance(value, tuple) else [value]
