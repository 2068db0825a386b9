"""Who may serve this call, and under which duties? The one judgement, asked of a resolved target on every hop.

Does not know health, price, capability or tasks: those are the router's. No I/O, no clock, no state.
Invariant: monotone. A rule added can only deny more or add duties; nothing here can permit what the ceiling denies.
"""

import hashlib
from collections.abc import Callable, Sequence

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.patterns import DETECTORS
from tierwise.policy.settings import LabelSettings, Rule, When, ceilings


class Target(msgspec.Struct, frozen=True):
    """What would receive the call."""

    endpoint: Endpoint
    model: Model


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`rule` names what denied (`ceiling:restricted`, `rule:NAME`), `reason` says it to people. `requires_all` names
    the rule under which the target must be able to express everything that the caller asks."""

    allowed: bool
    rule: str | None = None
    requires_all: str | None = None
    reason: str = ""
    obligations: tuple[str, ...] = ()


class _Asked(msgspec.Struct, frozen=True):
    """The call as rules see it, beside the target."""

    workflow: str | None
    key_id: str | None
    endpoint: Endpoint
    model: Model


Condition = Callable[[_Asked], bool]


class _Compiled(msgspec.Struct, frozen=True):
    rule: str
    conditions: tuple[Condition, ...]
    deny: bool
    requires_all: bool
    reason: str
    obligations: tuple[str, ...]


_WHERE = {Tier.LOCAL: "on this machine", Tier.SELF_HOSTED: "on servers that you run", Tier.FRONTIER: "anywhere"}
_ALLOWED = Judgement(allowed=True)


class Policy:
    """Label ceilings and rules, compiled. `digest` names exactly this policy, built-in detectors included.

    `requires_all` is true if any rule asks that nothing be lost; where it is false no judgement will.
    """

    def __init__(self, labels: LabelSettings, rules: Sequence[Rule] = ()) -> None:
        """Raise ConfigError for ceilings that loosen, two rules of one name, or a rule that does nothing."""
        reach = ceilings(labels)
        self._ceiling = {
            (label, tier): Judgement(
                allowed=False,
                rule=f"ceiling:{label}",
                reason=f"{label} data stays {_WHERE[reach[label]]}; {{endpoint}} is {tier}",
            )
            for label in Label
            for tier in Tier
            if tier.rank > reach[label].rank
        }
        compiled = _compile(rules)
        self._rules = {
            label: tuple(ready for ready, least in compiled if least is None or label.rank >= least.rank)
            for label in Label
        }
        self.requires_all = any(ready.requires_all for ready, _ in compiled)
        self.digest = _digest(labels, rules)

    def judge(self, label: Label, workflow: str | None, key_id: str | None, target: Target) -> Judgement:
        """Judge one resolved target. The ceiling comes first, then the rules in order; the first denial ends it."""
        endpoint = target.endpoint
        denied = self._ceiling.get((label, endpoint.tier))
        if denied is not None:
            return msgspec.structs.replace(denied, reason=denied.reason.format(endpoint=endpoint.name))
        rules = self._rules[label]
        if not rules:
            return _ALLOWED
        asked = _Asked(workflow, key_id, endpoint, target.model)
        duties: dict[str, None] = {}
        requires_all: str | None = None
        for rule in rules:
            if all(condition(asked) for condition in rule.conditions):
                if rule.deny:
                    return Judgement(allowed=False, rule=rule.rule, reason=rule.reason)
                duties.update(dict.fromkeys(rule.obligations))
                requires_all = requires_all or (rule.rule if rule.requires_all else None)
        if not duties and requires_all is None:
            return _ALLOWED
        return Judgement(allowed=True, obligations=tuple(duties), requires_all=requires_all)


def _compile(rules: Sequence[Rule]) -> list[tuple[_Compiled, Label | None]]:
    compiled = []
    names: set[str] = set()
    for number, rule in enumerate(rules, 1):
        name = rule.name or str(number)
        if name in names:
            raise ConfigError(f'two rules are called "{name}"', key=f"rule.{number}.name")
        if not rule.then.deny and not rule.then.obligations and rule.then.require is None:
            raise ConfigError(
                f'rule "{name}" does nothing: then needs deny = true, require = "all" or obligations',
                key=f"rule.{number}.then",
            )
        names.add(name)
        reason = rule.reason or f'denied by rule "{name}"'
        conditions = _conditions(rule.when)
        then = rule.then
        ready = _Compiled(f"rule:{name}", conditions, then.deny, then.require == "all", reason, then.obligations)
        compiled.append((ready, rule.when.label))
    return compiled


def _conditions(when: When) -> tuple[Condition, ...]:
    """Return the conditions other than the label, those about the call first."""
    found: list[Condition] = []
    if when.workflow is not None:
        found.append(_one_of(when.workflow, lambda asked: asked.workflow))
    if when.workflow_not is not None:
        found.append(_negated(_one_of(when.workflow_not, lambda asked: asked.workflow)))
    if when.key is not None:
        found.append(_one_of(when.key, lambda asked: asked.key_id))
    if when.tier is not None:
        found.append(_one_of(when.tier, lambda asked: asked.endpoint.tier))
    if when.endpoint is not None:
        found.append(_one_of(when.endpoint, lambda asked: asked.endpoint.name))
    if when.kind is not None:
        found.append(_one_of(when.kind, lambda asked: asked.endpoint.kind))
    if when.model is not None:
        found.append(_one_of(when.model, lambda asked: asked.model.id))
    return tuple(found) + _facts(when)


def _facts(when: When) -> tuple[Condition, ...]:
    """Return the conditions on what an endpoint states about itself; a silent outside endpoint matches each."""
    found: list[Condition] = []
    if when.region is not None:
        among = _one_of(when.region, lambda asked: asked.endpoint.region)
        found.append(lambda asked: _silent(asked, asked.endpoint.region) or among(asked))
    if when.region_not is not None:
        found.append(_outside(when.region_not, lambda asked: asked.endpoint.region))
    if when.agreement_not is not None:
        found.append(_outside(when.agreement_not, lambda asked: asked.endpoint.agreement))
    if when.trains_on_data is not None:
        wanted = when.trains_on_data
        found.append(
            lambda asked: _silent(asked, asked.endpoint.trains_on_data) or asked.endpoint.trains_on_data is wanted
        )
    if when.retention_over_days is not None:
        days = when.retention_over_days
        found.append(
            lambda asked: (
                _silent(asked, asked.endpoint.retention_days)
                or (asked.endpoint.retention_days is not None and asked.endpoint.retention_days > days)
            )
        )
    return tuple(found)


def _silent(asked: _Asked, fact: object) -> bool:
    return fact is None and asked.endpoint.tier is not Tier.LOCAL


def _outside(names: str | tuple[str, ...], read: Callable[[_Asked], str | None]) -> Condition:
    within = _one_of(names, read)
    return lambda asked: not within(asked) and not (read(asked) is None and asked.endpoint.tier is Tier.LOCAL)


def _one_of(names: str | tuple[str, ...], read: Callable[[_Asked], str | None]) -> Condition:
    wanted = frozenset((names,) if isinstance(names, str) else names)
    return lambda asked: read(asked) in wanted


def _negated(condition: Condition) -> Condition:
    return lambda asked: not condition(asked)


def _digest(labels: LabelSettings, rules: Sequence[Rule]) -> str:
    built_in = [(row.name, row.label, row.hint, row.pattern) for row in DETECTORS]
    canonical = msgspec.json.encode([labels, list(rules), built_in], order="sorted")
    return "sha256:" + hashlib.sha256(canonical).hexdigest()
