"""What runs in the process that draws the pages? `start` is called there (`providers.engine_child`), with its orders.

It reads the ledger and the configuration, and asks the gateway the rest over HTTP, under the key of whoever looks.
"""

from pathlib import Path
from typing import Any

from tierwise import config
from tierwise.bootstrap.rules import prices_at
from tierwise.bootstrap.stored import reading
from tierwise.providers.child_server import listening
from tierwise.web.app import Web
from tierwise.web.commands import Commands
from tierwise.web.site import Configured, Site


def start(told: dict[str, Any]) -> tuple[int, Any]:
    """Listen on a free loopback port and return it, and what answers there. Raises OSError, ImportError."""
    file = told["config"]
    settings = config.load(None if file is None else Path(file), environ=told["environ"])
    commands = Commands(told["environ"], settings.file)
    configured = Configured(
        prices=prices_at(settings),
        criteria={one.name: one.criteria for one in settings.document.workflow if one.criteria is not None},
        machines=settings.document.machine,
        max_body_bytes=settings.document.server.max_body_bytes,
    )
    site = Site(settings.home, lambda: reading(settings), configured, commands)
    return listening(Web(site, told["key"]).asgi, lifespan="on")
