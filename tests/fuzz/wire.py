"""What can be wrong with an HTTP/1.1 message? Requests and answers made worse, aware of their parts; answers read.

Pure. Invariant: `answers` reads exactly what the bytes say, and refuses whatever is left over.
"""

import re
from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from tests.fuzz.mutate import mutated

METHODS = (b"GET", b"POST", b"DELETE", b"PUT", b"OPTIONS", b"TRACE", b"CONNECT", b"get", b"PRI", b"P\0ST", b"M-SEARCH")
TARGETS = (
    b"/v1/chat/completions", b"//v1/chat/completions", b"/v1/chat/completions?x=%00", b"http://evil.example/v1/models", b"*", b"/",
    b"/v1/models/%2e%2e", b"/v1/models/..", b"/v1/decisions/%ff", b"/v1/responses/" + b"a" * 300, b"/v1\\models", b"", b"/\xff",
    b"/v1/models/" + b"%41" * 3000, b"/metrics", b"/v1/route", b"/v1/decisions/1?content=1&content=1", b"evil.example:443",
)  # fmt: skip
FIELDS = (
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: -1", b"Content-Length: 5, 5", b"Content-Length: 99999999999999999999",
    b"content-length : 5", b"Content-Length: +5", b"Content-Length: 0x5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding : chunked", b"Transfer-Encoding:\x0bchunked",
    b"Host: evil.example", b"Host: localhost, evil", b"Host:", b"Host: [::1", b"Origin: http://evil.example", b"Origin: null",
    b"Expect: 100-continue", b"Expect: 200", b"Upgrade: h2c", b"Connection: upgrade", b"Connection: close, keep-alive", b"Connection: \0",
    b"Content-Type: text/plain", b"Content-Type: application/json; charset=utf-16", b"Content-Encoding: gzip", b"x-tierwise-label: cosmic",
    b"x-tierwise-label: public\r\nx-tierwise-label: restricted", b"x-tierwise-session: \xff", b"X-Tierwise-Max-Cost-Usd: nan",
    b"x-tierwise-quality: 1e400", b"anthropic-version: \xe9", b"anthropic-beta: " + b"b," * 300, b"x-api-key: a\r\nx-api-key: b",
    b" folded: yes", b"no colon", b":", b"a" * 9000 + b": b", b"a: " + b"b" * 70_000, b"x: y\rz: w", b"\0: \0", b"Range: bytes=0-0",
    b"Trailer: content-length", b"TE: trailers", b"Keep-Alive: timeout=1000000000000", b"Authorization: Basic !",
)  # fmt: skip
CHUNKS = (
    b"%x",
    b"%X;x=y",
    b"%x;" + b"e" * 5000,
    b"0%x",
    b"+%x",
    b"0x%x",
    b"%x ",
    b'%x\t;"',
    b"%xfffffffffffffffff",
    b"-%x",
    b"%x\n",
)


class Answer(NamedTuple):
    """One answer as it was sent."""

    status: int
    head: dict[bytes, bytes]
    body: bytes


def worse(message: bytes, random: Random) -> bytes:
    """Return a request or an answer with one to three of its parts changed."""
    for _ in range(random.choice((1, 1, 2, 3))):
        message = _changed(message, random)
    return message


def _changed(message: bytes, random: Random) -> bytes:
    head, blank, body = message.partition(b"\r\n\r\n")
    first, *fields = head.split(b"\r\n")
    words = first.split(b" ")
    match random.randrange(9):
        case 0 if not first.startswith(b"HTTP"):
            words[random.randrange(min(2, len(words)))] = random.choice((*METHODS, *TARGETS))
        case 1:
            words[-1] = random.choice(
                (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.1 ", b"http/1.1", b"", b"HTTP/1.1\x0b")
            )
        case 2 | 3:
            fields.insert(random.randrange(len(fields) + 1), random.choice(FIELDS))
        case 4 if fields:
            fields.pop(random.randrange(len(fields)))
        case 5:
            fields = [field for field in fields if not field.lower().startswith(b"content-length")]
            fields.append(b"Transfer-Encoding: chunked")
            body = _chunked(body, random)
        case 6:
            body = mutated(body, random)
        case 7:
            end = random.choice((b"\n", b"\r", b"\r\n \r\n", b"\n\r\n"))
            return end.join((b" ".join(words), *fields)) + random.choice((blank, b"\n\n", b"\r\n\n")) + body
        case _:
            return mutated(message, random)
    return b"\r\n".join((b" ".join(words), *fields)) + blank + body


def _chunked(body: bytes, random: Random) -> bytes:
    """Write a body in chunks whose sizes are as odd as may be."""
    out, at = [], 0
    while at < len(body):
        size = random.choice((1, 7, 500, len(body)))
        piece = body[at : at + size]
        length = random.choice(CHUNKS) if random.random() < 0.2 else CHUNKS[0]
        out.append((length % len(piece)) + b"\r\n" + piece + random.choice((b"\r\n",) * 9 + (b"\n",)))
        at += size
    return b"".join(out) + random.choice((b"0\r\n\r\n",) * 4 + (b"0\r\nx: y\r\n\r\n", b"0\r\n", b"00\r\n\r\n", b""))


def answers(data: bytes) -> list[Answer]:
    """Read one answer after the other. Raises ValueError for what is none; the last one may be cut."""
    found: list[Answer] = []
    while data:
        head, blank, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        status = re.fullmatch(rb"HTTP/1\.1 ([1-5]\d\d) [ -~]*", first)
        if status is None or not blank:
            raise ValueError(f"this is no answer: {data[:80]!r}")
        fields = dict(_field(line) for line in lines)
        body, data = _body(int(status[1]), fields, rest)
        found.append(Answer(int(status[1]), fields, body))
    return found


def _field(line: bytes) -> tuple[bytes, bytes]:
    field = re.fullmatch(rb"([!-9;-~]+): ?([\t -~\x80-\xff]*)", line)
    if field is None:
        raise ValueError(f"this is no field: {line[:80]!r}")
    return field[1].lower(), field[2]


def _body(status: int, fields: dict[bytes, bytes], rest: bytes) -> tuple[bytes, bytes]:
    """Return the body and what follows it."""
    if status < 200 or status in (204, 304):
        return b"", rest
    if fields.get(b"transfer-encoding") != b"chunked":
        length = int(fields[b"content-length"])
        return rest[:length], rest[length:]
    out: list[bytes] = []
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        out.append(rest[:length])
        if length and rest[length : length + 2] not in (b"\r\n", b"\r", b""):
            raise ValueError("a chunk does not end where it says")
        rest = rest[length + 2 :]
        if not length:
            break
    return b"".join(out), rest


def requests(bodies: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
    """Write a POST for each address and body."""
    head = b"Host: localhost\r\nContent-Type: application/json\r\n"
    return [
        b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (path, head, len(body), body) for path, body in bodies
    ]
