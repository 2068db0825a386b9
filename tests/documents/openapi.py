"""docs/reference/openapi.json, written from the program: `python -m tests.documents.openapi`, which `scripts/docs` calls.

Requests are described as far as our decoders demand, our own answers as they are written, answers on the wires of vendors
as far as all have them. Codes and headers are those of docs/reference/http.md.
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from tierwise.core.decision import Decision
from tierwise.server import decided
from tierwise.wires import chat_shape, embeddings, messages_shape, responses_shape

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE, HTTP = FOLDER / "openapi.json", FOLDER / "http.md"
REF = "#/components/{}/{}"
Json = dict[str, Any]
REQUESTS = {
    "feedback": decided.Said,
    "chat": chat_shape.Request,
    "responses": responses_shape.Request,
    "messages": messages_shape.Request,
    "embeddings": embeddings._Request,
}
NOT_A_BODY = {"400", "413", "415", "502", "504"}
"""Statuses that only answer what has a body."""
ANYWHERE = {"400", "401", "403", "404", "405", "408", "414", "431", "500", "503"}


def document() -> Json:
    """Write the document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tierwise",
            "version": version("tierwise"),
            "summary": "A gateway and router for local, self-hosted and frontier models.",
            "description": "Addresses, headers and errors in words: http.md, beside this file.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "http://127.0.0.1:7373"}],
        "security": [{}, {"bearer": []}, {"key": []}],
        "paths": paths(),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "parameters": {name: _hint(name, words) for name, words in _said("What a caller may say")},
            "headers": {name: _header(words) for name, words in _said("What an answer says")},
            "schemas": schemas(),
            "responses": {status: _failed(status) for status in codes()},
        },
    }


# what may be asked


def paths() -> Json:
    """Describe every address."""
    streamed = {"application/json": _ref("schemas", "Answer"), "text/event-stream": {"type": "string"}}
    return {
        "/v1/chat/completions": {"post": _call("chat", "A Chat Completions request.", streamed)},
        "/v1/responses": {"post": _call("responses", "A Responses request, but for `background`.", streamed)},
        "/v1/responses/{id}": {
            "get": _get("A stored answer.", _ref("schemas", "Answer"), named=True),
            "delete": _get("Forget a stored answer.", _ref("schemas", "Deleted"), named=True),
        },
        "/v1/messages": {"post": _call("messages", "A Messages request.", streamed)},
        "/v1/messages/count_tokens": {
            "post": _call("count_tokens", "How many tokens such a request has.", {"application/json": _ref("schemas", "Count")})
        },
        "/v1/embeddings": {"post": _call("embeddings", "An Embeddings request.", {"application/json": _ref("schemas", "Answer")})},
        "/v1/models": {"get": _get("The models.", _ref("schemas", "Models"))},
        "/v1/models/{id}": {"get": _get("One model.", _ref("schemas", "Model"), named=True)},
        "/v1/route": {
            "post": _call("chat", "The decision on a Chat Completions request; no model is asked.", {"application/json": _ref("schemas", "decision.Decision")}, name="route")
        },
        "/v1/decisions/{id}": {
            "get": _get("The record of one call.", _ref("schemas", "decision.Decision"), named=True)
            | {"parameters": [_ident(), _asked("content", "With what is kept of request and answer."), _asked("replay", "Instead the decision that the rules in force make of it, as POST /v1/route answers.")]}
        },
        "/v1/feedback": {
            "post": _call("feedback", "Whether an answer was right.", {"application/json": _ref("schemas", "Remark")})
            | {"parameters": []}
        },
        "/v1/reports/{id}": {"get": _get("The newest report on a workflow.", {"type": "string"}, kind="text/html; charset=utf-8", named=True)},
        "/v1/status": {"get": _get("How everything is at this moment.", _ref("schemas", "Everything"))},
        "/healthz": {"get": _open("It runs.", {"200": _ref("schemas", "Status")})},
        "/readyz": {"get": _open("It can serve, or says why not.", {"200": _ref("schemas", "Status"), "503": _ref("schemas", "Status")})},
        "/metrics": {"get": _get("Counters for Prometheus.", {"type": "string"}, kind="text/plain; version=0.0.4; charset=utf-8")},
    }  # fmt: skip


def _call(wire: str, summary: str, kinds: Mapping[str, Json], name: str = "") -> Json:
    hints = [_ref("parameters", name) for name, _ in _said("What a caller may say")]
    headers = {name: _ref("headers", name) for name, _ in _said("What an answer says")}
    answer = {"description": "The answer.", "headers": headers, "content": {k: {"schema": s} for k, s in kinds.items()}}
    body = {"required": True, "content": {"application/json": {"schema": _ref("schemas", f"{wire}.Request")}}}
    return {
        "operationId": name or wire,
        "summary": summary,
        "parameters": hints,
        "requestBody": body,
        "responses": {"200": answer} | {status: _ref("responses", status) for status in codes()},
    }


def _get(summary: str, schema: Json, *, named: bool = False, kind: str = "application/json") -> Json:
    answer = {"description": "It is there.", "content": {kind: {"schema": schema}}}
    failed = {status: _ref("responses", status) for status in codes() if status in ANYWHERE}
    more = {"parameters": [_ident()]} if named else {}
    return {"summary": summary, **more, "responses": {"200": answer} | failed}


def _open(summary: str, answers: Mapping[str, Json]) -> Json:
    told = {
        status: {"description": "What it says.", "content": {"application/json": {"schema": schema}}}
        for status, schema in answers.items()
    }
    return {"summary": summary, "security": [{}], "responses": told | {"405": _ref("responses", "405")}}


def _ident() -> Json:
    return {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _asked(name: str, words: str) -> Json:
    return {"name": name, "in": "query", "schema": {"enum": ["1"]}, "description": words}


def _hint(name: str, words: str) -> Json:
    known: Mapping[str, Json] = {
        "x-tierwise-label": {"enum": ["public", "internal", "confidential", "restricted"]},
        "x-tierwise-quality": {"type": "number", "minimum": 0, "maximum": 1},
        "x-tierwise-max-cost-usd": {"type": "number", "minimum": 0, "maximum": 1_000_000},
        "x-tierwise-latency-ms": {"type": "number", "minimum": 0, "maximum": 86_400_000},
    }
    schema = known.get(name, {"type": "string", "minLength": 1, "maxLength": 256})
    return {"name": name, "in": "header", "description": words, "schema": schema}


def _header(words: str) -> Json:
    return {"description": words, "schema": {"type": "string"}}


# what is answered


def schemas() -> Json:
    """Describe bodies."""
    found: Json = {}
    for wire, struct in REQUESTS.items():
        found |= _written(wire, struct)
    counting = msgspec.to_builtins(found["messages.Request"])
    found["count_tokens.Request"] = counting
    found["messages.Request"] = counting | {"required": [*counting["required"], "max_tokens"]}
    # Amounts are written as numbers with all their digits.
    decision = json.dumps(_written("decision", Decision))
    found |= json.loads(re.sub(r'\{"type": "string", "format": "decimal"\}', '{"type": "number"}', decision))
    found["feedback.Request"] = found.pop("feedback.Said")
    return found | {
        "Error": {"oneOf": [
            _object({"error": _object({"message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
                                       "code": {"type": ["string", "null"]}}, closed=True)}, closed=True),
            _object({"type": {"const": "error"}, "error": _object({"message": {"type": "string"}, "type": {"type": "string"}})}),
        ]},
        "Answer": {"type": "object", "minProperties": 1, "description": "As the caller's wire has it; see its vendor's reference."},
        "Count": _object({"input_tokens": {"type": "integer", "minimum": 0}}),
        "Deleted": _object({"id": {"type": "string"}, "object": {"const": "response"}, "deleted": {"const": True}}, closed=True),
        "Status": _object({"status": {"enum": ["ok", "not ready"]}}),
        "Everything": _object({"ts": {"type": "number"}, "policy": {"type": "string"}, "preset": {"type": "string"}} | {
            name: {"type": "array", "items": {"type": "object"}} for name in ("endpoints", "models", "workflows", "budgets")
        }),
        "Model": _object({"id": {"type": "string"}}),
        "Remark": _object({"decision": {"type": "string"}, "what": {"enum": ["feedback", "review"]}, "who": {"type": "string"},
                           "score": {"type": "number"}, "seconds": {"type": ["number", "null"]}, "note": {"type": "string"},
                           "ts": {"type": "number"}, "note_kept": {"type": "boolean"}}, closed=True),
        "Models": _object({"data": {"type": "array", "items": _ref("schemas", "Model")}}),
    }  # fmt: skip


def _written(wire: str, struct: type) -> Json:
    _, parts = msgspec.json.schema_components([struct], ref_template=REF.format("schemas", wire + ".{name}"))
    return {f"{wire}.{name.lstrip('_')}": part for name, part in parts.items()}


def _object(members: Mapping[str, Json], *, closed: bool = False) -> Json:
    told: Json = {"type": "object", "properties": dict(members), "required": list(members)}
    return told | {"additionalProperties": False} if closed else told


def _failed(status: str) -> Json:
    rows = codes()[status]
    words = "; ".join(f"{', '.join(names)}: {why}" for names, why in rows)
    headers = {"x-should-retry": _ref("headers", "x-should-retry")}
    return {
        "description": words,
        "headers": headers,
        "content": {"application/json": {"schema": _ref("schemas", "Error")}},
        "x-codes": sorted({name for names, _ in rows for name in names}),
    }


def _ref(kind: str, name: str) -> Json:
    return {"$ref": REF.format(kind, name)}


# what the page about HTTP says


def codes() -> dict[str, list[tuple[list[str], str]]]:
    """Return for each status its codes, and when they come."""
    found: dict[str, list[tuple[list[str], str]]] = {}
    for statuses, names, why in _rows("Errors", 3):
        for status in re.findall(r"\d{3}", statuses):
            found.setdefault(status, []).append((re.findall(r"`(\w+)`", names), why))
    return dict(sorted(found.items()))


def _said(heading: str) -> list[tuple[str, str]]:
    return [(name, words) for names, words in _rows(heading, 2) for name in re.findall(r"`(x-[a-z-]+)`", names)]


def _rows(heading: str, columns: int) -> Iterator[list[str]]:
    section = HTTP.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == columns and not set(cells[0]) <= {"-"} and "`" in line:
            yield cells


def page() -> str:
    """Write the file."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
