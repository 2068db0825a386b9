"""How are parts of a large file fetched? `Ranges`: one file at one address, followed to where its server sends us on.

It keeps nothing and judges no content. Invariant: what a part yields lies in the file where it was asked for; a key
goes to the origin that it was given for and to no other, and what began encrypted stays so.
"""

import asyncio
import re
from collections.abc import AsyncGenerator
from urllib.parse import urljoin, urlsplit

import msgspec

from tierwise.core.errors import (
    BadReply,
    ConfigError,
    InvalidCall,
    Overloaded,
    ProviderError,
    RateLimited,
    Unauthorized,
)
from tierwise.core.model import Limits
from tierwise.providers.address import Address
from tierwise.providers.exchange import Exchange
from tierwise.providers.transport import Transport

LIMITS = Limits(
    connect_timeout_s=10.0,
    first_byte_timeout_s=30.0,
    idle_timeout_s=30.0,
    total_timeout_s=7 * 86_400.0,
    max_connections=4,
    max_answer_bytes=1 << 43,
)
"""For files of any size: a stall ends a wait, the length of a download does not."""
PART_TIMEOUT_S = 86_400.0
MAX_HOPS = 6
_MOVED = frozenset({301, 302, 303, 307, 308})
_EXPIRED = frozenset({401, 403, 404, 410})
_RANGE = re.compile(rb"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a file lies: an address and a path under it, query included."""

    address: Address
    path: str


class Part:
    """A part of a file as it arrives, before the place `end`. `size_bytes` is that of the whole file."""

    def __init__(self, exchange: Exchange, start: int, end: int, size_bytes: int) -> None:
        self._exchange, self.start, self.end, self.size_bytes = exchange, start, end, size_bytes

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield what comes, to the end of the part. Raises ProviderError where it breaks off, or goes on."""
        left = self.end - self.start
        try:
            while chunk := await self._exchange.read_some():
                left -= len(chunk)
                if left < 0:
                    raise BadReply("the server sends more of the file than it says", code="other_range")
                yield chunk
            if left:
                raise BadReply("the server sends less of the file than it says", code="upstream_incomplete")
        finally:
            self._exchange.release()


class Ranges:
    """Fetches parts of one file."""

    def __init__(self, transport: Transport, place: Place) -> None:
        self._transport, self._named = transport, place
        self._found: Place | None = None  # where the server sent us on to; signed addresses expire

    async def part(self, start: int, count: int | None = None) -> Part:
        """Ask for `count` bytes from `start` on, None for all that follow.

        Raises:
            InvalidCall: there is no such file.
            Unauthorized: its server wants another key.
            ProviderError: it cannot be had now, or the server has no range reads.
        """
        asked = f"bytes={start}-{'' if count is None else start + count - 1}"
        place = self._found or self._named
        for _ in range(MAX_HOPS):
            exchange = await self._get(place, asked)
            if exchange.status in (200, 206):
                self._found = place if place != self._named else None
                return _part(exchange, start)
            location = exchange.headers.get(b"location", b"").decode("latin-1")
            exchange.release()
            if exchange.status in _MOVED:
                place = onward(place, location)
            elif exchange.status in _EXPIRED and self._found is not None:
                self._found, place = None, self._named
            else:
                raise _error(exchange, place)
        raise BadReply("the server sends on to yet another place, again and again", code="too_many_hops")

    async def _get(self, place: Place, asked: str) -> Exchange:
        deadline = asyncio.get_running_loop().time() + PART_TIMEOUT_S
        try:
            return await self._transport.get(
                place.address, place.path, deadline=deadline, stream=True, headers=(("range", asked),)
            )
        except ConfigError as error:
            if place == self._named:
                raise
            raise BadReply(f"the server sends on to where nothing can be asked: {error}") from error


def onward(place: Place, location: str) -> Place:
    """Return where a server sends us on to. Raises BadReply for nowhere, and for what would no longer be encrypted."""
    here = urlsplit(place.address.url)
    try:
        there = urlsplit(urljoin(place.address.url.rstrip("/") + place.path, location))
    except ValueError as error:
        raise BadReply("the server sends on to nowhere") from error
    if not location or not there.hostname or there.scheme not in ("http", "https"):
        raise BadReply("the server sends on to nowhere")
    if here.scheme == "https" and there.scheme != "https":
        raise BadReply("the server sends on to an address without TLS: not followed")
    same = (here.scheme, here.netloc.lower()) == (there.scheme, there.netloc.lower())
    address = msgspec.structs.replace(place.address, url=f"{there.scheme}://{there.netloc}")
    if not same:
        address = msgspec.structs.replace(address, key=None, headers=(), ca_file=None)
    query = f"?{there.query}" if there.query else ""
    return Place(address=address, path=(there.path or "/") + query)


def _part(exchange: Exchange, start: int) -> Part:
    if exchange.status == 206:
        told = _RANGE.fullmatch(exchange.headers.get(b"content-range", b""))
        if told is not None and int(told[1]) == start <= int(told[2]) < int(told[3]):
            return Part(exchange, start, int(told[2]) + 1, int(told[3]))
        exchange.release()
        raise BadReply("the server sent another part of the file than was asked for", code="other_range")
    length = exchange.headers.get(b"content-length", b"")
    if start == 0 and length.isdigit():
        return Part(exchange, 0, int(length), int(length))
    exchange.release()
    raise BadReply("the server cannot send a part of a file", code="no_ranges")


def _error(exchange: Exchange, place: Place) -> ProviderError | InvalidCall:
    status, where = exchange.status, f"{place.address.url}{place.path.partition('?')[0]}"
    if status in (401, 403):
        return Unauthorized(f"{where} wants a key that may read it (status {status})", status=status)
    if status in (404, 410):
        return InvalidCall(f"there is nothing at {where}")
    if status == 429:
        return RateLimited("the server asks to wait", status=status, retry_after_s=_wait_s(exchange))
    if status >= 500:
        return Overloaded(f"the server answered with status {status}", status=status, retry_after_s=_wait_s(exchange))
    return BadReply(f"{where} answered with status {status}", status=status)


def _wait_s(exchange: Exchange) -> float | None:
    text = exchange.headers.get(b"retry-after", b"")
    return float(text) if text.isdigit() and len(text) < 6 else None
