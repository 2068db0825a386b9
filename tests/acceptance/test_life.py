"""The life of a gateway: how it is stopped while it is busy, and what it tells of callers and endpoints that trick."""

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.acceptance.conftest import COMMAND, Installed
from tierwise.testing import ScriptedUpstream

STREAMS = 12
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}
ENDS = {"chat": b"[DONE]", "responses": b"event: response.completed", "messages": b"event: message_stop"}
ERRORS = {"chat": b'data: {"error"', "responses": b"event: error", "messages": b"event: error"}
TRICK = "x\r\nforged\x1b[2J\u202eevil\x07"


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        yield upstream


def configured(folder: Path, upstream: ScriptedUpstream, drain_s: float = 30) -> str:
    text = f"[server]\ndrain_s = {drain_s}\n"
    text += f'[[endpoint]]\nname = "up"\nkind = "scripted"\nurl = "{upstream.url}"\n'
    served = {"quick": "m?fault=slow_chunks&delay_ms=40", "slow": "m?fault=slow_chunks&delay_ms=300", "m": "m"}
    served["trick"] = f"m?fault=error&status=400&text={quote_plus(TRICK)}"
    for name, script in served.items():
        text += f'[[model]]\nid = "{name}"\nendpoint = "up"\nserved_name = "{script}"\n'
    file = folder / "tierwise.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def sent(address: str, wire: str, model: str, words: int, **headers: str) -> socket.socket:
    """Ask for a stream."""
    host, port = address.removeprefix("http://").split(":")
    text = " ".join(["word"] * words)
    turns: dict[str, Any] = (
        {"input": text} if wire == "responses" else {"messages": [{"role": "user", "content": text}]}
    )
    body = json.dumps({"model": model, "stream": True, "max_tokens": 500} | turns).encode() if wire != "responses" else (
        json.dumps({"model": model, "stream": True} | turns).encode()
    )  # fmt: skip
    head = (
        f"POST {PATHS[wire]} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    )
    head += "anthropic-version: 2023-06-01\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    line = socket.create_connection((host, int(port)), timeout=30)
    line.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return line


def begun(line: socket.socket) -> bytes:
    """Read until there is content."""
    got = b""
    while b"word" not in got:
        part = line.recv(65536)
        assert part, got
        got += part
    return got


def rest(line: socket.socket, got: bytes) -> bytes:
    """Read to the end, which has to be a clean one."""
    while part := line.recv(65536):
        got += part
    line.close()
    assert got.endswith(b"0\r\n\r\n"), got[-200:]
    return got


def listens(address: str) -> bool:
    """Say whether anybody does."""
    host, port = address.removeprefix("http://").split(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=5):
        return True
    return False


def left(process: subprocess.Popen[str]) -> str:
    assert process.wait(30) == 0
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize("times", [1, 2])
def test_a_gateway_that_is_stopped_ends_what_is_open_and_says_so(
    tmp_path: Path, installed: Installed, upstream: ScriptedUpstream, times: int
) -> None:
    """Once: what ends in time ends well, the rest is told so. Twice: all of it is told so, at once."""
    file = configured(tmp_path, upstream, drain_s=2 if times == 1 else 60)
    process, address = installed.start("--config", file)
    asked = [(wire, model, sent(address, wire, model, 15 if model == "quick" else 300))
             for wire in PATHS for model in ("quick", "slow") for _ in range(STREAMS // 6)]  # fmt: skip
    heads = [begun(line) for _, _, line in asked]
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    if times == 2:  # signals are not counted: the second is one once the first was heard
        while listens(address):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
    bodies = [rest(line, head) for (_, _, line), head in zip(asked, heads, strict=True)]
    left(process)
    assert time.monotonic() - began < 20, "not the minute that the streams would take"
    for (wire, model, _), body in zip(asked, bodies, strict=True):
        ended, failed = ENDS[wire] in body, ERRORS[wire] in body
        assert ended != failed
        assert ended == (model == "quick" and times == 1), (wire, model, times)
        assert ended or b"shutting_down" in body or wire == "messages"
        assert ended or b"being stopped" in body
    records = installed.json("log", "--config", file, "--limit", "100")
    assert sorted(one["outcome"] for one in records) == sorted(
        "answered" if ENDS[wire] in body else "cancelled" for (wire, _, _), body in zip(asked, bodies, strict=True)
    )


def test_with_few_descriptors_who_is_too_much_is_told_so_and_health_is_told_too(
    tmp_path: Path, installed: Installed, upstream: ScriptedUpstream
) -> None:
    file = configured(tmp_path, upstream)
    few = ["/bin/sh", "-c", 'ulimit -n 256; exec "$@"', "sh", str(COMMAND), "serve", "--port", "0", "--config", file]
    process = subprocess.Popen(few, stderr=subprocess.PIPE, text=True, env=installed.environment)
    assert process.stderr is not None
    address = process.stderr.readline().partition("listens on ")[2].partition(",")[0]
    host, port = address.removeprefix("http://").split(":")

    def status(method: str, path: str) -> int:
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=30)) as line:
            body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]})
            line.request(method, path, body if method == "POST" else None, {"content-type": "application/json"})
            return line.getresponse().status

    for _ in range(2):
        held = [socket.create_connection((host, int(port))) for _ in range(100)]
        for _ in range(20):
            assert status("POST", PATHS["chat"]) == 503
            assert status("GET", "/healthz") == 200
        for line in held:
            line.close()
        deadline = time.monotonic() + 20
        while status("POST", PATHS["chat"]) != 200:
            assert time.monotonic() < deadline
    process.send_signal(signal.SIGTERM)
    left(process)


def test_what_callers_and_endpoints_choose_steers_no_terminal(
    tmp_path: Path, installed: Installed, upstream: ScriptedUpstream
) -> None:
    file = configured(tmp_path, upstream)
    process, address = installed.start("--config", file)
    for model in (TRICK, "m", "trick"):
        line = sent(address, "chat", model, 2, **{"x-tierwise-session": "\x1b[31ms\u00adx".encode().decode("latin-1")})
        while line.recv(65536):
            pass
        line.close()
    process.send_signal(signal.SIGTERM)
    told = left(process)
    told += installed.run("log", "--config", file).stdout
    records = installed.run("log", "--config", file, "--json").stdout
    told += records
    for record in json.loads(records):
        told += installed.run("show", record["id"], "--config", file).stdout
        one = installed.run("show", record["id"], "--config", file, "--json").stdout
        assert json.loads(one)["id"] == record["id"]
        told += one
    assert all(char.isprintable() or char == "\n" for char in told), ascii(told)
    assert not any(line.lstrip().startswith("forged") for line in told.splitlines())
