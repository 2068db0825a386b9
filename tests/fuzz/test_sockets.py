"""Do the two ends of HTTP bear whatever is sent to them, over real sockets?

The whole gateway gets requests made worse: no 500, every answer well-formed, and whoever comes next gets his own. Our
client gets answers made worse: an error of ours or an answer, and the next one is not mixed up with it. The scripted
upstream gets both, so that a test that uses it never fails for its own sake.
"""

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import wire
from tests.fuzz.targets import SPOKEN
from tests.integration.server.conftest import Door, document, everything, opened_door, post, until
from tierwise.config import Settings
from tierwise.core.errors import ProviderError
from tierwise.core.model import Limits
from tierwise.providers.address import Address
from tierwise.providers.transport import Transport
from tierwise.server.app import PATHS
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

EXAMPLES = int(os.environ.get("TIERWISE_FUZZ_SOCKETS", "150"))
SEEDS = st.integers(0, 2**32)
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
HURRIED = ServerSettings(header_timeout_s=0.3, body_timeout_s=0.3, max_body_bytes=100_000, write_timeout_s=1)
GOOD = [
    *wire.requests([(PATHS[name], json.dumps(body).encode()) for name, bodies in SPOKEN.items() for body in bodies]),
    *wire.requests([(b"/v1/route", json.dumps(SPOKEN["chat"][1]).encode())]),
    *(
        b"%b HTTP/1.1\r\nHost: localhost\r\nanthropic-version: 2023-06-01\r\n\r\n" % line
        for line in (b"GET /v1/models", b"GET /v1/models/m", b"GET /readyz", b"GET /metrics", b"GET /v1/decisions/01",
                     b"DELETE /v1/responses/resp_x", b"GET /v1/responses/resp_x")
    ),
]  # fmt: skip
SAID = [
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\n\r\n" + b'{"said":"ok"}',
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\ndata: x\r\n2\r\n\n\n\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 429 Slow\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nto the end",
]


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        yield upstream


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Iterator[Door]:
    home: Path = tmp_path_factory.mktemp("fuzzed")
    with opened_door(Settings(document=document(upstream, HURRIED), home=home), upstream) as door:
        yield door


def echoed(door: Door, words: str) -> bool:
    """Say whether a good request on a connection of its own gets its own answer."""
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": words}]}).encode()
    (answer,) = wire.answers(
        door.send(post(body, b"Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"))
    )
    return answer.status == 200 and json.loads(answer.body)["choices"][0]["message"]["content"] == words


def descriptors() -> int:
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.exists() else 0


def test_whatever_is_sent_nobody_gets_a_500_or_another_ones_answer(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    assert echoed(door, "before")
    before = descriptors()

    @settings(max_examples=EXAMPLES)
    @given(sent=st.lists(st.tuples(st.sampled_from(GOOD), SEEDS), min_size=1, max_size=3))
    def holds(sent: list[tuple[bytes, int]]) -> None:
        data = b"".join(wire.worse(message, Random(seed)) for message, seed in sent)
        with door.line() as line, contextlib.suppress(ConnectionResetError, BrokenPipeError):
            line.sendall(data + LAST)
            told = wire.answers(everything(line))
            assert len(told) <= data.count(b"HTTP/") + len(sent) + 1
            for answer in told:
                assert answer.status < 500 or b"internal_error" not in answer.body, answer
                if answer.head.get(b"content-type") == b"application/json":
                    json.loads(answer.body)
        assert echoed(door, f"mark {sent[0][1]}")

    holds()
    assert until(lambda: descriptors() <= before + 4), "a connection was left open"
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_whatever_an_endpoint_sends_is_an_answer_or_an_error_of_ours_and_stays_its_own() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(asked.pop() if asked else b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine")
                await writer.drain()
        writer.close()

    async def ask(transport: Transport, address: Address, stream: bool) -> bytes:
        deadline = asyncio.get_running_loop().time() + 5
        exchange = await transport.post(address, "/x", b"", deadline=deadline, stream=stream)
        try:
            return await exchange.read_all()
        finally:
            exchange.release()

    async def scene(data: bytes, stream: bool) -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        transport = Transport()
        port = server.sockets[0].getsockname()[1]
        limits = Limits(first_byte_timeout_s=0.05, idle_timeout_s=0.05, max_answer_bytes=50_000)
        address = Address(url=f"http://127.0.0.1:{port}", limits=limits)
        try:
            asked[:] = [data]
            with contextlib.suppress(ProviderError):
                assert len(await ask(transport, address, stream)) <= 50_000
            roomy = Address(url=address.url)
            assert await ask(transport, roomy, stream) == b"mine"
        finally:
            await transport.aclose()
            server.close()

    with asyncio.Runner() as runner:

        @settings(max_examples=EXAMPLES)
        @given(message=st.sampled_from(SAID), seed=SEEDS, stream=st.booleans())
        def holds(message: bytes, seed: int, stream: bool) -> None:
            runner.run(scene(wire.worse(message, Random(seed)), stream))

        holds()


def test_the_scripted_upstream_bears_it_too(upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture) -> None:
    @settings(max_examples=EXAMPLES)
    @given(message=st.sampled_from(GOOD), seed=SEEDS)
    def holds(message: bytes, seed: int) -> None:
        data = wire.worse(message, Random(seed))
        with socket.create_connection((upstream.host, upstream.port), 5) as line, contextlib.suppress(ConnectionError):
            line.sendall(data + LAST)
            line.shutdown(socket.SHUT_WR)
            wire.answers(everything(line))

    holds()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


# Would these notice?


def test_an_answer_that_is_none_is_noticed() -> None:
    good = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
    assert [answer.body for answer in wire.answers(good * 2)] == [b"ok", b"ok"]
    for broken in (
        good + b"x",
        b"x" + good,
        good.replace(b": 2", b": 1"),
        good.replace(b"OK\r\n", b"OK\r\nno field\r\n"),
    ):
        with pytest.raises(ValueError, match="this is no"):
            wire.answers(broken)
