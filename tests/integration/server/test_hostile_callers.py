"""A caller with an ordinary key wants more than is his: what is marked to leave, more than he pays, more than he sends."""

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server.conftest import Door, opened_door, post
from tierwise.config import Document, Settings
from tierwise.core.label import Label, Tier
from tierwise.core.model import Capability
from tierwise.core.usage import Price
from tierwise.policy.settings import LabelSettings
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

MARKED = "DE26500105175260181590"
PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10))
ABLE: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")
WIRES = ("chat", "messages", "responses")
LIMIT_BYTES = 50_000
HEAD = b"Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
LOOK = {"name": "look", "parameters": {"type": "object"}}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with ScriptedUpstream.in_thread(models=("m",), context_tokens=100_000) as upstream:
        endpoints = tuple(
            EndpointRow(name=wire, kind="scripted", url=upstream.url, wires=(wire,), tier=Tier.FRONTIER)
            for wire in WIRES
        )
        models = [
            ModelRow(id=f"{wire}-{name}", endpoint=wire, served_name=f"m{script}", capabilities=ABLE, price=PRICE)
            for wire in WIRES
            for name, script in {"plain": "", "silent": "?fault=no_usage"}.items()
        ]
        ceilings = {Label.CONFIDENTIAL: Tier.LOCAL, Label.RESTRICTED: Tier.LOCAL}
        document = Document(
            endpoint=endpoints,
            model=tuple(models),
            labels=LabelSettings(ceilings=ceilings),
            server=ServerSettings(max_body_bytes=LIMIT_BYTES),
        )
        home: Path = tmp_path_factory.mktemp("hostile")
        with opened_door(Settings(document=document, home=home), upstream) as door:
            yield door


def ask(door: Door, path: str, body: dict[str, Any], head: bytes = b"") -> tuple[int, dict[str, str], dict[str, Any]]:
    answer = door.send(post(json.dumps(body).encode(), HEAD + head, path.encode()))
    top, _, rest = answer.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1) for line in top.decode("latin-1").split("\r\n")[1:])
    return int(answer[9:12]), fields, json.loads(rest)


def record(door: Door, head: dict[str, str]) -> dict[str, Any]:
    path = f"GET /v1/decisions/{head['x-tierwise-decision']} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return dict(json.loads(door.send(path.encode()).partition(b"\r\n\r\n")[2]))


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
@pytest.mark.parametrize("name", ["anthropic-beta", "anthropic-version"])
def test_nothing_marked_leaves_in_a_header(door: Door, path: str, name: str) -> None:
    body = {"model": "messages-plain", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    before = len(door.upstream.asked)
    status, _, _ = ask(door, path, body, f"{name}: {MARKED}\r\n".encode())
    assert (status, len(door.upstream.asked)) == (403, before)
    assert ask(door, path, body, f"{name}: context-1m-2025-08-07\r\n".encode())[0] == 200


def test_what_is_only_referred_to_weighs_what_it_weighs(door: Door) -> None:
    """A reference of fifty bytes stands for an item of any size: a thousand of them would be a body of gigabytes."""
    said = {"model": "responses-plain", "input": " ".join(f"word {place}" for place in range(3_000))}
    status, _, answer = ask(door, "/v1/responses", said)
    assert status == 200, answer
    assert status == 200, answer
    item = answer["output"][0]
    assert status == 200 and len(json.dumps(item)) > 20_000
    reference = {"type": "item_reference", "id": item["id"]}
    before = len(door.upstream.asked)
    for body in (
        {"model": "responses-plain", "input": [reference] * 500},
        {"model": "responses-plain", "input": "x", "previous_response_id": answer["id"]},
    ):
        status, _, refused = ask(door, "/v1/responses", body)
        assert (status, refused["error"]["code"]) == (413, "request_too_large")
    assert len(door.upstream.asked) == before


def test_a_call_without_a_word_or_a_count_is_paid_for(door: Door) -> None:
    body = {
        "model": "chat-silent",
        "messages": [{"role": "user", "content": "look"}],
        "tools": [{"type": "function", "function": LOOK}],
        "tool_choice": "required",
    }
    status, head, answer = ask(door, "/v1/chat/completions", body)
    assert status == 200 and answer["choices"][0]["message"]["tool_calls"]
    (attempt,) = record(door, head)["attempts"]
    assert attempt["usage"]["estimated"] and Decimal(attempt["cost_usd"]) > 0


def test_the_record_keeps_no_words_of_the_callers(door: Door) -> None:
    words = "patient Miller 4711 0815 4711"
    body = {"model": "messages-plain", "messages": [{"role": "user", "content": [{"type": words}], words: 1}], words: 1}
    body["messages"] = [*body["messages"], {"role": "user", "content": "x"}]
    body |= {f"unknown_{place}" + "x" * 500: 1 for place in range(50)}
    status, head, _ = ask(door, "/v1/chat/completions", body)
    assert status == 200
    kept = json.dumps(record(door, head))
    assert "4711" not in kept and "4711" not in head["x-tierwise-dropped"]
    assert "messages[0].content[0]" in kept and len(kept) < 20_000
