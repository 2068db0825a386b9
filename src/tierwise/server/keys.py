"""Who is calling? Keys by their hashes, and the rule for a listener without keys.

Invariant: a key is found by its whole keyed hash, compared in constant time; without keys only this machine's own
programs are served: both ends of the connection are loopback ones, and neither Host nor Origin is that of a page.
"""

import functools
import hmac
import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from tierwise.core.grant import Grant
from tierwise.ledger.keys import hashed
from tierwise.server.errors import INVALID, PERMISSION, Failure

_MISSHAPEN = frozenset(b"/?#@\\% ,")


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key that callers may show: its keyed hash, what it may do, and until when (Unix seconds) it is taken.

    One that is `ended` is not taken whatever the time is.
    """

    digest: bytes
    grant: Grant
    until: float | None = None
    ended: bool = False

    def taken_at(self, now: float) -> bool:
        """Say whether the key is neither revoked nor expired."""
        return not self.ended and (self.until is None or now < self.until)


class Keys:
    """The keys that are known now. `required` is true where callers have to show one, even if none is taken."""

    def __init__(self, keys: Iterable[Key], pepper: bytes, *, required: bool) -> None:
        self._by_digest = {key.digest: key for key in keys}
        self._pepper, self.required = pepper, required

    def find(self, text: bytes) -> Key | None:
        """Return the key of this text."""
        digest = hashed(self._pepper, text)
        found = self._by_digest.get(digest)
        return found if found is not None and hmac.compare_digest(found.digest, digest) else None

    def holds(self, key: Key, now: float) -> bool:
        """Say whether this key is taken at this moment."""
        known = self._by_digest.get(key.digest)
        return known is not None and known.taken_at(now)


def identify(
    keys: Keys, headers: Mapping[bytes, bytes], now: float, *, local: bool
) -> tuple[Key | None, Failure | None]:
    """Return the key, or why the caller is not served. Without keys nobody is asked for one.

    `local` says whether both ends of the connection are this machine's loopback addresses.
    """
    host = headers.get(b"host", b"")
    if not keys.required:
        return None, _elsewhere(host, headers.get(b"origin")) if local else _FAR
    if not host or _misshapen(host):
        return None, _wrong_host("the Host must be one name or address, with or without a port")
    bearer = headers.get(b"authorization", b"")
    given = bearer[7:].strip() if bearer[:7].lower() == b"bearer " else b""
    plain = headers.get(b"x-api-key", b"").strip()
    if (given and plain and given != plain) or not (given or plain) or (bearer and not given):
        return None, _denied("give one key, as `Authorization: Bearer KEY` or `x-api-key: KEY`")
    found = keys.find(given or plain)
    if found is None:
        return None, UNKNOWN
    if not found.taken_at(now):
        return None, no_longer(found)
    return found, None


def no_longer(key: Key) -> Failure:
    """Return what the holder of a key is told that is not taken any more."""
    day = "" if key.until is None else f" on {datetime.fromtimestamp(key.until, UTC).date()}"
    return _denied(f"the key {key.grant.name!r} was revoked or expired{day}; ask for a new one")


def both_loopback(server: tuple[str, int | None] | None, client: tuple[str, int] | None) -> bool:
    """Say whether a connection has both its ends on this machine."""
    return all(end is not None and _loopback(end[0]) for end in (server, client))


def _denied(message: str) -> Failure:
    return Failure(status=401, type=INVALID, code="invalid_api_key", message=message)


UNKNOWN = _denied("this key is not known here")


def _wrong_host(message: str) -> Failure:
    return Failure(status=400, type=INVALID, code="invalid_host", message=message)


_FAR = Failure(
    status=403,
    type=PERMISSION,
    code="key_required",
    message="without keys this gateway serves this machine only: make a key with `tierwise keys create`",
)


def _misshapen(host: bytes) -> bool:
    return not _MISSHAPEN.isdisjoint(host)


@functools.lru_cache(maxsize=64)
def _elsewhere(host_header: bytes, origin: bytes | None) -> Failure | None:
    host = host_header.decode("latin-1")
    if _misshapen(host_header) or not _loopback(_hostname(f"//{host}")):
        return _wrong_host("this gateway serves this machine only: the Host must be a loopback name")
    if origin is not None and not _loopback_origin(origin.decode("latin-1")):
        text = "pages of other origins may not use this gateway"
        return Failure(status=403, type=PERMISSION, code="origin_not_allowed", message=text)
    return None


def _loopback_origin(origin: str) -> bool:
    return origin.startswith(("http://", "https://")) and "@" not in origin and _loopback(_hostname(origin))


def _hostname(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        _ = parts.port
        return parts.hostname
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
