"""How is the application put on a socket, and how does it end? uvicorn, with the ending that it lacks.

Knows no routes; the limits of a connection are in `connection`.
Invariant: without keys the socket is a loopback one; SIGTERM drains, a second one ends at once, and either way every
request under way is told so and settled before `serve` returns.
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn

from tierwise.core.errors import ConfigError
from tierwise.server.app import App
from tierwise.server.connection import bounded
from tierwise.server.settings import ServerSettings

BACKLOG = 1024
# What cancelled requests get to send their last words and to settle.
ENDING_S = 2.0


def listen(settings: ServerSettings, *, keyed: bool) -> socket.socket:
    """Bind the port, or say what stands in the way."""
    if not keyed and not _is_loopback(settings.host):
        raise ConfigError(
            f"host {settings.host!r} is reachable from other machines: configure at least one [[key]], or listen on"
            " 127.0.0.1",
            key="server.host",
        )
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio sets TCP_NODELAY on what is accepted only where the listener names its protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _not_listening(settings, error) from error
    listener.setblocking(False)
    return listener


def _not_listening(settings: ServerSettings, error: OSError) -> ConfigError:
    if error.errno == errno.EADDRINUSE:
        other = settings.port + 1 if settings.port < 65535 else 0
        return ConfigError(
            f"port {settings.port} is taken, perhaps by another `tierwise serve`; stop it, or give another:"
            f" --port {other}",
            key="server.port",
        )
    return ConfigError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}", key="server")


async def serve(
    app: App, settings: ServerSettings, *, keyed: bool, ready: Callable[[str, int], None] = lambda _host, _port: None
) -> None:
    """Serve until SIGINT or SIGTERM, then let what is under way finish within `drain_s`.

    `ready` is called with host and port once connections are accepted. Raises ConfigError where the port is not free.
    """
    listener = listen(settings, keyed=keyed)
    host, port = listener.getsockname()[:2]
    try:
        await Server(app, settings, lambda: ready(host, port)).serve(sockets=[listener])
    finally:
        listener.close()


class Server(uvicorn.Server):
    """uvicorn's server with our signals and an ending that waits for what it cancelled."""

    def __init__(self, app: App, settings: ServerSettings, ready: Callable[[], None] = lambda: None) -> None:
        super().__init__(_config(app, settings))
        self._ready = ready
        app.connections = lambda: len(self.server_state.connections)

    def stop(self) -> None:
        """Drain; asked a second time, end at once."""
        if self.should_exit:
            self.force_exit = True
            for task in self.server_state.tasks:
                task.cancel()
            asyncio.get_running_loop().call_later(ENDING_S, self._abort)
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while serving, where this thread may."""
        loop = asyncio.get_running_loop()
        taken = []
        if threading.current_thread() is threading.main_thread():
            for name in (signal.SIGINT, signal.SIGTERM):
                with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C then ends at once
                    loop.add_signal_handler(name, self.stop)
                    taken.append(name)
        try:
            yield
        finally:
            for name in taken:
                loop.remove_signal_handler(name)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept connections, then say so."""
        await super().startup(sockets)
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain; then let requests that were cancelled because they took too long send their last words."""
        await super().shutdown(sockets)
        if self.server_state.tasks:
            await asyncio.wait(set(self.server_state.tasks), timeout=ENDING_S)
        await asyncio.sleep(0)  # the last words leave with the next turn of the loop
        self._abort()

    def _abort(self) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()


def _config(app: App, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=bounded(settings),
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_level=logging.ERROR,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, int(settings.idle_timeout_s)),
        timeout_graceful_shutdown=max(1, int(settings.drain_s)),
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
