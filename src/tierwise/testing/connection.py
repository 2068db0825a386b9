"""One accepted connection of the scripted upstream: parse requests, carry out the steps that answer them.

Knows HTTP/1.1 and nothing of models. Invariant: requests of one connection are answered in order, one at a time.
"""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable

import httptools
import msgspec

from tierwise.testing.steps import End, Steps

KEY_HEADERS = ("x-api-key", "x-goog-api-key", "api-key")


class Received(msgspec.Struct, kw_only=True):
    """One request as it came in, and what became of it.

    `status` is what was answered, 0 for nothing; `cancelled` is true if the client left before the end. The tokens
    are those of the answer as far as it was sent.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    status: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finished: bool = False
    cancelled: bool = False

    @property
    def key(self) -> str | None:
        """The key that came with it: a bearer token, or what stands in a header of a vendor's own."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return token
        return next((self.headers[name] for name in KEY_HEADERS if name in self.headers), None)


Answerer = Callable[[Received], Steps]


class Connection(asyncio.Protocol):
    """Speaks HTTP/1.1 with one client; `answerer` says how each request is answered."""

    def __init__(self, number: int, answerer: Answerer, open_connections: "set[Connection]") -> None:
        self._number, self._answerer, self._open = number, answerer, open_connections
        self._parser = httptools.HttpRequestParser(self)
        self._waiting: deque[Received] = deque()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._transport: asyncio.Transport | None = None
        self._last_ended = End.KEEP
        self._target, self._headers, self._body = b"", {}, bytearray()  # type: bytes, dict[str, str], bytearray

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def on_message_begin(self) -> None:
        self._target, self._headers, self._body = b"", {}, bytearray()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        request = Received(
            method=self._parser.get_method().decode("latin-1"),
            path=self._target.decode("latin-1"),
            headers=self._headers,
            body=bytes(self._body),
            connection=self._number,
        )
        self._waiting.append(request)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._answer_waiting())

    def close(self) -> None:
        """Close the connection after what was written."""
        if self._transport is not None:
            self._transport.close()

    async def _answer_waiting(self) -> None:
        while self._waiting:
            if self._last_ended is End.CLOSE_NEXT:
                self.close()
                return
            request = self._waiting.popleft()
            steps = self._answerer(request)
            request.status = steps.status
            request.prompt_tokens, request.completion_tokens = steps.prompt_tokens, steps.completion_tokens
            try:
                await self._carry_out(steps)
            except asyncio.CancelledError:
                request.cancelled = True
                raise
            request.finished = True
        self._task = None

    async def _carry_out(self, steps: Steps) -> None:
        assert self._transport is not None
        for step in steps.steps:
            match step:
                case bytes():
                    self._transport.write(step)
                    await self._writable.wait()
                case float():
                    await asyncio.sleep(step)
                case End():
                    self._last_ended = step
                    await self._end(step)

    async def _end(self, end: End) -> None:
        assert self._transport is not None
        match end:
            case End.CLOSE:
                self._transport.close()
            case End.RESET:
                peer: socket.socket = self._transport.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self._transport.abort()
            case End.HANG:
                await asyncio.get_running_loop().create_future()
            case End.KEEP | End.CLOSE_NEXT:
                pass
