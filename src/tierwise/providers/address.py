"""Where does a request go, and with which credentials? `Address` is the value, `Peer` what is derived from it once.

A URL is parsed here and nowhere else, so what is checked is what is connected to.
Invariant: no text of this module's errors holds a key or the value of a header.
"""

import re
from urllib.parse import SplitResult, urlsplit

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Limits
from tierwise.core.secret import Secret
from tierwise.providers.egress import LOOPBACK

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_PATH = re.compile(r"/[!-~]*")
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "upgrade", "te"})
_PORTS = {"http": 80, "https": 443}


class Address(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """One server: base URL with the version path, credentials, limits.

    `ca_file` (PEM) replaces the system's trust for a private server; verification is never turned off.
    `key` is sent as a bearer token; a key that goes elsewhere is a `Secret` among `headers`. `media_type` is that of
    what is posted, `networks` are those that its host may lie in; none given means any.
    """

    url: str
    key: Secret | None = None
    headers: tuple[tuple[str, str | Secret], ...] = ()
    ca_file: str | None = None
    networks: tuple[str, ...] = ()
    limits: Limits = Limits()
    media_type: str = "application/json"


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What must be equal for two requests to share a connection."""

    secure: bool
    host: str
    port: int
    key: Secret | None = None
    ca_file: str | None = None
    networks: tuple[str, ...] = ()


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed `Address`: whom to connect to, and the constant start of each request's head."""

    origin: Origin
    prefix: str
    fields: str
    media_type: str = "application/json"

    def head(self, method: str, path: str, headers: tuple[tuple[str, str], ...] = ()) -> bytes:
        """Write the request head for `path` (starts with `/`); one with a body ends before its content length."""
        if not _PATH.fullmatch(path):
            raise ConfigError(f"request path {path!r} must start with '/' and hold only visible ASCII")
        kind = {"POST": self.media_type, "PUT": "text/plain; charset=utf-8"}.get(method)
        tail = "\r\n" if kind is None else f"content-type: {kind}\r\ncontent-length: "
        more = "".join(map(_field, headers))
        return f"{method} {self.prefix}{path} HTTP/1.1\r\n{self.fields}{more}{tail}".encode("latin-1")


def parse(address: Address) -> Target:
    """Check an address and take it apart; raise ConfigError naming what is wrong."""
    parts, port = _split(address.url)
    host = parts.hostname or ""
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ConfigError(f"{address.url!r}: the host name is not valid") from error
    secure = parts.scheme == "https"
    name = f"[{host}]" if ":" in host else host
    shown = name if port == _PORTS[parts.scheme] else f"{name}:{port}"
    fields = f"host: {shown}\r\nuser-agent: tierwise\r\naccept-encoding: identity\r\n" + _credentials(address)
    origin = Origin(
        secure=secure, host=host, port=port, key=address.key, ca_file=address.ca_file, networks=address.networks
    )
    return Target(origin=origin, prefix=parts.path.rstrip("/"), fields=fields, media_type=address.media_type)


def _split(url: str) -> tuple[SplitResult, int]:
    if not url.isprintable() or any(character in url for character in ' \\"<>'):
        raise ConfigError(f"{url!r}: a URL must not hold spaces, backslashes or control characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ConfigError(f"{url!r} must start with http:// or https:// and name a host")
    if parts.username is not None or parts.password is not None:
        raise ConfigError("credentials do not belong into a URL; use the endpoint's key")
    if parts.query or parts.fragment or (parts.path and not _PATH.fullmatch(parts.path)):
        raise ConfigError(f"{url!r} must end with its path: no query, no fragment, ASCII only")
    return parts, port if port is not None else _PORTS[parts.scheme]


def _credentials(address: Address) -> str:
    fields: list[tuple[str, str | Secret]] = []
    if address.key is not None:
        fields.append(("authorization", Secret("Bearer " + address.key.reveal())))
    return "".join(map(_field, (*fields, *address.headers)))


def _field(field: tuple[str, str | Secret]) -> str:
    """Write one header line; nothing in it can end the line or take the place of a header of the transport's own."""
    name, value = field
    if not _TOKEN.fullmatch(name) or name.lower() in _OURS:
        raise ConfigError(f"header {name!r} cannot be set")
    text = value.reveal() if isinstance(value, Secret) else value
    if not _VALUE.fullmatch(text):
        raise ConfigError(f"the value of header {name!r} holds a line break or a character outside Latin-1")
    return f"{name.lower()}: {text}\r\n"


def address_of(endpoint: Endpoint) -> Address:
    """Return where a configured endpoint listens, and with which key."""
    bearer = endpoint.key_header == "authorization"
    return Address(
        url=endpoint.url,
        key=endpoint.key if bearer else None,
        headers=() if bearer or endpoint.key is None else ((endpoint.key_header, endpoint.key),),
        ca_file=endpoint.ca_file,
        networks=LOOPBACK if endpoint.tier is Tier.LOCAL else endpoint.networks,
        limits=endpoint.limits,
    )
