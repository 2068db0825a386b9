"""Where may data with each label go? Every endpoint that has a model, judged as a call of that label would be.

Pure. What a key allows and what the router thinks of a call is not looked at. Invariant: it is the one judgement that
calls meet (`policy.judge`), asked beforehand; an endpoint is open where any of its models is.
"""

from collections.abc import Iterator

import msgspec

from tierwise.core.label import Label, Tier
from tierwise.core.model import Environment
from tierwise.gateway.rules import Rules
from tierwise.policy.judge import Target


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """What policy says of one label at one endpoint: how many of its models are `allowed`, and by what the others are
    `denied`, reason by rule; `duties` come with those that are allowed."""

    label: Label
    endpoint: str
    tier: Tier
    environment: Environment | None
    models: int
    allowed: int
    denied: dict[str, str]
    duties: tuple[str, ...]


def reaches(rules: Rules, workflow: str | None = None) -> Iterator[Reach]:
    """Give what policy says, the nearest endpoint first, of calls of this workflow; None for those of none."""
    endpoints = sorted(rules.catalog.endpoints.values(), key=lambda one: (one.tier.rank, one.name))
    for endpoint in endpoints:
        targets = [Target(endpoint, one) for one in rules.catalog.models.values() if one.endpoint == endpoint.name]
        for label in Label if targets else ():
            verdicts = rules.policy.judge(label, workflow, None, targets)
            allowed = [verdict for verdict in verdicts if verdict.allowed]
            yield Reach(
                label=label,
                endpoint=endpoint.name,
                tier=endpoint.tier,
                environment=endpoint.environment,
                models=len(targets),
                allowed=len(allowed),
                denied={verdict.rule or "policy": verdict.reason for verdict in verdicts if not verdict.allowed},
                duties=tuple(dict.fromkeys(duty for verdict in allowed for duty in verdict.obligations)),
            )
