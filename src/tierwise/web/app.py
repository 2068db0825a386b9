"""The pages as an application: routes, and what each page is made of. Runs in a process of its own.

Whoever asks has been let in by the gateway (`server.pages`), which shows the key that this process was started with.
Invariant: without that key nothing is answered; a page's data come from the index, the ledger and the gateway's
status, and nothing of it is kept between requests.
"""

import asyncio
import contextlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tierwise.core.errors import InvalidCall, TierwiseError
from tierwise.economics.spend import Elsewhere
from tierwise.providers.transport import Transport
from tierwise.web import decisions, overview
from tierwise.web.follow import Follower, Reading
from tierwise.web.gateway import Gateway
from tierwise.web.index import Index
from tierwise.web.shell import Shell

KEEP_ALIVE_S = 15.0
CACHED_S = 86_400
View = Callable[[Request], Awaitable[Response]]


class Web:
    """All pages. `reading` opens the ledger, `key` is what the gateway shows, `prices` are those of models by time."""

    def __init__(self, home: Path, reading: Reading, key: str, prices: Elsewhere) -> None:
        self._reading, self._key = reading, f"Bearer {key}".encode()
        self._follower = Follower(Index(home / "pages" / "index.sqlite", prices), reading)
        self._shell = Shell()
        self._app = Starlette(
            routes=[
                Route("/ui/", self._overview),
                Route("/ui/decisions", self._decisions),
                Route("/ui/decisions/live", self._live),
                Route("/ui/decisions/{ident}", self._decision),
                Route("/ui/decisions/{ident}/record.json", self._record),
                Route("/ui/models", self._models),
                Route("/ui/static/{name}", self._static),
            ],
            exception_handlers={404: self._missing, TierwiseError: self._failed},
            lifespan=self._living,
        )

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer who shows the key."""
        if scope["type"] == "http":
            shown = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(shown, self._key):
                await PlainTextResponse("this is for the gateway only", 401)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    @contextlib.asynccontextmanager
    async def _living(self, _app: Starlette) -> AsyncIterator[None]:
        self._transport = Transport()
        await self._follower.begin()
        following = asyncio.create_task(self._follower.run())
        try:
            yield
        finally:
            following.cancel()
            await self._transport.aclose()

    # pages

    async def _overview(self, request: Request) -> Response:
        period = overview.PERIODS.get(request.query_params.get("period", ""), overview.PERIODS["day"])
        workflow = request.query_params.get("workflow", "")
        status = await self._gateway(request).status()
        outside = _strongest_first(status or {})
        seen = await asyncio.to_thread(overview.seen, self._follower.index, period, workflow, time.time(), outside)
        return self._page(request, "overview", seen=seen, status=status, periods=overview.PERIODS)

    async def _models(self, request: Request) -> Response:
        return self._page(request, "models", status=await self._gateway(request).status())

    async def _decisions(self, request: Request) -> Response:
        asked = decisions.asked(request.query_params)
        listed = await asyncio.to_thread(decisions.listed, self._follower.index, asked)
        return self._page(request, "decisions", listed=listed, asked=asked)

    async def _live(self, request: Request) -> Response:
        asked = decisions.asked(request.query_params)

        async def events() -> AsyncIterator[bytes]:
            with self._follower.watched() as queue:
                yield b": listening\n\n"
                while True:
                    try:
                        async with asyncio.timeout(KEEP_ALIVE_S):
                            row = await queue.get()
                    except TimeoutError:
                        yield b": still here\n\n"
                        continue
                    if decisions.fits(row, asked):
                        html = self._shell.part("decision_row", row=row)
                        yield b"id: %d\ndata: %b\n\n" % (row.seq, msgspec.json.encode(html))

        return StreamingResponse(events(), media_type="text/event-stream", headers={"cache-control": "no-store"})

    async def _decision(self, request: Request) -> Response:
        found = await self._found(request)
        if found is None:
            return await self._missing(request, None)
        return self._page(request, "decision", told=decisions.told(found))

    async def _record(self, request: Request) -> Response:
        found = await self._found(request)
        if found is None:
            return await self._missing(request, None)
        body = msgspec.json.format(msgspec.json.encode(found), indent=2)
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    async def _found(self, request: Request) -> Any:
        async with self._reading() as ledger:
            if ledger is None:
                return None
            try:
                return await ledger.get(request.path_params["ident"])
            except InvalidCall:
                return None

    async def _static(self, request: Request) -> Response:
        found = self._shell.asset(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is nothing here", 404)
        body, kind = found
        return Response(body, media_type=kind, headers={"cache-control": f"private, max-age={CACHED_S}, immutable"})

    # what all share

    def _gateway(self, request: Request) -> Gateway:
        return Gateway(self._transport, request.headers)

    def _page(self, request: Request, name: str, status_code: int = 200, **values: Any) -> Response:
        html = self._shell.page(
            name,
            path=request.url.path,
            query=request.query_params,
            key=request.headers.get("x-tierwise-key", ""),
            token=request.headers.get("x-tierwise-token", ""),
            behind=self._follower.behind,
            problem=self._follower.problem,
            **values,
        )
        return HTMLResponse(html, status_code, headers={"cache-control": "no-store"})

    async def _missing(self, request: Request, _error: Exception | None) -> Response:
        return self._page(request, "missing", 404)

    async def _failed(self, request: Request, error: Exception) -> Response:
        return self._page(request, "failed", 503, told=str(error))


def _strongest_first(status: dict[str, Any]) -> list[str]:
    models = [one for one in status.get("models", ()) if one["tier"] == "frontier"]
    return [one["id"] for one in sorted(models, key=lambda one: -(one["strength"] or 0))]
