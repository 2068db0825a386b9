"""What is in force? The immutable snapshot that a call is decided by.

A release of the policy or of a workflow makes a new one; a call keeps the one it began with, and later hops are
judged under both.
"""

from collections.abc import Iterable
from typing import Self

import msgspec

from tierwise.core.label import Tier
from tierwise.core.model import Environment, Model
from tierwise.core.secret import Secret
from tierwise.economics.budget import Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.fallback.plan import FallbackSettings
from tierwise.gateway.certified import Certified
from tierwise.gateway.overlay import Rollout, released
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.releases import Release
from tierwise.ledger.settings import LedgerSettings
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings
from tierwise.registry.catalog import Catalog
from tierwise.router.choose import Strategy


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Catalog, policy, workflows and limits, wired together by `bootstrap`.

    `secrets` are the keys that this gateway shows and takes: they get into no content that is kept. `trace_to` is the
    farthest tier whose endpoints are told which trace a request belongs to. `certified` are the certificates that
    workflows name, by workflow, as they were found.
    """

    catalog: Catalog
    policy: Policy
    labels: LabelSettings
    detectors: Detectors
    workflows: dict[str, Workflow] = {}
    rollouts: dict[str, Rollout] = {}
    budgets: tuple[Budget, ...] = ()
    fallback: FallbackSettings = FallbackSettings()
    breaker: BreakerSettings = BreakerSettings()
    default_strategy: Strategy = "cheapest_sufficient"
    ledger: LedgerSettings = LedgerSettings()
    secrets: tuple[Secret, ...] = ()
    trace_to: Tier | None = None
    certified: dict[str, Certified] = {}

    def workflow_of(self, model: Model) -> Workflow | None:
        """Return the one workflow that a scoped model belongs to, or None when it is general or belongs to several."""
        fitting = [w for w in self.workflows.values() if w.knows in model.tasks]
        return fitting[0] if len(fitting) == 1 else None

    def rolled_out(self, release: Release) -> Self:
        """Return the same with this release of a workflow in force. Raises ConfigError where it cannot be read."""
        workflows, rollouts = released(self.workflows, self.rollouts, release, self.catalog.models)
        return msgspec.structs.replace(self, workflows=workflows, rollouts=rollouts)

    def under(self, policy: Written) -> Self:
        """Return the same with this policy in force. Raises ConfigError where it cannot be compiled."""
        found = Policy(policy.labels, policy.rule, environments(self.workflows.values()))
        return msgspec.structs.replace(
            self,
            policy=found,
            certified={name: one.under(found.digest) for name, one in self.certified.items()},
            labels=policy.labels,
            detectors=self.detectors.under(policy.labels),
            default_strategy=usual_strategy(policy.labels),
        )


def environments(workflows: Iterable[Workflow]) -> dict[str, Environment]:
    """Return the environment of each workflow that states one."""
    return {flow.name: flow.environment for flow in workflows if flow.environment is not None}


def usual_strategy(labels: LabelSettings) -> Strategy:
    """Return how calls without a workflow of their own are ordered."""
    return "best" if labels.preset == "strongest" else "cheapest_sufficient"
