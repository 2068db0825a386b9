"""What runs in the process that draws the pages? `start` is called there (`providers.engine_child`), with its orders.

It reads the ledger and the configuration, and asks the gateway the rest over HTTP, under the key of whoever looks.
"""

import logging
import socket
import threading
from pathlib import Path
from typing import Any

import uvicorn

from tierwise import config
from tierwise.bootstrap.rules import prices_at
from tierwise.bootstrap.stored import reading
from tierwise.web.app import Web

BACKLOG = 128
KEPT_OPEN_S = 300


def start(told: dict[str, Any]) -> tuple[int, Any]:
    """Listen on a free loopback port and return it, and what answers there. Raises OSError, ImportError."""
    file = told["config"]
    settings = config.load(None if file is None else Path(file), environ=told["environ"])
    app = Web(settings.home, lambda: reading(settings), told["key"], prices_at(settings))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(BACKLOG)
    running = uvicorn.Config(
        app.asgi,
        loop="asyncio",
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        log_level=logging.ERROR,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEPT_OPEN_S,
    )
    thread = threading.Thread(target=uvicorn.Server(running).run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread
