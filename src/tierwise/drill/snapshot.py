"""Which rules was a drill made under? Everything that decides a call, as one text that any machine can read back.

No secret, address or path is in it: none of them decides anything.
Invariant: rules that are read back decide as those that were written, and have the same text.
"""

from typing import Any, Self

import msgspec

from tierwise.core.usage import Price
from tierwise.economics.budget import Budget
from tierwise.fallback.breaker import BreakerSettings
from tierwise.fallback.plan import FallbackSettings
from tierwise.gateway.certified import Certified
from tierwise.gateway.overlay import Rollout
from tierwise.gateway.rules import Rules, environments
from tierwise.gateway.workflow import Workflow
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.policy.released import Written
from tierwise.policy.settings import LabelSettings
from tierwise.registry.catalog import Catalog
from tierwise.router.choose import Strategy


class Snapshot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules in force. `drifted` are the certificates whose traffic no longer looks as it did."""

    catalog: Catalog
    policy: Written
    workflows: dict[str, Workflow]
    rollouts: dict[str, Rollout]
    budgets: tuple[Budget, ...]
    fallback: FallbackSettings
    breaker: BreakerSettings
    default_strategy: Strategy
    certified: dict[str, Certified]
    drifted: tuple[str, ...] = ()

    @classmethod
    def of(cls, rules: Rules, policy: Written, drifted: frozenset[str] = frozenset()) -> Self:
        """Return what decides in these rules; `policy` is what they were compiled from."""
        return cls(
            catalog=_bare(rules.catalog),
            policy=policy,
            workflows={name: _pathless(flow) for name, flow in rules.workflows.items()},
            rollouts={
                name: msgspec.structs.replace(one, file=_pathless(one.file)) for name, one in rules.rollouts.items()
            },
            budgets=rules.budgets,
            fallback=rules.fallback,
            breaker=rules.breaker,
            default_strategy=rules.default_strategy,
            certified=rules.certified,
            drifted=tuple(sorted(drifted)),
        )

    def rules(self) -> Rules:
        """Return the rules. Raises ConfigError for a policy that cannot be compiled.

        No text is scanned in a drill (labels are those on record), so that nothing of a detector is loaded.
        """
        return Rules(
            catalog=self.catalog,
            policy=Policy(self.policy.labels, self.policy.rule, environments(self.workflows.values())),
            labels=self.policy.labels,
            detectors=Detectors(LabelSettings()),
            workflows=self.workflows,
            rollouts=self.rollouts,
            budgets=self.budgets,
            fallback=self.fallback,
            breaker=self.breaker,
            default_strategy=self.default_strategy,
            certified=self.certified,
        )


def _bare(catalog: Catalog) -> Catalog:
    """Return the catalog without secrets, addresses, paths, and what only says where a price row came from."""
    hidden: dict[str, Any] = {"url": "", "key": None, "key_ref": None, "ca_file": None, "networks": ()}
    endpoints = {
        name: msgspec.structs.replace(
            one, **hidden, engine=None if one.engine is None else msgspec.structs.replace(one.engine, file="")
        )
        for name, one in catalog.endpoints.items()
    }
    models = {
        name: msgspec.structs.replace(one, price=None if one.price is None else _plain(one.price))
        for name, one in catalog.models.items()
    }
    return msgspec.structs.replace(catalog, endpoints=endpoints, models=models, probes={})


def _plain(price: Price) -> Price:
    return Price(**{name: getattr(price, name) for name in Price.__struct_fields__})


def _pathless(workflow: Workflow) -> Workflow:
    return msgspec.structs.replace(workflow, data=None, prompt=None)
