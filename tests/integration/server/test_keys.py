"""Keys at a running gateway: what a key may not do it may on no door and on no hop, and when it ends all of it ends."""

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server.conftest import Door, everything, opened_door, post, until
from tierwise.bootstrap import books, pepper
from tierwise.config import Document, Settings
from tierwise.core.grant import Grant, Rate
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Price
from tierwise.economics.budget import Budget
from tierwise.economics.limits import Limit
from tierwise.gateway.workflow import Workflow
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream

PATHS = {
    "chat": b"/v1/chat/completions",
    "responses": b"/v1/responses",
    "messages": b"/v1/messages",
    "embeddings": b"/v1/embeddings",
    "count_tokens": b"/v1/messages/count_tokens",
}
PRICE = Price(input_usd_per_mtok=Decimal(10), output_usd_per_mtok=Decimal(10))
CARD = "my card is 4539 1488 0343 6467"
END = {"chat": b"[DONE]", "responses": b"response.completed", "messages": b"message_stop"}
BROKEN = {"chat": b'"error"', "responses": b"event: error", "messages": b"event: error"}


def body(wire: str, model: str, text: str = "one two", **more: Any) -> bytes:
    """Write a request of a wire."""
    match wire:
        case "embeddings":
            fields: dict[str, Any] = {"input": text}
        case "responses":
            fields = {"input": text}
        case "messages":
            fields = {"messages": [{"role": "user", "content": text}], "max_tokens": 20}
        case _:
            fields = {"messages": [{"role": "user", "content": text}]}
    return json.dumps({"model": model} | fields | more).encode()


class Kept:
    """A gateway whose keys stand in its ledger."""

    def __init__(self, door: Door, settings: Settings) -> None:
        self.door, self.settings = door, settings
        self.book = books(settings).keys("test")
        self._count = 0

    def key(self, *, expires: float | None = None, **grant: Any) -> str:
        """Make a key and return its text."""
        self._count += 1
        name = grant.pop("name", f"key-{self._count}")
        return self.book.create(Grant(name=name, **grant), pepper(self.settings, make=True), expires)[1].reveal()

    def ask(self, key: str, wire: str, asked: bytes, header: bytes = b"authorization: Bearer ") -> tuple[int, Any, str]:
        """Ask and return status, body and head."""
        head = b"Host: gateway.example\r\nContent-Type: application/json\r\nConnection: close\r\n"
        head += header + key.encode() + b"\r\n" + (b"anthropic-version: 2023-06-01\r\n" if wire == "messages" else b"")
        answer = self.door.send(post(asked, head, PATHS[wire]), limit_s=10)
        told, _, content = answer.partition(b"\r\n\r\n")
        return int(answer[9:12]), json.loads(content or b"null"), told.decode().lower()

    def get(self, key: str, path: str) -> tuple[int, bytes]:
        """Get an address."""
        head = f"GET {path} HTTP/1.1\r\nHost: gateway.example\r\nx-api-key: {key}\r\nConnection: close\r\n\r\n"
        answer = self.door.send(head.encode())
        return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]

    def stream(self, key: str, wire: str, asked: bytes) -> socket.socket:
        """Begin a stream and return once its first content is here."""
        line = self.door.line(10)
        head = b"Host: gateway.example\r\nContent-Type: application/json\r\nx-api-key: " + key.encode() + b"\r\n"
        line.sendall(post(asked, head, PATHS[wire]))
        received = b""
        while b"one" not in received:
            part = line.recv(65536)
            assert part, received
            received += part
        assert b" 200 " in received[:20]
        return line


def settings(upstream: ScriptedUpstream, home: Path, **more: Any) -> Settings:
    endpoints = (
        EndpointRow(name="near", kind="scripted", url=upstream.url, wires=("chat", "responses", "messages")),
        EndpointRow(name="vectors", kind="scripted", url=upstream.url),
        EndpointRow(name="far", kind="scripted", url=upstream.url, tier=Tier.FRONTIER),
    )
    models = (
        ModelRow(id="small", endpoint="near", served_name="m"),
        ModelRow(id="slow", endpoint="near", served_name="m?fault=slow_chunks&delay_ms=100"),
        ModelRow(id="late", endpoint="near", served_name="m?fault=slow_first&delay_ms=8000"),
        ModelRow(id="down", endpoint="near", served_name="m?fault=error&status=503"),
        ModelRow(id="large", endpoint="near", served_name="m?text=large"),
        ModelRow(id="dear", endpoint="far", served_name="m", price=PRICE),
        ModelRow(id="vec-1", endpoint="vectors", served_name="m", capabilities=("embeddings",)),
    )
    flow = Workflow(name="flow", candidates=("down", "large"), strategy="cascade", trusted=("down", "large"))
    document = Document(endpoint=endpoints, model=models, workflow=(flow,), **more)
    return Settings(document=document, home=home)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, upstream: ScriptedUpstream) -> Iterator[Kept]:
    own = settings(upstream, tmp_path_factory.mktemp("keys"))
    with opened_door(own, upstream) as door:
        yield Kept(door, own)


@pytest.mark.parametrize("wire", ["chat", "responses", "messages"])
@pytest.mark.parametrize("how", ["revoked", "expired", "rotated"])
def test_an_open_stream_ends_with_its_key_and_never_looks_finished(kept: Kept, wire: str, how: str) -> None:
    name = f"{how}-{wire}"
    key = kept.key(name=name, expires=time.time() + 1.5 if how == "expired" else None)
    cancelled = kept.door.upstream.cancelled
    line = kept.stream(key, wire, body(wire, "slow", "one " * 200, stream=True))
    if how == "revoked":
        assert kept.book.revoke(name)
    elif how == "rotated":
        kept.book.rotate(name, pepper(kept.settings, make=False))
    began = time.monotonic()
    rest = everything(line, silence_s=3)
    assert time.monotonic() - began < 10, "long before the 20 s that the whole answer takes"
    line.close()
    assert BROKEN[wire] in rest
    assert END[wire] not in rest
    assert b"revoked or expired" in rest
    assert until(lambda: kept.door.upstream.cancelled > cancelled)
    assert kept.ask(key, wire, body(wire, "small"))[0] == 401


@pytest.mark.parametrize("wire", ["chat", "messages", "responses"])
def test_a_call_that_waits_ends_with_its_key_too(kept: Kept, wire: str) -> None:
    name = f"waiting-{wire}"
    key = kept.key(name=name)
    with ThreadPoolExecutor(1) as pool:
        asked = len(kept.door.upstream.asked)
        waiting = pool.submit(kept.ask, key, wire, body(wire, "late"))
        assert until(lambda: len(kept.door.upstream.asked) > asked)
        kept.book.revoke(name)
        status, answer, _ = waiting.result(7)
    assert status == 401
    assert answer["error"]["type"] == ("authentication_error" if wire == "messages" else "invalid_request_error")


@pytest.mark.parametrize("header", [b"authorization: Bearer ", b"x-api-key: "])
@pytest.mark.parametrize("wire", list(PATHS))
def test_a_model_that_a_key_may_not_use_is_refused_on_every_door(kept: Kept, wire: str, header: bytes) -> None:
    key = kept.key(models=("sm*",))
    asked = len(kept.door.upstream.asked)
    status, answer, head = kept.ask(key, wire, body(wire, "vec-1" if wire == "embeddings" else "large"), header)
    assert (status, answer["error"]["type"]) == (403, "permission_error")
    assert answer["error"].get("code", "model_not_allowed") == "model_not_allowed"
    assert "x-should-retry: false" in head
    assert len(kept.door.upstream.asked) == asked


def test_a_fallback_goes_nowhere_where_the_key_may_not(kept: Kept) -> None:
    limited, free = kept.key(models=("down",), name="limited"), kept.key(name="free")
    assert kept.ask(free, "chat", body("chat", "auto:flow"))[0] == 200
    before = len(kept.door.upstream.asked)
    status, _, head = kept.ask(limited, "chat", body("chat", "auto:flow"))
    assert status == 503
    assert {json.loads(r.body)["model"] for r in kept.door.upstream.asked[before:]} <= {"m?fault=error&status=503"}
    ident = head.partition("x-tierwise-decision: ")[2].split()[0]
    record = json.loads(kept.get(limited, f"/v1/decisions/{ident}")[1])
    excluded = {c["model"]: c["excluded_by"] for c in record["candidates"]}
    assert excluded["large"] == "key:models"
    assert record["key_id"] == "limited"


def test_a_label_above_the_keys_is_refused_wherever_it_comes_from(kept: Kept) -> None:
    low = kept.key(label=Label.INTERNAL, name="low")
    for wire in ("chat", "messages", "responses", "count_tokens"):
        status, answer, _ = kept.ask(low, wire, body(wire, "small", CARD))
        assert (status, answer["error"]["type"]) == (403, "permission_error")
        assert kept.ask(low, wire, body(wire, "small"))[0] == 200
    head = (
        b"authorization: Bearer " + low.encode() + b"\r\nx-tierwise-session: s\r\nx-tierwise-label: restricted\r\nx: "
    )
    assert kept.ask("", "chat", body("chat", "small"), head)[0] == 403


def test_scopes_say_what_else_a_key_is_for(kept: Kept) -> None:
    caller, admin, watcher = (kept.key(scopes=(scope,)) for scope in ("call", "admin", "metrics"))
    head = kept.ask(caller, "chat", body("chat", "small"))[2]
    decision = "/v1/decisions/" + head.partition("x-tierwise-decision: ")[2].split()[0]
    seen = {
        name: [kept.get(key, path)[0] for path in ("/v1/models", decision, "/metrics")]
        for name, key in (("caller", caller), ("admin", admin), ("watcher", watcher))
    }
    assert seen == {"caller": [200, 200, 403], "admin": [403, 200, 200], "watcher": [403, 403, 200]}
    assert kept.get(kept.key(), decision)[0] == 404
    kept.ask(caller, "chat", body("chat", "small"))
    assert (kept.get(admin, decision[:20])[0], kept.get(kept.key(), decision[:20])[0]) == (400, 404)
    assert kept.ask(watcher, "chat", body("chat", "small"))[0] == 403


def test_a_key_sees_the_models_that_it_may_use(kept: Kept) -> None:
    key = kept.key(models=("small", "vec-*"))
    listed = {row["id"] for row in json.loads(kept.get(key, "/v1/models")[1])["data"]}
    assert listed == {"auto", "auto:flow", "small", "vec-1"}
    assert [kept.get(key, f"/v1/models/{name}")[0] for name in ("small", "large", "none")] == [200, 403, 404]


def test_what_no_wait_makes_smaller_is_not_to_be_tried_again(kept: Kept) -> None:
    key = kept.key(rate=Rate(tokens_per_minute=500))
    status, _, head = kept.ask(key, "chat", body("chat", "small"))
    assert status == 429, "without a limit of its own an answer may be 4096 tokens long"
    assert "x-should-retry: false" in head
    assert "retry-after" not in head
    small = body("chat", "small", max_tokens=50)
    assert [kept.ask(key, "chat", small)[0] for _ in range(5)] == [200] * 5, "what was not used is given back"


def test_calls_at_once_are_counted_until_they_end(kept: Kept) -> None:
    key = kept.key(rate=Rate(concurrent=1))
    line = kept.stream(key, "chat", body("chat", "slow", "one " * 30, stream=True))
    assert kept.ask(key, "chat", body("chat", "small"))[0] == 429
    line.close()
    assert until(lambda: kept.ask(key, "chat", body("chat", "small"))[0] == 200)


def test_many_at_once_pass_no_limit(kept: Kept) -> None:
    key = kept.key(rate=Rate(requests_per_minute=7))
    with ThreadPoolExecutor(30) as pool:
        statuses = list(pool.map(lambda _: kept.ask(key, "chat", body("chat", "small"))[0], range(60)))
    assert (statuses.count(200), statuses.count(429)) == (7, 53)


def test_a_team_shares_its_limits_and_its_money_over_a_restart(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    own = settings(
        upstream,
        tmp_path,
        budget=(Budget(scope="team:red", limit_usd=Decimal("0.002"), window="30d"),),
        limit=(Limit(scope="team:blue", requests_per_minute=1),),
    )
    dear = body("chat", "dear", max_tokens=100)
    with opened_door(own, upstream) as door:
        kept = Kept(door, own)
        red, also_red, blue, also_blue = (kept.key(team=team) for team in ("red", "red", "blue", "blue"))
        statuses = [kept.ask(key, "chat", dear)[0] for key in (red, also_red) * 30]
        paid = statuses.count(200)
        assert statuses == [200] * paid + [429] * (60 - paid)
        assert 0 < paid < 60
        status, answer, head = kept.ask(also_red, "chat", dear)
        assert (status, answer["error"]["code"]) == (429, "insufficient_quota")
        assert "x-should-retry: false" in head
        assert kept.ask(blue, "chat", dear)[0] == 200
        assert kept.ask(also_blue, "chat", dear)[0] == 429
    with opened_door(own, upstream) as door:
        again = Kept(door, own)
        assert again.ask(also_red, "chat", dear)[0] == 429, "what the team has spent is known after a restart"
        assert again.ask(also_blue, "chat", dear)[0] == 200
