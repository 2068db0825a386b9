"""How is a call of any wire served? Read in the caller's words, handed to the gateway, answered in the caller's words.

Knows no routes. Invariant: when the caller leaves, the upstream is left; a broken stream never looks finished: it ends
with the wire's error event and without its end.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from tierwise.core.call import Call, Hints, Part
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.trace import BAGGAGE, TRACEPARENT, Trace
from tierwise.core.trace import read as read_trace
from tierwise.gateway.gateway import Gateway, Reply
from tierwise.server.errors import failure
from tierwise.server.http import (
    CLOSE,
    Headers,
    Left,
    Receive,
    Rejected,
    Request,
    decision_headers,
    error_body,
)
from tierwise.wires.hints import PREFIX, read_hints
from tierwise.wires.known import HEADERS
from tierwise.wires.wire import AnswerWriter, CallerWire

EVENTS: Headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache")]
HINT = PREFIX.encode()
_TRACING = (TRACEPARENT.encode(), BAGGAGE.encode())
# A call that is answered sooner needs nobody who watches its caller; a watcher was measured at 6 µs, a timer at 1.
WATCH_AFTER_S = 0.05
_log = logging.getLogger("tierwise.server")


def hints_of(request: Request) -> Hints:
    """Read what the caller says about the call in headers."""
    named = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in request.headers.items() if n.startswith(HINT)]
    return read_hints(named) if named else Hints()


def identified(call: Call, request: Request) -> Call:
    """Add what is not in the body: the key, and the headers that an endpoint of the same wire understands.

    Those go out with the request, so they are searched like the rest of it.
    """
    passed_on = tuple(
        (name, request.headers[name.encode()].decode("latin-1"))
        for name in HEADERS.get(call.wire, ())
        if name.encode() in request.headers
    )
    trace = trace_of(request)
    if request.key_id is None and not passed_on and trace is None:
        return call
    said = tuple(Part(kind="metadata", path=name, text=value) for name, value in passed_on)
    return msgspec.structs.replace(
        call, key_id=request.key_id, grant=request.grant, headers=passed_on, parts=call.parts + said, trace=trace
    )


def trace_of(request: Request) -> Trace | None:
    """Return what the caller says of the trace that its call belongs to."""
    parent, baggage = (request.headers.get(name) for name in _TRACING)
    if parent is None and baggage is None:
        return None
    return read_trace((parent or b"").decode("latin-1"), (baggage or b"").decode("latin-1"))


async def serve(
    gateway: Gateway,
    wire: CallerWire,
    call: Call,
    request: Request,
    *,
    keep: Callable[[Decision, bytes], None] = lambda _decision, _answer: None,
) -> None:
    """Serve one call; `keep` gets the record and the complete answer before the caller can build on it."""
    caller = _Caller(request.receive)
    try:
        try:
            reply = await gateway.handle(call)
        except asyncio.CancelledError:
            raise (Left() if caller.left else Rejected(request.ending, CLOSE)) from None
        head = decision_headers(reply.decision)
        if reply.gate_failed:
            head.append((b"x-tierwise-gate", b"failed"))
        if reply.deltas is not None:
            writer = wire.answer_writer(call, ident=reply.decision.id, strip_logprobs=reply.strip_logprobs)
            return await _stream(wire, writer, reply, head, caller, request, keep)
    finally:
        caller.unwatch()
    if reply.answer is None:
        raise TypeError("a reply with neither answer nor deltas")
    body = reply.body
    if body is None:
        body = wire.encode_answer(reply.answer, call, ident=reply.decision.id, strip_logprobs=reply.strip_logprobs)
    keep(reply.decision, body)
    return await request.answer(body, head)


async def _stream(
    wire: CallerWire,
    writer: AnswerWriter,
    reply: Reply,
    head: Headers,
    caller: "_Caller",
    request: Request,
    keep: Callable[[Decision, bytes], None],
) -> None:
    """Pass a stream on. However it ends the body ends cleanly; only a whole one ends as whole ones do."""
    deltas, send = reply.deltas, request.send
    if deltas is None:
        raise TypeError("a reply without deltas")
    try:
        try:
            request.answering = True
            await send({"type": "http.response.start", "status": 200, "headers": EVENTS + head})
            async for delta in deltas:
                frame = writer.write(delta)
                if frame:
                    await send({"type": "http.response.body", "body": frame, "more_body": True})
            last = writer.end()
            keep(reply.decision, writer.response)
        except asyncio.CancelledError:
            if caller.left:
                raise Left from None
            last = writer.error(error_body(wire, request.ending))
        except TierwiseError as error:
            last = writer.error(error_body(wire, failure(error)))
        except Exception as error:
            _log.exception("a stream failed unexpectedly")
            last = writer.error(error_body(wire, failure(error)))
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
