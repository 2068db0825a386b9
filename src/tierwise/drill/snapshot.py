"""Which rules was a drill made under? Everything that decides a call, as one text that any machine can read back.

No secret, path or address is in it, since none of them decides anything; but a certificate is whole, as its digest
names it, and says where the servers are whose answers were measured.
Invariant: rules that are read back decide as those that were written, and have the same text.
"""

from typing import Any, Self

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.model import Endpoint, Model
from tierwise.core.usage import Price
from tierwise.economics.budget import Budget
from tierwise.economics.limits import Limit
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
    """The rules in force, in their order. `drifted` are the certificates whose traffic no longer looks as it did."""

    endpoints: tuple[Endpoint, ...]
    models: tuple[Model, ...]
    unusable: dict[str, str]
    registry_digest: str
    price_digest: str
    policy: Written
    workflows: tuple[Workflow, ...]
    rollouts: dict[str, Rollout]
    budgets: tuple[Budget, ...]
    fallback: FallbackSettings
    breaker: BreakerSettings
    default_strategy: Strategy
    certified: dict[str, Certified]
    drifted: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()

    @classmethod
    def of(
        cls, rules: Rules, policy: Written, drifted: frozenset[str] = frozenset(), limits: tuple[Limit, ...] = ()
    ) -> Self:
        """Return what decides in these rules; `policy` is what they were compiled from."""
        return cls(
            endpoints=tuple(map(_bare, rules.catalog.endpoints.values())),
            models=tuple(map(_plain, rules.catalog.models.values())),
            unusable=rules.catalog.unusable,
            registry_digest=rules.catalog.digest,
            price_digest=rules.catalog.price_digest,
            policy=policy,
            workflows=tuple(map(_pathless, rules.workflows.values())),
            rollouts={
                name: msgspec.structs.replace(one, file=_pathless(one.file)) for name, one in rules.rollouts.items()
            },
            budgets=rules.budgets,
            fallback=rules.fallback,
            breaker=rules.breaker,
            default_strategy=rules.default_strategy,
            certified=rules.certified,
            drifted=tuple(sorted(drifted)),
            limits=limits,
        )

    def rules(self) -> Rules:
        """Return the rules. Raises ConfigError for a policy that cannot be compiled, and for names that lead nowhere.

        No text is scanned in a drill (labels are those on record), so that nothing of a detector is loaded.
        """
        endpoints, models = {one.name for one in self.endpoints}, {one.id for one in self.models}
        named = {name for flow in self.workflows for name in (*flow.candidates, *flow.trusted, *flow.weights)}
        if any(one.endpoint not in endpoints for one in self.models) or not named <= models:
            raise ConfigError("the drill's rules name an endpoint or a model that is not among them")
        return Rules(
            catalog=Catalog(
                endpoints={one.name: one for one in self.endpoints},
                models={one.id: one for one in self.models},
                unusable=self.unusable,
                digest=self.registry_digest,
                price_digest=self.price_digest,
            ),
            policy=Policy(self.policy.labels, self.policy.rule, environments(self.workflows)),
            labels=self.policy.labels,
            detectors=Detectors(LabelSettings()),
            workflows={one.name: one for one in self.workflows},
            rollouts=self.rollouts,
            budgets=self.budgets,
            fallback=self.fallback,
            breaker=self.breaker,
            default_strategy=self.default_strategy,
            certified=self.certified,
        )


def _bare(endpoint: Endpoint) -> Endpoint:
    hidden: dict[str, Any] = {"url": "", "key": None, "key_ref": None, "ca_file": None, "networks": ()}
    engine = None if endpoint.engine is None else msgspec.structs.replace(endpoint.engine, file="")
    return msgspec.structs.replace(endpoint, **hidden, engine=engine)


def _plain(model: Model) -> Model:
    """Return the model with its price alone, without what chose that price among dated rows."""
    if model.price is None:
        return model
    price = Price(**{name: getattr(model.price, name) for name in Price.__struct_fields__})
    return msgspec.structs.replace(model, price=price)


def _pathless(workflow: Workflow) -> Workflow:
    return msgspec.structs.replace(workflow, data=None, prompt=None)
