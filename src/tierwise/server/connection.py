"""What does one connection have to keep to? uvicorn's protocol, with the limits and manners that it lacks.

Bounds the head (bytes, fields, target), the body, the number of connections, and every wait for the caller: for a head,
for a body, for a reader that stopped. Knows no routes.
Invariant: a refusal is never written into another answer, and the caller can read it even while it still sends.
"""

import asyncio
import functools
import random
from http import HTTPStatus
from typing import Any, Literal

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from tierwise.server.addresses import HEALTH, spoken_at
from tierwise.server.descriptors import bearable
from tierwise.server.errors import INVALID, SERVER
from tierwise.server.settings import ServerSettings
from tierwise.wires.known import CALLERS

MAX_FIELDS = 100
MAX_TARGET_BYTES = 8 * 1024
# How long what is still sent after a refusal is read and thrown away: a reset would destroy the answer on its way.
LINGER_S = 1.0
LATEST = 1.1
"""Times its limit that a head or a body may come late: how late is drawn for each, up to this."""
SPARE = 16
"""So many connections above the limit are heard, if only about health: who watches has to learn of the trouble."""
# How many beyond the cap are told that they are; more are dropped unheard, so that a flood of them is bounded as well.
MAX_TOLD = 256

Part = Literal["between", "head", "body"]


class Bounded(HttpToolsProtocol):
    """One connection. `limits` is set by `bounded`; what makes small writes leave at once is in `run.listen`."""

    limits = ServerSettings()
    _part: Part = "between"
    _head_bytes = 0
    _body_bytes = 0
    _begun = 0
    _refused = _spare = False
    _running: RequestResponseCycle | None = None
    _timer: asyncio.TimerHandle | None = None
    _timer_part: Part = "between"
    _write_timer: asyncio.TimerHandle | None = None

    # what asyncio calls

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        over = len(self.connections) - self.limits.max_connections
        self._spare = over > 0
        if over > MAX_TOLD:
            self._refused = True
            transport.abort()
        elif over > SPARE:
            self._refuse_connection()
        else:
            self._arm()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self.resume_writing()
        # uvicorn tells only the newest request, which is another one where several were sent ahead.
        if self._running is not None and not self._running.response_complete:
            _disconnect(self._running)
        self.pipeline.clear()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        before, self._begun = self._part, 0
        super().data_received(data)
        if self._refused or self.transport.is_closing():
            return
        # Of what was read together with the end of another message nobody knows how much is of this head.
        if self._part == "head" and (before, self._begun) in (("head", 0), ("between", 1)):
            self._head_bytes += len(data)
        if self._part == "head" and self._head_bytes > self.limits.max_header_bytes:
            self._refuse_head()
        elif self._part == "between" and self._busy():
            self._disarm()
        elif self._timer is None or self._timer_part != self._part:
            self._arm()

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.limits.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    # what the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._part, self._head_bytes = "head", 0
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES:
            self._refuse(414, "url_too_long", f"the address is longer than {MAX_TARGET_BYTES} bytes")

    def on_headers_complete(self) -> None:
        if self._refused or self._refuse_message():
            return
        if self._spare and self.url.partition(b"?")[0] not in HEALTH:
            self._refuse_connection()
            return
        before = self.cycle
        super().on_headers_complete()
        if before is None or before.response_complete:
            self._running = self.cycle
        self._part, self._body_bytes = "body", 0

    def on_body(self, body: bytes) -> None:
        if self._refused:
            return
        self._body_bytes += len(body)
        if self._body_bytes > self.limits.max_body_bytes:
            self._refuse_body()
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._refused:
            super().on_message_complete()
            self._part = "between"

    # what uvicorn calls

    def on_response_complete(self) -> None:
        """Turn to the request that was sent ahead."""
        if self.pipeline:
            self._running = self.pipeline[-1][0]
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP in JSON."""
        self._refuse(400, "invalid_http", "this is not a valid HTTP/1.1 request")

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that is idle."""
        self._close()

    # limits

    def _refuse_message(self) -> bool:
        """Refuse a head that is too large, says two things at once or announces too much; say whether it was."""
        size = length = 0
        body = False
        for name, value in self.headers:
            size += len(name) + len(value)
            if name == b"content-length":
                length, body = int(value), True
            elif name == b"transfer-encoding":
                body = True
                if value.strip().lower() != b"chunked":
                    self._refuse(400, "invalid_http", "the only transfer-encoding that is read here is chunked")
                    return True
        if len(self.headers) > MAX_FIELDS or size > self.limits.max_header_bytes:
            self._refuse_head()
        elif length > self.limits.max_body_bytes:
            self._refuse_body()
        elif body and self.parser.should_upgrade():
            text = "no upgrade is offered here: let the client speak HTTP/1.1 (it asked for `upgrade`, often h2c)"
            self._refuse(400, "upgrade_not_supported", text)
        return self._refused

    def _refuse_connection(self) -> None:
        self._refuse(503, "overloaded", "too many connections are open; try again")

    def _refuse_head(self) -> None:
        text = f"the headers are more than {MAX_FIELDS} fields or {self.limits.max_header_bytes} bytes"
        self._refuse(431, "headers_too_large", text)

    def _refuse_body(self) -> None:
        self._refuse(413, "request_too_large", f"the body is larger than {self.limits.max_body_bytes} bytes")

    def _arm(self) -> None:
        """Start the clock for what the caller owes now: a head, or the rest of a body."""
        self._disarm()
        self._timer_part = self._part
        limits = self.limits
        limit_s = limits.body_timeout_s if self._part == "body" else limits.header_timeout_s
        # A crowd that came together is not cut off together: all others would wait for that.
        self._timer = self.loop.call_later(limit_s * random.uniform(1, LATEST), self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._part == "head" or (self._part == "body" and self._busy()):
            self._refuse(408, "request_timeout", f"the request's {self._part} came too slowly")
        else:
            self._close()

    def _busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse(self, status: int, code: str, message: str) -> None:
        """Answer in place of the application and end the connection; where an answer is under way, only end it."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._disarm()
        running = self._running
        own = self._part == "body" and running is self.cycle
        if running is not None and not running.response_complete:
            if running.response_started or not own:
                self.transport.abort()
                return
            _disconnect(running)
        elif own:  # answered before its body was read
            self._close()
            return
        # The address may not have come whole, or not at all.
        wire = spoken_at(getattr(self, "url", b"").partition(b"?")[0])
        self.transport.write(_refusal(wire.WIRE, status, code, message))
        self.transport.write_eof()
        self.flow.resume_reading()
        self._timer = self.loop.call_later(LINGER_S, self.transport.abort)

    def _close(self) -> None:
        """Close a connection on which nothing happens; what its peer never read is dropped."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()


@functools.lru_cache(maxsize=64)
def _refusal(wire: str, status: int, code: str, message: str) -> bytes:
    """Write a refusal in a caller's wire; those who come in floods get the same."""
    body = CALLERS[wire].error_body(status, message, SERVER if status >= 500 else INVALID, None, code)
    head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n" % (
        status, HTTPStatus(status).phrase.encode(), len(body),
    )  # fmt: skip
    retry = b"true" if status in (408, 503) else b"false"
    return head + b"x-should-retry: " + retry + b"\r\n\r\n" + body


def _disconnect(cycle: RequestResponseCycle) -> None:
    """Let the application see that its caller is gone."""
    cycle.disconnected = True
    cycle.message_event.set()


def bounded(settings: ServerSettings) -> type[Bounded]:
    """Return the protocol for these limits."""
    most = bearable(settings.max_connections)
    return type("Bounded", (Bounded,), {"limits": msgspec.structs.replace(settings, max_connections=most)})
