"""What is one socket doing? `Connection` carries one `Exchange` at a time and keeps the time limits.

It knows nothing of HTTP. One lazily re-armed timer serves every limit, so a request costs no timer of its own.
Invariant: a connection with an unfinished exchange is closed, never reused.
"""

import asyncio
import contextlib
import math
import socket
from typing import Protocol, cast

from tierwise.core.errors import TimedOut, Unreachable
from tierwise.core.model import Limits
from tierwise.providers.exchange import Exchange

KEEP_IDLE_S = 30.0
_TEXT = {
    "first_byte_timeout": "no answer began within {:g} s",
    "idle_timeout": "the answer stalled for {:g} s",
    "total_timeout": "the answer was not complete in time",
}


class Owner(Protocol):
    """The pool as a connection needs it."""

    def keep(self, connection: "Connection") -> None:
        """Take back a connection that may serve again."""

    def gone(self, connection: "Connection") -> None:
        """Count a connection that was made as closed."""


class Connection(asyncio.Protocol):
    """One TCP or TLS connection of a pool."""

    __slots__ = (
        "_code", "_deadline", "_exchange", "_held", "_limit_at", "_limit_s", "_limits", "_loop", "_owner", "_timer",
        "_timer_at", "_transport", "closed", "idle_since", "made", "used",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        self._loop, self._owner = loop, owner
        self._transport: asyncio.Transport | None = None
        self._exchange: Exchange | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = self._limit_at = self._deadline = math.inf
        self._limit_s, self._code = 0.0, ""
        self._limits = Limits()
        self.made = self.closed = self.used = self._held = False
        self.idle_since = 0.0

    def begin(self, payload: bytes, limits: Limits, now: float, deadline: float, stream: bool) -> Exchange:
        """Write a request and return the exchange that its answer will fill. Times are of the loop's clock."""
        exchange = self._exchange = Exchange(self._loop, self, limits, stream)
        self._limits, self._deadline = limits, deadline
        self._watch(now, limits.first_byte_timeout_s, "first_byte_timeout")
        if self._transport is None or self.closed:
            self._exchange = None
            exchange.lost(None)
        else:
            self._transport.write(payload)
        return exchange

    def shut(self) -> None:
        """Close because the pool closes; an exchange under way fails."""
        if self._exchange is not None:
            self._exchange.fail(Unreachable("the transport is closed", code="closed"))
        self.abort()

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.made = True
        if self.closed:  # the pool closed while this was connecting
            transport.abort()  # type: ignore[attr-defined]
        plug = transport.get_extra_info("socket")
        if plug is not None and plug.family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError):  # the peer is gone again already, and `connection_lost` will say so
                plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        if self._exchange is not None:
            self._exchange.feed(data)
        else:  # nobody asked: whatever it is, it must not become part of an answer
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.lost(error)
        self._owner.gone(self)

    # what the exchange calls

    def heard(self) -> None:
        """Restart the limit on silence."""
        self._watch(self._loop.time(), self._limits.idle_timeout_s, "idle_timeout")

    def hold(self) -> None:
        """Stop reading until `resume`; the silence is then ours and has no limit but the deadline."""
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()
        self._held = True
        self._watch(0.0, math.inf, "total_timeout")

    def resume(self) -> None:
        """Read again."""
        if self._transport is not None and not self.closed:
            self._held = False
            self._transport.resume_reading()
            self.heard()

    def finished(self, reusable: bool) -> None:
        """Go back to the pool, or close."""
        self._exchange = None
        transport = self._transport
        if not reusable or self.closed or transport is None or transport.get_write_buffer_size():
            self.abort()
            return
        if self._held:
            self._held = False
            transport.resume_reading()
        self.used = True
        self.idle_since = self._loop.time()
        self._limit_at = self.idle_since + KEEP_IDLE_S
        self._owner.keep(self)

    def abort(self) -> None:
        """Close at once."""
        self.closed = True
        self._exchange = None
        if self._transport is not None:
            self._transport.abort()

    # limits

    def _watch(self, now: float, limit_s: float, code: str) -> None:
        when = now + limit_s
        if when > self._deadline:
            when, code = self._deadline, "total_timeout"
        self._limit_at, self._limit_s, self._code = when, limit_s, code
        if when < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._arm(when)

    def _arm(self, when: float) -> None:
        self._timer, self._timer_at = self._loop.call_at(when, self._expired), when

    def _expired(self) -> None:
        self._timer, self._timer_at = None, math.inf
        if self._loop.time() < self._limit_at:
            self._arm(self._limit_at)
            return
        if self._exchange is not None:
            self._exchange.fail(TimedOut(_TEXT[self._code].format(self._limit_s), code=self._code))
        self.abort()
