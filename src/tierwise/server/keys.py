"""Who is calling? Keys as hashes, and the rule for a listener without keys.

Invariant: keys are compared by SHA-256 in constant time; without keys only this machine's own programs are served,
which a page in a browser is not: its Host and Origin give it away.
"""

import functools
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from tierwise.core.secret import Secret
from tierwise.server.errors import INVALID, PERMISSION, Failure

_MISSHAPEN = frozenset(b"/?#@\\% ,")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A caller's key: its name in records, and the hash of its text."""

    name: str
    sha256: bytes
    expires: datetime | None = None


def key(name: str, secret: Secret, expires: datetime | None) -> Key:
    """Hash a secret."""
    return Key(name=name, sha256=hashlib.sha256(secret.reveal().encode()).digest(), expires=expires)


def identify(keys: Sequence[Key], headers: Mapping[bytes, bytes]) -> tuple[str | None, Failure | None]:
    """Return the key's name, or why the caller is not served. Without keys nobody is asked for one."""
    host = headers.get(b"host", b"")
    if not keys:
        return None, _elsewhere(host, headers.get(b"origin"))
    if not host or _misshapen(host):
        return None, _wrong_host("the Host must be one name or address, with or without a port")
    bearer = headers.get(b"authorization", b"")
    given = bearer[7:].strip() if bearer[:7].lower() == b"bearer " else b""
    plain = headers.get(b"x-api-key", b"").strip()
    if (given and plain and given != plain) or not (given or plain) or (bearer and not given):
        return None, _denied("give one key, as `Authorization: Bearer KEY` or `x-api-key: KEY`")
    digest = hashlib.sha256(given or plain).digest()
    found = None
    for known in keys:
        if hmac.compare_digest(known.sha256, digest):
            found = known
    if found is None:
        return None, _denied("this key is not known here")
    expires = found.expires
    if expires is not None and datetime.now(UTC) >= (expires if expires.tzinfo else expires.replace(tzinfo=UTC)):
        return None, _denied(f"the key {found.name!r} expired on {expires.date()}; ask for a new one")
    return found.name, None


def _denied(message: str) -> Failure:
    return Failure(status=401, type=INVALID, code="invalid_api_key", message=message)


def _wrong_host(message: str) -> Failure:
    return Failure(status=400, type=INVALID, code="invalid_host", message=message)


def _misshapen(host: bytes) -> bool:
    return not _MISSHAPEN.isdisjoint(host)


@functools.lru_cache(maxsize=64)
def _elsewhere(host_header: bytes, origin: bytes | None) -> Failure | None:
    host = host_header.decode("latin-1")
    if _misshapen(host_header) or not _loopback(_hostname(f"//{host}")):
        return _wrong_host("this gateway serves this machine only: the Host must be a loopback name")
    if origin is not None and not _loopback(_hostname(origin.decode("latin-1"))):
        text = "pages of other origins may not use this gateway"
        return Failure(status=403, type=PERMISSION, code="origin_not_allowed", message=text)
    return None


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _loopback(host: str | None) -> bool:
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
