"""Raw bytes at the door: what is wrong gets its status, and nothing of it reaches the endpoint."""

import contextlib
import json
import select
import time

import msgspec
import pytest

from tests.integration.server.conftest import HEAD, Door, asking, everything, post, until
from tierwise.server.connection import LINGER_S, MAX_TOLD, SPARE

BODY = asking("m")


def test_an_ordinary_request(door: Door) -> None:
    status, answer = door.ask(BODY)
    assert status == 200
    head, _, body = answer.partition(b"\r\n\r\n")
    assert json.loads(body)["choices"][0]["message"]["content"] == "one two"
    for name in (b"decision", b"tier", b"endpoint", b"model", b"reason", b"attempts"):
        assert b"x-tierwise-" + name in head


WRONG_HINTS = ("x-tierwise-label: secret", "x-tierwise-workflow: nope", "x-tierwise-max-cost-usd: -1")


@pytest.mark.parametrize("hint", WRONG_HINTS)
def test_a_wrong_hint_is_refused(door: Door, hint: str) -> None:
    assert door.ask(BODY, HEAD + hint.encode() + b"\r\n")[0] == 400


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


def test_a_crowd_that_came_together_is_not_cut_off_together(door: Door) -> None:
    def later_ones_were_first() -> bool:
        with contextlib.ExitStack() as stack:
            lines = [stack.enter_context(door.line()) for _ in range(30)]
            for line in lines:
                line.sendall(b"GET /")
            waiting, last = set(lines), -1
            while waiting:
                ended, _, _ = select.select(waiting, (), (), 5)
                places = sorted(map(lines.index, ended))
                if places[0] < last:
                    return True
                waiting, last = waiting - set(ended), max(last, places[-1])
        return False

    assert any(later_ones_were_first() for _ in range(5))


@pytest.mark.parametrize("size", [70_000, 1_000_000])
def test_a_head_that_never_ends_is_refused_before_its_time_is_up(door: Door, size: int) -> None:
    assert door.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * size)[9:12] == b"431"


def test_many_requests_at_once_are_no_long_head(door: Door) -> None:
    one = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"x: " + b"a" * 30_000 + b"\r\n\r\n"
    last = b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    assert door.send(one * 4 + last).count(b"HTTP/1.1 200") == 5


def test_a_body_of_50_mb_without_a_length_is_refused_while_it_is_sent_and_the_answer_arrives(door: Door) -> None:
    head = b"POST /v1/chat/completions HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    answer = door.send(head + b"%x\r\n%b\r\n0\r\n\r\n" % (50_000_000, b"a" * 50_000_000))
    assert answer[9:12] == b"413"
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "request_too_large"


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
        answer = door.send(post(BODY), limit_s=LINGER_S)
        assert answer[9:12] == b"503"
        assert b"overloaded" in answer
        answer = door.send(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        assert answer[9:12] == b"200", "who watches is told all the same"
        lines += [door.line() for _ in range(SPARE)]
        assert door.send(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n", limit_s=LINGER_S)[9:12] == b"503"
    finally:
        for line in lines:
            line.close()


def test_a_flood_beyond_the_cap_is_dropped_unheard(door: Door) -> None:
    """Those who are told that there are too many hold a connection each while they are told."""
    lines = [door.line() for _ in range(40 + SPARE)]
    try:
        flood = [door.line() for _ in range(MAX_TOLD + 100)]
        answers = [everything(line)[:12] for line in flood]
        assert set(answers) <= {b"HTTP/1.1 503", b""}
        assert answers.count(b"HTTP/1.1 503") > 0
        lines += flood
    finally:
        for line in lines:
            line.close()
    assert until(lambda: door.send(b"GET /healthz HTTP/1.1\r\n" + HEAD + b"\r\n", limit_s=1)[9:12] == b"200")


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
