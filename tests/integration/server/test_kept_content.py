"""Content over HTTP: only when asked for, only for who may see it; and what is kept is what the caller got."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server.conftest import Door, opened_door
from tierwise.config import Document, Settings
from tierwise.core.label import Label
from tierwise.ledger.settings import LedgerSettings
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.settings import KeyRow
from tierwise.testing import ScriptedUpstream

KEYS = {"alice": "alices-key", "bob": "bobs-key", "admin": "admins-key", "low": "lows-key"}
PATHS = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    rows = tuple(
        KeyRow(
            name=name,
            secret=f"env:{name.upper()}",
            scopes=("admin",) if name == "admin" else ("call", "admin") if name == "low" else ("call",),
            label=Label.PUBLIC if name == "low" else None,
        )
        for name in KEYS
    )
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        document = Document(
            endpoint=(EndpointRow(name="up", kind="scripted", url=upstream.url),),
            model=(ModelRow(id="m", endpoint="up"),),
            key=rows,
            ledger=LedgerSettings(store_content="full"),
        )
        environ = {name.upper(): key for name, key in KEYS.items()}
        home: Path = tmp_path_factory.mktemp("kept")
        with opened_door(Settings(document=document, home=home, environ=environ), upstream) as door:
            yield door


def ask(door: Door, method: str, path: str, key: str, body: bytes | None = None) -> tuple[int, Any, bytes]:
    line = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
    head = {"authorization": f"Bearer {KEYS[key]}", "content-type": "application/json"}
    line.request(method, path, body, head)
    answer = line.getresponse()
    read = answer.read()
    line.close()
    return answer.status, answer.headers, read


def made(door: Door, wire: str, *, stream: bool = False) -> tuple[str, bytes, bytes]:
    turns = [{"role": "user", "content": "zwölf wombats"}]
    fields = {"input": "zwölf wombats"} if wire == "responses" else {"messages": turns}
    if wire == "messages":
        fields["max_tokens"] = 100  # type: ignore[assignment]
    body = json.dumps({"model": "m", "stream": stream} | fields, indent=2).encode()
    status, head, answer = ask(door, "POST", PATHS[wire], "alice", body)
    assert status == 200, answer
    return head["x-tierwise-decision"], body, answer


@pytest.mark.parametrize("wire", PATHS)
def test_what_is_kept_is_what_was_sent_and_got(door: Door, wire: str) -> None:
    ident, body, answer = made(door, wire)
    for who in ("alice", "admin"):
        status, _, found = ask(door, "GET", f"/v1/decisions/{ident}?content=1", who)
        kept = json.loads(found)["kept_content"]
        assert (status, kept["level"]) == (200, "full")
        assert kept["request"].encode() == body
        assert kept["answer"].encode() == answer


@pytest.mark.parametrize("wire", PATHS)
def test_of_a_stream_the_words_are_kept(door: Door, wire: str) -> None:
    ident, _, _ = made(door, wire, stream=True)
    kept = json.loads(ask(door, "GET", f"/v1/decisions/{ident}?content=1", "alice")[2])["kept_content"]
    assert json.loads(kept["answer"])["choices"] == [{"index": 0, "text": "zwölf wombats", "finish": "stop"}]


@pytest.mark.parametrize("query", ["", "?", "?content=0", "?content=", "?content=10"])
def test_without_asking_the_record_comes_without_content(door: Door, query: str) -> None:
    ident, _, _ = made(door, "chat")
    status, _, found = ask(door, "GET", f"/v1/decisions/{ident}{query}", "alice")
    assert status == 200
    assert b"wombat" not in found
    assert "kept_content" not in json.loads(found)
    assert json.loads(found)["content"]["request"]["kept"] == "full", "only what binds it"


def test_another_key_sees_nothing_and_a_key_for_public_data_no_words(door: Door) -> None:
    ident, _, _ = made(door, "chat")
    status, _, found = ask(door, "GET", f"/v1/decisions/{ident}?content=1", "bob")
    assert status == 404
    assert b"wombat" not in found
    status, _, found = ask(door, "GET", f"/v1/decisions/{ident}?content=1", "low")
    assert (status, json.loads(found)["error"]["code"]) == (403, "label_not_allowed")
    assert b"wombat" not in found


def test_the_key_that_was_shown_is_nowhere_in_what_is_kept(door: Door) -> None:
    ident, _, _ = made(door, "chat")
    assert KEYS["alice"].encode() not in ask(door, "GET", f"/v1/decisions/{ident}?content=1", "admin")[2]
