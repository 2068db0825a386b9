"""Which connection carries the next request? One `Pool` per origin and key, with a cap and a queue.

Invariant: at most `cap` connections are open or being opened; a place that comes free wakes exactly one waiter.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import deque

from tierwise.core.errors import ProviderError, TimedOut, Unreachable
from tierwise.core.model import Limits
from tierwise.providers.address import Origin
from tierwise.providers.connection import KEEP_IDLE_S, Connection
from tierwise.providers.egress import lies_in


class Pool:
    """Connections to one origin. `tls` is None for plain HTTP."""

    def __init__(self, loop: asyncio.AbstractEventLoop, origin: Origin, tls: ssl.SSLContext | None, cap: int) -> None:
        self._loop, self._origin, self._tls = loop, origin, tls
        self._idle: list[Connection] = []
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._members: set[Connection] = set()
        self._lost: asyncio.Future[None] | None = None
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False
        self.clock = loop.time
        self.cap = cap
        self.open = 0

    def take(self, now: float) -> Connection | None:
        """Return an idle connection, the one used last, or None."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and now - connection.idle_since < KEEP_IDLE_S:
                return connection
            connection.abort()
        return None

    async def connect(self, limits: Limits, deadline: float) -> Connection:
        """Open a connection, or wait for one while the pool is at its cap.

        Raises:
            TimedOut: `pool_timeout` while waiting, `connect_timeout` while connecting.
            Unreachable: refused, no such host, certificate not trusted, an address where it may not lie.
        """
        while self.open >= self.cap and not self._closed:
            given = await self._queue(deadline)
            if given is not None and not given.closed:
                return given
        if self._closed:
            raise Unreachable("the transport is closed", code="closed")
        self.open += 1
        connection = Connection(self._loop, self)
        self._members.add(connection)
        try:
            await self._open(connection, min(deadline, self._loop.time() + limits.connect_timeout_s))
        except BaseException:
            # One that was given up while it was made is not always reported lost: uvloop then closes it without a word.
            connection.abort()
            self.gone(connection)
            raise
        return connection

    async def close(self) -> None:
        """Close every connection and wait until the sockets are gone."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        while self._waiters:
            self._wake_one()
        for connection in tuple(self._members):
            connection.shut()
        while any(connection.made for connection in self._members):
            self._lost = self._loop.create_future()
            await self._lost

    # what a connection calls

    def keep(self, connection: Connection) -> None:
        """Give the connection to whoever waits longest, or keep it idle."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._idle.append(connection)
        if self._sweeping is None and not self._closed:
            self._sweeping = self._loop.call_later(KEEP_IDLE_S, self._sweep)

    def gone(self, connection: Connection) -> None:
        """Count it as closed, once, and let the next one open its own."""
        if connection not in self._members:
            return
        self._members.remove(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self.open -= 1
        self._wake_one()
        if self._lost is not None and not self._lost.done():
            self._lost.set_result(None)

    # inside

    def _sweep(self) -> None:
        """Close what has been idle too long: one timer for all, so that many at once leave nothing behind them."""
        now = self._loop.time()
        for connection in [one for one in self._idle if now - one.idle_since >= KEEP_IDLE_S]:
            self._idle.remove(connection)
            connection.abort()
        self._sweeping = self._loop.call_later(KEEP_IDLE_S, self._sweep) if self._idle else None

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    async def _queue(self, deadline: float) -> Connection | None:
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():  # it was our turn, and we are not there to take it
                given = waiter.result()
                if given is not None and not given.closed:
                    self.keep(given)
                else:
                    self._wake_one()
            else:
                with contextlib.suppress(ValueError):
                    self._waiters.remove(waiter)
            if isinstance(error, TimeoutError):
                raise TimedOut(f"all {self.cap} connections stayed busy", code="pool_timeout") from None
            raise

    async def _open(self, connection: Connection, until: float) -> None:
        origin = self._origin
        name = origin.host if self._tls is not None else None
        try:
            async with asyncio.timeout_at(until):
                transport, _ = await self._loop.create_connection(
                    lambda: connection, origin.host, origin.port, ssl=self._tls, server_hostname=name
                )
        except OSError as error:
            raise _meaning(error) from error
        if not lies_in(transport.get_extra_info("peername"), origin.networks):
            text = f"{origin.host} leads to an address outside of {', '.join(origin.networks)}"
            raise Unreachable(f"{text}: nothing was sent", code="address_elsewhere")


def _meaning(error: OSError) -> ProviderError:
    match error:
        case TimeoutError():
            return TimedOut("no connection in time", code="connect_timeout")
        case ssl.SSLCertVerificationError():
            return Unreachable(f"the certificate is not trusted: {error.verify_message}", code="tls_untrusted")
        case ssl.SSLError():
            return Unreachable(f"the TLS handshake failed: {error.reason}", code="tls_failed")
        case ConnectionRefusedError():
            return Unreachable("nothing listens there (connection refused)", code="connection_refused")
        case socket.gaierror():
            return Unreachable("the host name is not known", code="no_such_host")
        case _:
            return Unreachable(f"no connection: {error.strerror or type(error).__name__}", code="connect_failed")
