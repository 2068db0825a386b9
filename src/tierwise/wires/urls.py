"""May an endpoint be asked to fetch this address? Only public web addresses and inline data pass.

Looks at the text alone: a public name that resolves to a private address is for the endpoint's own network to refuse.
Invariant: no name is resolved and no connection is opened here.
"""

import ipaddress
import re
import socket

from tierwise.core.errors import InvalidCall

_WEB = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[^\s/?#@\\:\[\]%]+)(?::\d{1,5})?(?:[/?#][^\s\\]*)?", re.IGNORECASE)
_INSIDE = re.compile(r"(?:.*\.)?(?:localhost|local|internal|localdomain|home\.arpa)\.?", re.IGNORECASE)


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
        try:  # what C libraries take for an address too: 2130706433, 0x7f.1, 0177.0.0.1
            address = ipaddress.ip_address(socket.inet_aton(host))
        except (OSError, ValueError):
            return True
    inner = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (inner or address).is_global


def _refused(param: str, what: str) -> InvalidCall:
    return InvalidCall(f"The address in {param} {what}.", param=param, code="bad_url")
