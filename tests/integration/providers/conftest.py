"""Real loopback servers, written by hand, that misbehave exactly as a test says; on both event loops."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trustme
import uvloop

Handler = Callable[["Peer"], Awaitable[None]]


class Peer:
    """One accepted connection: read requests, write whatever bytes."""

    def __init__(self, server: "Loopback", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.number = server.accepted

    async def request(self) -> tuple[str, dict[str, str], bytes]:
        """Read one request; IncompleteReadError when the client has gone."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *fields = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        self.server.requests.append((line, headers, body))
        return line, headers, body

    async def send(self, *parts: bytes) -> None:
        """Write each part on its own, so that each is a segment of its own."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def answer(self, body: bytes = b"{}", status: str = "200 OK", extra: str = "") -> None:
        """Write a plain answer with its length."""
        await self.send(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{extra}\r\n".encode() + body)

    async def gone(self) -> None:
        """Return when the client has closed its side."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


class Loopback:
    """A listening server and what it saw."""

    def __init__(self) -> None:
        self.accepted = self.open = 0
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.url = ""
        self.port = 0

    @contextlib.asynccontextmanager
    async def listen(
        self, handler: Handler, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> AsyncIterator["Loopback"]:
        tasks: set[asyncio.Task[Any]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            self.accepted += 1
            self.open += 1
            try:
                await handler(Peer(self, reader, writer))
            except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                pass
            finally:
                self.open -= 1
                writer.transport.abort()
                tasks.discard(task)

        server = await asyncio.start_server(serve, host, 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/v1"
        try:
            yield self
        finally:
            server.close()
            for task in tuple(tasks):
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on a fresh loop of either kind."""

    def go(work: Coroutine[Any, Any, Any]) -> Any:
        factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(asyncio.wait_for(work, 30))

    return go


@pytest.fixture
def loopback() -> Loopback:
    return Loopback()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Poll a condition for at most five seconds."""

    async def wait(condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.002)

    return wait
