"""What is every page given? The ledger, the index, the gateway, the commands, and how a page is put together.

Knows no page: each is a module with `routes(site)`, and `app` puts them together.
Invariant: a form is read only where it carries the token of the page that it stands on.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Coroutine, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from tierwise.core.criteria import Criteria
from tierwise.core.errors import InvalidCall, TierwiseError
from tierwise.economics.own import Machine
from tierwise.economics.spend import Elsewhere
from tierwise.providers.transport import Transport
from tierwise.web.commands import Commands
from tierwise.web.follow import Follower, Reading
from tierwise.web.gateway import Gateway
from tierwise.web.index import Index
from tierwise.web.shell import Shell

MOST_FIELDS = 200
HEARD_S = 10.0


class Configured(msgspec.Struct, frozen=True, kw_only=True):
    """What pages know of the configuration: prices of models by time, criteria by workflow, machines of one's own, and
    the largest body that the gateway reads."""

    prices: Elsewhere = {}
    criteria: dict[str, Criteria] = {}
    machines: tuple[Machine, ...] = ()
    max_body_bytes: int


class Site:
    """What all pages share. `reading` opens the ledger."""

    def __init__(self, home: Path, reading: Reading, configured: Configured, commands: Commands) -> None:
        self.home, self.reading, self.configured, self.commands = home, reading, configured, commands
        self.prices = configured.prices
        index = Index(home / "pages" / "index.sqlite", configured.prices, configured.criteria)
        self.follower = Follower(index, reading)
        self.transport = Transport()
        self.shell = Shell()

    @property
    def index(self) -> Index:
        """What lists and sums are read from."""
        return self.follower.index

    def gateway(self, request: Request) -> Gateway:
        """Return the gateway as whoever looks may ask it."""
        return Gateway(self.transport, request.headers)

    def page(self, request: Request, name: str, status_code: int = 200, **values: Any) -> Response:
        """Draw a whole page from a template."""
        html = self.shell.page(
            name,
            path=request.url.path,
            query=request.query_params,
            key=request.headers.get("x-tierwise-key", ""),
            token=request.headers.get("x-tierwise-token", ""),
            behind=self.follower.behind,
            problem=self.follower.problem,
            **values,
        )
        return HTMLResponse(html, status_code, headers={"cache-control": "no-store"})

    def part(self, name: str, **values: Any) -> Response:
        """Draw a part of a page, which a script puts where it belongs."""
        return HTMLResponse(self.shell.part(name, **values), headers={"cache-control": "no-store"})

    def slow(self, name: str, values: Coroutine[Any, Any, dict[str, Any]], line: str = "") -> Response:
        """Draw a part whose values take their time; whoever waits hears of it, so that nobody on the way gives up.

        `line` is the command that is asked, told where it fails.
        """
        return StreamingResponse(
            self._slow(name, values, line), media_type="text/html", headers={"cache-control": "no-store"}
        )

    async def _slow(self, name: str, values: Coroutine[Any, Any, dict[str, Any]], line: str) -> AsyncIterator[str]:
        task = asyncio.create_task(values)
        try:
            while not (await asyncio.wait({task}, timeout=HEARD_S))[0]:
                yield "\n"
            try:
                drawn = self.shell.part(name, **task.result())
            except TierwiseError as error:
                drawn = self.shell.part("failed", told=str(error), line=line)
            yield drawn
        finally:
            task.cancel()

    async def form(self, request: Request) -> Mapping[str, str]:
        """Read a form that one of our pages sent. Raises InvalidCall for any other."""
        try:
            pairs = parse_qsl(
                (await request.body()).decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS, strict_parsing=True
            )
        except ValueError as error:
            raise InvalidCall("this is no form of these pages") from error
        fields = dict(pairs)
        token = request.headers.get("x-tierwise-token", "")
        if not token or not hmac.compare_digest(fields.pop("token", "").encode(), token.encode()):
            raise InvalidCall("the page's token is missing or old: load the page again", status=403)
        return fields
