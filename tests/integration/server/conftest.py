"""A gateway on a real socket in a thread of its own, in front of a scripted upstream; spoken to in raw bytes."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.model import Limits
from tierwise.gateway.gateway import Gateway
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.run import Server, listen
from tierwise.server.settings import ServerSettings
from tierwise.testing import FAULTS, ScriptedUpstream

HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"
# Small enough for a test to reach them; nothing that is tested here is faster than these on a loaded machine.
LIMITS = ServerSettings(
    header_timeout_s=0.5, body_timeout_s=0.5, max_body_bytes=100_000, write_timeout_s=1, max_connections=40
)
HURRIED = Limits(first_byte_timeout_s=0.5, idle_timeout_s=0.5)
START_S = 20.0


class Door:
    """A gateway that listens, and what lies behind it."""

    def __init__(
        self, port: int, upstream: ScriptedUpstream, gateway: Gateway, drawing: Callable[[], int | None] = lambda: None
    ) -> None:
        self.port, self.upstream, self.gateway, self.drawing = port, upstream, gateway, drawing

    def line(self, limit_s: float = 5) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=limit_s)

    def send(self, data: bytes, *, limit_s: float = 5) -> bytes:
        """Send bytes and return everything that comes until the other side closes or falls silent."""
        with self.line(limit_s) as line:
            line.sendall(data)
            return everything(line)

    def ask(self, body: bytes, head: bytes = HEAD, path: bytes = b"/v1/chat/completions") -> tuple[int, bytes]:
        """POST a body on a connection that ends with the answer."""
        answer = self.send(post(body, head + b"Connection: close\r\n", path))
        return int(answer[9:12]), answer


def everything(line: socket.socket, silence_s: float = 1) -> bytes:
    """Read until the other side closes or falls silent."""
    answer = b""
    with contextlib.suppress(TimeoutError, ConnectionResetError):
        while part := line.recv(65536):
            answer += part
            line.settimeout(silence_s)
    return answer


def post(body: bytes, head: bytes = HEAD, path: bytes = b"/v1/chat/completions") -> bytes:
    """Write a request."""
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (path, head, len(body), body)


def asking(model: str, text: str = "one two", **more: Any) -> bytes:
    """Write the body of a chat request."""
    return json.dumps({"model": model, "messages": [{"role": "user", "content": text}]} | more).encode()


def until(holds: Callable[[], bool], limit_s: float = 5) -> bool:
    """Wait until something holds; say whether it did in time."""
    deadline = time.monotonic() + limit_s
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def document(upstream: ScriptedUpstream, limits: ServerSettings = LIMITS, **more: Any) -> Document:
    """Configure the model `m`, one model for each fault, and some slow ones."""
    scripts = {fault: f"fault={fault}&after=2&delay_ms=100" for fault in sorted(FAULTS - {"none"})}
    scripts |= {
        "hang": "fault=hang",
        "slow": "fault=slow_chunks&delay_ms=100",
        "wait": "fault=slow_first&delay_ms=3000",
    }
    rows = [ModelRow(id="m", endpoint="up")]
    rows += [
        ModelRow(id=name, endpoint="hurried" if name == "hang" else "up", served_name=f"m?{script}")
        for name, script in scripts.items()
    ]
    endpoints = (
        EndpointRow(name="up", kind="scripted", url=upstream.url),
        EndpointRow(name="hurried", kind="scripted", url=upstream.url, limits=HURRIED),
    )
    return Document(endpoint=endpoints, model=tuple(rows), server=limits, **more)


@contextlib.contextmanager
def opened_door(settings: Settings, upstream: ScriptedUpstream) -> Iterator[Door]:
    """Serve these settings on a free port until the block ends."""
    ready = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, Server, int, Gateway, Callable[[], int | None]]] = []
    limits = settings.document.server

    async def run() -> None:
        async with bootstrap.opened(settings) as wired:
            with contextlib.closing(listen(ServerSettings(port=0), keyed=False)) as listener:
                server = Server(bootstrap.application(wired), limits, ready.set)
                port = listener.getsockname()[1]
                loop = asyncio.get_running_loop()
                running.append((loop, server, port, wired.gateway, lambda: wired.drawing.pid))
                await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert ready.wait(START_S)
        yield Door(running[0][2], upstream, *running[0][3:])
    finally:
        for loop, server, *_ in running:
            loop.call_soon_threadsafe(server.stop)
        thread.join(START_S)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Iterator[Door]:
    home: Path = tmp_path_factory.mktemp("gateway")
    with opened_door(Settings(document=document(upstream), home=home), upstream) as door:
        yield door
