"""Types and ranges of a request, each refused with the path of the field."""

import json
from typing import Any

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.wires.messages_request import decode_request
from tierwise.wires.messages_shape import read_shape

USER = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1"}
CALLING = {"role": "assistant", "content": [USE]}
TEXT = {"type": "text", "text": "x"}
PNG = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
SCHEMA = {"type": "object"}
FORMAT = {"type": "json_schema", "schema": SCHEMA}


def request(**members: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": [USER]} | members


def said(*blocks: Any, role: str = "user") -> dict[str, Any]:
    return {"messages": [{"role": role, "content": list(blocks)}]}


def answered(*blocks: Any) -> dict[str, Any]:
    return {"messages": [USER, CALLING, {"role": "user", "content": list(blocks)}]}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"max_tokens": 0},  # fills the prompt cache
        {"temperature": 0, "top_p": 1, "top_k": 0, "max_tokens": 1},
        dict.fromkeys(("temperature", "top_p", "stream", "system", "tools", "tool_choice", "metadata", "thinking")),
        {"system": "s"},
        {"system": [TEXT | {"cache_control": {"type": "ephemeral"}}]},
        {"unknown": {"field": [1]}, "messages": [USER | {"new": 1}]},
        {"messages": [USER, {"role": "assistant", "content": []}]},
        {"messages": [USER, {"role": "system", "content": "from now on"}, {"role": "assistant", "content": "x"}, USER]},
        {"messages": [USER, CALLING, {"role": "system", "content": "s"}, {"role": "user", "content": [RESULT]}]},
        {"messages": [USER, CALLING, {"role": "assistant", "content": "and"}, {"role": "user", "content": [RESULT]}]},
        {"messages": [USER, CALLING, {"role": "system", "content": "s"}, {"role": "assistant", "content": "and"}, {"role": "user", "content": [RESULT]}]},
        {"messages": [USER, CALLING, {"role": "user", "content": "wait"}, {"role": "user", "content": [RESULT, TEXT]}]},
        answered(RESULT | {"content": None}),
        answered(RESULT | {"content": "x", "is_error": True}),
        answered(RESULT | {"content": [TEXT, {"type": "image", "source": PNG}, {"type": "tool_reference", "tool_name": "g"}]}),
        said({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        said({"type": "image", "source": PNG | {"data": "iVBO\nRw0KGgo="}}),
        said({"type": "document", "source": {"type": "content", "content": [TEXT]}, "title": "t", "citations": {"enabled": True}}),
        said({"type": "search_result", "source": "https://example.com", "title": "t", "content": [TEXT]}),
        said({"type": "thinking", "thinking": "", "signature": ""}, TEXT, role="assistant"),
        said({"type": "redacted_thinking", "data": "x"}, role="assistant"),
        {"tools": [{"name": "f", "input_schema": SCHEMA}, {"type": "custom", "name": "g", "input_schema": SCHEMA, "strict": True}]},
        {"tools": [{"type": "web_search_20260209", "name": "web_search"}, {"type": "mcp_toolset", "mcp_server_name": "s"}]},
        {"tools": [{"type": "bash_20250124", "name": "bash"}], "tool_choice": {"type": "tool", "name": "bash"}},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "output_config": {"effort": "max", "format": FORMAT}},
        {"thinking": {"type": "new_kind"}, "output_config": {"effort": "extreme"}, "output_format": FORMAT},
        {"metadata": {"user_id": None, "other": 5}},
    ],
)  # fmt: skip
def test_what_passes(members: dict[str, Any]) -> None:
    read_shape(request(**members))


BAD: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model"),
    ({"model": ""}, "model"),
    ({"model": "a\r\nx-evil: 1"}, "model"),
    ({"model": "\x7f"}, "model"),
    ({"max_tokens": None}, "max_tokens"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"max_tokens": 10**12}, "max_tokens"),
    ({"max_tokens": 1.5}, "max_tokens"),
    ({"max_tokens": "9"}, "max_tokens"),
    ({"max_tokens": True}, "max_tokens"),
    ({"messages": None}, "messages"),
    ({"messages": []}, "messages"),
    ({"messages": "hi"}, "messages"),
    ({"messages": [5]}, "messages[0]"),
    ({"messages": [{"content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    ({"messages": [USER, {"role": "user", "content": None}]}, "messages[1].content"),
    ({"messages": [USER, {"role": "user", "content": ""}]}, "messages[1].content"),
    ({"messages": [{"role": "user", "content": []}, USER]}, "messages[0].content"),
    ({"messages": [USER, {"role": "assistant", "content": ""}, USER]}, "messages[1].content"),
    ({"messages": [{"role": "user", "content": {"type": "text", "text": "x"}}]}, "messages[0].content"),
    (said("x"), "messages[0].content[0]"),
    (said({"text": "x"}), "messages[0].content[0].type"),
    (said({"type": "text"}), "messages[0].content[0].text"),
    (said(TEXT, {"type": "text", "text": 5}), "messages[0].content[1].text"),
    (said({"type": "image"}), "messages[0].content[0].source"),
    (said({"type": "image", "source": "https://example.com/a.png"}), "messages[0].content[0].source"),
    (said({"type": "image", "source": {"data": "x"}}), "messages[0].content[0].source.type"),
    (said({"type": "image", "source": {"type": "url"}}), "messages[0].content[0].source.url"),
    (said({"type": "image", "source": PNG | {"data": None}}), "messages[0].content[0].source.data"),
    (said({"type": "image", "source": PNG | {"data": ""}}), "messages[0].content[0].source.data"),
    (said({"type": "image", "source": PNG | {"data": "no base64!"}}), "messages[0].content[0].source.data"),
    (said({"type": "document", "source": PNG | {"data": "a=b"}}), "messages[0].content[0].source.data"),
    (said({"type": "document", "source": PNG | {"data": "data:image/png;base64,AA"}}), "messages[0].content[0].source.data"),
    (said({"type": "image", "source": PNG | {"media_type": "x" * 101}}), "messages[0].content[0].source.media_type"),
    (said({"type": "document", "source": {"type": "text"}}), "messages[0].content[0].source.data"),
    (said({"type": "document", "source": {"type": "content", "content": 5}}), "messages[0].content[0].source.content"),
    (said({"type": "document", "source": {"type": "content", "content": [{"type": "text"}]}}), "messages[0].content[0].source.content[0].text"),
    (said({"type": "document", "source": PNG, "title": 5}), "messages[0].content[0].title"),
    (said(USE), "messages[0].content[0].type"),
    (said({"type": "thinking", "thinking": "hm", "signature": "s"}), "messages[0].content[0].type"),
    (said({"type": "redacted_thinking", "data": "s"}, role="system"), "messages[0].content[0].type"),
    (said({"type": "thinking", "thinking": "hm"}, role="assistant"), "messages[0].content[0].signature"),
    (said({"type": "thinking", "signature": "s"}, role="assistant"), "messages[0].content[0].thinking"),
    (said({"type": "redacted_thinking"}, role="assistant"), "messages[0].content[0].data"),
    (said(USE | {"id": None}, role="assistant"), "messages[0].content[0].id"),
    (said(USE | {"name": 5}, role="assistant"), "messages[0].content[0].name"),
    (said(USE | {"input": "{}"}, role="assistant"), "messages[0].content[0].input"),
    (said(RESULT), "messages[0].content[0].tool_use_id"),
    (said(USE, RESULT, role="assistant"), "messages[0].content[1].tool_use_id"),
    ({"messages": [USER, CALLING, USER, {"role": "assistant", "content": "x"}, {"role": "user", "content": [RESULT]}]}, "messages[4].content[0].tool_use_id"),
    (answered(RESULT | {"tool_use_id": "other"}), "messages[2].content[0].tool_use_id"),
    (answered({"type": "tool_result"}), "messages[2].content[0].tool_use_id"),
    (answered(RESULT | {"content": {"type": "text"}}), "messages[2].content[0].content"),
    (answered(RESULT | {"content": [TEXT, 5]}), "messages[2].content[0].content[1]"),
    (answered(RESULT | {"content": [{"type": "image"}]}), "messages[2].content[0].content[0].source"),
    (answered(RESULT | {"content": [RESULT]}), "messages[2].content[0].content[0].type"),
    (answered(RESULT | {"content": [TEXT, USE]}), "messages[2].content[0].content[1].type"),
    (answered(RESULT | {"is_error": "yes"}), "messages[2].content[0].is_error"),
    ({"system": 5}, "system"),
    ({"system": [{"type": "image", "source": PNG}]}, "system[0].type"),
    ({"system": [{"type": "text"}]}, "system[0].text"),
    ({"stream": "yes"}, "stream"),
    ({"temperature": 1.1}, "temperature"),
    ({"temperature": "0"}, "temperature"),
    ({"top_p": -0.1}, "top_p"),
    ({"top_k": -1}, "top_k"),
    ({"top_k": 0.5}, "top_k"),
    ({"stop_sequences": "x"}, "stop_sequences"),
    ({"stop_sequences": ["x", 5]}, "stop_sequences[1]"),
    ({"tools": {}}, "tools"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{"input_schema": SCHEMA}]}, "tools[0].name"),
    ({"tools": [{"name": "", "input_schema": SCHEMA}]}, "tools[0].name"),
    ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
    ({"tools": [{"type": "custom", "name": "f", "input_schema": []}]}, "tools[0].input_schema"),
    ({"tools": [{"name": "f", "input_schema": SCHEMA, "strict": "yes"}]}, "tools[0].strict"),
    ({"tool_choice": "auto"}, "tool_choice"),
    ({"tool_choice": {"type": "some"}}, "tool_choice.type"),
    ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
    ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": 1}}, "tool_choice.disable_parallel_tool_use"),
    ({"thinking": True}, "thinking"),
    ({"thinking": {}}, "thinking.type"),
    ({"thinking": {"type": "enabled", "budget_tokens": 0}}, "thinking.budget_tokens"),
    ({"output_config": {"effort": 5}}, "output_config.effort"),
    ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
    ({"output_format": {"type": "json_schema"}}, "output_format.schema"),
    ({"output_format": FORMAT, "output_config": {"format": FORMAT}}, "output_format"),
    ({"metadata": []}, "metadata"),
    ({"metadata": {"user_id": 5}}, "metadata.user_id"),
]  # fmt: skip


@pytest.mark.parametrize(("members", "param"), BAD, ids=[f"{n}-{param}" for n, (_, param) in enumerate(BAD)])
def test_what_does_not_names_the_field(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        read_shape(request(**members))
    assert (caught.value.param, caught.value.status) == (param, 400)


BODY = '{{"model":"m","max_tokens":9,"messages":[{{"role":"user","content":{}}}]}}'


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        (BODY.format('"x"')[:-1] + ',"model":"n"}', "duplicate_key", None),
        (BODY.format('[{"type":"text","text":"a","te\\u0078t":"b"}]'), "duplicate_key", None),
        (BODY.format('"x"')[:-1] + ',"tools":[{"name":"f","input_schema":{"a":1,"a":2}}]}', "duplicate_key", None),
        (BODY.format('"\\ud800"'), "invalid_json", None),
        (BODY.format('"a\nb"'), "invalid_json", None),
        (BODY.format('"\x01"'), "invalid_json", None),
        (BODY.format('"x"').replace("9", "NaN"), "invalid_json", None),
        (BODY.format('"x"').replace("9", "Infinity"), "invalid_json", None),
        (BODY.format('"x"').replace("9", "9" * 400), "invalid_value", "max_tokens"),
        (BODY.format('"x"').replace("9", "1e999"), "invalid_value", "max_tokens"),
        (BODY.format('[{"type":"text","text":"x","n":' + "[" * 200 + "]" * 200 + "}]"), "too_complex", None),
        (BODY.format("[" * 100_000), "too_complex", None),
        (BODY.format('"x"')[:-3], "invalid_json", None),
        ("[]", "invalid_type", None),
        ("", "invalid_json", None),
    ],
)  # fmt: skip
def test_what_is_no_body_at_all(body: str, code: str, param: str | None) -> None:
    with pytest.raises(InvalidCall) as caught:
        decode_request(body.encode("utf-8", "surrogatepass"))
    assert (caught.value.code, caught.value.param, caught.value.status) == (code, param, 400)


def test_bytes_that_are_no_text() -> None:
    for body in (b'{"model":"\xff"}', b"\xef\xbb\xbf" + json.dumps(request()).encode(), b"{\0"):
        with pytest.raises(InvalidCall) as caught:
            decode_request(body)
        assert caught.value.code == "invalid_encoding"


def test_what_is_wrong_is_not_repeated() -> None:
    for members in (said({"type": "text", "text": 4111}), {"messages": [{"role": "secret-word", "content": "x"}]}):
        with pytest.raises(InvalidCall) as caught:
            read_shape(request(**members))
        assert "secret-word" not in str(caught.value) and "4111" not in str(caught.value)


def test_who_only_counts_needs_no_limit() -> None:
    assert read_shape({"model": "m", "messages": [USER]}, counting=True).max_tokens is None


def test_a_long_run_of_blanks_is_read_in_one_pass() -> None:
    """A pattern that went back over them would take hours: this test would not end."""
    with pytest.raises(InvalidCall) as caught:
        read_shape(request(**said({"type": "image", "source": PNG | {"data": " " * 300_000 + "!"}})))
    assert caught.value.param == "messages[0].content[0].source.data"
