"""What is no request is refused in the caller's own words, the field is named, and nobody is asked."""

import json
from typing import Any

import pytest

from tests.integration.server.conftest import Door

PATHS = {
    "chat": b"/v1/chat/completions",
    "responses": b"/v1/responses",
    "messages": b"/v1/messages",
    "embeddings": b"/v1/embeddings",
}
USER = {"role": "user", "content": "hi"}
GOOD: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [USER]},
    "responses": {"model": "m", "input": [USER]},
    "messages": {"model": "m", "max_tokens": 9, "messages": [USER]},
    "embeddings": {"model": "m", "input": "hi"},
}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
# wire, what is put over the good request (None takes a field out), the field that is named
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("chat", {"model": None}, "model"),
    ("chat", {"model": 5}, "model"),
    ("chat", {"model": "a\nb"}, "model"),
    ("chat", {"messages": None}, "messages"),
    ("chat", {"messages": []}, "messages"),
    ("chat", {"messages": "hi"}, "messages"),
    ("chat", {"messages": [5]}, "messages[0]"),
    ("chat", {"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    ("chat", {"messages": [{"role": "user"}]}, "messages[0].content"),
    ("chat", {"messages": [USER, {"role": "tool", "tool_call_id": "no", "content": "x"}]}, "messages[1].tool_call_id"),
    ("chat", {"messages": [{"role": "assistant", "tool_calls": [CALL | {"id": 5}]}]}, "messages[0].tool_calls[0].id"),
    (
        "chat",
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,@"}}]}]},
        "messages[0].content[0].image_url.url",
    ),
    ("chat", {"temperature": "hot"}, "temperature"),
    ("chat", {"temperature": 9}, "temperature"),
    ("chat", {"max_tokens": 0}, "max_tokens"),
    ("chat", {"max_tokens": -1}, "max_tokens"),
    ("chat", {"n": 10**9}, "n"),
    ("chat", {"stream": "yes"}, "stream"),
    ("chat", {"tools": [{"type": "function", "function": {"name": ""}}]}, "tools[0].function.name"),
    ("chat", {"metadata": {"x-tierwise-label": "cosmic"}}, "metadata.x-tierwise-label"),
    ("responses", {"model": None}, "model"),
    ("responses", {"input": None}, "input"),
    ("responses", {"input": 5}, "input"),
    ("responses", {"input": [{"role": "wizard", "content": "hi"}]}, "input[0].role"),
    ("responses", {"input": [{"type": "function_call_output", "call_id": "no", "output": "x"}]}, "input[0].call_id"),
    ("responses", {"max_output_tokens": 0}, "max_output_tokens"),
    ("responses", {"temperature": -1}, "temperature"),
    ("responses", {"background": True}, "background"),
    ("responses", {"previous_response_id": "resp_nobody"}, "previous_response_id"),
    ("responses", {"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
    ("messages", {"model": None}, "model"),
    ("messages", {"max_tokens": None}, "max_tokens"),
    ("messages", {"messages": None}, "messages"),
    ("messages", {"messages": []}, "messages"),
    ("messages", {"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0].role"),
    ("messages", {"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
    (
        "messages",
        {"messages": [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": "no", "content": "x"}]}]},
        "messages[0].content[0].tool_use_id",
    ),
    (
        "messages",
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {
            "type": "base64", "media_type": "image/png", "data": "@"}}]}]},
        "messages[0].content[0].source.data",
    ),
    ("messages", {"temperature": 3}, "temperature"),
    ("messages", {"top_k": -1}, "top_k"),
    ("messages", {"stop_sequences": "STOP"}, "stop_sequences"),
    ("messages", {"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    ("embeddings", {"model": None}, "model"),
    ("embeddings", {"input": None}, "input"),
    ("embeddings", {"input": []}, "input"),
    ("embeddings", {"input": [""]}, "input[0]"),
    ("embeddings", {"input": [[1, 2]]}, "input[0]"),
    ("embeddings", {"encoding_format": "hex"}, "encoding_format"),
    ("embeddings", {"dimensions": 0}, "dimensions"),
]  # fmt: skip


def asked(door: Door, wire: str, body: bytes) -> tuple[int, dict[str, Any], bytes]:
    before = len(door.upstream.received)
    status, answer = door.ask(body, path=PATHS[wire])
    head, _, text = answer.partition(b"\r\n\r\n")
    assert len(door.upstream.received) == before, "nobody is asked"
    return status, json.loads(text), head.lower()


def complaint(wire: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return the error, whose shape must be that of the caller's wire."""
    error: dict[str, Any] = body["error"]
    if wire == "messages":
        assert (body["type"], error["type"]) == ("error", "invalid_request_error")
    else:
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"
    return error


@pytest.mark.parametrize(("wire", "change", "named"), BAD, ids=[f"{w}-{json.dumps(c)[:60]}" for w, c, _ in BAD])
def test_the_wrong_field_is_named(door: Door, wire: str, change: dict[str, Any], named: str) -> None:
    body = {name: value for name, value in (GOOD[wire] | change).items() if value is not None}
    status, said, head = asked(door, wire, json.dumps(body).encode())
    error = complaint(wire, said)
    assert (status, error["param"]) == (400, named)
    assert named.rpartition(".")[2].partition("[")[0] in error["message"]
    assert b"x-should-retry: false" in head
