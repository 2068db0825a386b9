"""Feedback over HTTP: for who may see the decision, once, and without content where none is kept."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.server.conftest import Door, asking, opened_door
from tierwise.config import Document, Settings
from tierwise.core.label import Label
from tierwise.ledger.settings import LedgerSettings
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.settings import KeyRow
from tierwise.testing import ScriptedUpstream

KEYS = {"alice": ("call",), "bob": ("call",), "admin": ("admin",), "meter": ("metrics",)}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    rows = tuple(KeyRow(name=name, secret=f"env:{name.upper()}", scopes=scopes) for name, scopes in KEYS.items())  # type: ignore[arg-type]
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        document = Document(
            endpoint=(EndpointRow(name="up", kind="scripted", url=upstream.url),),
            model=(ModelRow(id="m", endpoint="up"),),
            key=rows,
            ledger=LedgerSettings(store_content="full", store_content_by_label={Label.CONFIDENTIAL: "none"}),
        )
        environ = {name.upper(): f"key-of-{name}" for name in KEYS}
        home: Path = tmp_path_factory.mktemp("said")
        with opened_door(Settings(document=document, home=home, environ=environ), upstream) as door:
            yield door


def ask(door: Door, method: str, path: str, key: str, body: bytes | None = None, **head: str) -> tuple[int, Any, Any]:
    line = http.client.HTTPConnection("127.0.0.1", door.port, timeout=20)
    heads = {"authorization": f"Bearer key-of-{key}", "content-type": "application/json"} | head
    line.request(method, path, body, heads)
    answer = line.getresponse()
    read = json.loads(answer.read())
    line.close()
    return answer.status, answer.headers, read


def made(door: Door, **head: str) -> str:
    status, heads, _ = ask(door, "POST", "/v1/chat/completions", "alice", asking("m"), **head)
    assert status == 200
    ident: str = heads["x-tierwise-decision"]
    return ident


def say(door: Door, ident: str, key: str = "alice", **said: Any) -> tuple[int, Any]:
    status, _, read = ask(door, "POST", "/v1/feedback", key, json.dumps({"decision": ident} | said).encode())
    return status, read if status == 200 else read["error"]["code"]


def seen(door: Door, ident: str) -> Any:
    return ask(door, "GET", f"/v1/decisions/{ident}", "alice")[2]


def test_what_is_said_is_seen_with_the_decision(door: Door) -> None:
    ident = made(door)
    assert seen(door, ident)["feedback"] is None
    status, told = say(door, ident, right=False, seconds=12, note="wrong city", who="ann")
    assert status == 200
    assert (told["who"], told["score"], told["note_kept"]) == ("ann, by the key alice", 0.0, True)
    assert say(door, ident, right=False, seconds=12, note="wrong city", who="ann")[1] == told, "once"
    assert say(door, ident, score=0.5, who="ben")[0] == 200
    found = seen(door, ident)
    assert (found["feedback"]["score"], found["feedback"]["seconds"], found["review"]) == (0.25, 12.0, None)
    assert [one["note"] for one in found["feedback"]["remarks"]] == ["wrong city", ""]


def test_only_who_may_see_a_decision_may_speak_of_it(door: Door) -> None:
    ident = made(door)
    assert say(door, ident, "bob", right=True) == (404, "not_found")
    assert say(door, "0" * 26, right=True) == (404, "not_found")
    assert say(door, ident[:3], right=True) == (404, "not_found")
    assert say(door, ident, "meter", right=True) == (403, "scope_missing")
    assert say(door, ident, "alice", right=True, what="review") == (403, "scope_missing")
    assert say(door, ident, "admin", score=0.75, what="review", seconds=30)[0] == 200
    found = seen(door, ident)
    assert found["feedback"] is None
    assert (found["review"]["state"], found["review"]["score"]) == ("done", 0.75)


def test_a_note_is_content_and_kept_only_where_content_is(door: Door) -> None:
    ident = made(door, **{"x-tierwise-label": "confidential"})
    status, told = say(door, ident, right=True, note="about her illness")
    assert (status, told["note_kept"], told["note"]) == (200, False, "")
    assert "illness" not in json.dumps(seen(door, ident))


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"right": True, "score": 1},
        {"right": "yes"},
        {"score": 1.5},
        {"score": -0.1},
        {"right": True, "seconds": -1},
        {"right": True, "note": "x" * 2001},
        {"right": True, "mood": "good"},
        {"right": True, "what": "gossip"},
        {"right": True, "decision": 7},
    ],
)
def test_what_says_nothing_or_too_much_is_refused(door: Door, said: dict[str, Any]) -> None:
    assert say(door, made(door), **said) == (400, "invalid_value")


def test_a_body_that_is_no_json_is_refused(door: Door) -> None:
    for body in (b"", b"{", b"\xff", b"[]", b'{"decision": "\xff"}'):
        status, _, read = ask(door, "POST", "/v1/feedback", "alice", body)
        assert status == 400, body
        assert read["error"]["code"] in ("invalid_json", "invalid_value")
    assert ask(door, "POST", "/v1/feedback", "alice", b" " * 100_000)[0] == 413
    assert ask(door, "GET", "/v1/feedback", "alice")[0] == 405
