"""What comes back for one request? The `Exchange`: status, headers, body as it arrives.

It parses (httptools) and waits; it knows no sockets. Where the bytes come from is its `line`.
Invariant: an exchange that ends without an error has had its whole answer, and no byte of another's.
"""

import asyncio
from time import perf_counter
from typing import Any, Protocol

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from tierwise.core.errors import BadReply, ProviderError, Unreachable
from tierwise.core.model import Limits

MAX_HEADER_BYTES = 64 * 1024
HIGH_WATER_BYTES = 256 * 1024
_PLAIN = frozenset({b"", b"identity"})


class Line(Protocol):
    """The connection as an exchange needs it."""

    def heard(self) -> None:
        """Restart the limit on silence."""

    def finished(self, reusable: bool) -> None:
        """Let go of the exchange: its answer is complete."""

    def hold(self) -> None:
        """Stop reading until `resume`."""

    def resume(self) -> None:
        """Read again."""

    def abort(self) -> None:
        """Close at once; nothing more is sent or read."""


class Exchange:
    """One request's answer. Read it with `read_all` or `read_some`; leave early with `release`.

    Reading raises TimedOut, BadReply (`upstream_incomplete`, `upstream_too_large`, `upstream_invalid`).
    Cancelling a wait closes the connection, unless `lingers` is set: then another may read on.
    `first_byte_ms` counts from the moment the request was written.
    """

    __slots__ = (
        "_buffer",
        "_buffered",
        "_closing_ends",
        "_error",
        "_head_bytes",
        "_head_done",
        "_keep",
        "_limits",
        "_line",
        "_loop",
        "_parser",
        "_paused",
        "_sent",
        "_stream",
        "_total",
        "_waiter",
        "complete",
        "first_byte_ms",
        "headers",
        "lingers",
        "started",
        "status",
    )  # fmt: skip

    def __init__(self, loop: asyncio.AbstractEventLoop, line: Line, limits: Limits, stream: bool) -> None:
        self._loop, self._limits, self._stream = loop, limits, stream
        self._line: Line | None = line
        self._parser: Any = HttpResponseParser(self)
        self._buffer: list[bytes] = []
        self._buffered = self._total = self._head_bytes = 0
        self._head_done = self._paused = self._keep = self._closing_ends = False
        self._error: ProviderError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sent = perf_counter()
        self.first_byte_ms = 0.0
        self.started = self.complete = self.lingers = False
        self.status = 0
        self.headers: dict[bytes, bytes] = {}

    # what the caller uses

    async def opened(self) -> None:
        """Wait for the head of the answer, or for the whole of it where it is not streamed."""
        while True:
            if self._error is not None and not (self._stream and self._head_done and self._buffer):
                raise self._error
            if self.complete or (self._stream and self._head_done):
                return
            waiter = self._waiter = self._loop.create_future()
            try:
                await waiter
            except BaseException:
                self.release()
                raise

    async def read_some(self) -> bytes:
        """Return the bytes that have come, waiting for at least one; b"" at the end."""
        while not self._buffer:
            if self._error is not None:
                raise self._error
            if self.complete:
                return b""
            waiter = self._waiter = self._loop.create_future()
            try:
                await waiter
            except BaseException:
                if not self.lingers:
                    self.release()
                raise
        chunks, self._buffer, self._buffered = self._buffer, [], 0
        if self._paused:
            self._paused = False
            if self._line is not None:
                self._line.resume()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def read_all(self) -> bytes:
        """Return the rest of the body, at most `limits.max_answer_bytes`."""
        if self.complete:  # the usual case: nothing to wait for
            parts, self._buffer = self._buffer, []
            return parts[0] if len(parts) == 1 else b"".join(parts)
        parts = []
        while part := await self.read_some():
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def release(self) -> None:
        """Be done with it: a complete answer's connection is kept already, any other is closed."""
        self._waiter = None
        if self._line is not None:
            line, self._line, self._parser = self._line, None, None
            self._error = self._error or BadReply("the answer was not read to its end", code="upstream_incomplete")
            line.abort()

    close = release

    # what the connection calls

    def feed(self, data: bytes) -> None:
        """Take bytes from the connection."""
        if not self.started:
            self.started = True
            self.first_byte_ms = (perf_counter() - self._sent) * 1000
        whole = self._parse(data)
        if self._error is not None:
            self.fail(self._error)
        elif self.complete:
            self._finish(reusable=whole and self._keep)
        else:
            self._pace()

    def lost(self, error: Exception | None) -> None:
        """Take note that the connection is gone."""
        if self._closing_ends and self._head_done and error is None:
            self.complete = True
            self._finish(reusable=False)
        elif self.started:
            self.fail(BadReply("the endpoint closed before its answer was complete", code="upstream_incomplete"))
        else:
            self.fail(Unreachable("the endpoint closed the connection without an answer", code="connection_lost"))

    def fail(self, error: ProviderError) -> None:
        """End with an error and close the connection; what had come before stays readable."""
        self._error, self.complete = error, False
        self._parser = None
        if self._line is not None:
            line, self._line = self._line, None
            line.abort()
        self._wake()

    # what the parser calls

    def on_message_begin(self) -> None:
        if self.complete:  # a second answer nobody asked for
            self._keep = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4  # colon, space, line end
        if self._head_bytes > MAX_HEADER_BYTES:
            self._too_large("headers", MAX_HEADER_BYTES)
        elif not self._head_done:
            name = name.lower()
            known = self.headers.get(name)
            self.headers[name] = value if known is None else known + b", " + value

    def on_headers_complete(self) -> None:
        if self.complete:
            return
        parser, headers = self._parser, self.headers
        self.status = parser.get_status_code()
        if self.status < 200:
            if self.status < 100:
                self._invalid(f"the endpoint answered with a status that HTTP does not have: {self.status}")
            return
        self._keep = parser.should_keep_alive()
        self._head_done = True
        coding, length = headers.get(b"transfer-encoding"), headers.get(b"content-length")
        self._closing_ends = coding is None and length is None
        if coding is not None and coding.lower() != b"chunked":
            self._invalid("the endpoint uses a transfer coding other than chunked")
        elif headers.get(b"content-encoding", b"").lower() not in _PLAIN:
            self._invalid("the endpoint compressed an answer that was asked for uncompressed")
        elif length is not None and int(length) > self._limits.max_answer_bytes:
            self._too_large("answer", self._limits.max_answer_bytes)

    def on_body(self, body: bytes) -> None:
        if self._error is not None or self.complete:
            return
        self._total += len(body)
        self._buffered += len(body)
        self._buffer.append(body)
        if self._total > self._limits.max_answer_bytes:
            self._too_large("answer", self._limits.max_answer_bytes)

    def on_message_complete(self) -> None:
        if self._head_done:
            self.complete = True
        else:  # an interim answer (1xx)
            self.headers = {}

    # inside

    def _parse(self, data: bytes) -> bool:
        """Return whether the bytes were this answer's; more than that ends the connection, not the answer."""
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._invalid("the endpoint wants to switch protocols")
        except HttpParserError as error:
            if self.complete:
                return False
            self._invalid(f"the endpoint does not speak HTTP/1.1: {error}")
        if not self._head_done:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEADER_BYTES:
                self._too_large("headers", MAX_HEADER_BYTES)
        return True

    def _pace(self) -> None:
        if self._line is not None and not self._paused:
            if self._stream and self._buffered > HIGH_WATER_BYTES:
                self._paused = True
                self._line.hold()
            else:
                self._line.heard()
        if self._stream and (self._buffer or self._head_done):
            self._wake()

    def _finish(self, *, reusable: bool) -> None:
        self._parser = None  # breaks the cycle parser, bound methods, exchange
        if self._line is not None:
            line, self._line = self._line, None
            line.finished(reusable)
        self._wake()

    def _invalid(self, message: str) -> None:
        self._error = self._error or BadReply(message, code="upstream_invalid")

    def _too_large(self, what: str, limit: int) -> None:
        message = f"the endpoint's {what} exceeds {limit} bytes"
        self._error = self._error or BadReply(message, code="upstream_too_large")

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)
