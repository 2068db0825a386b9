"""What exists, as one immutable snapshot: endpoints and models by name, with digests.

Invariant: every model's endpoint is in the catalog; a change of anything changes a digest.
"""

import hashlib

import msgspec

from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.registry.probed import Probed


class Catalog(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a call could be routed to. `unusable` says of an endpoint why it cannot be asked as it is;
    `probes` are the results by model, also those that are stale."""

    endpoints: dict[str, Endpoint]
    models: dict[str, Model]
    unusable: dict[str, str] = {}
    probes: dict[str, Probed] = {}
    digest: str = ""
    price_digest: str = ""


def catalog(
    endpoints: dict[str, Endpoint], models: dict[str, Model], unusable: dict[str, str], probes: dict[str, Probed]
) -> Catalog:
    """Make the snapshot and compute its digests; keys are not part of them."""
    facts = [[e.name, e.kind, e.wires, e.tier, e.url, e.region, e.retention_days, e.trains_on_data, e.agreement, e.sla,
              e.environment] for e in endpoints.values()]  # fmt: skip
    served = [[m.id, m.endpoint, m.served_name, m.context_tokens, sorted(m.capabilities), m.tasks, m.strength]
              for m in models.values()]  # fmt: skip
    prices = [[m.id, m.price] if m.own is None else [m.id, m.price, m.own] for m in models.values()]
    return Catalog(
        endpoints=endpoints,
        models=models,
        unusable=unusable,
        probes=probes,
        digest=_digest([facts, served]),
        price_digest=_digest(prices),
    )


def unpriced(known: Catalog) -> tuple[Model, ...]:
    """Return the models that are refused because nobody said what they cost: outside ones without a price."""
    return tuple(
        model
        for model in known.models.values()
        if model.price is None
        and known.endpoints[model.endpoint].tier is Tier.FRONTIER
        and "switched off" not in known.unusable.get(model.endpoint, "")
    )


def _digest(value: object) -> str:
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]
