"""Who may serve this call, and under which duties? The one judgement, asked of resolved targets on every hop.

Does not know health, price, capability or tasks: those are the router's. No I/O, no clock; what it remembers is only
what would come out again: a rule is a bit, and a target and the rules that apply to it make a judgement.
Invariant: monotone. A rule added can only deny more or add duties; nothing here can permit what the ceiling denies.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import get_args

import msgspec

from tierwise.core.decision import RuleRecord
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Environment
from tierwise.policy.conditions import Condition, Target, on_target, written
from tierwise.policy.patterns import DETECTORS
from tierwise.policy.settings import LabelSettings, Names, Obligation, Rule, When, ceilings, listed

__all__ = ["Judgement", "Policy", "Target"]

MOST_SEATS, MOST_JUDGED = 512, 512
"""How many targets are remembered, and how many judgements of each."""

_WHERE = {Tier.LOCAL: "on this machine", Tier.SELF_HOSTED: "on servers that you run", Tier.FRONTIER: "anywhere"}
_VERDICTS = ("deny", "require_all")
_UNSAID = " (the workflow does not say)"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """`rule` names what denied first (`ceiling:restricted`, `rule:NAME`), `reason` says it to people. `requires_all`
    names the rule under which the target must be able to express everything that the caller asks. `obligations` stand
    in the order of `Obligation`; `beside` are the denials that are not policy's own."""

    allowed: bool
    rule: str | None = None
    requires_all: str | None = None
    reason: str = ""
    obligations: tuple[str, ...] = ()
    beside: tuple[RuleRecord, ...] = ()

    def denied(self, rule: str, reason: str) -> "Judgement":
        """Return the judgement with one more denial; what denied first stays what it is refused for."""
        beside = (*self.beside, RuleRecord(rule=rule, effects=("deny",), because=(reason,)))
        if not self.allowed:
            return msgspec.structs.replace(self, beside=beside)
        return msgspec.structs.replace(self, allowed=False, rule=rule, reason=reason, beside=beside)


class _Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """A ceiling or a rule. `when` is what it says of the call; `least` and `only` are its labels. `unsaid` marks the
    bit that is no rule: the call's workflow, if it has one, says no environment."""

    name: str
    effects: tuple[str, ...]
    reason: str
    when: When = When()
    least: Label = Label.PUBLIC
    only: Label | None = None
    on_target: tuple[Condition, ...] = ()
    unsaid: bool = False

    def of_label(self, label: Label) -> bool:
        return label is self.only if self.only is not None else label.rank >= self.least.rank

    def of_workflow(self, name: str | None, environment: Environment | None) -> bool:
        when = self.when
        if when.workflow is not None and name not in listed(when.workflow):
            return False
        if when.workflow_not is not None and name in listed(when.workflow_not):
            return False
        if environment is None:
            return True
        wanted = when.workflow_environment
        return not self.unsaid and (wanted is None or environment in listed(wanted))

    def of_key(self, key_id: str | None) -> bool:
        return self.when.key is None or key_id in listed(self.when.key)


_ALLOWED = Judgement(allowed=True)


class Policy:
    """Label ceilings and rules, compiled. `digest` names exactly this policy, built-in detectors included.

    `requires_all` is true if any rule asks that nothing be lost; where it is false no judgement will.
    """

    def __init__(
        self, labels: LabelSettings, rules: Sequence[Rule] = (), environments: Mapping[str, Environment] | None = None
    ) -> None:
        """Take the environments of the workflows that state one; raise ConfigError for ceilings that loosen, two rules
        of one name, or a rule that does nothing."""
        environments = environments or {}
        compiled = self._compiled = [*_ceilings(labels), *_compile(rules)]
        told = any(rule.when.workflow_environment is not None for rule in rules)
        if told:
            compiled.append(_Compiled(name="", effects=(), reason="", unsaid=True))

        def of_workflow(name: str | None) -> int:
            stated = environments.get(name) if name is not None else None
            return _bits(rule.of_workflow(name, stated) for rule in compiled)

        keys = {name for rule in rules for name in listed(rule.when.key)}
        named = {name for rule in rules for name in (*listed(rule.when.workflow), *listed(rule.when.workflow_not))}
        named |= environments.keys() if told else set()
        self._labels = {label: _bits(rule.of_label(label) for rule in compiled) for label in Label}
        self._workflows: dict[str | None, int] = {name: of_workflow(name) for name in named}
        self._workflow_else = of_workflow(None)
        self._keys: dict[str | None, int] = {key: _bits(rule.of_key(key) for rule in compiled) for key in keys}
        self._key_else = _bits(rule.of_key(None) for rule in compiled)
        self._deny, self._demand = (_bits(effect in rule.effects for rule in compiled) for effect in _VERDICTS)
        self._duties = [(duty, _bits(duty in rule.effects for rule in compiled)) for duty in get_args(Obligation)]
        self._denials = [
            Judgement(allowed=False, rule=rule.name, reason=rule.reason) if rule.only is None else None
            for rule in compiled
        ]
        self._permits: dict[tuple[int, tuple[str, ...]], Judgement] = {}
        self._seats: dict[tuple[int, int], _Seat] = {}
        self.requires_all = any(rule.then.require == "all" for rule in rules)
        self.digest = _digest(labels, rules, environments if told else {})

    def judge(
        self, label: Label, workflow: str | None, key_id: str | None, targets: Sequence[Target]
    ) -> list[Judgement]:
        """Judge every target, in their order. The ceiling comes first, then the rules in theirs: the first that denies
        gives `rule` and `reason`."""
        applying, seats, found = self._applying(label, workflow, key_id), self._seats, []
        for target in targets:
            seat = seats.get((id(target.endpoint), id(target.model))) or self._seat(target)
            hits = seat.rules & applying
            found.append((seat.judged.get(hits) or self._judged(seat, hits)) if hits else _ALLOWED)
        return found

    def explain(
        self, label: Label, workflow: str | None, key_id: str | None, targets: Sequence[Target]
    ) -> list[tuple[RuleRecord, ...]]:
        """Return the reason tree of each judgement: every rule that applied in their order, denials all of them, with
        its effects and what made it apply. Words cost more than verdicts, so they are had apart."""
        applying, found = self._applying(label, workflow, key_id), []
        for target in targets:
            seat = self._seats.get((id(target.endpoint), id(target.model))) or self._seat(target)
            hits = seat.rules & applying
            found.append((seat.told.get(hits) or self._told(seat, hits)) if hits else ())
        return found

    def _applying(self, label: Label, workflow: str | None, key_id: str | None) -> int:
        """Return the rules that this call does not rule out. Names that no rule knows are alike."""
        workflows = self._workflows.get(workflow, self._workflow_else)
        return self._labels[label] & workflows & self._keys.get(key_id, self._key_else)

    def _seat(self, target: Target) -> "_Seat":
        """Check all rules against the target, and keep which apply: its facts do not change."""
        if len(self._seats) >= MOST_SEATS:
            self._seats.clear()
        rules = _bits(all(condition.holds(target) for condition in rule.on_target) for rule in self._compiled)
        seat = self._seats[id(target.endpoint), id(target.model)] = _Seat(target, rules)
        return seat

    def _judged(self, seat: "_Seat", hits: int) -> Judgement:
        if denied := hits & self._deny:
            place = (denied & -denied).bit_length() - 1
            judgement = self._denials[place] or seat.beyond.get(place) or self._beyond(seat, place)
        else:
            judgement = self._allowed(hits)
        if len(seat.judged) >= MOST_JUDGED:
            seat.judged.clear()
        seat.judged[hits] = judgement
        return judgement

    def _allowed(self, hits: int) -> Judgement:
        duties = tuple([duty for duty, bits in self._duties if hits & bits])
        demanding = hits & self._demand
        place = (demanding & -demanding).bit_length() - 1
        judgement = self._permits.get((place, duties))
        if judgement is None:  # there are no more than duties and rules that demand allow
            named = self._compiled[place].name if demanding else None
            judgement = Judgement(allowed=True, requires_all=named, obligations=duties)
            self._permits[place, duties] = judgement
        return judgement

    def _beyond(self, seat: "_Seat", place: int) -> Judgement:
        """Say in the target's own words that it lies beyond a ceiling."""
        ceiling, endpoint = self._compiled[place], seat.target.endpoint
        reason = f"{ceiling.reason}; {endpoint.name} is {endpoint.tier}"
        judgement = seat.beyond[place] = Judgement(allowed=False, rule=ceiling.name, reason=reason)
        return judgement

    def _told(self, seat: "_Seat", hits: int) -> tuple[RuleRecord, ...]:
        applying = [rule for place, rule in enumerate(self._compiled) if hits >> place & 1]
        unsaid = any(rule.unsaid for rule in applying)
        told = tuple(_record(rule, seat.target, unsaid=unsaid) for rule in applying if rule.effects)
        if len(seat.told) >= MOST_JUDGED:
            seat.told.clear()
        seat.told[hits] = told
        return told


class _Seat:
    """A target with the rules whose conditions it meets. Holding it keeps the two ids that it is found by taken."""

    __slots__ = ("beyond", "judged", "rules", "target", "told")

    def __init__(self, target: Target, rules: int) -> None:
        self.target, self.rules = target, rules
        self.judged: dict[int, Judgement] = {}
        self.beyond: dict[int, Judgement] = {}
        self.told: dict[int, tuple[RuleRecord, ...]] = {}


def _ceilings(labels: LabelSettings) -> Iterator[_Compiled]:
    """Return the ceilings as the rules that they are: one for each label that may not go everywhere."""
    for label, reach in ceilings(labels).items():
        if beyond := tuple(tier for tier in Tier if tier.rank > reach.rank):
            yield _Compiled(
                name=f"ceiling:{label}",
                effects=("deny",),
                reason=f"{label} data stays {_WHERE[reach]}",
                only=label,
                on_target=(Condition("tier", beyond),),
            )


def _compile(rules: Sequence[Rule]) -> Iterator[_Compiled]:
    names: set[str] = set()
    for number, rule in enumerate(rules, 1):
        name = rule.name or str(number)
        if name in names:
            raise ConfigError(f'two rules are called "{name}"', key=f"rule.{number}.name")
        names.add(name)
        then = rule.then
        effects = (*(["deny"] if then.deny else ()), *(["require_all"] if then.require else ()), *then.obligations)
        if not effects:
            raise ConfigError(
                f'rule "{name}" does nothing: then needs deny = true, require = "all" or obligations',
                key=f"rule.{number}.then",
            )
        yield _Compiled(
            name=f"rule:{name}",
            effects=effects,
            reason=rule.reason or f'denied by rule "{name}"',
            when=rule.when,
            least=rule.when.label or Label.PUBLIC,
            on_target=on_target(rule.when),
        )


def _record(rule: _Compiled, target: Target, *, unsaid: bool) -> RuleRecord:
    when = rule.when
    called: list[tuple[str, Names | None]] = [
        ("label", rule.only or when.label),
        ("workflow", when.workflow),
        ("workflow_not", when.workflow_not),
        ("key", when.key),
    ]
    because = [written(key, wanted) for key, wanted in called if wanted is not None]
    if when.workflow_environment is not None:
        because.append(written("workflow_environment", when.workflow_environment) + (_UNSAID if unsaid else ""))
    because += [condition.words(target) for condition in rule.on_target]
    return RuleRecord(rule=rule.name, effects=rule.effects, because=tuple(because))


def _bits(which: Iterator[bool]) -> int:
    return sum(1 << place for place, holds in enumerate(which) if holds)


def _digest(labels: LabelSettings, rules: Sequence[Rule], environments: Mapping[str, Environment]) -> str:
    built_in = [(row.name, row.label, row.hint, row.pattern) for row in DETECTORS]
    canonical = msgspec.json.encode([labels, list(rules), built_in, dict(environments)], order="sorted")
    return "sha256:" + hashlib.sha256(canonical).hexdigest()
