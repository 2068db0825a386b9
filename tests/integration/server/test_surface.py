"""Raw bytes at the door: what is wrong gets its status, and nothing of it reaches the endpoint."""

import json
import re
import socket
import time

import msgspec
import pytest

from tests.integration.server.conftest import HEAD, Door, asking, everything, post, until
from tierwise.server.connection import LINGER_S

BODY = asking("m")


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
    (b'{"model":"m\\u0000","messages":[{"role":"user","content":"x"}]}', 400),
    (b'{"model":"M","messages":[{"role":"user","content":"x"}]}', 404),
    (b"[" * 50_000, 400),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status"), WRONG_BODIES)
def test_wrong_bodies(door: Door, body: bytes, status: int) -> None:
    before = len(door.upstream.asked)
    got, answer = door.ask(body)
    assert got == status
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


SMUGGLED = [
    b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n12345",
    b"Content-Length: +5\r\n\r\n12345", b"Content-Length: 0x5\r\n\r\n12345", b"Content-Length: 5, 5\r\n\r\n12345",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n-1\r\nx\r\n0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx0\r\n\r\n", b"x: a\0b\r\n\r\n", b"x: 1\nContent-Length: 0\n\n",
    b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n{}",
]  # fmt: skip


@pytest.mark.parametrize("rest", SMUGGLED)
def test_what_could_be_read_in_two_ways_is_refused_and_nothing_behind_it_runs(door: Door, rest: bytes) -> None:
    behind = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    answer = door.send(b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + rest + behind)
    assert answer[9:12] == b"400"
    assert answer.count(b"x-should-retry: ") == 1
    assert set(json.loads(answer.partition(b"\r\n\r\n")[2])["error"]) == {"message", "type", "param", "code"}


def test_a_body_that_comes_too_slowly_is_answered(door: Door) -> None:
    answer = door.send(b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"Content-Length: 500\r\n\r\n{")
    assert answer[9:12] == b"408"
    assert b"request_timeout" in answer


@pytest.mark.parametrize(
    "begun", [b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"Content-Length: 500\r\n\r\n{", b"GET /"]
)
def test_a_request_that_drips_has_no_more_time_than_one_that_stalls(door: Door, begun: bytes) -> None:
    deadline = time.monotonic() + 5
    with door.line() as line:
        line.sendall(begun)
        line.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() < deadline:
            try:
                answer = line.recv(4096)
            except TimeoutError:
                line.sendall(b"a")
    assert answer[9:12] == b"408"


HUGE = b'{"model":"m","messages":[{"role":"user","content":"' + b"a" * 50_000_000 + b'"}]}'


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_of_50_mb_is_refused_while_it_is_sent_and_the_answer_arrives(door: Door, chunked: bool) -> None:
    request = b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD
    body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(HUGE), HUGE) if chunked else HUGE
    head = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(HUGE)
    before = len(door.upstream.asked)
    answer = door.send(request + head + b"\r\n\r\n" + body)
    assert answer[9:12] == b"413"
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_too_large"
    assert len(door.upstream.asked) == before


def test_a_head_of_a_megabyte_is_refused_and_the_answer_arrives(door: Door) -> None:
    answer = door.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * 1_000_000 + b"\r\n\r\n")
    assert answer[9:12] == b"431"
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "headers_too_large"


def test_a_head_that_never_ends_is_refused_before_its_time_is_up(door: Door) -> None:
    assert door.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * 1_000_000)[9:12] == b"431"


def test_a_caller_who_stops_reading_is_left(door: Door) -> None:
    """His answer, of some 8 MB, fits into no buffer between."""

    def left() -> int:
        told = door.send(b"GET /metrics HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HEAD)
        return sum(map(int, re.findall(rb'outcome="cancelled",tier="local"} (\d+)', told)))

    before = left()
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", door.port))
        line.sendall(post(asking("m", "a " * 40_000, stream=True)))
        assert until(lambda: left() == before + 1, 15)


@pytest.mark.parametrize(("model", "stream"), [("slow", True), ("wait", False)])
def test_when_the_caller_leaves_the_endpoint_is_left(door: Door, model: str, stream: bool) -> None:
    """Long before its answer would have come to its end."""
    asked, cancelled = len(door.upstream.asked), door.upstream.cancelled
    with door.line() as line:
        line.sendall(post(asking(model, "one " * 40, stream=stream)))
        assert until(lambda: len(door.upstream.asked) == asked + 1)
    assert until(lambda: door.upstream.cancelled == cancelled + 1, 2)


DAWDLED = [
    b"POST /nowhere HTTP/1.1\r\n" + HEAD + b"Content-Length: 999999\r\n\r\n",  # answered before its body came
    b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n",
    b"",
]


@pytest.mark.parametrize("begun", DAWDLED)
def test_no_connection_is_kept_by_dripping_bytes_that_mean_nothing(door: Door, begun: bytes) -> None:
    with door.line() as line:
        if begun:
            line.sendall(begun)
            assert b" HTTP" not in everything(line, 0.2)[12:]
        line.sendall(b"\r\n")
        begin = time.monotonic()
        line.settimeout(5)
        assert line.recv(1) == b""
        assert time.monotonic() - begin < 3


def test_nothing_is_written_into_an_answer_under_way(door: Door) -> None:
    with door.line() as line:
        line.sendall(post(asking("slow", "a b c d e f", stream=True)))
        assert line.recv(12) == b"HTTP/1.1 200"
        line.sendall(b"\0 no HTTP at all\r\n\r\n")
        assert b"HTTP/1.1" not in everything(line)


def test_more_connections_than_allowed_are_told_so(door: Door) -> None:
    lines = [door.line() for _ in range(40)]
    try:
        answer = door.send(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n", limit_s=LINGER_S)
        assert answer[9:12] == b"503"
        assert b"overloaded" in answer
    finally:
        for line in lines:
            line.close()


def test_pipelined_requests_are_answered_in_order(door: Door) -> None:
    one = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n"
    last = b"GET /v1/models HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    answer = door.send(one + one + last)
    assert answer.count(b"HTTP/1.1 200") == 3
    assert answer.index(b'"ok"') < answer.index(b'"list"')


def test_alive_ready_and_counted(door: Door) -> None:
    for path in (b"/healthz", b"/readyz"):
        for method in (b"GET", b"HEAD"):
            answer = door.send(b"%b %b HTTP/1.1\r\n%bConnection: close\r\n\r\n" % (method, path, HEAD))
            assert answer[9:12] == b"200"
            assert answer.endswith(b"\r\n\r\n") is (method == b"HEAD")
        assert door.ask(b"{}", path=path)[0] == 405
    before, after = (
        door.send(b"GET /metrics HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HEAD) for _ in "ab" if door.ask(BODY)
    )
    assert b"tierwise_decisions_total" in before
    assert after != before


def test_the_models_say_where_they_run(door: Door) -> None:
    answer = door.send(b"GET /v1/models HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HEAD)
    listed = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert listed["object"] == "list"
    rows = {row["id"]: row for row in listed["data"]}
    assert "auto" in rows
    assert (rows["m"]["owned_by"], rows["m"]["tierwise"]["tier"]) == ("up", "local")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (b"/chat/completions", "did you mean /v1/chat/completions? An OpenAI client's base URL ends in /v1"),
        (b"/v1/v1/messages", "did you mean /v1/messages?"),
        (b"/v1/messages/count_tokens/", "did you mean /v1/messages/count_tokens?"),
        (b"/api/chat", "calls go to /v1/chat/completions, /v1/responses"),
    ],
)
def test_a_wrong_address_is_told_the_right_one(door: Door, path: bytes, said: str) -> None:
    status, answer = door.ask(BODY, path=path)
    assert status == 404
    assert said in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["message"]


def test_the_dry_run_and_the_decision_are_json(door: Door) -> None:
    status, answer = door.ask(BODY, path=b"/v1/route")
    assert status == 200
    assert msgspec.json.decode(answer.partition(b"\r\n\r\n")[2])["outcome"] == "dry_run"
    assert b"x-tierwise-decision" not in answer, "an id that cannot be looked up"
    made = door.ask(BODY)[1]
    ident = next(line for line in made.split(b"\r\n") if line.startswith(b"x-tierwise-decision")).split()[1]
    shown = door.send(b"GET /v1/decisions/%b HTTP/1.1\r\n%bConnection: close\r\n\r\n" % (ident, HEAD))
    assert json.loads(shown.partition(b"\r\n\r\n")[2])["outcome"] == "answered"
    assert door.send(b"GET /v1/decisions/00000000000 HTTP/1.1\r\n%bConnection: close\r\n\r\n" % HEAD)[9:12] == b"404"
