"""What is this call for? A `Workflow` is one bounded use case, as the configuration declares it.

Invariant: a workflow only narrows what a call may use and sets what counts as good enough; it never lifts a rule.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.core.label import Label
from tierwise.core.model import Environment
from tierwise.quality.settings import Gates
from tierwise.router.choose import Strategy


class Match(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls belong to a workflow without naming it: by the model name they ask for, or by the key they use."""

    model: tuple[str, ...] = ()
    key: tuple[str, ...] = ()


class Workflow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[workflow]]`. `candidates` empty means every model that knows the task or is general.

    `trusted` names the models that you declare sufficient without a certificate; `min_quality` is the measured quality
    (relative to the baseline) below which evidence does not suffice, which a caller can only raise. `task` is what
    scoped models match in their `tasks`; it defaults to the name, so that two workflows can share one task.

    An evaluation asks the items of the file `data` with the prompt of the file `prompt`; `scorer` says what calls an
    answer right, `judge` is the model that compares answers. `certificate` is the digest of the one in force.
    """

    name: str
    task: str | None = None
    match: Match = Match()
    label: Label | None = None
    candidates: tuple[str, ...] = ()
    trusted: tuple[str, ...] = ()
    weights: dict[str, float] = {}
    baseline: str | None = None
    strategy: Strategy = "cheapest_sufficient"
    gates: Gates = Gates()
    on_gate_failure: Literal["fail", "flag", "review"] = "fail"
    min_quality: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    latency_ms: float | None = None
    max_cost_usd: Decimal | None = None
    environment: Environment | None = None
    data: str | None = None
    scorer: str | None = None
    prompt: str | None = None
    judge: str | None = None
    criteria: Criteria | None = None
    certificate: str | None = None

    @property
    def knows(self) -> str:
        """The task that scoped models must know."""
        return self.task or self.name

    def claims(self, model: str, key_id: str | None) -> bool:
        """Say whether a call that names no workflow belongs to this one."""
        return model in self.match.model or (key_id is not None and key_id in self.match.key)
