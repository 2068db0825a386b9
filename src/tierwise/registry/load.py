"""How do written rows become a catalog? Defaults by kind, facts of known models, and every reference checked.

Secrets are looked up by the function that is handed in; this module reads no environment and no network.
Invariant: an endpoint without its key is in the catalog and says why it cannot be asked.
"""

import difflib
import ipaddress
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import urlsplit

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, EngineOptions, Model
from tierwise.core.prices import Place, PriceBook, PriceRow, Prices
from tierwise.core.secret import Secret
from tierwise.registry.catalog import Catalog, catalog
from tierwise.registry.kinds import KindRow, kinds, known_model, known_prices, wire_names
from tierwise.registry.probed import Probed, current, narrowed
from tierwise.registry.settings import EndpointRow, ModelRow

SecretLookup = Callable[[str], Secret | None]

ENGINE_SLOTS = 4
"""How many requests an engine of ours answers at the same time, where the configuration does not say."""


def load(
    endpoints: Sequence[EndpointRow],
    models: Sequence[ModelRow],
    secret: SecretLookup,
    probed: Iterable[Probed] = (),
    prices: Prices = Prices(),
) -> Catalog:
    """Build the catalog, or raise ConfigError naming the row and the mend. What was probed narrows the rows."""
    built: dict[str, Endpoint] = {}
    unusable: dict[str, str] = {}
    for row in endpoints:
        if row.name in built:
            raise ConfigError(f"two endpoints are named {row.name!r}; names must differ", key="endpoint.name")
        endpoint, problem = _endpoint(row, secret)
        built[row.name] = endpoint
        if not row.enabled:
            problem = "switched off (enabled = false)"
        if problem:
            unusable[row.name] = problem
    kept = {(one.endpoint, one.model): one for one in probed}
    probes: dict[str, Probed] = {}
    served: dict[str, Model] = {}
    for model_row in models:
        if model_row.id in served:
            raise ConfigError(f"two models have the id {model_row.id!r}; ids must differ", key="model.id")
        if model_row.endpoint not in built:
            raise ConfigError(
                f"model {model_row.id!r} names the endpoint {model_row.endpoint!r}, which does not exist"
                f"{nearest(model_row.endpoint, built)}",
                key="model.endpoint",
            )
        model = _model(model_row, built[model_row.endpoint])
        if (result := kept.get((model.endpoint, model.id))) is not None:
            result = probes[model.id] = current(result, built[model.endpoint], model)
            model = narrowed(model, result)
        served[model.id] = model
    return priced(catalog(built, served, unusable, probes), prices)


def priced(known: Catalog, prices: Prices) -> Catalog:
    """Return the catalog with the prices of a day; what a model's own row says stays."""
    book = PriceBook((*known_prices(), *prices.rows))
    models = {
        name: model
        if model.price is not None and not isinstance(model.price, PriceRow)
        else msgspec.structs.replace(model, price=book.price(place(known.endpoints[model.endpoint], model), prices.day))
        for name, model in known.models.items()
    }
    return catalog(known.endpoints, models, known.unusable, known.probes)


def place(endpoint: Endpoint, model: Model) -> Place:
    """Return where a model is served, as prices name places."""
    return Place(model=model.served_name, kind=endpoint.kind, endpoint=endpoint.name, region=endpoint.region)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return `; did you mean X?` for the nearest valid name, or the list of names, or nothing."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"; there are {', '.join(names[:12])}{more}" if names else ""


def _endpoint(row: EndpointRow, secret: SecretLookup) -> tuple[Endpoint, str | None]:
    kind = kinds().get(row.kind)
    if kind is None:
        raise ConfigError(
            f"endpoint {row.name!r}: unknown kind {row.kind!r}{nearest(row.kind, kinds())}", key="endpoint.kind"
        )
    key, problem = _key(row, kind, secret)
    return (
        Endpoint(
            name=row.name,
            kind=row.kind,
            wires=_wires(row, kind),
            context_wire=kind.context_wire if kind.context_wire in _wires(row, kind) else None,
            key_header=kind.key_header,
            counts=kind.counts,
            tier=_tier(row, kind),
            url="" if kind.embedded else _url(row, kind),
            key=key,
            key_ref=row.key,
            ca_file=row.ca_file,
            networks=_networks(row),
            region=row.region,
            retention_days=row.retention_days,
            trains_on_data=row.trains_on_data,
            agreement=row.agreement,
            sla=row.sla,
            environment=row.environment,
            limits=row.limits,
            engine=_engine(row, kind),
            grammar=kind.grammar,
            slots=row.slots,
        ),
        problem,
    )


def _wires(row: EndpointRow, kind: KindRow) -> tuple[str, ...]:
    """The wires as written, else the kind's. A kind that stands for any server may speak whatever its row says."""
    if row.wires is None:
        return kind.wires
    spoken = wire_names() if kind.tier is None else (*kind.wires, *kind.also)
    for name in row.wires:
        if name not in wire_names():
            raise ConfigError(
                f"endpoint {row.name!r}: unknown wire {name!r}{nearest(name, wire_names())}", key="endpoint.wires"
            )
        if name not in spoken:
            raise ConfigError(
                f"endpoint {row.name!r}: {row.kind} does not speak {name!r}{nearest(name, spoken)}",
                key="endpoint.wires",
            )
    if not row.wires or len(set(row.wires)) < len(row.wires):
        raise ConfigError(f"endpoint {row.name!r}: wires must name at least one, and each once", key="endpoint.wires")
    return row.wires


def _tier(row: EndpointRow, kind: KindRow) -> Tier:
    """The tier as written, else the kind's usual one. What is not on this machine is never taken for local."""
    tier = kind.tier if row.tier is None else row.tier
    if tier is None or (row.tier is None and tier is Tier.LOCAL and not _on_this_machine(row, kind)):
        raise ConfigError(
            f'endpoint {row.name!r} needs a tier: "local" for this machine, "self_hosted" for a server of yours, '
            '"frontier" for an outside API',
            key="endpoint.tier",
        )
    if tier is Tier.LOCAL and not _on_this_machine(row, kind):
        raise ConfigError(
            f'endpoint {row.name!r}: tier "local" means this machine, but its url points elsewhere: write'
            ' tier = "self_hosted" for a server of yours, "frontier" for an outside API',
            key="endpoint.tier",
        )
    return tier


def _on_this_machine(row: EndpointRow, kind: KindRow) -> bool:
    if kind.embedded:
        return True
    try:
        host = urlsplit(row.url or kind.url or "").hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key(row: EndpointRow, kind: KindRow, secret: SecretLookup) -> tuple[Secret | None, str | None]:
    reference = row.key or (f"env:{kind.key_env}" if kind.key_env and kind.tier is Tier.FRONTIER else None)
    if reference is None:
        return None, None
    if not reference.startswith("env:"):
        raise ConfigError(
            f'endpoint {row.name!r}: key must be a reference such as "env:MY_KEY", not the key itself',
            key="endpoint.key",
        )
    found = secret(reference)
    return found, None if found else f"its key {reference} is not set"


def _url(row: EndpointRow, kind: KindRow) -> str:
    url = row.url or kind.url
    if url is None:
        raise ConfigError(
            f"endpoint {row.name!r} of kind {row.kind!r} needs a url with the version path, such as"
            ' "http://127.0.0.1:8000/v1"',
            key="endpoint.url",
        )
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            f"endpoint {row.name!r}: url must be http(s)://host[:port]/path without user, query or fragment",
            key="endpoint.url",
        )
    return url.rstrip("/")


def _networks(row: EndpointRow) -> tuple[str, ...]:
    for network in row.networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise ConfigError(
                f"endpoint {row.name!r}: networks: {error}; write one as 10.0.0.0/8 or fd00::/8",
                key="endpoint.networks",
            ) from None
    return row.networks


def _engine(row: EndpointRow, kind: KindRow) -> EngineOptions | None:
    if kind.loads is None:
        if row.file is not None:
            raise ConfigError(f"endpoint {row.name!r}: only kind {_embedding()} takes a file", key="endpoint.file")
        return None
    if row.url is not None:
        raise ConfigError(
            f"endpoint {row.name!r}: kind {row.kind!r} runs on this machine and takes no url: it is no server",
            key="endpoint.url",
        )
    if row.file is None:
        raise ConfigError(f'endpoint {row.name!r} of kind "{row.kind}" needs file = "PATH"', key="endpoint.file")
    return EngineOptions(
        file=row.file,
        format=kind.loads,
        context_tokens=row.context_tokens,
        slots=row.slots or ENGINE_SLOTS,
        threads=row.threads,
    )


def _embedding() -> str:
    return " or ".join(f'"{kind.kind}"' for kind in kinds().values() if kind.embedded)


def _model(row: ModelRow, endpoint: Endpoint) -> Model:
    served_name = row.served_name or row.id
    known = known_model(endpoint.kind, served_name)
    capabilities: Iterable[str] = kinds()[endpoint.kind].capabilities
    if row.capabilities is not None:
        capabilities = row.capabilities
    elif known is not None:
        capabilities = known.capabilities
    if "embeddings" in capabilities and "embeddings" not in endpoint.wires:
        raise ConfigError(
            f"model {row.id!r} cannot make embeddings: its endpoint {endpoint.name!r} speaks only"
            f" {', '.join(endpoint.wires)}",
            key="model.capabilities",
        )
    return Model(
        id=row.id,
        endpoint=row.endpoint,
        served_name=served_name,
        context_tokens=row.context_tokens or (known.context_tokens if known else None),
        max_output_tokens=row.max_output_tokens or (known.max_output_tokens if known else None),
        capabilities=frozenset(capabilities),  # type: ignore[arg-type]
        price=row.price,
        tasks=row.tasks,
        strength=row.strength if row.strength is not None else (known.strength if known else None),
        family=row.family or (known.family if known else None),
    )
