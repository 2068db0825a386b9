"""An upstream that plays an answer as it was recorded, and lies about it at one byte.

It knows which lie is meant by the name of the lie in the request's text; the same name stands in the answer, so that an
answer that went to somebody else is seen. It counts whether a connection was used again that could not be.
"""

import asyncio
import re
import socket
import struct
from collections.abc import Mapping
from typing import Literal, cast

import msgspec

from tests.integration.lies.reading import http

Kind = Literal["whole", "split", "eof", "reset", "stall", "flip", "ended", "closed"]
NAME, NAMELESS = re.compile(rb"lie-(\d{6})"), b"lie-000000"
# How long after the first bytes the rest follows: they are then two packets.
APART_S = 0.002


class Lie(msgspec.Struct, frozen=True, kw_only=True):
    """What to play: a recorded answer, and what happens at its `at`-th byte.

    `eof`, `reset` and `stall` after so many bytes, `flip` one bit of that byte, `split` into two packets there. `ended`
    and `closed` are cut where HTTP sees nothing amiss: the body ends there, by its framing or by the connection's end.
    """

    kind: Kind
    at: int
    answer: bytes

    def played(self, number: int) -> bytes:
        """Return the bytes that leave."""
        data = self.answer.replace(NAMELESS, b"lie-%06d" % number)
        match self.kind:
            case "whole" | "split":
                return data
            case "flip":
                return data[: self.at] + bytes((data[self.at] ^ (1 << self.at % 8),)) + data[self.at + 1 :]
            case "eof" | "reset" | "stall":
                return data[: self.at]
            case "ended" | "closed":
                head = b"".join(line for line in data.partition(b"\r\n\r\n")[0].splitlines(True) if not _framing(line))
                body = http(data).body[: self.at]
                if self.kind == "closed":
                    return head.rstrip() + b"\r\n\r\n" + body
                return head.rstrip() + b"\r\ncontent-length: %d\r\n\r\n" % len(body) + body


def _framing(line: bytes) -> bool:
    return line.lower().startswith((b"transfer-encoding:", b"content-length:"))


class Player:
    """The server. `lies` by their numbers; `reused` counts requests on connections that had to be left."""

    def __init__(self, lies: Mapping[int, Lie]) -> None:
        self.lies = lies
        self.asked: dict[int, int] = {}
        self.reused = 0
        self.open: set[_Line] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> str:
        self._server = await asyncio.get_running_loop().create_server(lambda: _Line(self), "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for line in list(self.open):
            line.transport.abort()
        await self._server.wait_closed()


class _Line(asyncio.Protocol):
    """One connection."""

    transport: asyncio.Transport

    def __init__(self, player: Player) -> None:
        self._player, self._got, self._over = player, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._player.open.add(self)
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._player.open.discard(self)

    def data_received(self, data: bytes) -> None:
        self._got += data
        head, gap, body = self._got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if not gap or len(body) < int(length[1] if length else 0):
            return
        found = NAME.search(body)
        assert found is not None, "a request without a lie"
        self._got = b""
        self._play(int(found[1]))

    def _play(self, number: int) -> None:
        player, lie = self._player, self._player.lies[number]
        player.reused += self._over
        player.asked[number] = player.asked.get(number, 0) + 1
        data = lie.played(number)
        self._over = not http(data).whole
        if lie.kind == "split":
            self.transport.write(data[: lie.at])
            asyncio.get_running_loop().call_later(APART_S, self._rest, data[lie.at :])
            return
        self.transport.write(data)
        if lie.kind in ("eof", "closed"):
            self.transport.close()
        elif lie.kind == "reset":  # what was written is read before: a reset that overtakes it is another lie
            asyncio.get_running_loop().call_later(APART_S, self._reset)

    def _rest(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)

    def _reset(self) -> None:
        plug = self.transport.get_extra_info("socket")
        if plug is not None and not self.transport.is_closing():
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()
