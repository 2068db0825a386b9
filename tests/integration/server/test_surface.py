"""Raw bytes at the door: what is wrong gets its status, and nothing of it reaches the endpoint."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.app import App
from tierwise.server.run import bounded
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

LIMITS = ServerSettings(header_timeout_s=0.5, body_timeout_s=0.5, max_body_bytes=100_000, write_timeout_s=5)
BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "one two"}]}).encode()
HEAD = b"Host: localhost\r\nContent-Type: application/json\r\n"


class Door:
    """A gateway that listens in a thread of its own."""

    def __init__(self, port: int, upstream: ScriptedUpstream) -> None:
        self.port, self.upstream = port, upstream

    def send(self, data: bytes, *, limit_s: float = 5) -> bytes:
        """Send bytes and return everything that comes until the other side closes or falls silent."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=limit_s) as line:
            line.sendall(data)
            answer = b""
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                while part := line.recv(65536):
                    answer += part
                    line.settimeout(1)
            return answer

    def ask(self, body: bytes, head: bytes = HEAD, path: bytes = b"/v1/chat/completions") -> tuple[int, bytes]:
        """POST a body on a connection that ends with the answer."""
        answer = self.send(
            b"POST %b HTTP/1.1\r\n%bConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (path, head, len(body), body)
        )
        return int(answer[9:12]), answer


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    import uvicorn

    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        started = threading.Event()
        stop: list[uvicorn.Server] = []
        ports: list[int] = []

        async def run(home: Path) -> None:
            endpoint = EndpointRow(name="up", kind="scripted", url=upstream.url)
            document = Document(
                endpoint=(endpoint,),
                model=(
                    ModelRow(id="m", endpoint="up"),
                    ModelRow(id="slow", endpoint="up", served_name="m?fault=slow_chunks&delay_ms=100"),
                ),
                server=LIMITS,
            )
            async with bootstrap.opened(Settings(document=document, home=home)) as wired:
                app: App = bootstrap.application(wired)
                config = uvicorn.Config(
                    app, http=bounded(LIMITS), lifespan="off", ws="none", log_config=None, access_log=False
                )
                server = uvicorn.Server(config)
                listener = socket.create_server(("127.0.0.1", 0))
                ports.append(listener.getsockname()[1])
                stop.append(server)
                task = asyncio.create_task(server._serve([listener]))
                while not server.started:
                    await asyncio.sleep(0.01)
                started.set()
                await task

        thread = threading.Thread(target=lambda: asyncio.run(run(tmp_path_factory.mktemp("home"))))
        thread.start()
        assert started.wait(20)
        yield Door(ports[0], upstream)
        stop[0].should_exit = True
        thread.join(20)
        assert not thread.is_alive()


def test_an_ordinary_request(door: Door) -> None:
    status, answer = door.ask(BODY)
    assert status == 200
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["choices"][0]["message"]["content"] == "one two"
    for name in (b"decision", b"tier", b"endpoint", b"model", b"reason", b"attempts"):
        assert b"x-tierwise-" + name in head


WRONG_BODIES = [
    (b"", 400), (b"{", 400), (b"[]", 400), (b'"x"', 400), (BODY + b"x", 400), (b"\xef\xbb\xbf" + BODY, 400),
    (b'{"model":"m","model":"n","messages":[{"role":"user","content":"x"}]}', 400),
    (b'{"model":"m","messages":[{"role":"user","content":"x","content":"y"}]}', 400),
    (b'{"model":"m","messages":[]}', 400), (b'{"messages":[{"role":"user","content":"x"}]}', 400),
    (b'{"model":"m","messages":[{"role":"user","content":"x"}],"stream":"true"}', 400),
    (b'{"model":"m","messages":[{"role":"user","content":"x"}],"temperature":1e400}', 400),
    (b'{"model":"m","messages":[{"role":"user","content":"x"}],"api_base":"http://x"}', 400),
    (b'{"model":"m\\u0000","messages":[{"role":"user","content":"x"}]}', 404),
    (b'{"model":"M","messages":[{"role":"user","content":"x"}]}', 404),
    (b"[" * 50_000, 400), (b" " * 100_001, 413),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), WRONG_BODIES)
def test_wrong_bodies(door: Door, body: bytes, status: int) -> None:
    before = len(door.upstream.asked)
    got, answer = door.ask(body)
    assert got in (status, 400)
    error = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert b"Traceback" not in answer
    assert len(door.upstream.asked) == before


WRONG_HEADS = [
    (b"Host: localhost\r\n", 415), (b"Host: localhost\r\nContent-Type: text/plain\r\n", 415),
    (HEAD + b"Content-Encoding: gzip\r\n", 415), (b"Host: evil.example\r\nContent-Type: application/json\r\n", 400),
    (HEAD + b"Origin: https://evil.example\r\n", 403), (HEAD + b"x-tierwise-label: secret\r\n", 400),
    (HEAD + b"x-tierwise-workflow: nope\r\n", 400), (HEAD + b"x-tierwise-max-cost-usd: -1\r\n", 400),
    (HEAD + b"x-many: 1\r\n" * 101, 431), (HEAD + b"x-long: " + b"a" * 70_000 + b"\r\n", 431),
]  # fmt: skip


@pytest.mark.parametrize(("head", "status"), WRONG_HEADS)
def test_wrong_heads(door: Door, head: bytes, status: int) -> None:
    assert door.ask(BODY, head)[0] == status


PATHS = [
    b"/",
    b"//v1/models",
    b"/v1/./models",
    b"/v1/%6dodels",
    b"/V1/models",
    b"/v1/models/",
    b"/v1/models;x",
    b"/v1/decisions/../models",
    b"/admin",
]


@pytest.mark.parametrize("path", PATHS)
def test_only_the_exact_path_is_served(door: Door, path: bytes) -> None:
    assert door.send(b"GET %b HTTP/1.1\r\n%bConnection: close\r\n\r\n" % (path, HEAD))[9:12] == b"404"


def test_methods_long_targets_and_half_heads(door: Door) -> None:
    assert b" 405 " in door.send(b"GET /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")[:30]
    assert b" 414 " in door.send(b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n")[:30]
    begin = time.monotonic()
    door.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: loc")
    assert time.monotonic() - begin < 4
    slow = door.send(b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"Content-Length: 500\r\n\r\n{")
    assert slow[9:12] == b"408"
    both = door.send(
        b"POST /v1/chat/completions HTTP/1.1\r\n"
        + HEAD
        + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )
    assert both[9:12] == b"400"


def test_other_wires_say_honestly_that_they_are_not_spoken(door: Door) -> None:
    status, answer = door.ask(b"{}", path=b"/v1/messages")
    assert status == 404
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"] == "not_found_error"
    status, answer = door.ask(b"{}", path=b"/v1/responses")
    assert status == 404
    assert b"chat/completions" in answer


def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    one = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    last = b"GET /v1/models HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    answer = door.send(one + one + last)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.index(b'"ok"') < answer.index(b'"list"')


def test_a_caller_who_leaves_a_stream_leaves_the_upstream(door: Door) -> None:
    before = door.upstream.cancelled
    body = json.dumps({"model": "slow", "stream": True, "messages": [{"role": "user", "content": "a " * 60}]}).encode()
    with socket.create_connection(("127.0.0.1", door.port), timeout=5) as line:
        line.sendall(b"POST /v1/chat/completions HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (HEAD, len(body), body))
        assert line.recv(10)
    deadline = time.monotonic() + 2
    while door.upstream.cancelled == before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert door.upstream.cancelled == before + 1


def test_the_dry_run_and_the_decision_are_json(door: Door) -> None:
    status, answer = door.ask(BODY, path=b"/v1/route")
    assert status == 200
    assert msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["outcome"] == "dry_run"
    made = door.ask(BODY)[1]
    ident = next(line for line in made.split(b"\r\n") if line.startswith(b"x-tierwise-decision")).split()[1]
    shown = door.send(b"GET /v1/decisions/%b HTTP/1.1\r\n%bConnection: close\r\n\r\n" % (ident, HEAD))
    assert json.loads(shown.partition(b"\r\n\r\n")[2])["outcome"] == "answered"
    assert door.send(b"GET /v1/decisions/00000000000 HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HEAD)[9:12] == b"404"
