"""What may a configuration say about labels and rules? The closed grammar behind `[labels]` and `[[rule]]`.

Does not know files: `config` fills these structs. Every consequence that can be written here is a restriction.
Invariant: effective ceilings never widen as the label rises, so raising a label can only shrink what is allowed.
"""

import itertools
from typing import Literal

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Environment

Preset = Literal["balanced", "private", "strongest"]
DetectorLabel = Literal["public", "internal", "confidential", "restricted", "off"]
Obligation = Literal["no_store", "no_fallback", "human_review", "pseudonymise"]
"""Duties that the gateway carries out today. A duty that nobody performs must not be writable."""

Names = str | tuple[str, ...]


class Pattern(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pattern of the user's own, in RE2 syntax, and the label that a match raises the call to."""

    pattern: str
    label: Label = Label.CONFIDENTIAL


class LabelSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table `[labels]`. `default` applies only where caller and workflow are silent.

    `ceilings` overrides the preset, label by label; `detectors` sets a built-in detector's label or turns it off.
    `identifiers` adds the detectors of the extra of that name; `phone_regions` (ISO 3166) are those whose phone numbers
    count without +, where they are called so.
    """

    default: Label = Label.INTERNAL
    preset: Preset = "balanced"
    ceilings: dict[Label, Tier] = {}
    detectors: dict[str, DetectorLabel] = {}
    patterns: dict[str, Pattern] = {}
    identifiers: bool = False
    phone_regions: tuple[str, ...] = ()


class When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Conditions of a rule; all that are given must hold, none given means every call and target.

    `label` means "at least". A fact that an endpoint outside this machine does not state counts as matching,
    because a rule only restricts; on the `local` tier it does not, because nothing leaves. `environment` is the
    endpoint's, `workflow_environment` that of the call's workflow: a workflow that states none matches, and so does a
    call without a workflow.
    """

    label: Label | None = None
    workflow: Names | None = None
    workflow_not: Names | None = None
    workflow_environment: Environment | tuple[Environment, ...] | None = None
    key: Names | None = None
    tier: Tier | tuple[Tier, ...] | None = None
    endpoint: Names | None = None
    kind: Names | None = None
    model: Names | None = None
    region: Names | None = None
    region_not: Names | None = None
    agreement_not: Names | None = None
    sla_not: Names | None = None
    environment: Environment | tuple[Environment, ...] | None = None
    environment_not: Environment | tuple[Environment, ...] | None = None
    trains_on_data: bool | None = None
    retention_over_days: int | None = None


class Then(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What follows where a rule applies: the target is excluded, or may serve only under these duties.

    `require = "all"` excludes a target that could not be told everything the caller asks: every parameter, block and
    tool must be expressible on the endpoint's wire.
    """

    deny: bool = False
    require: Literal["all"] | None = None
    obligations: tuple[Obligation, ...] = ()


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of `[[rule]]`. `name` stands in records as `rule:NAME`; unnamed rules are counted from 1."""

    then: Then
    when: When = When()
    name: str = ""
    reason: str = ""


_OPEN = {
    Label.PUBLIC: Tier.FRONTIER,
    Label.INTERNAL: Tier.FRONTIER,
    Label.CONFIDENTIAL: Tier.SELF_HOSTED,
    Label.RESTRICTED: Tier.LOCAL,
}
_CEILINGS: dict[Preset, dict[Label, Tier]] = {
    "balanced": _OPEN,
    "strongest": _OPEN,
    "private": {**_OPEN, Label.INTERNAL: Tier.SELF_HOSTED},
}


def listed(given: Names | None) -> tuple[str, ...]:
    """Return the names that a condition gives, one or several."""
    return given if isinstance(given, tuple) else () if given is None else (given,)


def ceilings(settings: LabelSettings) -> dict[Label, Tier]:
    """Return the farthest tier each label may reach. Raises ConfigError where a higher label would reach farther."""
    effective = {**_CEILINGS[settings.preset], **settings.ceilings}
    for lower, higher in itertools.pairwise(Label):
        if effective[higher].rank > effective[lower].rank:
            raise ConfigError(
                f"[labels] ceilings: {higher} may reach {effective[higher]} but {lower}, which is less sensitive, only "
                f"{effective[lower]}; give {higher} at most {effective[lower]}",
                key=f"labels.ceilings.{higher}",
            )
    return effective
