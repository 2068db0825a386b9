"""Is this the machine that was meant? The address that a connection really has, held against where it may go.

A name says nothing: whoever answers for it can change his mind between a look-up and a connection. So the check is made
on the peer of the open socket, and before any byte of a request is written.
Invariant: what cannot be read as an address is nowhere that anything may go.
"""

import ipaddress

LOOPBACK = ("127.0.0.0/8", "::1/128")
PUBLIC = "public"
"""Every address that all the world can reach: none of this machine, of a private network, or of a link."""


def lies_in(peer: object, networks: tuple[str, ...]) -> bool:
    """Say whether a socket's peer, as the system names it, lies in one of the networks; none given means anywhere."""
    if not networks:
        return True
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0] if isinstance(peer, tuple) else "")
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(_within(address, network) for network in networks)


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, network: str) -> bool:
    if network == PUBLIC:
        return address.is_global and not address.is_multicast
    return address in ipaddress.ip_network(network)
