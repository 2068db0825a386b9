"""What may be named? The endpoints, models and workflows of the configuration, and what the conventions call them.

Invariant: a name that is not configured becomes `other`, so no traffic can make new ones.
"""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from tierwise.core.model import Endpoint, Model

OTHER, NONE = "other", "none"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A model where it is served. `address` is None for an engine of our own."""

    endpoint: str
    model: str
    name: str
    provider: str
    address: str | None = None
    port: int | None = None


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that may be named."""

    models: Mapping[tuple[str, str], Served]
    workflows: frozenset[str] = frozenset()

    def served(self, endpoint: str, model: str) -> Served:
        """Return the model, or the stranger."""
        return self.models.get((endpoint, model), STRANGER)

    def workflow(self, name: str | None) -> str:
        """Return the name of a configured workflow, `none` for none."""
        return NONE if name is None else name if name in self.workflows else OTHER


STRANGER = Served(endpoint=OTHER, model=OTHER, name=OTHER, provider=OTHER)


def known(
    endpoints: Mapping[str, Endpoint],
    models: Iterable[Model],
    workflows: Iterable[str],
    providers: Mapping[str, str],
) -> Known:
    """Gather what is configured; `providers` says of a kind of endpoint what the conventions call it."""
    found = {}
    for model in models:
        endpoint = endpoints[model.endpoint]
        host, port = _at(endpoint.url)
        found[endpoint.name, model.id] = Served(
            endpoint=endpoint.name,
            model=model.id,
            name=model.served_name,
            provider=providers.get(endpoint.kind, endpoint.kind),
            address=host,
            port=port,
        )
    return Known(models=found, workflows=frozenset(workflows))


def _at(url: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(url)
        return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80) if parts.hostname else None
    except ValueError:  # such an endpoint is never asked: its address is checked where it is used
        return None, None
