"""Raw bytes out, replies in: just as much HTTP as it takes to see what a gateway really answered.

Invariant: what is sent is sent as it stands, and what comes back is kept whole, also where it is not HTTP.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

LINGER_S = 1.0
"""How long a server that has answered is given to close, or to say more than it should."""


@dataclass(frozen=True)
class Reply:
    """One answer. `fields` are in the order in which they came, with names in lower case."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes
    whole: bool

    def field(self, name: str) -> str | None:
        """Return a header's value."""
        return next((value for key, value in self.fields if key == name), None)

    @property
    def streamed(self) -> bool:
        return (self.field("content-type") or "").startswith("text/event-stream")

    def json(self) -> Any:
        """Return the body; None where it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass
class Heard:
    """All that came back on a connection. `closed` says whether the other side ended it."""

    raw: bytes = b""
    closed: bool = False
    seconds: float = 0.0
    replies: list[Reply] = field(default_factory=list)

    @property
    def final(self) -> list[Reply]:
        """The answers without those that only announce one."""
        return [reply for reply in self.replies if reply.status >= 200]


def request(path: str, body: bytes = b"", head: Iterable[str] = (), method: str = "POST") -> bytes:
    """Write a request with the length of its body; `head` are whole lines."""
    lines = [f"{method} {path} HTTP/1.1", *head]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def exchange(
    host: str, port: int, data: bytes | Iterable[bytes | float], *, answers: int = 1, limit_s: float = 10.0
) -> Heard:
    """Send bytes (a number is a pause in seconds) and hear what comes, until the other side closes.

    Once `answers` have come, it gets a moment to close or to say more; `limit_s` bounds all of it.
    """
    heard, began = Heard(), time.monotonic()
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        heard.closed = True
        return heard
    sending = asyncio.create_task(_send(writer, [data] if isinstance(data, bytes) else data))
    raw = bytearray()
    until = began + limit_s
    try:
        with contextlib.suppress(TimeoutError):
            while True:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + max(0.0, until - time.monotonic())):
                    part = await reader.read(1 << 20)
                heard.seconds = time.monotonic() - began
                if not part:
                    heard.closed = True
                    break
                raw += part
                if len(raw) < 1 << 22 and _answers(bytes(raw)) >= answers:
                    until = min(until, time.monotonic() + LINGER_S)
    except ConnectionError:
        heard.closed = True
    finally:
        sending.cancel()
        with contextlib.suppress(asyncio.CancelledError, ConnectionError):
            await sending
        writer.close()
        with contextlib.suppress(ConnectionError, TimeoutError, asyncio.CancelledError):
            await writer.wait_closed()
    heard.raw = bytes(raw)
    heard.replies = list(replies(heard.raw, closed=heard.closed))
    return heard


async def _send(writer: asyncio.StreamWriter, pieces: Iterable[bytes | float]) -> None:
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)


def _answers(raw: bytes) -> int:
    return sum(reply.whole and reply.status >= 200 for reply in replies(raw, closed=False))


def replies(raw: bytes, *, closed: bool) -> Iterable[Reply]:
    """Read the answers; one that is cut off is not whole."""
    while raw.startswith(b"HTTP/1."):
        head, mark, rest = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        words = first.split(" ", 2)
        status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
        fields = tuple(
            (name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
        )
        said = dict(fields)
        if not mark or status < 200 or status in (204, 304):
            body, raw, whole = b"", rest, bool(mark)
        elif said.get("transfer-encoding", "").lower() == "chunked":
            body, raw, whole = _chunks(rest)
        elif said.get("content-length", "").isdigit():
            size = int(said["content-length"])
            body, raw, whole = rest[:size], rest[size:], len(rest) >= size
        else:
            body, raw, whole = rest, b"", closed
        yield Reply(status, fields, body, whole)


def _chunks(raw: bytes) -> tuple[bytes, bytes, bool]:
    body, place = bytearray(), 0
    while True:
        end = raw.find(b"\r\n", place)
        try:
            size = int(raw[place:end], 16) if end >= 0 else -1
        except ValueError:
            size = -1
        if size < 0 or len(raw) < end + 4 + size:
            return bytes(body), b"", False
        if size == 0:
            return bytes(body), raw[end + 4 :], True
        body += raw[end + 2 : end + 2 + size]
        place = end + 4 + size
