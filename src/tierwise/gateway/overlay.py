"""What does a release say of a workflow? Who may answer it, and what is good enough, as one text; and what is on trial.

Pure. The bundle is everything of a workflow that decides who answers and what is good enough; what the configuration
file alone says (label, matching, limits of money) is not in it, so a release can lift no rule.
Invariant: the same overlay has the same text; a canary or a shadow is no part of the bundle.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.core.errors import ConfigError
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.releases import Release, workflow_in
from tierwise.quality.settings import Gates
from tierwise.registry.load import nearest
from tierwise.router.choose import Strategy

SHARE_DIGITS = 9
BUNDLE = (
    "candidates", "trusted", "weights", "strategy", "gates", "on_gate_failure", "min_quality", "certificate", "prompt",
)  # fmt: skip


def _check(share: Decimal) -> None:
    if not share.is_finite() or not 0 < share <= 1 or round(share, SHARE_DIGITS) != share:
        raise ValueError(f"share {share}: more than 0 and at most 1, with up to {SHARE_DIGITS} digits, such as 0.05")


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much worse a canary may be, shown with this confidence, before it is stopped; all as shares of calls.

    A call that takes longer than `latency_ms`, or costs more than `cost_usd`, counts as slow, or as dear.
    """

    margin: Annotated[float, msgspec.Meta(ge=0, lt=1)] = Criteria().margin
    confidence: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = Criteria().confidence
    latency_ms: Annotated[float, msgspec.Meta(gt=0)] | None = None
    cost_usd: Decimal | None = None


class Canary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that is asked first in a share of the calls. Which ones follows from `salt` and who calls."""

    model: str
    share: Decimal
    salt: str
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        _check(self.share)


class Shadow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that gets a copy of a share of the calls once they are answered."""

    model: str
    share: Decimal

    def __post_init__(self) -> None:
        _check(self.share)


class Overlay(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One release of a workflow. The fields up to `prompt` mean what those of `Workflow` mean.

    `prompt_digest` names the prompt that was there. `first` is the model that is asked first, before any strategy.
    """

    candidates: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    weights: dict[str, float] = {}
    strategy: Strategy = "cheapest_sufficient"
    gates: Gates = Gates()
    on_gate_failure: Literal["fail", "flag", "review"] = "fail"
    min_quality: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    certificate: str | None = None
    prompt: str | None = None
    prompt_digest: str | None = None
    first: str | None = None
    canary: Canary | None = None
    shadow: Shadow | None = None

    @property
    def bundle(self) -> "Overlay":
        """Return it without what is on trial."""
        return msgspec.structs.replace(self, canary=None, shadow=None)

    @property
    def models(self) -> tuple[str, ...]:
        """Return the models that it names."""
        tried = [one.model for one in (self.canary, self.shadow) if one is not None]
        first = [self.first] if self.first else []
        return tuple(dict.fromkeys((*self.candidates, *self.trusted, *self.weights, *first, *tried)))

    def promoted(self) -> "Overlay":
        """Return the bundle in which every call is treated as the canary's calls were."""
        if self.canary is None:
            raise ConfigError("no canary is on trial, so there is nothing to promote")
        model = self.canary.model
        candidates = self.candidates if not self.candidates or model in self.candidates else (*self.candidates, model)
        trusted = self.trusted if model in self.trusted else (*self.trusted, model)
        return msgspec.structs.replace(self.bundle, candidates=candidates, trusted=trusted, first=model)

    def over(self, workflow: Workflow) -> Workflow:
        """Return the workflow as this release has it."""
        return msgspec.structs.replace(workflow, **{name: getattr(self, name) for name in BUNDLE})


class Rollout(msgspec.Struct, frozen=True, kw_only=True):
    """The release of a workflow that is in force. `file` is what the configuration says of the workflow."""

    number: int
    file: Workflow
    overlay: Overlay


_text = msgspec.json.Decoder(Overlay)
_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")


def overlay_of(workflow: Workflow, prompt_digest: str | None = None) -> Overlay:
    """Return what a workflow is without any release."""
    return Overlay(**{name: getattr(workflow, name) for name in BUNDLE}, prompt_digest=prompt_digest)


def canonical(overlay: Overlay) -> bytes:
    """Return the overlay's one text."""
    return _encoder.encode(overlay)


def parse(body: bytes) -> Overlay:
    """Read an overlay back; ConfigError where this program does not know what it says."""
    try:
        return _text.decode(body)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise ConfigError(f"a released workflow cannot be read by this version of Tierwise: {error}") from error


def released(
    workflows: dict[str, Workflow], rollouts: dict[str, Rollout], release: Release, models: Any
) -> tuple[dict[str, Workflow], dict[str, Rollout]]:
    """Return workflows and rollouts with this release in force; of a workflow that the file lacks nothing is.

    ConfigError where it names a model that is not among `models`.
    """
    name = workflow_in(release.subject)
    if name is None or name not in workflows:
        return workflows, rollouts
    file = rollouts[name].file if name in rollouts else workflows[name]
    others = {known: rollout for known, rollout in rollouts.items() if known != name}
    if release.body is None:
        return workflows | {name: file}, others
    overlay = parse(release.body)
    for model in overlay.models:
        if model not in models:
            raise ConfigError(f"{release} names the model {model!r}, which does not exist{nearest(model, models)}")
    return workflows | {name: overlay.over(file)}, others | {
        name: Rollout(number=release.number, file=file, overlay=overlay)
    }
