"""Types and ranges of a request, each refused with the path of the field."""

import json
from typing import Any

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.wires.chat_shape import read_shape

USER = {"role": "user", "content": "hi"}
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def request(**members: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [USER]} | members


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"temperature": 0, "top_p": 1, "n": 16, "max_tokens": 1, "max_completion_tokens": 10_000_000, "seed": -1},
        {"temperature": None, "top_p": None, "n": None, "stream": None, "stop": None, "tools": None, "metadata": None},
        {"stream": True, "stream_options": {"include_usage": True, "later": 1}},
        {"logprobs": True, "top_logprobs": 20},
        {"stop": ["x"] * 16},
        {"stop": "x"},
        {"logit_bias": {str(n): 1 for n in range(1024)}},
        {"unknown": {"field": [1]}},
        {
            "messages": [
                USER,
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "a", "content": "x"},
            ]
        },
        {"messages": [{"role": "system", "content": ""}, {"role": "developer", "content": "d"}, USER]},
        {"messages": [USER, {"role": "assistant", "content": None, "refusal": "no"}]},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "new_kind", "new": 1}]}]},
        {"messages": [{"role": "function", "name": "f", "content": "x"}]},
        {"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "custom", "custom": {"name": "g"}}]},
    ],
)
def test_what_passes(members: dict[str, Any]) -> None:
    read_shape(request(**members))


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 1}, "model"),
        ({"model": ""}, "model"),
        ({"model": "x" * 10_240}, "model"),
        ({"model": "a\r\nx-evil: 1"}, "model"),
        ({"model": "m\u0000"}, "model"),
        ({"model": "m\u200b"}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "file"}]}]}, "messages[0].content[0].file"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [USER] * 10_001}, "messages"),
        ({"messages": [USER, 1]}, "messages[1]"),
        ({"messages": [{"role": "king", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [USER, {"role": "assistant", "content": None}]}, "messages[1].content"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "a"}]}, "messages[0].tool_call_id"),
        (
            {
                "messages": [
                    {"role": "tool", "content": "x", "tool_call_id": "a"},
                    {"role": "assistant", "tool_calls": [CALL]},
                ]
            },
            "messages[0].tool_call_id",
        ),
        ({"temperature": 2000}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 1_000_000}, "n"),
        ({"n": 1.5}, "n"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": 10**12}, "max_tokens"),
        ({"max_completion_tokens": 0}, "max_completion_tokens"),
        ({"logprobs": -1}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 1}, "top_logprobs"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"stop": [1]}, "stop[0]"),
        ({"logit_bias": {str(n): 1 for n in range(1025)}}, "logit_bias"),
        ({"logit_bias": {"1": 101}}, "logit_bias"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": False, "stream_options": {}}, "stream_options"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [{"function": {"name": "f"}}]}, "tools[0].type"),
        ({"tools": {"f": 1}}, "tools"),
        ({"response_format": "json"}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
        ),
        ({"metadata": "x"}, "metadata"),
    ],
)
def test_what_is_refused(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        read_shape(request(**members))
    assert (caught.value.param, caught.value.code, caught.value.status) == (param, "invalid_value", 400)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(InvalidCall) as caught:
        read_shape({"messages": [USER]})
    assert caught.value.param == "model"


def test_the_text_of_an_error_does_not_repeat_the_callers_text() -> None:
    secret = "4111111111111111"
    with pytest.raises(InvalidCall) as caught:
        read_shape(json.loads(json.dumps(request(messages=[{"role": secret, "content": secret}]))))
    assert secret not in str(caught.value)
