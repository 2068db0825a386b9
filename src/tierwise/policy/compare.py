"""How do two policies differ, in words? Ceilings, defaults, detectors, patterns and rules, each with what it was.

Does not know endpoints: where data can go by it is `gateway.openings`. What finds or labels less `loosens`, since then
no ceiling and no rule sees what it saw; that cannot be told from recorded traffic, whose content is not stored.
Invariant: two policies without a change in words have the same text, but for the wording of a reason.
"""

from collections.abc import Iterator, Mapping

import msgspec

from tierwise.core.label import Label
from tierwise.policy.patterns import DETECTORS
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings, Rule, ceilings

PLACE = {"local": "to this machine", "self_hosted": "to servers that you run", "frontier": "anywhere"}


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `loosens`: less is found, or labelled lower, than before."""

    what: str
    text: str
    loosens: bool = False


def changes(before: Written, after: Written) -> tuple[Change, ...]:
    """Return every difference, labels first. Raises ConfigError for ceilings that loosen with the label."""
    return (*_labels(before.labels, after.labels), *_rules(before.rule, after.rule))


def whole(policy: Written) -> Iterator[str]:
    """Say all that a policy says: ceilings, defaults, what it finds otherwise than the built-in table, rules."""
    for label, reach in ceilings(policy.labels).items():
        yield f"{label} data may go {PLACE[reach]} ({reach})"
    yield f"what nobody labelled counts as {policy.labels.default}"
    found = (change for change in changes(Written(), policy) if change.what in ("detector", "pattern"))
    yield from (change.text for change in found)
    for name, rule in _named(policy.rule).items():
        yield f"rule {name}: {said(rule)}" + (f" ({rule.reason})" if rule.reason else "")


def _labels(before: LabelSettings, after: LabelSettings) -> Iterator[Change]:
    if before.default != after.default:
        text = f"what nobody labelled counts as {after.default}, not as {before.default}"
        yield Change(what="default", text=text, loosens=after.default.rank < before.default.rank)
    if before.preset != after.preset:
        yield Change(what="preset", text=f'preset "{after.preset}" instead of "{before.preset}"')
    old, new = ceilings(before), ceilings(after)
    for label in Label:
        if old[label] != new[label]:
            text = f"{label} data may go {PLACE[new[label]]} ({new[label]}), not {PLACE[old[label]]} ({old[label]})"
            yield Change(what="ceiling", text=text)
    yield from _detected(_detectors(before), _detectors(after), "detector", "off")
    yield from _detected(_patterns(before), _patterns(after), "pattern", "gone")
    for name in sorted(before.patterns.keys() & after.patterns.keys()):
        was, now = before.patterns[name].pattern, after.patterns[name].pattern
        if was != now:
            yield Change(what="pattern", text=f"pattern {name} finds {now!a} instead of {was!a}", loosens=True)


def _detectors(labels: LabelSettings) -> dict[str, Label]:
    said = {row.name: str(labels.detectors.get(row.name, row.label or "off")) for row in DETECTORS}
    return {name: Label(label) for name, label in said.items() if label != "off"}


def _patterns(labels: LabelSettings) -> dict[str, Label]:
    return {name: pattern.label for name, pattern in labels.patterns.items()}


def _detected(before: Mapping[str, Label], after: Mapping[str, Label], what: str, without: str) -> Iterator[Change]:
    for name in sorted(before.keys() | after.keys()):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if now is None:
            yield Change(what=what, text=f"{what} {name} is {without} (it made a call {was})", loosens=True)
        elif was is None:
            yield Change(what=what, text=f"{what} {name} is new: what it finds makes a call {now}")
        else:
            text = f"{what} {name} makes a call {now} instead of {was}"
            yield Change(what=what, text=text, loosens=now.rank < was.rank)


def _rules(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> Iterator[Change]:
    old, new = _named(before), _named(after)
    for name in old.keys() - new.keys():
        yield Change(what="rule", text=f"rule {name} is gone: {said(old[name])}")
    for name, rule in new.items():
        if name not in old:
            yield Change(what="rule", text=f"rule {name} is new: {said(rule)}")
        elif (rule.when, rule.then) != (old[name].when, old[name].then):
            yield Change(what="rule", text=f"rule {name} changed: {said(rule)}; it was: {said(old[name])}")
        elif rule.reason != old[name].reason:
            yield Change(what="rule", text=f"rule {name} gives another reason: {rule.reason!a}")
    kept = [name for name in old if name in new]
    if kept != [name for name in new if name in old]:
        yield Change(what="rule", text="the rules stand in another order: another one may be named as the reason")


def _named(rules: tuple[Rule, ...]) -> dict[str, Rule]:
    return {rule.name or str(number): rule for number, rule in enumerate(rules, 1)}


def said(rule: Rule) -> str:
    """Return a rule in the words of the configuration."""
    when = {name: value for name, value in msgspec.to_builtins(rule.when).items() if value is not None}
    conditions = ", ".join(f"{name} {_listed(value)}{' or above' * (name == 'label')}" for name, value in when.items())
    then = ["deny"] if rule.then.deny else []
    then += [f"require {rule.then.require}"] if rule.then.require else []
    return f"{conditions or 'always'} → {', '.join([*then, *rule.then.obligations])}"


def _listed(value: object) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
