"""How does an application of ours answer in a child process? On a free loopback port, in a thread of its own.

Knows no application. Invariant: nobody but this machine's own programs reaches it.
"""

import logging
import socket
import threading
from typing import Any, Final, Literal

import uvicorn

KEPT_OPEN_S: Final = 300
BACKLOG: Final = 128


def listening(app: Any, lifespan: Literal["on", "off"] = "off") -> tuple[int, threading.Thread]:
    """Serve the ASGI application, and return its port and the thread. Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)  # whoever calls before the loop runs waits here
    config = uvicorn.Config(
        app,
        loop="asyncio",
        ws="none",
        lifespan=lifespan,
        interface="asgi3",
        access_log=False,
        log_level=logging.ERROR,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEPT_OPEN_S,
    )
    thread = threading.Thread(target=uvicorn.Server(config).run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread
