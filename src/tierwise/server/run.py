"""How is the application put on a socket? uvicorn, with the limits that it lacks.

Invariant: without keys the socket is a loopback one; a header block is bounded in bytes, fields and time; SIGTERM
drains, a second one ends at once.
"""

import asyncio
import errno
import ipaddress
import logging
import signal
import socket
from collections.abc import Callable
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tierwise.core.errors import ConfigError
from tierwise.server.app import App
from tierwise.server.settings import ServerSettings

MAX_FIELDS = 100
MAX_TARGET_BYTES = 8 * 1024
BACKLOG = 1024


def listen(settings: ServerSettings, *, keyed: bool) -> socket.socket:
    """Bind the port, or say what stands in the way."""
    if not keyed and not _is_loopback(settings.host):
        raise ConfigError(
            f"host {settings.host!r} is reachable from other machines: configure at least one [[key]], or listen on"
            " 127.0.0.1",
            key="server.host",
        )
    try:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {settings.port} is taken, perhaps by another `tierwise serve`; stop it, or give another:"
                f" --port {settings.port + 1}",
                key="server.port",
            ) from error
        raise ConfigError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", key="server"
        ) from error
    listener.setblocking(False)
    return listener


async def serve(
    app: App, settings: ServerSettings, *, keyed: bool, ready: Callable[[str, int], None] = lambda _host, _port: None
) -> None:
    """Serve until SIGINT or SIGTERM, then let what is under way finish within `drain_s`."""
    listener = listen(settings, keyed=keyed)
    server = uvicorn.Server(_config(app, settings))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    host, port = listener.getsockname()[:2]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop)
    try:
        serving = asyncio.create_task(server._serve([listener]))
        while not server.started and not serving.done():  # noqa: ASYNC110 uvicorn offers no event
            await asyncio.sleep(0.01)
        if server.started:
            ready(host, port)
        await serving
    finally:
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)
        listener.close()


def _config(app: App, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=bounded(settings),
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level=logging.WARNING,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, int(settings.idle_timeout_s)),
        timeout_graceful_shutdown=max(1, int(settings.drain_s)),
    )


class Bounded(HttpToolsProtocol):
    """uvicorn's protocol with bounded heads, targets and numbers of connections. `limits` is set by `bounded`."""

    limits = ServerSettings()
    _head_bytes = 0
    _head_timer: asyncio.TimerHandle | None = None
    _head_done = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = transport.get_extra_info("socket")
        if peer is not None and peer.family in (socket.AF_INET, socket.AF_INET6):
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self.limits.max_connections:
            self._refuse(b"503 Service Unavailable")
            return
        self._head_timer = self.loop.call_later(self.limits.header_timeout_s, self._slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        if not self._head_done:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._head_done and self._head_bytes > self.limits.max_header_bytes and not self.transport.is_closing():
            self._refuse(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_done, self._head_bytes = False, 0
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.header_timeout_s, self._slow)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_TARGET_BYTES and not self.transport.is_closing():
            self._refuse(b"414 URI Too Long")

    def on_headers_complete(self) -> None:
        self._head_done = True
        self._stop_timer()
        if self.transport.is_closing():
            return
        size = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > MAX_FIELDS or size > self.limits.max_header_bytes:
            self._refuse(b"431 Request Header Fields Too Large")
            return
        super().on_headers_complete()

    def _slow(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            if self._head_bytes:
                self._refuse(b"408 Request Timeout")
            else:
                self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse(self, status: bytes) -> None:
        self._stop_timer()
        self.transport.write(b"HTTP/1.1 %b\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        self.transport.close()


def bounded(settings: ServerSettings) -> type[Bounded]:
    """Return the protocol for these limits."""
    return type("Bounded", (Bounded,), {"limits": settings})


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
