"""What do all routes share? How a request is read to its limit, and how an answer, its headers and an error are sent.

Knows no routes. Invariant: no name or reason can split a header or end it.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from tierwise.core.decision import Decision
from tierwise.core.grant import Grant
from tierwise.server.errors import INVALID, SERVER, Failure
from tierwise.server.keys import Key
from tierwise.wires.wire import CallerWire

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
CLOSE = (b"connection", b"close")
MAX_HEADER_CHARS = 400
IDENTS = (b"x-tierwise-decision", b"x-request-id", b"request-id")
"""Under the last two the official clients of both vendors show an answer's id."""
SHUTTING_DOWN = Failure(
    status=503,
    type=SERVER,
    code="shutting_down",
    message="Tierwise is being stopped; send the request again",
    retry=True,
)
_PRINTABLE = bytes(code if 32 <= code < 127 else 63 for code in range(256))


class Request:
    """One request: its head, who sends it, and the two ends of its connection."""

    __slots__ = ("answering", "ending", "headers", "key", "path", "query", "receive", "send")

    def __init__(
        self, path: bytes, headers: dict[bytes, bytes], receive: Receive, send: Send, query: bytes = b""
    ) -> None:
        self.path, self.query, self.headers = path, query, headers
        self.receive, self.send = receive, send
        self.key: Key | None = None
        self.ending = SHUTTING_DOWN  # what the caller is told if the request is cancelled
        self.answering = False

    @property
    def key_id(self) -> str | None:
        """The name of the caller's key."""
        return None if self.key is None else self.key.grant.name

    @property
    def grant(self) -> Grant | None:
        """What the caller's key may do."""
        return None if self.key is None else self.key.grant

    def admit(self, key: Key | None, denied: Failure | None) -> None:
        """Take note of who calls, or raise Rejected."""
        if denied is not None:
            raise Rejected(denied)
        self.key = key

    async def body(self, most: int) -> bytes:
        """Read a JSON body up to its limit."""
        kind = self.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/json":
            raise Rejected(_unsupported("send the request as content-type application/json"))
        return await self.plain(most)

    async def plain(self, most: int) -> bytes:
        """Read a body of whatever kind up to its limit."""
        if self.headers.get(b"content-encoding", b"identity").strip().lower() != b"identity":
            raise Rejected(_unsupported("compressed requests are not accepted"))
        try:
            return await _read(self.receive, most)
        except asyncio.CancelledError:
            raise Rejected(self.ending, CLOSE) from None

    async def answer(
        self,
        body: bytes,
        head: Sequence[tuple[bytes, bytes]] = (),
        *,
        status: int = 200,
        kind: tuple[bytes, bytes] = JSON,
    ) -> None:
        """Send a whole answer."""
        sent: Headers = [kind, (b"content-length", b"%d" % len(body)), *head]
        self.answering = True
        await self.send({"type": "http.response.start", "status": status, "headers": sent})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def fail(self, wire: CallerWire, failed: Failure, head: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send an error in the caller's wire, and say whether a repeat can help."""
        more = [*head, (b"x-should-retry", b"true" if failed.retry else b"false")]
        if failed.retry_after_s is not None:
            more.append((b"retry-after", b"%d" % failed.retry_after_s))
        await self.answer(error_body(wire, failed), more, status=failed.status)


class Left(Exception):
    """The caller closed the connection."""


class Rejected(Exception):
    """The request cannot be served, for a reason of HTTP."""

    def __init__(self, failed: Failure, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(failed.message)
        self.failed, self.headers = failed, headers


def missing(text: str, code: str = "not_found") -> Rejected:
    """Make the refusal of something that is not there."""
    return Rejected(Failure(status=404, type=INVALID, code=code, message=text))


def error_body(wire: CallerWire, failed: Failure) -> bytes:
    """Write an error in the caller's wire."""
    return wire.error_body(failed.status, failed.message, failed.type, failed.param, failed.code)


def decision_headers(decision: Decision | None) -> Headers:
    """Say in headers which route was taken, and why. What was not recorded has no id that could be looked up."""
    if decision is None:
        return []
    ident = decision.id.encode()
    head = [(name, ident) for name in IDENTS if decision.outcome != "dry_run"]
    last = decision.attempts[-1] if decision.attempts else None
    if last is not None:
        head.append((b"x-tierwise-tier", last.tier.encode()))
        head.append((b"x-tierwise-endpoint", _line(last.endpoint)))
        head.append((b"x-tierwise-model", _line(last.served_model or last.model)))
        head.append((b"x-tierwise-attempts", b"%d" % len(decision.attempts)))
    if decision.reason:
        head.append((b"x-tierwise-reason", _line(decision.reason)))
    if decision.dropped:
        head.append((b"x-tierwise-dropped", _line(", ".join(decision.dropped))))
    if decision.total_cost_usd is not None and decision.outcome != "pending":
        head.append((b"x-tierwise-cost-usd", f"{decision.total_cost_usd:f}".encode()))
    return head


async def _read(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        part = await receive()
        if part["type"] == "http.disconnect":
            raise Left
        parts.append(part.get("body", b""))
        size += len(parts[-1])
        if size > most:
            text = f"the body is larger than {most} bytes"
            raise Rejected(Failure(status=413, type=INVALID, code="request_too_large", message=text), CLOSE)
        more = part.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _unsupported(text: str) -> Failure:
    return Failure(status=415, type=INVALID, code="unsupported_media_type", message=text)


def _line(text: str) -> bytes:
    return text[:MAX_HEADER_CHARS].encode("ascii", "replace").translate(_PRINTABLE)
