"""Chat Completions to a conversation and back: what can be said is said, what cannot is named."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.unit.wires.conversations import EVERYTHING, PIXEL, SCHEMA, conversations
from tierwise.core.conversation import (
    Conversation,
    File,
    Format,
    Image,
    Reasoning,
    Text,
    Thinking,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from tierwise.core.errors import InvalidCall
from tierwise.wires.chat_conversation import encode_request, read_conversation
from tierwise.wires.chat_request import decode_request
from tierwise.wires.wire import Recipient

THERE = Recipient(endpoint="there", served_name="served", stream=False)


def read(**more: Any) -> Conversation:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]} | more
    return read_conversation(decode_request(json.dumps(body).encode()))


def written(conversation: Conversation, to: Recipient = THERE) -> tuple[dict[str, Any], tuple[str, ...]]:
    request = encode_request(conversation, to)
    return json.loads(request.body), request.dropped


def meant(conversation: Conversation) -> Conversation:
    """Leave out where and how the caller wrote it."""
    turns = tuple(msgspec.structs.replace(turn, path="") for turn in conversation.turns)
    return msgspec.structs.replace(conversation, turns=turns, spelled={})


@given(conversations())
def test_what_is_written_reads_the_same(conversation: Conversation) -> None:
    request = encode_request(conversation, THERE)
    assert request.dropped == ()
    assert meant(read_conversation(decode_request(request.body))) == meant(conversation)


def test_everything_that_can_be_said_is_said() -> None:
    body, dropped = written(EVERYTHING)
    assert dropped == ("container", "cache_control", "messages[2]: thinking", "reasoning")
    assert [message["role"] for message in body["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert body["messages"][1]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{PIXEL}"
    assert body["messages"][2]["tool_calls"][0]["function"] == {"name": "look", "arguments": '{"city": "Köln"}'}
    assert body["messages"][2]["content"] == "Let me look."
    assert body["messages"][3]["content"] == "rain"
    assert body["messages"][4]["content"] == "Error: no such city"
    assert [part["type"] for part in body["messages"][5]["content"]] == ["text", "image_url", "text", "file"]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert body["response_format"]["json_schema"] == {"name": "place", "schema": SCHEMA}
    assert {name: body[name] for name in ("stop", "seed", "n", "top_k", "max_tokens", "parallel_tool_calls")} == {
        "stop": ["END"], "seed": 7, "n": 2, "top_k": 40, "max_tokens": 100, "parallel_tool_calls": False,
    }  # fmt: skip
    assert "stream" not in body


def test_a_stream_asks_for_usage_and_an_effort_goes_to_who_thinks() -> None:
    to = Recipient(endpoint="there", served_name="s", stream=True, logprobs=True, capabilities=frozenset({"thinking"}))
    body, dropped = written(EVERYTHING, to)
    assert body["stream_options"] == {"include_usage": True}
    assert body["reasoning_effort"] == "high"
    assert "reasoning" not in dropped


def test_every_kind_of_block_is_read() -> None:
    asked = read(
        messages=[
            {"role": "developer", "content": "x"},
            {"role": "user", "name": "ada", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3"}},
                {"type": "file", "file": {"file_id": "file-1"}},
            ]},
            {"role": "assistant", "content": None, "refusal": "no", "reasoning_content": "hm", "annotations": [1],
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "1"},
            {"role": "user", "content": "go on"},
        ],
    )  # fmt: skip
    assert asked.turns[1].blocks == (
        Text(text="a", cache=True),
        Image(url="https://example.com/a.png", detail="low"),
        File(name="a.pdf", data="JVBERi0=", media_type="application/pdf"),
        File(data="AAAA", media_type="audio/mp3"),
    )
    assert asked.turns[1].name == "ada"
    assert asked.turns[2].blocks == (Thinking(text="hm"), Text(text="no", refusal=True), ToolUse(id="c1", name="f"))
    assert asked.turns[3] == Turn(
        role="user", blocks=(ToolResult(id="c1", name="f", content=(Text(text="1"),)),), path="messages[3]"
    )
    assert asked.foreign == ("messages[1].content[4]: file", "messages[2].annotations")


def test_what_no_other_wire_has_is_named() -> None:
    asked = read(
        store=True, metadata={"a": "b"}, safety_identifier="x", prediction=None, tools=[{"type": "custom", "custom": {}}],
        tool_choice={"type": "allowed_tools"}, reasoning_effort="low", stop="E", max_completion_tokens=3,
        response_format={"type": "json_object"},
    )  # fmt: skip
    assert asked.foreign == ("store", "safety_identifier", "metadata", "tools[0]: custom", "tool_choice")
    assert (asked.reasoning, asked.stop, asked.format) == (Reasoning(effort="low"), ("E",), Format(kind="json"))
    assert asked.name("max_output_tokens") == "max_completion_tokens"
    assert read(metadata={"x-tierwise-label": "internal"}).foreign == ()
    assert read(tools=[], tool_choice={"type": "function", "function": {"name": "f"}}).tool_choice == ToolChoice(
        mode="named", name="f"
    )


@pytest.mark.parametrize("effort", ["extreme", "4539 1488 0343 6467", ""])
def test_an_effort_that_no_wire_knows_is_named_and_not_passed_on(effort: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "reasoning_effort": effort}
    asked = read_conversation(decode_request(json.dumps(body).encode()))
    assert (asked.reasoning, asked.foreign) == (None, ("reasoning_effort",))


@pytest.mark.parametrize(
    ("member", "value"),
    [("reasoning_effort", []), ("reasoning_effort", 3), ("functions", True), ("functions", ["x"]), ("functions", [{}])],
)
def test_what_only_other_wires_would_read_has_its_type_all_the_same(member: str, value: object) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], member: value}
    with pytest.raises(InvalidCall) as refused:
        decode_request(json.dumps(body).encode())
    assert str(refused.value.param).startswith(member)
