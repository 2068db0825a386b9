"""Where does a provider that another gateway names answer? The rows of `rows/providers.toml`, and what an address says.

Pure but for reading the shipped rows. Invariant: a host that is not plainly yours is taken for an outside one.
"""

import functools
import ipaddress
import tomllib
from importlib import resources
from urllib.parse import urlsplit, urlunsplit

import msgspec

from tierwise.core.label import Tier
from tierwise.registry.kinds import KindRow

_INSIDE = (".local", ".internal", ".lan", ".intranet", ".corp", ".home.arpa", ".svc", ".cluster.local", ".localdomain")


class Provider(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider under all its `names`, with the `kind` that it is here; `elsewhere` is the kind at an address of the
    user's own, `path` what such an address lacks. `bare` begins names of models that stand without a provider. `keys`
    are the variables in which a gateway looks for its key, where that is not ours. `absent` says why there is none;
    `general` marks the one that is meant where only an address is given."""

    names: tuple[str, ...]
    kind: str = ""
    elsewhere: str = ""
    url: str | None = None
    path: str = ""
    key_env: str | None = None
    keys: dict[str, str] = {}
    bare: tuple[str, ...] = ()
    absent: str = ""
    general: bool = False
    source: str = ""


class Gateway(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A gateway whose files are read: its `form`, and words about keys that have no counterpart."""

    name: str
    title: str
    form: str = ""
    greeting: str = ""
    unlike: dict[str, str] = {}
    source: str = ""


class Rows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file of rows; `price_lists` are modules beside this one."""

    price_lists: tuple[str, ...]
    gateway: tuple[Gateway, ...]
    provider: tuple[Provider, ...]


@functools.cache
def rows() -> Rows:
    """Return the shipped rows."""
    text = resources.files("tierwise.cli").joinpath("rows", "providers.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), Rows)


def gateways() -> dict[str, Gateway]:
    """Return the gateways by name."""
    return {row.name: row for row in rows().gateway}


def provider(name: str) -> Provider | None:
    """Return the provider of a name, however it is spelt."""
    plain = name.lower().replace("-", "_")
    return next((row for row in rows().provider if plain in row.names), None)


def general() -> Provider:
    """Return the provider that is meant where only an address is given."""
    return next(row for row in rows().provider if row.general)


def guessed(model: str) -> Provider | None:
    """Return the provider whose models begin like this one."""
    return next((row for row in rows().provider if model.lower().startswith(row.bare)), None) if model else None


def address(text: str, notes: list[str]) -> str | None:
    """Return an address that may be written down: user, password, query and fragment are cut off and named."""
    try:
        parts = urlsplit(text.strip())
        there = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    if not there or any(c.isspace() or not c.isprintable() for c in text.strip()):
        return None
    host = parts.netloc.rpartition("@")[2]
    if parts.username or parts.password:
        notes.append("its address carried a user or a password, which is not copied: use key")
    if parts.query or parts.fragment:
        notes.append("its address carried a query, which is not copied")
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def placed_url(row: Provider, url: str | None, notes: list[str]) -> tuple[str, str | None]:
    """Return the kind and the address to write; None where the kind's own holds."""
    at = address(url, notes) if url else row.url
    if at is None or url is None:
        return row.kind, at
    for ending in ("/chat/completions", "/completions", "/responses", "/messages", "/embeddings"):
        at = at.removesuffix(ending)
    before = row.path.removesuffix("/v1")
    if before:
        at = at.partition(before + "/")[0].removesuffix(before)
    if row.path and not at.endswith(row.path) and not urlsplit(at).path.rstrip("/").endswith("/v1"):
        at += row.path
    return row.elsewhere or row.kind, at


def host_tier(url: str, kind: KindRow, notes: list[str]) -> Tier | None:
    """Return the tier to write, or None where the kind's own is right."""
    found = tier_of_host(urlsplit(url).hostname or "")
    if kind.tier is Tier.LOCAL:
        return None if found is Tier.LOCAL else found
    if kind.tier is not None:
        return None
    if found is Tier.FRONTIER:
        notes.append('this address is taken for an outside one; write "self_hosted" if the server is yours')
    return found


def tier_of_host(host: str) -> Tier:
    """Say how far away a host is: this machine, a network of yours, or outside."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        if host == "localhost":
            return Tier.LOCAL
        near = host.endswith(_INSIDE) or "." not in host
        return Tier.SELF_HOSTED if near else Tier.FRONTIER
    if ip.is_loopback:
        return Tier.LOCAL
    return Tier.SELF_HOSTED if ip.is_private and not ip.is_unspecified else Tier.FRONTIER
