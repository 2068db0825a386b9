"""What does a command say that a page started? A list of them, and one with its lines as they come.

Knows no command. Invariant: what a command printed is text.
"""

from collections.abc import AsyncIterator

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from tierwise.core.errors import InvalidCall
from tierwise.web.commands import Run
from tierwise.web.site import Site


def routes(site: Site) -> list[Route]:
    """Return the pages of commands."""

    async def listed(request: Request) -> Response:
        return site.page(request, "runs", runs=site.commands.runs)

    async def one(request: Request) -> Response:
        return site.page(request, "run", run=_found(site, request))

    async def lines(request: Request) -> Response:
        run = _found(site, request)
        begin = request.headers.get("last-event-id", "0")
        return StreamingResponse(
            _events(run, int(begin) if begin.isdecimal() and len(begin) < 10 else 0),
            media_type="text/event-stream",
            headers={"cache-control": "no-store"},
        )

    async def stop(request: Request) -> Response:
        run = _found(site, request)
        await site.form(request)
        run.stop()
        return RedirectResponse(f"/ui/runs/{run.ident}", 303)

    return [
        Route("/ui/runs", listed),
        Route("/ui/runs/{ident}", one),
        Route("/ui/runs/{ident}/lines", lines),
        Route("/ui/runs/{ident}/stop", stop, methods=["POST"]),
    ]


def started(site: Site, request: Request, words: tuple[str, ...], back: str) -> Response:
    """Start a command under the key of whoever asks, and lead to its page."""
    run = site.commands.start(words, site.gateway(request), back)
    return RedirectResponse(f"/ui/runs/{run.ident}", 303)


def _found(site: Site, request: Request) -> Run:
    run = site.commands.run(request.path_params["ident"])
    if run is None:
        raise InvalidCall("there is no such run; the pages have forgotten it, or were started anew", status=404)
    return run


async def _events(run: Run, begin: int) -> AsyncIterator[bytes]:
    yield b": listening\n\n"
    async for number, line in run.follow(begin):
        yield b"id: %d\ndata: %b\n\n" % (number, msgspec.json.encode(line))
    yield b"event: ended\ndata: %d\n\n" % (run.code or 0)
