"""Where does what is sent to an endpoint really go? What the shipped rows know of its address, its kind and the model.

Asks nobody and resolves no name: a tier that nothing here contradicts is believed, and `claim` says where that is all.
Invariant: an endpoint is never nearer than its row says; only a row that says too near is contradicted.
"""

import ipaddress
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.registry.kinds import kinds, vendors


def outside(endpoint: Endpoint, models: tuple[Model, ...] = ()) -> str:
    """Say who outside would get what an inside tier promises to keep; empty where nothing is known against it."""
    if endpoint.tier is Tier.FRONTIER:
        return ""
    host = host_of(endpoint)
    for domain, vendor in vendors():
        if any(fnmatchcase(host, pattern) for pattern in (domain, f"*.{domain}")):
            return f"{host}, which is {vendor}'s"
    if kinds()[endpoint.kind].tier is Tier.FRONTIER:
        return f"{host or endpoint.name}, an outside API by its kind {endpoint.kind}"
    return next((told for model in models if (told := _passed_on(endpoint, model))), "")


def claim(endpoint: Endpoint) -> str:
    """Return the host of a server that is called yours, where nothing here can tell that it is; else nothing."""
    host = host_of(endpoint)
    if endpoint.tier is not Tier.SELF_HOSTED or not host:
        return ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "" if host == "localhost" else host
    return "" if address.is_private else host


def host_of(endpoint: Endpoint) -> str:
    """Return the host as it is connected to: lower case, without a final dot, in ASCII; empty for the own engine."""
    host = (urlsplit(endpoint.url).hostname or "") if endpoint.url else ""
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return host  # such an address is refused where it is parsed to connect
    return host.lower().rstrip(".")


def _passed_on(endpoint: Endpoint, model: Model) -> str:
    """Say where a server passes a model on to: one of its kind, or what listens where its kind usually does."""
    port = urlsplit(endpoint.url).port if endpoint.url else None
    for row in kinds().values():
        alike = row.kind == endpoint.kind or (row.port is not None and row.port == port)
        if alike and any(fnmatchcase(model.served_name.lower(), pattern) for pattern in row.forwards):
            maker = row.domains[0] if row.domains else "its maker"
            return f"{maker}, where {row.kind} passes {model.served_name} on to"
    return ""
