"""How is a policy told to people? Rules as sentences, detectors with what they raise, and where each label may go.

Pure. Knows no page. Invariant: rules stand in the order in which they are judged, ceilings first.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from tierwise.core.label import Label, Tier
from tierwise.policy import national
from tierwise.policy.patterns import DETECTORS
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings, Rule, ceilings
from tierwise.web import words

WHERE = {
    Tier.LOCAL: "stays on this machine", Tier.SELF_HOSTED: "may go to servers that you run",
    Tier.FRONTIER: "may go anywhere",
}  # fmt: skip
KINDS = {
    "wider": "could go where they could not go before", "farther": "could go to a tier farther out",
    "refused": "would be refused", "served": "would be served instead of refused",
    "first": "would go elsewhere first", "allowed": "would have other models to choose from",
    "duties": "would be served under other duties",
}  # fmt: skip
WIDER = frozenset({"wider", "farther"})
"""Of these a person has to say that they are meant."""
_WHEN = {
    "label": "the data is {} or more sensitive",
    "workflow": "the call's workflow is {}",
    "workflow_not": "the call's workflow is not {}",
    "workflow_environment": "the call's workflow is in {}, or says nothing of it",
    "key": "the call's key is {}",
    "tier": "the endpoint is {}",
    "endpoint": "the endpoint is {}",
    "kind": "the endpoint's kind is {}",
    "model": "the model is {}",
    "region": "the endpoint is in {}",
    "region_not": "the endpoint is not known to be in {}",
    "agreement_not": "no agreement {} with the endpoint is stated",
    "sla_not": "no service level {} of the endpoint is stated",
    "environment": "the endpoint is one of {}",
    "environment_not": "the endpoint is not one of {}",
    "retention_over_days": "the endpoint may keep data for more than {} days",
}


class RuleRow(msgspec.Struct, frozen=True, kw_only=True):
    """A ceiling or rule: when it applies, what follows, and why. `denies` marks the stricter kind."""

    name: str
    when: tuple[str, ...]
    then: tuple[str, ...]
    reason: str = ""
    denies: bool = False
    ceiling: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A detector or pattern: what it looks for, and the label that a find raises the call to, empty where it is off."""

    name: str
    what: str
    label: str
    own: bool = False
    usual: str = ""


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint, with what policy says of each label there."""

    endpoint: str
    tier: str
    environment: str | None
    cells: dict[str, Mapping[str, Any]]


def rules(policy: Written) -> list[RuleRow]:
    """Return what is judged, in its order."""
    return [*_ceilings(policy.labels), *(_rule(number, one) for number, one in enumerate(policy.rule, 1))]


def _ceilings(labels: LabelSettings) -> Iterator[RuleRow]:
    for label, reach in ceilings(labels).items():
        if reach is not Tier.FRONTIER:
            then = (f"it {WHERE[reach]}",)
            yield RuleRow(
                name=f"ceiling of {label.value}",
                when=(f"the data is {label.value}",),
                then=then,
                denies=True,
                ceiling=True,
            )


def _rule(number: int, rule: Rule) -> RuleRow:
    given = {name: value for name, value in msgspec.to_builtins(rule.when).items() if value is not None}
    when = [_condition(name, value) for name, value in given.items()]
    then = ["not allowed"] if rule.then.deny else []
    then += [words.duty("require_all")] if rule.then.require else []
    then += map(words.duty, rule.then.obligations)
    return RuleRow(
        name=rule.name or str(number), when=tuple(when) or ("always",), then=tuple(then), reason=rule.reason,
        denies=rule.then.deny,
    )  # fmt: skip


def _condition(name: str, value: Any) -> str:
    if name == "trains_on_data":
        return "the endpoint may train on data" if value else "the endpoint may say that it does not train on data"
    said = " or ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return _WHEN[name].format(said)


def detectors(labels: LabelSettings) -> list[Found]:
    """Return what raises labels: patterns of this configuration first, what is off last."""
    found = [
        Found(name=name, what=f"the pattern {one.pattern}", label=one.label.value, own=True)
        for name, one in labels.patterns.items()
    ]
    for row in DETECTORS:
        usual = row.label.value if row.label is not None else "off"
        said = labels.detectors.get(row.name, usual)
        found.append(
            Found(
                name=row.name, what=row.why, label="" if said == "off" else said, usual="" if said == usual else usual
            )
        )
    if labels.identifiers:
        more = [labels.detectors.get(name, Label.CONFIDENTIAL.value) for name in sorted(national.NAMES)]
        found += [
            Found(name=name, what="a number of the extra for identifiers", label="" if said == "off" else said)
            for name, said in zip(sorted(national.NAMES), more, strict=True)
        ]
    return sorted(found, key=lambda one: (not one.label, not one.own, not one.usual))


def matrix(reach: Sequence[Mapping[str, Any]]) -> list[Column]:
    """Return the endpoints in their order, each with what policy says of every label."""
    columns: dict[str, Column] = {}
    for one in reach:
        column = columns.setdefault(
            one["endpoint"],
            Column(endpoint=one["endpoint"], tier=one["tier"], environment=one["environment"], cells={}),
        )
        column.cells[one["label"]] = one
    return list(columns.values())
