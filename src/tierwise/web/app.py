"""The pages as an application: which there are, and who may ask. Runs in a process of its own.

Whoever asks has been let in by the gateway (`server.pages`), which shows the key that this process was started with.
Invariant: without that key nothing is answered.
"""

import asyncio
import contextlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tierwise.core.errors import InvalidCall, TierwiseError
from tierwise.web import (
    cost,
    decisions,
    first_visit,
    machine,
    models,
    overview,
    playground,
    policy,
    quality,
    runs,
    workflows,
)
from tierwise.web.site import Site

PAGES = (overview, quality, first_visit, decisions, playground, workflows, models, machine, cost, policy, runs)
CACHED_S = 86_400


class Web:
    """All pages. `key` is what the gateway shows."""

    def __init__(self, site: Site, key: str) -> None:
        self._site, self._key = site, f"Bearer {key}".encode()
        self._app = Starlette(
            routes=[
                *(route for page in PAGES for route in page.routes(site)),
                Route("/ui/static/{name}", self._static),
            ],
            exception_handlers={404: self._missing, TierwiseError: self._failed},
            lifespan=self._living,
        )
        self._app.router.redirect_slashes = False  # it would lead the browser to this process, past the gateway

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
        await self._site.follower.begin()
        following = asyncio.create_task(self._site.follower.run())
        try:
            yield
        finally:
            following.cancel()
            await self._site.commands.aclose()
            await self._site.transport.aclose()

    async def _static(self, request: Request) -> Response:
        found = self._site.shell.asset(request.path_params["name"])
        if found is None:
            return PlainTextResponse("there is nothing here", 404)
        body, kind = found
        # A module that another one imports comes by its bare name, under which it changes with the next version.
        cached = f"private, max-age={CACHED_S}, immutable" if "v" in request.query_params else "no-cache"
        return Response(body, media_type=kind, headers={"cache-control": cached})

    async def _missing(self, request: Request, _error: Exception) -> Response:
        return self._site.page(request, "missing", 404, told="")

    async def _failed(self, request: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, InvalidCall) else 503
        return self._site.page(request, "missing" if status == 404 else "failed", status, told=str(error))
