"""HTTP in front of the gateway: a bare ASGI application. Routes; decides nothing.

Routes on the raw path, so no header and no encoding can shift it.
Invariant: a body is read only up to its limit, and only after the caller is known.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from urllib.parse import unquote_to_bytes

import msgspec

from tierwise.core.call import Call
from tierwise.core.capacity import CapacityRecord
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.replay import anew
from tierwise.ledger.encode import encode_decision
from tierwise.server import models
from tierwise.server.addresses import HEALTH, PATHS, SAYS_MESSAGES, WIRES, meant, named, spoken_at
from tierwise.server.calls import hints_of, identified, serve
from tierwise.server.counting import count
from tierwise.server.decided import Decided
from tierwise.server.errors import INVALID, PERMISSION, Failure, failure
from tierwise.server.http import (
    CLOSE,
    SHUTTING_DOWN,
    Left,
    Message,
    Receive,
    Rejected,
    Request,
    Send,
    decision_headers,
    missing,
)
from tierwise.server.keys import both_loopback
from tierwise.server.pages import Pages
from tierwise.server.reports import Reports
from tierwise.server.responses import Responses
from tierwise.server.ring import Ring
from tierwise.server.settings import ServerSettings
from tierwise.telemetry.families import CONTENT_TYPE
from tierwise.wires import chat
from tierwise.wires.known import CALLERS
from tierwise.wires.wire import CallerWire

Route = Callable[[Request], Awaitable[None]]

HEALTHY = b'{"status":"ok"}'
CALL = frozenset({"call"})
SCOPES = (
    (b"/metrics", frozenset({"metrics", "admin"})),
    (b"/v1/decisions/", frozenset({"call", "admin"})),
    (b"/v1/feedback", frozenset({"call", "admin"})),
    (b"/v1/reports/", frozenset({"admin"})),
    (b"/v1/status", frozenset({"admin"})),
)
"""Which keys an address is for, where it is not for those that may call."""
PLAIN_TEXT = (b"content-type", CONTENT_TYPE.encode())
_log = logging.getLogger("tierwise.server")


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """What the gateway says of itself: `ready` why it cannot serve, None when it can, and what is amiss; `status` how
    all is that it uses; `metrics` in Prometheus' words."""

    metrics: Callable[[], bytes]
    ready: Callable[[], tuple[str | None, str | None]]
    status: Callable[[], object]


class App:
    """The ASGI application."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        decisions: Decided,
        reports: Reports,
        ring: Ring,
        settings: ServerSettings,
        telling: Telling,
        pages: Pages | None = None,
    ) -> None:
        self._gateway, self._decisions, self._reports, self._ring = gateway, decisions, reports, ring
        self._telling, self._pages = telling, pages
        self._settings = settings
        self.connections: Callable[[], int] = lambda: 0  # set by who puts this on a socket
        self._responses = Responses(gateway, settings.max_body_bytes)
        self._routes: dict[bytes, dict[str, Route]] = {
            b"/healthz": {"GET": self._alive},
            b"/readyz": {"GET": self._able},
            **{path: {"POST": self._calls(wire)} for path, wire in WIRES.items()},
            PATHS["responses"]: {"POST": self._responses.create},
            PATHS["count_tokens"]: {"POST": self._count},
            b"/v1/route": {"POST": self._route},
            b"/v1/models": {"GET": self._models},
            b"/v1/feedback": {"POST": self._said},
            b"/v1/status": {"GET": self._show_status},
            b"/metrics": {"GET": self._show_metrics},
        }
        self._families: dict[bytes, dict[str, Route]] = {
            b"/v1/decisions/": {"GET": self._decision},
            b"/v1/reports/": {"GET": self._report},
            b"/v1/models/": {"GET": self._model},
            b"/v1/responses/": {"GET": self._response, "DELETE": self._forget_response},
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers[name] = value if name not in headers else headers[name] + b", " + value
        request = Request(scope["raw_path"], headers, receive, send, scope["query_string"])
        wire = spoken_at(request.path, says_messages=SAYS_MESSAGES in headers)
        try:
            pages = self._pages
            known = self._at(request.path) is not None
            if pages and pages.wanted(scope, request, known=known) and await pages.serve(scope, request):
                return
            if request.path not in HEALTH:
                await self._let_in(request, scope)
            with self._ring.watched(request):
                await self._serve(scope["method"], request)
        except Left:
            return
        except Rejected as rejected:
            await request.fail(wire, rejected.failed, rejected.headers)
        except TierwiseError as error:
            await request.fail(wire, failure(error), decision_headers(error.decision))
        except asyncio.CancelledError:
            if request.ending is SHUTTING_DOWN or request.answering:
                raise
            await request.fail(wire, request.ending, [CLOSE])
        except Exception as error:
            _log.exception("a request failed unexpectedly")
            await request.fail(wire, failure(error))

    async def keyed(self) -> bool:
        """Say whether callers have to show a key."""
        return await self._ring.required()

    async def _let_in(self, request: Request, scope: Message) -> None:
        """Find out who calls, and whether that key is for this address."""
        await self._ring.identify(request, local=both_loopback(scope.get("server"), scope.get("client")))
        grant = request.grant
        scopes = next((names for start, names in SCOPES if request.path.startswith(start)), CALL)
        if grant is not None and scopes.isdisjoint(grant.scopes):
            text = f"the key {grant.name!r} is not for this: it has the scopes {', '.join(grant.scopes) or 'none'}"
            raise Rejected(Failure(status=403, type=PERMISSION, code="scope_missing", message=text))

    async def _serve(self, method: str, request: Request) -> None:
        methods = self._at(request.path)
        if methods is None:
            raise missing(f"there is nothing at this address{meant(request.path)}", "unknown_url")
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            allowed = ", ".join(methods)
            text = f"only {allowed} is allowed here"
            wrong = Failure(status=405, type=INVALID, code="method_not_allowed", message=text)
            raise Rejected(wrong, (b"allow", allowed.encode()))
        await route(request)

    def _at(self, path: bytes) -> dict[str, Route] | None:
        return self._routes.get(path) or self._families.get(path[: path.rfind(b"/") + 1] if named(path) else b"")

    # routes

    async def _alive(self, request: Request) -> None:
        await request.answer(HEALTHY)

    async def _able(self, request: Request) -> None:
        # A warning is no reason to take a gateway out that serves, by the policy before.
        why, warning = self._telling.ready()
        said = {"status": "ok" if why is None else "not ready", "reason": why}
        body = msgspec.json.encode(said if warning is None else said | {"warning": warning})
        await request.answer(body, status=200 if why is None else 503)

    def _calls(self, wire: CallerWire) -> Route:
        async def answer(request: Request) -> None:
            await serve(self._gateway, wire, await self._call(wire, request), request)

        return answer

    async def _count(self, request: Request) -> None:
        await count(self._gateway, await self._call(CALLERS["count_tokens"], request), request)

    async def _route(self, request: Request) -> None:
        decision = self._gateway.route(await self._call(chat, request))
        await request.answer(encode_decision(decision), decision_headers(decision))

    async def _models(self, request: Request) -> None:
        await request.answer(
            models.listed(
                self._gateway.rules, request.grant, messages=SAYS_MESSAGES in request.headers, capacity=self._capacity()
            )
        )

    async def _model(self, request: Request) -> None:
        name = _name(request)
        facts = models.names(self._gateway.rules, self._capacity()).get(name)
        if facts is None:
            raise missing(f"there is no model {name[:64]!a}; GET /v1/models lists them", "model_not_found")
        if facts and request.grant is not None and not request.grant.allows_model(name):
            text = f"the key {request.key_id!r} may not use {name[:64]!a}"
            raise Rejected(Failure(status=403, type=PERMISSION, code="model_not_allowed", message=text))
        row = models.row(name, facts, messages=SAYS_MESSAGES in request.headers)
        await request.answer(msgspec.json.encode(row))

    def _capacity(self) -> dict[str, CapacityRecord]:
        return self._gateway.facts.live.known(monotonic())

    async def _decision(self, request: Request) -> None:
        def again(decision: Decision) -> Decision:
            return anew(self._gateway.rules, decision, self._gateway.facts.drifted)

        await self._decisions.show(request, _name(request), again)

    async def _report(self, request: Request) -> None:
        await self._reports.show(request, _name(request))

    async def _said(self, request: Request) -> None:
        await self._decisions.hear(request, self._gateway.rules)

    async def _response(self, request: Request) -> None:
        await self._responses.show(request, _name(request))

    async def _forget_response(self, request: Request) -> None:
        await self._responses.delete(request, _name(request))

    async def _show_status(self, request: Request) -> None:
        await request.answer(msgspec.json.encode(self._telling.status()))

    async def _show_metrics(self, request: Request) -> None:
        await request.answer(self._telling.metrics(), kind=PLAIN_TEXT)

    async def _call(self, wire: CallerWire, request: Request) -> Call:
        body = await request.body(self._settings.max_body_bytes)
        return identified(wire.decode_request(body, hints_of(request)), request)


def _name(request: Request) -> str:
    return unquote_to_bytes(request.path.rpartition(b"/")[2]).decode("utf-8", "replace")
