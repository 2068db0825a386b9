"""When does a rule apply? Its conditions on the target, checked once for each target, and the words for each.

Does not know the call: what a rule says of label, workflow and key is `judge`'s.
Invariant: what an endpoint outside this machine does not state counts as matching, since a rule only restricts; on the
local tier it does not, since nothing leaves.
"""

from collections.abc import Callable

import msgspec

from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.policy.settings import When

Wanted = str | int | bool | tuple[str, ...]


class Target(msgspec.Struct, frozen=True):
    """What would receive the call."""

    endpoint: Endpoint
    model: Model


class Condition(msgspec.Struct, frozen=True):
    """One condition as it is written: the key of `when` and what it is compared with."""

    key: str
    wanted: Wanted

    def holds(self, target: Target) -> bool:
        """Say whether the target meets it."""
        fact = _FACTS[self.key](target)
        if fact is None:
            return target.endpoint.tier is not Tier.LOCAL
        if self.key == "retention_over_days":
            return isinstance(fact, int) and isinstance(self.wanted, int) and fact > self.wanted
        within = fact in self.wanted if isinstance(self.wanted, tuple) else fact == self.wanted
        return within is not self.key.endswith("_not")

    def words(self, target: Target) -> str:
        """Say what it asks, and what the target states where that is not the same."""
        fact = _FACTS[self.key](target)
        if fact is None:
            return f"{written(self.key, self.wanted)} (the endpoint does not say)"
        return written(self.key, self.wanted) + ("" if fact == self.wanted else f" ({_plain(fact)})")


def on_target(when: When) -> tuple[Condition, ...]:
    """Return the conditions that a rule sets on the target, in the order of the grammar."""
    given = ((key, getattr(when, key)) for key in _FACTS)
    return tuple(Condition(key, wanted) for key, wanted in given if wanted is not None)


def written(key: str, wanted: Wanted) -> str:
    """Say a condition as it is written."""
    return f"{key} = {', '.join(wanted) if isinstance(wanted, tuple) else _plain(wanted)}"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_FACTS: dict[str, Callable[[Target], str | int | bool | None]] = {
    "tier": lambda target: target.endpoint.tier,
    "endpoint": lambda target: target.endpoint.name,
    "kind": lambda target: target.endpoint.kind,
    "model": lambda target: target.model.id,
    "region": lambda target: target.endpoint.region,
    "region_not": lambda target: target.endpoint.region,
    "agreement_not": lambda target: target.endpoint.agreement,
    "sla_not": lambda target: target.endpoint.sla,
    "environment": lambda target: target.endpoint.environment,
    "environment_not": lambda target: target.endpoint.environment,
    "trains_on_data": lambda target: target.endpoint.trains_on_data,
    "retention_over_days": lambda target: target.endpoint.retention_days,
}
"""What each key of `when` looks at. None: not stated."""
