"""May an endpoint be asked to fetch this address? Only public web addresses and inline data pass.

Looks at the text alone: a public name that resolves to a private address is for the endpoint's own network to refuse.
Invariant: no name is resolved and no connection is opened here.
"""

import ipaddress
import re

from tierwise.core.errors import InvalidCall

_WEB = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@\\:\[\]%]+)(?::\d{1,5})?(?:[/?#][^\s\\]*)?", re.IGNORECASE)
_INSIDE = re.compile(r"(?:.*\.)?(?:localhost|local|internal|localdomain|home\.arpa)\.?", re.IGNORECASE)
_NUMERIC = re.compile(r"(?:.*\.)?(?:\d+|0[xX][0-9a-fA-F]*)\.?")
"""A last label that is a number makes readers take the host for an IPv4 address: 2130706433, 0x7f.1, 0177.0.0.1."""


def check_url(url: str, param: str) -> None:
    """Raise `InvalidCall` (`bad_url`) unless `url` is `data:` or a web address outside of private networks."""
    if url[:5].lower() == "data:":
        return
    match = _WEB.fullmatch(url)
    if match is None:
        raise _refused(param, "must be an http, https or data URL without credentials")
    host = match[1].strip("[]")
    if _INSIDE.fullmatch(host) or not _public(host):
        raise _refused(param, "must not lead into a private network")


def _public(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _NUMERIC.fullmatch(host) is None
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (inner or address).is_global


def _refused(param: str, what: str) -> InvalidCall:
    return InvalidCall(f"The address in {param} {what}.", param=param, code="bad_url")
