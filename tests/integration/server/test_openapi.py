"""Does the gateway answer as its OpenAPI document says, at every address and by every method?"""

import json
from typing import Any

import pytest

from tests.documents.openapi import PAGE
from tests.integration.server.conftest import Door, asking

DOCUMENT = json.loads(PAGE.read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "delete", "patch", "options")
TOLD = [(path, method) for path, item in DOCUMENT["paths"].items() for method in METHODS if method in item]
UNTOLD = [(path, method) for path, item in DOCUMENT["paths"].items() for method in METHODS if method not in item]


def ask(door: Door, path: str, method: str, body: bytes = b"{}") -> tuple[int, str, bytes]:
    head = b"Host: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n"
    line = f"{method.upper()} {path.replace('{id}', 'x')} HTTP/1.1\r\n".encode()
    answer = door.send(line + head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    top, _, rest = answer.partition(b"\r\n\r\n")
    fields = dict(row.split(": ", 1) for row in top.decode().split("\r\n")[1:])
    return int(answer[9:12]), fields["content-type"], rest


def described(path: str, method: str, status: int) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]["responses"][str(status)]
    name = found.get("$ref", "").rpartition("/")[2]
    return DOCUMENT["components"]["responses"][name] if name else found


@pytest.mark.parametrize(("path", "method"), TOLD)
def test_what_is_told_is_served_as_it_is_told(door: Door, path: str, method: str) -> None:
    status, kind, body = ask(door, path, method)
    told = described(path, method, status)
    assert kind in told["content"]
    if status >= 400:
        code = json.loads(body)["error"]["code"]
        assert status in (400, 404) and code not in ("unknown_url", "method_not_allowed")
        assert code in told["x-codes"]


@pytest.mark.parametrize(("path", "method"), UNTOLD)
def test_what_is_not_told_is_not_served(door: Door, path: str, method: str) -> None:
    assert ask(door, path, method)[0] == 405


def test_an_answer_and_a_decision_have_the_members_that_are_told(door: Door) -> None:
    status, _, body = ask(door, "/v1/route", "post", asking("m"))
    schema = DOCUMENT["components"]["schemas"]["decision.Decision"]
    decision = json.loads(body)
    assert status == 200 and set(schema["required"]) <= set(decision) <= set(schema["properties"])
