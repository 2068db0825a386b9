"""How does a request leave this process? `Transport` is the one outbound path: pooled HTTP/1.1 on asyncio.

It follows no redirect, reads no proxy from the environment, never relaxes TLS, and judges no status: 3xx to 5xx are
answers like any other. Invariant: a request is sent twice only if a kept connection died before any byte of its answer.
"""

import asyncio
import ssl
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tierwise.core.errors import ConfigError, TimedOut, Unreachable
from tierwise.core.model import Limits
from tierwise.providers.address import Address, Origin, Target, parse
from tierwise.providers.exchange import Exchange
from tierwise.providers.pool import Pool

__all__ = ["Address", "Exchange", "Transport"]

_MAX_PEERS = 256
_MAX_HEADS = 64


Headers = tuple[tuple[str, str], ...]
_Head = tuple[str, Headers]


class _Peer:
    """An address in use: its pool and the request heads written so far."""

    __slots__ = ("gets", "limits", "pool", "posts", "target")

    def __init__(self, target: Target, pool: Pool, limits: Limits) -> None:
        self.target, self.pool, self.limits = target, pool, limits
        self.posts: dict[_Head, bytes] = {}
        self.gets: dict[_Head, bytes] = {}


class Transport:
    """A pooled client for one event loop. Close it with `aclose`."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._peers: dict[Address, _Peer] = {}
        self._pools: dict[Origin, Pool] = {}
        self._trust: dict[str | None, ssl.SSLContext] = {}
        self._closed = False

    def post(
        self, address: Address, path: str, body: bytes, *, deadline: float, stream: bool, headers: Headers = ()
    ) -> Coroutine[Any, Any, Exchange]:
        """Send a JSON body; return when the answer's head has come (streamed) or all of it (not streamed).

        `deadline` is absolute, in the loop's time, and covers the whole exchange; limits of the address apply too.
        `headers` go with this request only.

        Raises:
            Unreachable: no connection, or lost before any byte of the answer.
            TimedOut: `code` says which limit.
            BadReply: not HTTP, compressed, too large, cut short.
            ConfigError: the address or path is malformed.
        """
        peer = self._peers.get(address) or self._peer(address)
        wanted = (path, headers)
        head = peer.posts.get(wanted) or _write_head(peer.target, "POST", wanted, peer.posts)
        return self._send(peer, b"%b%d\r\n\r\n%b" % (head, len(body), body), deadline, stream)

    def put(self, address: Address, path: str, text: str, *, deadline: float) -> Coroutine[Any, Any, Exchange]:
        """Put a text there as an object of its own; raises as `post` does."""
        peer = self._peers.get(address) or self._peer(address)
        body = text.encode()
        head = b"%b%d\r\n\r\n%b" % (peer.target.head("PUT", path), len(body), body)
        return self._send(peer, head, deadline, False)

    def get(
        self, address: Address, path: str, *, deadline: float, stream: bool = False, headers: Headers = ()
    ) -> Coroutine[Any, Any, Exchange]:
        """Fetch `path`; waits and raises as `post` does."""
        peer = self._peers.get(address) or self._peer(address)
        head = peer.gets.get((path, headers)) or _write_head(peer.target, "GET", (path, headers), peer.gets)
        return self._send(peer, head, deadline, stream)

    async def aclose(self) -> None:
        """Close every connection; requests under way fail, later ones are refused."""
        self._closed = True
        pools = tuple(self._pools.values())
        self._pools.clear()
        self._peers.clear()
        for pool in pools:
            await pool.close()

    async def _send(self, peer: _Peer, payload: bytes, deadline: float, stream: bool) -> Exchange:
        limits, pool = peer.limits, peer.pool
        clock = pool.clock
        now = clock()
        deadline = min(deadline, now + limits.total_timeout_s)
        if deadline <= now:
            raise TimedOut("no time was left for the request", code="total_timeout")
        connection = pool.take(now) or await pool.connect(limits, deadline)
        reused = connection.used
        exchange = connection.begin(payload, limits, clock(), deadline, stream)
        try:
            await exchange.opened()
        except Unreachable:
            if not reused or exchange.started:
                raise
            connection = await pool.connect(limits, deadline)
            exchange = connection.begin(payload, limits, clock(), deadline, stream)
            await exchange.opened()
        return exchange

    def _peer(self, address: Address) -> _Peer:
        if self._closed:
            raise Unreachable("the transport is closed", code="closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        if len(self._peers) >= _MAX_PEERS:
            self._forget_unused()
        target = parse(address)
        cap = address.limits.max_connections
        pool = self._pools.get(target.origin)
        if pool is None:
            trust = self._trusted(address.ca_file) if target.origin.secure else None
            pool = self._pools[target.origin] = Pool(self._loop, target.origin, trust, cap)
        pool.cap = min(pool.cap, cap)
        peer = self._peers[address] = _Peer(target, pool, address.limits)
        return peer

    def _forget_unused(self) -> None:
        self._peers = {address: peer for address, peer in self._peers.items() if peer.pool.open}
        self._pools = {origin: pool for origin, pool in self._pools.items() if pool.open}

    def _trusted(self, ca_file: str | None) -> ssl.SSLContext:
        context = self._trust.get(ca_file)
        if context is None:
            # Built by hand: ssl.create_default_context would write session keys where SSLKEYLOGFILE says.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.set_alpn_protocols(["http/1.1"])
            if ca_file is None:
                context.load_default_certs()
            else:
                _load(context, Path(ca_file))
            self._trust[ca_file] = context
        return context


def _load(context: ssl.SSLContext, file: Path) -> None:
    try:
        context.load_verify_locations(cafile=file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{file} cannot be used as a file of trusted certificates (PEM): {error}") from error


def _write_head(target: Target, method: str, wanted: _Head, known: dict[_Head, bytes]) -> bytes:
    if len(known) >= _MAX_HEADS:
        known.clear()
    head = known[wanted] = target.head(method, *wanted)
    return head
