"""Where could data go under another policy that it could not go before? Every label, workflow and key, every target.

Pure and exact over what is configured: both policies judge each case. Workflows and keys that no rule names are judged
alike, so one of them stands for all. Which calls there were is `replay`'s.
Invariant: no opening means that no call, whatever it is labelled, is allowed more than before.
"""

import itertools
from collections.abc import Iterable, Iterator

import msgspec

from tierwise.core.label import Label, Tier
from tierwise.gateway.rules import Rules
from tierwise.policy.judge import Target
from tierwise.policy.released import Written
from tierwise.policy.settings import Names

ANY_OTHER = "\0another"
"""A workflow or a key that no rule names."""


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """Data of this label may go to this model, or may go there without these duties. `cases` counts who may.

    `farther`: for some of them no model so far out was allowed before.
    """

    label: Label
    model: str
    tier: Tier
    lost: tuple[str, ...]
    cases: int
    farther: bool

    @property
    def text(self) -> str:
        """Say it to people."""
        where = f"{self.label} data may go to {self.model} ({self.tier})"
        if self.lost:
            return f"{where} without {', '.join(self.lost)}"
        return where + (", a tier farther out than before" if self.farther else ", where it could not go before")


def openings(before: Rules, after: Rules, written: Iterable[Written]) -> list[Opening]:
    """Return what `after` allows and `before` does not. `written` are both policies as text, for the names in them."""
    whens = [rule.when for policy in written for rule in policy.rule]
    workflows = {
        None,
        ANY_OTHER,
        *before.workflows,
        *_names(w for when in whens for w in (when.workflow, when.workflow_not)),
    }
    keys = {None, ANY_OTHER, *_names(when.key for when in whens)}
    found: dict[tuple[Label, str, tuple[str, ...]], tuple[int, bool]] = {}
    models = list(before.catalog.models.values())
    targets = [Target(before.catalog.endpoints[model.endpoint], model) for model in models]
    for label, workflow, key in itertools.product(Label, workflows, keys):
        judged = zip(
            targets,
            before.policy.judge(label, workflow, key, targets),
            after.policy.judge(label, workflow, key, targets),
            strict=True,
        )
        pairs = list(judged)
        reach = max((target.endpoint.tier.rank for target, was, _ in pairs if was.allowed), default=-1)
        for target, was, now in pairs:
            if not now.allowed:
                continue
            lost = set(was.obligations) - set(now.obligations)
            lost |= {'require = "all"'} if was.requires_all and not now.requires_all else set()
            if was.allowed and not lost:
                continue
            place = (label, target.model.id, tuple(sorted(lost)) if was.allowed else ())
            cases, farther = found.get(place, (0, False))
            found[place] = cases + 1, farther or target.endpoint.tier.rank > reach
    tiers = {target.model.id: target.endpoint.tier for target in targets}
    return [
        Opening(label=label, model=model, tier=tiers[model], lost=lost, cases=cases, farther=farther)
        for (label, model, lost), (cases, farther) in found.items()
    ]


def _names(values: Iterable[Names | None]) -> Iterator[str]:
    for value in values:
        if value is not None:
            yield from (value,) if isinstance(value, str) else value
