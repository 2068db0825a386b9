"""Rows 1 to 19: bytes on the wire, before anybody reads a body."""

import asyncio
import contextlib
import gzip
import socket
import zlib

from tests.faults import http
from tests.faults.doors import ALL, CALLS, CHAT, PATHS, STREAMS, WIRES
from tests.faults.scene import Scene, case

NOTHING = http.Reply(0, (), b"", False)
BEHIND = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n"
EMPTY_CHUNKS = b"0\r\n\r\n"
ROUTES = ("/v1/models", "/v1/models/x", "/v1/responses/x", "/v1/decisions/x", "/v1/route", "/metrics")


def begun(at: Scene, *lines: str, ends: str = "\r\n") -> bytes:
    """Write a head at the door with more lines, as they stand."""
    return ends.join([f"POST {at.door.path} HTTP/1.1", *at.target.head(), *lines, "", ""]).encode("latin-1")


async def ended(at: Scene, heads: dict[str, bytes]) -> None:
    """Send each with a request behind it: one refusal, the end of the connection, nothing of it run."""
    await asyncio.gather(*(at.closed(name, data + BEHIND) for name, data in heads.items()))


@case(1, WIRES)
async def two_lengths(at: Scene) -> None:
    """Either first."""
    lines = ("Content-Length: 5", "Transfer-Encoding: chunked")
    await ended(
        at, {name: begun(at, *pair) + EMPTY_CHUNKS for name, pair in (("CL.TE", lines), ("TE.CL", lines[::-1]))}
    )


@case(2, WIRES)
async def odd_lengths(at: Scene) -> None:
    """Everything that is not one plain number."""
    odd = ("5, 5", "+5", "-5", "0x5", "5_0", "5 5", "", "18446744073709551617", "９")
    heads = {f"length {text!a}": begun(at, f"Content-Length: {text}".encode().decode("latin-1")) for text in odd}
    heads |= {"the same twice": begun(at, "Content-Length: 5", "Content-Length: 5")}
    heads |= {"two different ones": begun(at, "Content-Length: 5", "Content-Length: 6")}
    await ended(at, {name: head + b"12345" for name, head in heads.items()})


@case(3, WIRES)
async def odd_codings(at: Scene) -> None:
    """Everything that is not just `chunked`."""
    odd = (",chunked", "xchunked", "gzip, chunked", "chunked, identity", "\x0bchunked", "chunked, chunked", "identity")
    heads = {f"coding {text!a}": begun(at, f"Transfer-Encoding: {text}") for text in odd}
    heads |= {"twice": begun(at, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked")}
    heads |= {"a space before the colon": begun(at, "Transfer-Encoding : chunked")}
    await ended(at, {name: head + EMPTY_CHUNKS for name, head in heads.items()})


@case(4, WIRES)
async def broken_lines(at: Scene) -> None:
    """What ends a line, and what may stand in one."""
    heads = {
        "NUL in a value": begun(at, "x: a\0b"),
        "CR in a value": begun(at, "x: a\rb: c"),
        "LF in place of CRLF": begun(at, "x: 1", ends="\n"),
        "a folded line": begun(at, "x: a", " b"),
        "no colon": begun(at, "x"),
        "a space in a name": begun(at, "a b: c"),
        "no name": begun(at, ": c"),
    }
    await ended(at, heads)


@case(4, WIRES)
async def broken_chunks(at: Scene) -> None:
    """Sizes, endings and extensions of chunks."""
    chunks = {
        "a negative size": b"-1\r\nx\r\n0\r\n\r\n",
        "a size with a prefix": b"0x1\r\nx\r\n0\r\n\r\n",
        "a size that is none": b"G\r\nx\r\n0\r\n\r\n",
        "a size beyond 64 bits": b"f" * 17 + b"\r\nx\r\n0\r\n\r\n",
        "more than the size": b"1\r\nxx\r\n0\r\n\r\n",
        "LF behind a chunk": b"1\r\nx\n0\r\n\r\n",
        "any two bytes behind a chunk": b"1\r\nxZZ0\r\n\r\n",
        "100 KB of extensions": b"1;" + b"a=b;" * 25_000 + b"\r\nx\r\n0\r\n\r\n",
    }
    head = begun(at, "Transfer-Encoding: chunked")
    await ended(at, {name: head + data for name, data in chunks.items()})


@case(5, ALL)
async def odd_hosts(at: Scene) -> None:
    """At the door and at every other address, with a right key."""
    target, hosts = at.target, ("a/b", "localhost?x", "localhost#x", "a@localhost", "a\\b", "a%2fb", "a b", "a,b", "")
    key = [f"Authorization: Bearer {target.key}"] * bool(target.key)
    heads = {f"Host {text!a}": [f"Host: {text}"] for text in hosts}
    heads |= {"no Host": [], "two": ["Host: localhost", "Host: localhost"], "two others": ["Host: a", "Host: b"]}

    async def one(name: str, path: str, lines: list[str]) -> None:
        body = at.door.raw(target.model) if path == at.door.path else b""
        method = "POST" if path in (at.door.path, "/v1/route") else "GET"
        said = [*lines, *key, "Content-Type: application/json", "Connection: close"]
        anthropic = path.startswith(PATHS["messages"])
        heard = await at.send(http.request(path, body, said, method), anthropic=anthropic)
        if heard.final:
            at.judge(f"{path}, {name}", heard.final[0], anthropic=anthropic)
        else:
            at.hold(heard.closed, f"{path}, {name}: no answer")

    others = ROUTES if target.inside else ROUTES[:1]
    routes = (at.door.path, *(others if at.door == CHAT else ()))
    await asyncio.gather(*(one(name, path, lines) for path in routes for name, lines in heads.items()))


@case(6, WIRES)
async def large_heads(at: Scene) -> None:
    """Too many fields, one that is too long, and all of it in small pieces."""
    many = [f"x-{number}: 1" for number in range(120)]
    long = "x: " + "a" * 70_000
    await at.closed("120 fields", begun(at, *many, "Content-Length: 0"))
    await at.closed("70 KB in a field", begun(at, long, "Content-Length: 0"))
    whole = begun(at, long, "Content-Length: 0")
    await at.closed("70 KB in pieces", [whole[place : place + 4096] for place in range(0, len(whole), 4096)])
    await at.closed("1 MB", begun(at, "x: " + "a" * 1_000_000, "Content-Length: 0"))


@case(7, WIRES)
async def long_address(at: Scene) -> None:
    """As path and as query."""
    for name, path in {"a path": "/" + "a" * 9_000, "a query": f"{at.door.path}?x={'a' * 9_000}"}.items():
        heard = await at.send(http.request(path, b"{}", at.target.head()), anthropic=path.startswith(PATHS["messages"]))
        if not heard.final:
            at.problem(f"{name}: no answer")
            continue
        at.judge(name, heard.final[0], anthropic=path.startswith(PATHS["messages"]))


@case(8, WIRES[:1])
async def dripped_heads(at: Scene) -> None:
    """Fifty peers who send a head byte by byte, or none at all, while a good one asks."""
    patience_s = at.target.patience_s
    head = begun(at, "x: " + "a" * 200)
    steps = max(8, int(patience_s * 2))
    drip: list[bytes | float] = [head[:40]]
    for place in range(steps):
        drip += [patience_s / steps * 1.5, head[40 + place : 41 + place]]
    peers = [at.send(drip, limit_s=patience_s + 5) for _ in range(49)]
    peers.append(at.send([patience_s * 1.5, b""], limit_s=patience_s + 5))
    waiting = asyncio.gather(*peers)
    good = await at.ask()
    at.hold(good.status == 200, f"a good client beside them is not answered: {good.status}")
    for heard in await waiting:
        at.hold(heard.closed, "a peer who never ends its head is kept")
        at.hold(all(reply.status == 408 for reply in heard.final), f"told {[reply.status for reply in heard.final]}")


@case(9, WIRES)
async def dripped_body(at: Scene) -> None:
    """A length is said, and the body does not come."""
    patience_s, body = at.target.patience_s, at.door.raw(at.target.model)
    for name, data in {
        "byte by byte": [begun(at, f"Content-Length: {len(body)}"), *(
            piece for byte in range(20) for piece in (patience_s / 10, body[byte : byte + 1]))],
        "not at all": [begun(at, "Transfer-Encoding: chunked"), b"5\r\n{"],
    }.items():  # fmt: skip
        heard = await at.send(data, limit_s=patience_s + 5)
        if heard.final:
            at.judge(name, heard.final[0])
        at.hold(bool(heard.final), f"{name}: neither answered nor ended")


@case(10, STREAMS)
async def reader_stops(at: Scene) -> None:
    """Six megabytes are asked for, and nobody reads them."""
    target, loop = at.target, asyncio.get_running_loop()
    body = at.door.raw(target.model, " ".join(map(str, range(30_000))), **{at.door.most: 100_000})
    with socket.socket() as plug:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plug.setblocking(False)
        await loop.sock_connect(plug, (target.host, target.port))
        await loop.sock_sendall(plug, target.post(at.door, body))
        await at.left(target.patience_s + 5)
        raw = bytearray()
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(5):
                while part := await loop.sock_recv(plug, 1 << 20):
                    raw += part
    heard = list(http.replies(bytes(raw), closed=True))
    at.hold(not any(reply.whole for reply in heard), f"kept for a reader who does not read: {bytes(raw[-200:])!r}")
    at.heard += [(reply, at.door.anthropic) for reply in heard]
    at.hold(all(outcome == "cancelled" for _, outcome, _ in at.records), "it is recorded as answered")


@case(11, ALL)
async def too_large(at: Scene) -> None:
    """Refused before it came, where its length is said; while it comes, where not."""
    more = at.target.body_limit + 1
    await at.closed("with its length", begun(at, f"Content-Length: {more}") + b'{"model": "')
    await at.closed(
        "all of it",
        [begun(at, f"Content-Length: {more}"), *[b"a" * (1 << 18)] * (more >> 18), b"a" * (more % (1 << 18))],
    )
    chunk = b"%x\r\n%b\r\n" % (1 << 18, b"a" * (1 << 18))
    pieces = [begun(at, "Transfer-Encoding: chunked"), b'1\r\n"\r\n', *[chunk] * (more // (1 << 18) + 2), EMPTY_CHUNKS]
    heard = await at.send(pieces, limit_s=30)
    if heard.final:
        at.judge("in chunks", heard.final[0])
    at.hold(bool(heard.final), "in chunks: no answer")


@case(12, ALL)
async def compressed(at: Scene) -> None:
    """A bomb, a right one, a broken one, an unknown coding."""
    body = at.door.raw(at.target.model)
    bodies = {
        "gzip": (gzip.compress(b" " * (at.target.body_limit * 2) + body), "a bomb"),
        "GZIP": (gzip.compress(body)[:-9], "cut"),
        "deflate": (zlib.compress(body)[3:], "broken"),
        "br": (body, "no such thing"),
        "gzip, gzip": (gzip.compress(gzip.compress(body))[:-3], "twice, cut"),
        "nonsense": (body, "unknown"),
    }
    for coding, (data, name) in bodies.items():
        await at.refused(f"{coding}, {name}", data, f"Content-Encoding: {coding}")


@case(13, ALL)
async def content_types(at: Scene) -> None:
    """JSON under every name but its own."""
    for kind in (
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "text/json, application/json",
    ):
        await at.refused(f"content type {kind!r}", at.door.raw(at.target.model), kind=kind)


@case(14, ALL)
async def methods(at: Scene) -> None:
    """Every method but the right one."""
    for method in ("GET", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "HEAD"):
        data = http.request(at.door.path, head=at.target.head("Connection: close"), method=method)
        if method == "HEAD":  # whose answer has a length and no body
            heard = await at.target.send(data)
            at.hold(heard.raw[9:12] == b"405", f"HEAD is answered {heard.raw[9:12]!r}")
            continue
        heard = await at.send(data)
        if heard.final:
            at.judge(method, heard.final[0])
            at.hold("POST" in (heard.final[0].field("allow") or ""), f"{method}: `allow` does not name the right one")
        at.hold(bool(heard.final), f"{method}: no answer")


@case(15, ALL)
async def other_addresses(at: Scene) -> None:
    """What a careless reader would take for the door's own address."""
    path = at.door.path
    others = (
        "/" + path, "/." + path, "/x/.." + path, "/%2e%2e" + path, "/v1/%2e" + path[3:], path + ";x", path.upper(),
        path + ".", path + "/.", path.replace("/v1/", "/v1//"), path[:-1] + "%" + f"{ord(path[-1]):x}", path + "%20",
        path + "%00", path.replace("/v1/", "/v1%2f"), "/v1\\" + path[4:], path + "/../../metrics",
    )  # fmt: skip
    body = at.door.raw(at.target.model)

    async def one(other: str) -> None:
        heard = await at.send(http.request(other, body, at.target.head("Connection: close")), anthropic=_spoken(other))
        at.hold(bool(heard.final), f"{other}: no answer")
        for reply in heard.final[:1]:
            at.judge(other, reply, anthropic=_spoken(other))

    await asyncio.gather(*map(one, others))
    if at.door == CHAT:
        for other in (
            "/",
            "/admin",
            "/v1",
            "//v1/models",
            "/v1/%6dodels",
            "/v1/models/",
            "/v1/models;x",
            "/v1/decisions/../models",
        ):
            heard = await at.send(
                http.request(other, head=at.target.head("Connection: close"), method="GET"), anthropic=False
            )
            at.judge(f"GET {other}", heard.final[0] if heard.final else NOTHING, anthropic=False)


def _spoken(path: str) -> bool:
    return path.startswith(PATHS["messages"])


@case(16, ALL)
async def expectation(at: Scene) -> None:
    """Nobody is told to go on who may not."""
    if at.target.key is None:
        return
    head = at.target.head("Expect: 100-continue", "Content-Length: 100", key="sk-wrong")
    heard = await at.send(f"POST {at.door.path} HTTP/1.1\r\n".encode() + "\r\n".join([*head, "", ""]).encode())
    at.hold(all(reply.status != 100 for reply in heard.replies), "told to go on")
    at.hold(bool(heard.final), "no answer")
    for reply in heard.final[:1]:
        at.judge("a wrong key", reply)


@case(17, CALLS)
async def pipelined(at: Scene) -> None:
    """A second request while the first is answered."""
    first, second = (at.door.raw(at.target.model, text) for text in ("one two three", "four five six"))
    data = http.request(at.door.path, first, at.target.head()) + at.target.post(at.door, second)
    heard = await at.send(data, answers=2)
    at.hold(bool(heard.final) and all(reply.whole for reply in heard.final), "an answer is not whole")
    for reply, words, others in zip(heard.final, (b"three", b"six"), (b"six", b"three"), strict=False):
        at.hold(reply.status == 200, f"answered {reply.status}")
        at.hold(words in reply.body and others not in reply.body, "the answers are mixed")


@case(18, WIRES)
async def upgrades(at: Scene) -> None:
    """To HTTP/2, to a WebSocket, to nothing that exists."""
    asked = {
        "h2c": ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__"],
        "a WebSocket": ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="],
        "anything": ["Connection: Upgrade", "Upgrade: tcp"],
    }  # fmt: skip

    async def one(name: str, method: str, path: str, body: bytes) -> None:
        heard = await at.send(http.request(path, body, at.target.head(*asked[name]), method), anthropic=_spoken(path))
        at.hold(all(reply.status != 101 for reply in heard.replies), f"{name}, {method}: switched")
        at.hold(bool(heard.final) or heard.closed, f"{name}, {method}: no answer")
        for reply in heard.final[:1]:
            at.judge(f"{name}, {method}", reply, anthropic=_spoken(path))

    ways = (("POST", at.door.path, at.door.raw(at.target.model)), ("GET", "/v1/models", b""))
    await asyncio.gather(*(one(name, *way) for name in asked for way in ways))


@case(19, ALL)
async def pages(at: Scene) -> None:
    """A page of another origin asks, by name, by its own name for this machine, as a form, and beforehand."""
    body, evil = at.door.raw(at.target.model), "https://evil.example"
    target = at.target.open
    if target is not None:
        own = {
            "another origin": ([f"Origin: {evil}"], "application/json", 403, "origin_not_allowed"),
            "no origin": (["Origin: null"], "application/json", 403, "origin_not_allowed"),
            "an origin that looks alike": (["Origin: http://localhost.evil.example"], "application/json", 403, None),
            "a form": ([], "text/plain", 415, None),
        }
        for name, (lines, kind, status, code) in own.items():
            (reply,) = (await at.send(target.post(at.door, body, *lines, kind=kind), to=target)).final
            at.hold(reply.status == status, f"{name}: answered {reply.status}")
            at.hold(code is None or code.encode() in reply.body, f"{name}: {reply.body[:120]!r}")
        rebound = http.request(
            at.door.path, body, ["Host: evil.example", "Content-Type: application/json", "Connection: close"]
        )
        (reply,) = (await at.send(rebound, to=target)).final
        at.hold(reply.status == 400, f"a rebound host: answered {reply.status}")
    before = [f"Origin: {evil}", "Access-Control-Request-Method: POST", "Access-Control-Request-Headers: authorization"]
    asked = (
        http.request(at.door.path, head=at.target.head(*before, "Connection: close"), method="OPTIONS"),
        at.target.post(at.door, body, f"Origin: {evil}"),
    )
    for data in asked:
        for reply in (await at.send(data)).final:
            granted = reply.field("access-control-allow-origin")
            at.hold(granted is None, f"a page of another origin is granted {granted}")
