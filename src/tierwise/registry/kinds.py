"""What is known of a kind of endpoint, and of well-known models? The rows shipped in `registry/rows`.

Read once, on first use. Invariant: a kind is a row; no code anywhere asks for a kind by name to behave differently.
"""

import functools
import tomllib
from datetime import date
from importlib import resources
from typing import Any

import msgspec

from tierwise.core.label import Tier
from tierwise.core.model import Capability, FileFormat
from tierwise.core.prices import PriceRow


class KindRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of endpoint.

    `url` and `port` are where such a server usually listens, `more_urls` where else on this machine; `key_env` is the
    variable in which its users usually keep their key, `key_header` what carries it. `tier` None: the user must say
    where it runs. `wires` are the wire formats spoken, the one to prefer first; `also` those that an endpoint's own
    `wires` may add; `context_wire` is the one that alone sets the context length; `counts` says that the server counts
    the tokens of a Messages request exactly when asked. `loads` marks the engines that this process starts itself, by
    the format of their files; `engine_server` is the kind of such an engine as a server of its own; `grammar` says that
    a schema binds the decoder and costs no prompt tokens. `domains` are its maker's, where an outside API answers;
    `forwards` are patterns of the models that such a server passes on to its maker. `genai_provider` is what the GenAI
    conventions of OpenTelemetry call it, where that is not its kind.
    """

    kind: str
    wires: tuple[str, ...]
    also: tuple[str, ...] = ()
    context_wire: str | None = None
    key_header: str = "authorization"
    counts: bool = False
    tier: Tier | None = None
    url: str | None = None
    more_urls: tuple[str, ...] = ()
    port: int | None = None
    key_env: str | None = None
    loads: FileFormat | None = None
    discover: bool = False
    grammar: bool = False
    engine_server: bool = False
    capabilities: tuple[Capability, ...] = ()
    domains: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    genai_provider: str = ""
    source: str = ""
    as_of: str = ""

    @property
    def embedded(self) -> bool:
        """True where this process starts what answers."""
        return self.loads is not None


class VendorRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An outside API without a kind of its own, and the domains where it answers."""

    vendor: str
    domains: tuple[str, ...]
    source: str
    as_of: str


class KnownModel(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Facts about a model of an outside provider, by the name under which its kinds serve it."""

    served_name: str
    kinds: tuple[str, ...]
    capabilities: tuple[Capability, ...] = ()
    context_tokens: int | None = None
    max_output_tokens: int | None = None
    strength: float | None = None
    family: str | None = None


@functools.cache
def kinds() -> dict[str, KindRow]:
    """Return every kind of endpoint by name."""
    rows = msgspec.convert(rows_in("endpoints.toml")["kind"], tuple[KindRow, ...])
    return {row.kind: row for row in rows}


@functools.cache
def vendors() -> tuple[tuple[str, str], ...]:
    """Return the domains that are known to be an outside vendor's, each with whose it is."""
    rows = msgspec.convert(rows_in("endpoints.toml")["vendor"], tuple[VendorRow, ...])
    named = [(row.kind, row.domains) for row in kinds().values()] + [(row.vendor, row.domains) for row in rows]
    return tuple((domain, name) for name, domains in named for domain in domains)


@functools.cache
def known_models() -> tuple[KnownModel, ...]:
    """Return the models that the shipped rows know."""
    return msgspec.convert(rows_in("models.toml")["model"], tuple[KnownModel, ...])


@functools.cache
def known_prices() -> tuple[PriceRow, ...]:
    """Return the dated prices that the shipped rows know."""
    return msgspec.convert(rows_in("prices.toml")["price"], tuple[PriceRow, ...])


def known_model(kind: str, served_name: str) -> KnownModel | None:
    """Return the row of a model as served by endpoints of this kind, if there is one."""
    return next((row for row in known_models() if row.served_name == served_name and kind in row.kinds), None)


def known_price(kind: str, served_name: str) -> bool:
    """Say whether a shipped row prices a model as served by endpoints of this kind."""
    return any(row.model == served_name and kind in row.kinds for row in known_prices())


def priced(served_name: str) -> PriceRow | None:
    """Return the latest shipped price of that name, whoever serves it."""
    rows = (row for row in known_prices() if row.model == served_name)
    return max(rows, key=lambda row: row.starts or date.min, default=None)


def wire_names() -> frozenset[str]:
    """Return the name of every wire format that some kind speaks."""
    return frozenset(name for row in kinds().values() for name in (*row.wires, *row.also))


def engine_server() -> KindRow:
    """Return the kind of a server that runs the same engine as the embedded one."""
    return next(row for row in kinds().values() if row.engine_server)


def rows_in(name: str) -> dict[str, Any]:
    """Return what a shipped file of rows holds."""
    text = resources.files("tierwise.registry").joinpath("rows", name).read_text("utf-8")
    return tomllib.loads(text)
