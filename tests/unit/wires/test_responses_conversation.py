"""Responses to a conversation and back: what can be said is said, what cannot is named."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.conversations import EVERYTHING, PIXEL, SCHEMA, conversations
from tierwise.core.conversation import (
    Conversation,
    File,
    Format,
    Image,
    Reasoning,
    Seal,
    Text,
    Thinking,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
    Turn,
)
from tierwise.wires import chat, messages
from tierwise.wires.responses_conversation import MAX_CALL_ID_CHARS, encode_request, read_conversation, safe_id
from tierwise.wires.responses_request import CUSTOM_SCHEMA, decode_request
from tierwise.wires.seals import enclose
from tierwise.wires.wire import Recipient

THERE = Recipient(endpoint="there", served_name="served", stream=False)
THINKER = Recipient(endpoint="there", served_name="s", stream=True, capabilities=frozenset({"thinking"}))
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "", "status": "completed"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "1"}


def read(**more: Any) -> Conversation:
    return read_conversation(decode_request(json.dumps({"model": "m", "input": "hi"} | more).encode()))


def written(conversation: Conversation, to: Recipient = THERE) -> tuple[dict[str, Any], tuple[str, ...]]:
    request = encode_request(conversation, to)
    return json.loads(request.body), request.dropped


def meant(conversation: Conversation) -> Conversation:
    """Leave out where and how the caller wrote it, and what this wire writes although it says nothing."""
    turns = tuple(msgspec.structs.replace(turn, path="") for turn in conversation.turns)
    tools = tuple(msgspec.structs.replace(tool, strict=bool(tool.strict)) for tool in conversation.tools)
    return msgspec.structs.replace(conversation, turns=turns, tools=tools, spelled={})


@given(conversations())
def test_what_is_written_reads_the_same(conversation: Conversation) -> None:
    request = encode_request(conversation, THERE)
    assert request.dropped == ()
    assert meant(read_conversation(decode_request(request.body))) == meant(conversation)


@given(conversations(), st.sampled_from([chat, messages]))
def test_what_goes_through_another_wire_comes_back(conversation: Conversation, other: Any) -> None:
    body = other.encode_request(conversation, THERE).body
    again = encode_request(other.read_conversation(other.decode_request(body)), THERE).body
    direct = encode_request(conversation, THERE).body
    spaceless = direct.replace(rb"{\"a\": 1}", rb"{\"a\":1}")  # Messages has arguments as JSON, not as text
    assert json.loads(again)["input"] in (json.loads(direct)["input"], json.loads(spaceless)["input"])


def test_everything_that_can_be_said_is_said() -> None:
    body, dropped = written(EVERYTHING)
    assert dropped == (
        "container", "thinking", "top_k", "stop_sequences", "seed", "n", "frequency_penalty", "presence_penalty",
        "logit_bias", "cache_control", "reasoning",
    )  # fmt: skip
    assert (body["instructions"], body["store"], body["max_output_tokens"]) == ("Be brief.", False, 100)
    assert [(item["type"], item.get("role")) for item in body["input"]] == [
        ("message", "user"), ("message", "assistant"), ("function_call", None), ("function_call", None),
        ("function_call_output", None), ("function_call_output", None), ("message", "user"),
    ]  # fmt: skip
    picture = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}
    assert body["input"][0]["content"] == [{"type": "input_text", "text": "What is this?"}, picture]
    assert body["input"][1]["content"] == [{"type": "output_text", "text": "Let me look.", "annotations": []}]
    assert body["input"][2] == {
        "type": "function_call", "call_id": "call_1", "name": "look", "arguments": '{"city": "Köln"}',
    }  # fmt: skip
    assert body["input"][3]["arguments"] == "{}"
    assert [part["type"] for part in body["input"][4]["output"]] == ["input_text", "input_image"]
    assert body["input"][5]["output"] == "Error: no such city"
    assert body["input"][6]["content"][1] == {
        "type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0=",
    }  # fmt: skip
    assert body["tools"] == [
        {"type": "function", "name": "look", "parameters": SCHEMA, "description": "Look out", "strict": True}
    ]
    assert body["tool_choice"] == {"type": "function", "name": "look"}
    assert body["text"] == {
        "format": {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": False}, "verbosity": "low",
    }  # fmt: skip
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 3)
    assert "stream" not in body and "reasoning" not in body


def test_who_thinks_is_told_how_much_and_seals_what_it_thought() -> None:
    body, dropped = written(EVERYTHING, THINKER)
    assert (body["stream"], body["reasoning"]) == (True, {"effort": "high", "summary": "auto"})
    assert body["include"] == ["message.output_text.logprobs", "reasoning.encrypted_content"]
    assert "reasoning" not in dropped
    budget = Conversation(turns=EVERYTHING.turns[:2], reasoning=Reasoning(budget_tokens=2000))
    assert written(budget, THINKER)[1] == ("cache_control", "reasoning")
    silent = Conversation(turns=EVERYTHING.turns[1:2], reasoning=Reasoning(effort="none"))
    assert written(silent)[1] == ()


def thought(seal: Seal | None) -> Conversation:
    return Conversation(
        turns=(
            Turn(role="user", blocks=(Text(text="x"),)),
            Turn(role="assistant", blocks=(Thinking(text="hm", seal=seal), ToolUse(id="c", name="f"))),
            Turn(role="user", blocks=(ToolResult(id="c", name="f"),)),
        )
    )


@pytest.mark.parametrize("origin", ["there", ""])
def test_own_thinking_goes_back(origin: str) -> None:
    body, dropped = written(thought(Seal(wire="responses", data="rs_1 sealed", origin=origin)))
    assert dropped == ()
    assert body["input"][1] == {
        "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "sealed",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("seal", "unseal"),
    [
        (None, False),
        (Seal(wire="messages", data="s", origin="there"), False),
        (Seal(wire="responses", data="rs_1 s", origin="elsewhere"), False),
        (Seal(wire="responses", data="rs_1 s", origin="there"), True),
    ],
)
def test_the_thinking_of_others_never_becomes_text(seal: Seal | None, unseal: bool) -> None:
    body, dropped = written(thought(seal), msgspec.structs.replace(THERE, unseal=unseal))
    assert dropped == ("thinking",)
    assert [item["type"] for item in body["input"]] == ["message", "function_call", "function_call_output"]
    assert "hm" not in json.dumps(body)


def test_only_a_system_turn_is_input_not_instructions() -> None:
    body, _ = written(Conversation(turns=(Turn(role="system", blocks=(Text(text="x"),)),)))
    assert body["input"] == [{"type": "message", "role": "system", "content": [{"type": "input_text", "text": "x"}]}]
    assert "instructions" not in body


def test_what_has_no_place_is_named() -> None:
    asked = Conversation(
        turns=(
            Turn(role="user", blocks=(Text(text="x"), File(data="AA", media_type="audio/wav")), path="p", name="ada"),
            Turn(role="assistant", blocks=(Image(url="https://example.com/a.png"),), path="q"),
            Turn(role="user", blocks=(File(text="plain"), File(url="https://example.com/a.pdf"))),
        ),
        n=1,
        verbosity="high",
    )
    body, dropped = written(asked)
    assert dropped == ("p.name", "p: file", "q: image")
    assert body["input"][-1]["content"] == [
        {"type": "input_text", "text": "plain"}, {"type": "input_file", "file_url": "https://example.com/a.pdf"},
    ]  # fmt: skip


def test_an_error_with_pictures_is_still_an_error() -> None:
    picture = Image(url="https://example.com/a.png")
    result = ToolResult(id="c", content=(picture,), error=True)
    asked = Conversation(turns=(Turn(role="assistant", blocks=(ToolUse(id="c", name="f"),)), Turn(role="user", blocks=(result,))))  # fmt: skip
    assert written(asked)[0]["input"][1]["output"][0] == {"type": "input_text", "text": "Error: "}


@given(st.text(max_size=100), st.text(max_size=100))
def test_ids_fit_and_stay_apart(one: str, other: str) -> None:
    assert 0 < len(safe_id(one)) <= MAX_CALL_ID_CHARS
    assert (safe_id(one) == safe_id(other)) == (one == other)
    assert safe_id(safe_id(one)) == safe_id(one)
    assert not one or len(one) > MAX_CALL_ID_CHARS or safe_id(one) == one


# reading


def test_every_kind_of_item_is_read() -> None:
    sealed = enclose(Seal(wire="messages", data="sig", origin="far"))
    asked = read(
        instructions="be brief",
        input=[
            {"role": "developer", "content": "x"},
            {"role": "user", "content": [
                {"type": "input_text", "text": "a"},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
                {"type": "input_file", "file_url": "https://example.com/a.pdf"},
                {"type": "input_file", "file_id": "file-1"},
            ]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": t} for t in "hm"],
             "encrypted_content": "gAAA"},
            {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": sealed},
            {"type": "message", "id": "msg_1", "role": "assistant", "phase": "commentary", "status": "completed",
             "content": [
                {"type": "output_text", "text": "so", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "no"},
            ]},
            CALL,
            {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** \\n"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
            OUTPUT,
            {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "done"}]},
            {"role": "user", "content": "go on"},
        ],
    )  # fmt: skip
    assert [turn.role for turn in asked.turns] == ["system", "developer", "user", "assistant", "user", "user"]
    assert asked.turns[0].path == "instructions"
    assert asked.turns[2].blocks == (
        Text(text="a"),
        Image(url="https://example.com/a.png", detail="low"),
        Image(data=PIXEL, media_type="image/png"),
        File(name="a.pdf", data="JVBERi0=", media_type="application/pdf"),
        File(url="https://example.com/a.pdf"),
    )
    assert asked.turns[3].blocks == (
        Thinking(text="h\n\nm", seal=Seal(wire="responses", data="rs_1 gAAA")),
        Thinking(seal=Seal(wire="messages", data="sig", origin="far")),
        Text(text="so"),
        Text(text="no", refusal=True),
        ToolUse(id="c1", name="f"),
        ToolUse(id="c2", name="patch", arguments='{"input":"*** \\\\n"}'),
    )
    assert asked.turns[4].blocks == (
        ToolResult(id="c1", name="f", content=(Text(text="1"),)),
        ToolResult(id="c2", name="patch", content=(Text(text="done"),)),
    )
    assert asked.foreign == ("input[1].content[5]: input_file", "input[4].phase", "input[7]: web_search_call")


def test_free_form_tools_become_functions_of_one_text() -> None:
    """Codex sends its patches through one."""
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    asked = read(
        tools=[{"type": "custom", "name": "apply_patch", "description": "Edit", "format": grammar},
               {"type": "custom", "name": "shell"}],
        tool_choice={"type": "custom", "name": "apply_patch"},
    )  # fmt: skip
    assert asked.tools == (
        Tool(name="apply_patch", description="Edit\n\nWrite `input` in this grammar:\nstart: x", parameters=CUSTOM_SCHEMA),
        Tool(name="shell", parameters=CUSTOM_SCHEMA),
    )  # fmt: skip
    assert asked.tool_choice == ToolChoice(mode="named", name="apply_patch")


def test_what_no_other_wire_has_is_named() -> None:
    asked = read(
        metadata={"a": "b"}, safety_identifier="x", prompt_cache_key="k", service_tier="flex", truncation="auto",
        client_metadata={"a": 1}, include=["file_search_call.results", "reasoning.encrypted_content"],
        tools=[{"type": "web_search"}, {"type": "namespace", "name": "n", "tools": []}, {"type": "function", "name": "f"}],
        tool_choice={"type": "allowed_tools"}, text={"verbosity": "low", "new": 1}, reasoning={"effort": "low", "new": 1},
        store=True, background=False, prompt=None, user="u", top_logprobs=2, parallel_tool_calls=False,
    )  # fmt: skip
    assert asked.foreign == (
        "safety_identifier", "prompt_cache_key", "service_tier", "truncation", "client_metadata",
        "include: file_search_call.results", "metadata", "text.new", "reasoning.new", "tools[0]: web_search",
        "tools[1]: namespace", "tool_choice",
    )  # fmt: skip
    assert (asked.reasoning, asked.verbosity, asked.user) == (Reasoning(effort="low"), "low", "u")
    assert (asked.logprobs, asked.top_logprobs, asked.parallel_tools) == (True, 2, False)
    assert asked.name("format") == "text.format"
    assert read(metadata={"x-tierwise-label": "internal"}).foreign == ()


@pytest.mark.parametrize(
    ("choice", "foreign"),
    [("auto", ()), ("none", ()), ("required", ("tool_choice",)), ({"type": "web_search"}, ("tool_choice",))],
)
def test_without_tools_there_is_nothing_to_choose(choice: Any, foreign: tuple[str, ...]) -> None:
    """Chat Completions refuses a choice, and a number of calls at once, where there are no tools."""
    asked = read(tools=[{"type": "web_search"}], tool_choice=choice, parallel_tool_calls=True)
    assert (asked.tool_choice, asked.parallel_tools) == (None, None)
    assert asked.foreign == ("tools[0]: web_search", *foreign)


@pytest.mark.parametrize(
    ("wanted", "read_as"),
    [
        (None, None),
        ({"type": "text"}, None),
        ({"type": "json_object"}, Format(kind="json")),
        ({"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True},
         Format(kind="schema", schema=SCHEMA, name="n", strict=True)),
    ],
)  # fmt: skip
def test_formats(wanted: Any, read_as: Format | None) -> None:
    assert read(text={"format": wanted}).format == read_as
    if read_as is not None:
        assert written(read(text={"format": wanted}))[0]["text"] == {"format": wanted}
