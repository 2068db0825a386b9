"""Types and ranges of a request, each refused with the path of the field."""

from typing import Any

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.wires.responses_shape import read_shape

USER = {"role": "user", "content": "hi"}
CALL = {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "a", "output": "x"}
CUSTOM = {"type": "custom_tool_call", "call_id": "a", "name": "f", "input": ""}
ANSWERED = {"type": "custom_tool_call_output", "call_id": "a", "output": [{"type": "input_text", "text": "x"}]}


def request(**members: Any) -> dict[str, Any]:
    return {"model": "m", "input": "hi"} | members


def said(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"input": [{"type": "message", "role": role, "content": list(parts)}]}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"temperature": 0, "top_p": 1, "max_output_tokens": 1, "top_logprobs": 20},
        {"temperature": None, "top_p": None, "stream": None, "tools": None, "metadata": None, "previous_response_id": None},
        {"stream": True, "stream_options": {"include_obfuscation": False}},
        {"background": False, "conversation": None, "prompt": None},
        {"unknown": {"field": [1]}},
        {"input": [USER, {"role": "assistant", "content": []}, {"role": "developer", "content": "d"}]},
        {"input": [USER, CALL, OUTPUT, CUSTOM | {"call_id": "b"}, ANSWERED | {"call_id": "b"}]},
        {"input": [USER, CALL, OUTPUT | {"output": {"any": "JSON"}}]},
        {"input": [{"type": "new_kind", "new": 1}, USER]},
        {"input": [{"type": "reasoning", "id": "rs", "summary": [], "content": None, "encrypted_content": None}, USER]},
        said({"type": "input_text", "text": "x"}, {"type": "new_kind", "new": 1}),
        said({"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}),
        said({"type": "input_file", "file_data": "data:text/plain,not base64 at all!"}, {"type": "input_file", "file_id": "f"}),
        said({"type": "output_text", "text": "", "annotations": []}, {"type": "refusal", "refusal": "no"}, role="assistant"),
        {"tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "g", "format": {"type": "text"}}]},
        {"tools": [{"type": "web_search"}, {"type": "namespace", "name": "n", "tools": []}, {"type": "mcp", "format": 1}]},
        {"text": {"format": {"type": "text"}}, "reasoning": {"effort": "xhigh", "summary": "auto"}},
    ],
)  # fmt: skip
def test_what_passes(members: dict[str, Any]) -> None:
    read_shape(request(**members))


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"model": "a\r\nx-evil: 1"}, "model"),
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 5}, "input"),
        ({"input": [5]}, "input[0]"),
        ({"input": [{"role": "king", "content": "x"}]}, "input[0].role"),
        ({"input": [{"content": "x"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "user", "content": []}]}, "input[0].content"),
        ({"input": [USER, {"type": "function_call", "call_id": "a", "name": "f"}]}, "input[1].arguments"),
        ({"input": [USER, CALL | {"call_id": None}]}, "input[1].call_id"),
        ({"input": [USER, {"type": "custom_tool_call", "call_id": "a", "name": "f"}]}, "input[1].input"),
        ({"input": [USER, OUTPUT]}, "input[1].call_id"),
        ({"input": [USER, OUTPUT, CALL]}, "input[1].call_id"),
        ({"input": [USER, CALL, OUTPUT | {"call_id": "b"}]}, "input[2].call_id"),
        ({"input": [USER, CALL, {"type": "function_call_output", "call_id": "a"}]}, "input[2].output"),
        ({"input": [USER, CALL, OUTPUT | {"output": [5]}]}, "input[2].output[0]"),
        ({"input": [{"type": "reasoning", "summary": [{"type": 5}]}]}, "input[0].summary[0].type"),
        ({"input": [{"type": "reasoning", "content": [{"type": "reasoning_text", "text": 5}]}]}, "input[0].content[0].text"),
        (said({"type": "input_text"}), "input[0].content[0].text"),
        (said({"text": "x"}), "input[0].content[0].type"),
        (said({"type": "input_image", "image_url": {"url": "x"}}), "input[0].content[0].image_url"),
        (said({"type": "input_image", "image_url": "data:image/png;base64,no base64!"}), "input[0].content[0].image_url"),
        (said({"type": "input_image", "image_url": "data:image/png;base64,"}), "input[0].content[0].image_url"),
        (said({"type": "input_file", "file_data": "DATA:application/pdf;BASE64,a=b"}), "input[0].content[0].file_data"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}, USER]}, "input[0].id"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": ""}]}, "tools[0].name"),
        ({"tools": [{"type": "custom", "name": "g", "format": []}]}, "tools[0].format"),
        ({"tools": [{"type": "custom", "name": "g", "format": {"definition": 5}}]}, "tools[0].format.definition"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema"),
        ({"text": {"format": {}}}, "text.format.type"),
        ({"reasoning": {"effort": "much"}}, "reasoning.effort"),
        ({"include": "all"}, "include"),
        ({"metadata": []}, "metadata"),
        ({"background": True}, "background"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
    ],
)  # fmt: skip
def test_what_does_not_names_the_field(members: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        read_shape(request(**members))
    assert caught.value.param == param
    assert caught.value.status == 400


def test_what_is_wrong_is_not_repeated() -> None:
    with pytest.raises(InvalidCall) as caught:
        read_shape(request(input=[{"role": "secret-word", "content": "x"}]))
    assert "secret-word" not in str(caught.value)
