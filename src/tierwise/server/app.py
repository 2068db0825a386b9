"""HTTP in front of the gateway: a bare ASGI application. Routes, reads, answers; decides nothing.

Routes on the raw path, so no header and no encoding can shift it.
Invariant: a body is read only up to its limit; when the caller leaves, the upstream is left; a broken stream never
looks finished: it ends with the wire's error event and without its end.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

import msgspec

from tierwise.core.call import Call, Hints
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.gateway.gateway import Gateway, Reply
from tierwise.ledger.encode import encode_decision
from tierwise.server.errors import INVALID, SERVER, Failure, failure
from tierwise.server.keys import Key, identify
from tierwise.server.settings import ServerSettings
from tierwise.wires import chat
from tierwise.wires.hints import PREFIX, read_hints
from tierwise.wires.known import CALLERS, HEADERS
from tierwise.wires.wire import CallerWire

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Route = Callable[[dict[bytes, bytes], str | None, Receive, Send], Awaitable[None]]

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
EVENTS: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
HINT = PREFIX.encode()
HEALTHY = b'{"status":"ok"}'
MAX_HEADER_CHARS = 400
WIRES: dict[bytes, CallerWire] = {
    path: CALLERS[name]
    for path, name in (
        (b"/v1/chat/completions", "chat"),
        (b"/v1/responses", "responses"),
        (b"/v1/messages", "messages"),
        (b"/v1/embeddings", "embeddings"),
    )
    if name in CALLERS
}
SAYS_MESSAGES = HEADERS["messages"][0].encode()
OPEN = frozenset({b"/healthz", b"/readyz"})
CLOSE = (b"connection", b"close")
# A call that is answered sooner needs nobody who watches its caller; a watcher was measured at 6 µs, a timer at 1.
WATCH_AFTER_S = 0.05
SHUTTING_DOWN = Failure(
    status=503,
    type=SERVER,
    code="shutting_down",
    message="Tierwise is being stopped; send the request again",
    retry=True,
)
_log = logging.getLogger("tierwise.server")


class Decisions(Protocol):
    """Where recorded decisions are looked up."""

    async def get(self, id_or_prefix: str) -> Decision | None:
        """Return one decision."""


class Left(Exception):
    """The caller closed the connection."""


class Rejected(Exception):
    """The request cannot be served, for a reason of HTTP."""

    def __init__(self, failed: Failure, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(failed.message)
        self.failed, self.headers = failed, headers


class App:
    """The ASGI application. `ready` says why the gateway cannot serve, None when it can."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        decisions: Decisions,
        keys: Sequence[Key],
        settings: ServerSettings,
        metrics: Callable[[], bytes],
        ready: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._gateway, self._decisions, self._keys = gateway, decisions, tuple(keys)
        self._settings, self._metrics, self._ready = settings, metrics, ready
        self._routes: dict[bytes, dict[str, Route]] = {
            b"/healthz": {"GET": self._alive},
            b"/readyz": {"GET": self._able},
            **{path: {"POST": self._generate(wire)} for path, wire in WIRES.items()},
            b"/v1/route": {"POST": self._route},
            b"/v1/models": {"GET": self._models},
            b"/metrics": {"GET": self._show_metrics},
        }

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers[name] = value if name not in headers else headers[name] + b", " + value
        path = scope["raw_path"]
        wire = _spoken_at(path, headers)
        try:
            await self._serve(scope["method"], path, headers, receive, send)
        except Left:
            return
        except Rejected as rejected:
            await _fail(send, wire, rejected.failed, rejected.headers)
        except TierwiseError as error:
            await _fail(send, wire, failure(error), _decision_headers(error.decision))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log.exception("a request failed unexpectedly")
            await _fail(send, wire, failure(error))

    async def _serve(self, method: str, path: bytes, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        key_id, denied = (None, None) if path in OPEN else identify(self._keys, headers)
        if denied is not None:
            raise Rejected(denied)
        methods = self._routes.get(path)
        if methods is None and path.startswith(b"/v1/decisions/") and path.count(b"/") == 3:
            methods = {"GET": self._decision(path.rpartition(b"/")[2].decode("latin-1"))}
        if methods is None:
            text = "there is nothing at this address"
            raise Rejected(Failure(status=404, type=INVALID, code="unknown_url", message=text))
        serve = methods.get("GET" if method == "HEAD" else method)
        if serve is None:
            allowed = ", ".join(methods)
            wrong = Failure(
                status=405, type=INVALID, code="method_not_allowed", message=f"only {allowed} is allowed here"
            )
            raise Rejected(wrong, (b"allow", allowed.encode()))
        return await serve(headers, key_id, receive, send)

    # routes

    async def _alive(self, _headers: dict[bytes, bytes], _key_id: str | None, _receive: Receive, send: Send) -> None:
        await _send(send, 200, HEALTHY)

    async def _able(self, _headers: dict[bytes, bytes], _key_id: str | None, _receive: Receive, send: Send) -> None:
        why = self._ready()
        body = msgspec.json.encode({"status": "ok" if why is None else "not ready", "reason": why})
        await _send(send, 200 if why is None else 503, body)

    def _generate(self, wire: CallerWire) -> Route:
        """Return what serves the calls of one wire."""

        async def serve(headers: dict[bytes, bytes], key_id: str | None, receive: Receive, send: Send) -> None:
            call = await self._call(wire, headers, key_id, receive)
            caller = _Caller(receive)
            try:
                try:
                    reply = await self._gateway.handle(call)
                except asyncio.CancelledError:
                    raise (Left() if caller.left else Rejected(SHUTTING_DOWN, CLOSE)) from None
                head = _decision_headers(reply.decision)
                if reply.gate_failed:
                    head.append((b"x-tierwise-gate", b"failed"))
                if reply.deltas is not None:
                    return await _stream(wire, call, reply, head, caller, send)
            finally:
                caller.unwatch()
            if reply.answer is None:
                raise TypeError("a reply with neither answer nor deltas")
            body = wire.encode_answer(reply.answer, call, origin=reply.origin, strip_logprobs=reply.strip_logprobs)
            return await _send(send, 200, body, head)

        return serve

    async def _route(self, headers: dict[bytes, bytes], key_id: str | None, receive: Receive, send: Send) -> None:
        decision = self._gateway.route(await self._call(chat, headers, key_id, receive))
        await _send(send, 200, encode_decision(decision), _decision_headers(decision))

    async def _models(self, _headers: dict[bytes, bytes], _key_id: str | None, _receive: Receive, send: Send) -> None:
        rules = self._gateway.rules
        rows: list[dict[str, Any]] = [_model_row("auto", "tierwise")]
        rows += [_model_row(f"auto:{name}", "tierwise") for name in rules.workflows]
        for model in rules.catalog.models.values():
            endpoint = rules.catalog.endpoints[model.endpoint]
            facts = {
                "tier": endpoint.tier, "endpoint": endpoint.name, "context_tokens": model.context_tokens,
                "capabilities": sorted(model.capabilities), "tasks": model.tasks,
                "unusable": rules.catalog.unusable.get(endpoint.name),
            }  # fmt: skip
            rows.append(_model_row(model.id, endpoint.name) | {"tierwise": facts})
        await _send(send, 200, msgspec.json.encode({"object": "list", "data": rows}))

    def _decision(self, wanted: str) -> Callable[..., Awaitable[None]]:
        async def show(_headers: dict[bytes, bytes], key_id: str | None, _receive: Receive, send: Send) -> None:
            found = await self._decisions.get(wanted)
            # Another key's decision is answered as a missing one, so that ids cannot be probed.
            if found is None or (self._keys and found.key_id != key_id):
                text = f"there is no decision {wanted[:64]!a}"
                raise Rejected(Failure(status=404, type=INVALID, code="not_found", message=text))
            await _send(send, 200, encode_decision(found))

        return show

    async def _show_metrics(
        self, _headers: dict[bytes, bytes], _key_id: str | None, _receive: Receive, send: Send
    ) -> None:
        await _send(send, 200, self._metrics(), kind=(b"content-type", b"text/plain; version=0.0.4; charset=utf-8"))

    # reading

    async def _call(self, wire: CallerWire, headers: dict[bytes, bytes], key_id: str | None, receive: Receive) -> Call:
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            text = "send the request as content-type application/json"
            raise Rejected(Failure(status=415, type=INVALID, code="unsupported_media_type", message=text))
        if headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            text = "compressed requests are not accepted"
            raise Rejected(Failure(status=415, type=INVALID, code="unsupported_media_type", message=text))
        body = await _read(receive, self._settings.max_body_bytes)
        named = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in headers.items() if n.startswith(HINT)]
        call = wire.decode_request(body, read_hints(named) if named else Hints())
        passed_on = tuple(
            (name, headers[name.encode()].decode("latin-1"))
            for name in HEADERS.get(wire.WIRE, ())
            if name.encode() in headers
        )
        if key_id is None and not passed_on:
            return call
        return msgspec.structs.replace(call, key_id=key_id, headers=passed_on)


async def _read(receive: Receive, most: int) -> bytes:
    """Read the body up to its limit."""
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        try:
            part = await receive()
        except asyncio.CancelledError:
            raise Rejected(SHUTTING_DOWN, CLOSE) from None
        if part["type"] == "http.disconnect":
            raise Left
        parts.append(part.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise Rejected(_too_large(most), CLOSE)
        more = part.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def _stream(wire: CallerWire, call: Call, reply: Reply, head: Headers, caller: "_Caller", send: Send) -> None:
    """Pass a stream on. However it ends the body ends cleanly; only a whole one ends as whole ones do."""
    deltas = reply.deltas
    if deltas is None:
        raise TypeError("a reply without deltas")
    writer = wire.answer_writer(call, origin=reply.origin, strip_logprobs=reply.strip_logprobs)
    try:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": EVENTS + head})
            async for delta in deltas:
                frame = writer.write(delta)
                if frame:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
            last = writer.end()
        except asyncio.CancelledError:
            if caller.left:
                raise Left from None
            last = writer.error(_error_body(wire, SHUTTING_DOWN))
        except TierwiseError as error:
            last = writer.error(_error_body(wire, failure(error)))
        except Exception as error:
            _log.exception("a stream failed unexpectedly")
            last = writer.error(_error_body(wire, failure(error)))
        await send({"type": "http.response.body", "body": last, "more_body": False})
    finally:
        await deltas.aclose()


class _Caller:
    """Cancels the task that serves a caller when the caller closes the connection."""

    def __init__(self, receive: Receive) -> None:
        self.left = False
        self._receive, self._serving = receive, asyncio.current_task()
        self._watching: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(WATCH_AFTER_S, self._watch)

    def unwatch(self) -> None:
        """Leave the task alone: nothing that could be cancelled is under way any more."""
        self._timer.cancel()
        if self._watching is not None:
            self._watching.cancel()

    def _watch(self) -> None:
        self._watching = asyncio.get_running_loop().create_task(self._until_left())

    async def _until_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        if self._serving is not None:
            self._serving.cancel()


def _too_large(most: int) -> Failure:
    text = f"the body is larger than {most} bytes"
    return Failure(status=413, type=INVALID, code="request_too_large", message=text)


def _model_row(name: str, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}


def _decision_headers(decision: Decision | None) -> Headers:
    if decision is None:
        return []
    ident = decision.id.encode()
    head = [(b"x-tierwise-decision", ident), (b"x-request-id", ident)]
    last = decision.attempts[-1] if decision.attempts else None
    if last is not None:
        head.append((b"x-tierwise-tier", last.tier.encode()))
        head.append((b"x-tierwise-endpoint", _line(last.endpoint)))
        head.append((b"x-tierwise-model", _line(last.served_model or last.model)))
        head.append((b"x-tierwise-attempts", b"%d" % len(decision.attempts)))
    if decision.reason:
        head.append((b"x-tierwise-reason", _line(decision.reason)))
    if decision.dropped:
        head.append((b"x-tierwise-dropped", _line(",".join(decision.dropped))))
    if decision.total_cost_usd is not None and decision.outcome != "pending":
        head.append((b"x-tierwise-cost-usd", f"{decision.total_cost_usd:f}".encode()))
    return head


def _line(text: str) -> bytes:
    """Return one printable ASCII line, so that no name can split a header or end it."""
    return text[:MAX_HEADER_CHARS].encode("ascii", "replace").translate(_PRINTABLE)


_PRINTABLE = bytes(code if 32 <= code < 127 else 63 for code in range(256))


def _spoken_at(path: bytes, headers: dict[bytes, bytes]) -> CallerWire:
    """Return the wire that the callers of an address speak; its errors are written in it."""
    if path.startswith(b"/v1/messages") or (path.startswith(b"/v1/models") and SAYS_MESSAGES in headers):
        return CALLERS.get("messages", chat)
    return WIRES.get(path, chat)


def _error_body(wire: CallerWire, failed: Failure) -> bytes:
    return wire.error_body(failed.status, failed.message, failed.type, failed.param, failed.code)


async def _fail(send: Send, wire: CallerWire, failed: Failure, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
    head = [*more, (b"x-should-retry", b"true" if failed.retry else b"false")]
    if failed.retry_after_s is not None:
        head.append((b"retry-after", b"%d" % failed.retry_after_s))
    await _send(send, failed.status, _error_body(wire, failed), head)


async def _send(send: Send, status: int, body: bytes, head: Headers = [], kind: tuple[bytes, bytes] = JSON) -> None:  # noqa: B006 never changed
    headers = [kind, (b"content-length", b"%d" % len(body)), *head]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
