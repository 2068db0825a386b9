"""Messages to a conversation and back: what can be said is said, what cannot is named."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.conversations import EVERYTHING, PIXEL, SCHEMA, conversations
from tests.unit.wires.messages_bodies import bodies
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
from tierwise.wires import chat, responses
from tierwise.wires.messages_conversation import DEFAULT_MAX_TOKENS, encode_request, read_conversation
from tierwise.wires.messages_request import VERSION, decode_request
from tierwise.wires.seals import enclose
from tierwise.wires.wire import Recipient

THERE = Recipient(endpoint="there", served_name="served", stream=False)
THINKS = frozenset({"thinking"})
HI = Turn(role="user", blocks=(Text(text="hi"),))
TOOL = Tool(name="f", parameters={"type": "object"})
CLOSED = SCHEMA | {"additionalProperties": False}


def to(served_name: str, **more: Any) -> Recipient:
    return Recipient(
        **{"endpoint": "there", "served_name": served_name, "stream": False, "capabilities": THINKS} | more
    )


def read(**more: Any) -> Conversation:
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]} | more
    return read_conversation(decode_request(json.dumps(body).encode()))


def written(conversation: Conversation, recipient: Recipient = THERE) -> tuple[dict[str, Any], tuple[str, ...]]:
    request = encode_request(conversation, recipient)
    return json.loads(request.body), request.dropped


def asked(**more: Any) -> Conversation:
    return Conversation(turns=(HI,), **more)


def meant(conversation: Conversation) -> Conversation:
    """Leave out where and how the caller wrote it; arguments are JSON here, not text."""
    turns = tuple(
        msgspec.structs.replace(turn, path="", blocks=tuple(
            msgspec.structs.replace(block, arguments=block.arguments.replace(" ", "")) if isinstance(block, ToolUse) else block
            for block in turn.blocks
        ))
        for turn in conversation.turns
    )  # fmt: skip
    return msgspec.structs.replace(conversation, turns=turns, spelled={})


@given(conversations())
def test_what_is_written_reads_the_same(conversation: Conversation) -> None:
    request = encode_request(conversation, THERE)
    assert request.dropped == ()
    assert meant(read_conversation(decode_request(request.body))) == meant(conversation)


@given(conversations(), st.sampled_from([chat, responses]))
def test_what_goes_through_another_wire_comes_back(conversation: Conversation, other: Any) -> None:
    body = other.encode_request(conversation, THERE).body
    again = encode_request(other.read_conversation(other.decode_request(body)), THERE).body
    direct = encode_request(conversation, THERE).body
    assert json.loads(again)["messages"] == json.loads(direct)["messages"]


@given(bodies())
def test_whatever_is_read_can_be_written_and_means_the_same(tree: dict[str, Any]) -> None:
    first = read_conversation(decode_request(json.dumps(tree).encode()))
    request = encode_request(first, THERE)
    assert set(first.foreign) <= set(request.dropped)
    second = read_conversation(decode_request(request.body))
    assert encode_request(second, THERE).body == request.body


# writing


def test_everything_that_can_be_said_is_said() -> None:
    body, dropped = written(EVERYTHING, to("claude-opus-4-5", stream=True, endpoint="here"))
    assert dropped == (
        "container", "thinking", "n", "logprobs", "top_logprobs", "frequency_penalty", "presence_penalty", "logit_bias",
        "verbosity", "seed", "reasoning", "top_p",
    )  # fmt: skip
    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    assert body["messages"][0]["content"] == [{"type": "text", "text": "What is this?"}, picture]
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "call_1", "name": "look", "input": {"city": "Köln"}},
        {"type": "tool_use", "id": "call_2", "name": "look", "input": {}},
    ]
    first, second, words, file = body["messages"][2]["content"]
    assert [block["type"] for block in first["content"]] == ["text", "image"]
    assert second["is_error"] is True and second["tool_use_id"] == "call_2"
    assert (words["text"], file["type"], file["title"]) == ("And now?", "document", "a.pdf")
    assert body["tools"] == [{"name": "look", "input_schema": CLOSED, "description": "Look out", "strict": True}]
    assert body["tool_choice"] == {"type": "tool", "name": "look", "disable_parallel_tool_use": True}
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert (body["model"], body["stream"], body["max_tokens"]) == ("claude-opus-4-5", True, 100)
    assert (body["temperature"], body["top_k"], body["stop_sequences"]) == (0.5, 40, ["END"])
    assert body["metadata"] == {"user_id": "u-1"}
    assert encode_request(EVERYTHING, THERE).headers == (VERSION,)
    assert encode_request(EVERYTHING, THERE).path == "/messages"


def test_what_cannot_be_said_is_named_as_the_caller_wrote_it() -> None:
    spelled = {
        "seed": "options.seed",
        "stop": "stop",
        "format": "response_format",
        "n": "candidateCount",
        "top_k": "topK",
    }
    silent = asked(seed=0, n=1, stop=("\n", "END"), format=Format(kind="json"), spelled=spelled)
    body, dropped = written(silent)
    assert dropped == ("options.seed", "stop", "response_format")
    assert body["stop_sequences"] == ["END"]
    assert written(asked(n=3, top_k=1, spelled=spelled), to("claude-opus-5"))[1] == ("candidateCount", "topK")
    assert written(asked(top_logprobs=0, logprobs=False, frequency_penalty=0.0))[1] == ()


def test_bounds_of_schemas_are_named() -> None:
    bounded = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    tools = (TOOL, Tool(name="g", parameters=bounded, strict=True), Tool(name="h", parameters=bounded))
    body, dropped = written(asked(tools=tools, format=Format(kind="schema", schema=bounded)))
    assert dropped == ("tools[1]: minimum", "format: minimum")
    assert body["tools"][1]["input_schema"]["properties"] == {"n": {"type": "integer"}}
    assert body["tools"][2]["input_schema"] == bounded


LIMITS = [
    ("claude-opus-4-6", None, 128_000),
    ("claude-sonnet-4-5", None, 64_000),
    ("claude-opus-4-1", None, 32_000),
    ("claude-3-haiku-20240307", None, 4_096),
    ("qwen3", None, DEFAULT_MAX_TOKENS),
    ("qwen3", 9_000, 9_000),
    ("claude-opus-4-6", 9_000, 9_000),
]


@pytest.mark.parametrize(("name", "known", "limit"), LIMITS)
def test_the_limit_that_nobody_gave_is_the_models(name: str, known: int | None, limit: int) -> None:
    assert written(asked(), to(name, max_output_tokens=known))[0]["max_tokens"] == limit
    assert written(asked(max_output_tokens=7), to(name, max_output_tokens=known))[0]["max_tokens"] == 7


def test_a_long_question_leaves_less_room() -> None:
    """Older models refuse a limit that no longer fits into their context."""
    long = Conversation(turns=(Turn(role="user", blocks=(Text(text="word " * 60_000),)),))
    recipient = to("claude-opus-4-1", context_tokens=160_000)
    assert 9_000 < written(long, recipient)[0]["max_tokens"] < 10_000
    assert written(long, to("claude-opus-4-1", context_tokens=100_000))[0]["max_tokens"] == DEFAULT_MAX_TOKENS
    assert written(asked(), recipient)[0]["max_tokens"] == 32_000


@pytest.mark.parametrize(
    ("name", "reasoning", "thinking", "effort"),
    [
        ("claude-opus-4-6", Reasoning(effort="high", visible=True), {"type": "adaptive", "display": "summarized"}, "high"),
        ("claude-opus-4-6", Reasoning(effort="xhigh"), {"type": "adaptive"}, "high"),
        ("claude-opus-4-7", Reasoning(effort="xhigh"), {"type": "adaptive"}, "xhigh"),
        ("claude-opus-4-7", Reasoning(effort="minimal"), {"type": "adaptive"}, "low"),
        ("claude-opus-5", Reasoning(budget_tokens=9000), {"type": "adaptive"}, "high"),
        ("claude-opus-5", Reasoning(), {"type": "adaptive"}, None),
        ("claude-opus-5", Reasoning(effort="none"), {"type": "disabled"}, None),
        ("claude-opus-5-5", Reasoning(effort="none"), None, None),
        ("claude-fable-5", Reasoning(effort="none"), None, None),
        ("claude-opus-4-6", Reasoning(effort="none"), None, None),
        ("claude-opus-4-5", Reasoning(effort="none"), {"type": "disabled"}, None),
        ("claude-opus-4-5", Reasoning(effort="high"), {"type": "enabled", "budget_tokens": 16384}, None),
        ("claude-opus-4-5", Reasoning(budget_tokens=5000), {"type": "enabled", "budget_tokens": 5000}, None),
        ("claude-opus-4-5", Reasoning(budget_tokens=90_000), {"type": "enabled", "budget_tokens": 63_999}, None),
    ],
)  # fmt: skip
def test_how_much_to_think(name: str, reasoning: Reasoning, thinking: Any, effort: str | None) -> None:
    body, dropped = written(asked(reasoning=reasoning), to(name))
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    always = name in ("claude-opus-5-5", "claude-fable-5")
    assert dropped == (("reasoning",) if always else ())
    bare, dropped = written(
        asked(reasoning=reasoning, spelled={"reasoning": "effort"}), to(name, capabilities=frozenset())
    )
    assert "thinking" not in bare and dropped == (() if reasoning.effort == "none" else ("effort",))


def test_a_budget_leaves_room_for_the_answer() -> None:
    """A limit that nobody knows grows with it, one that is known is shared; less than the least budget is none."""
    high = Reasoning(effort="high")
    body, _ = written(asked(reasoning=high), to("qwen3"))
    assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (DEFAULT_MAX_TOKENS + 16384, 16384)
    for known in (to("qwen3", max_output_tokens=DEFAULT_MAX_TOKENS), to("claude-3-haiku")):
        body, _ = written(asked(reasoning=high), known)
        assert (body["max_tokens"], body["thinking"]["budget_tokens"]) == (4096, 2048)
    body, dropped = written(asked(reasoning=high, max_output_tokens=1500), to("qwen3"))
    assert ("thinking" in body, dropped) == (False, ("reasoning",))
    body, _ = written(asked(reasoning=Reasoning(budget_tokens=1200), max_output_tokens=1500), to("qwen3"))
    assert body["thinking"]["budget_tokens"] == 1200


def test_manual_thinking_does_not_begin_where_it_would_be_refused() -> None:
    high = Reasoning(effort="high")
    use, result = ToolUse(id="c", name="f"), ToolResult(id="c")
    seal = Seal(wire="messages", data="signed:EqQB", origin="there")
    loop = (HI, Turn(role="assistant", blocks=(use,)), Turn(role="user", blocks=(result,)))
    thought = (HI, Turn(role="assistant", blocks=(Thinking(text="hm", seal=seal), use)), loop[2])
    prefilled = (HI, Turn(role="assistant", blocks=(Text(text="so"),)))
    later = (*loop, Turn(role="assistant", blocks=(Text(text="so"),)), HI)
    for turns, thinks in ((loop, False), (prefilled, False), (thought, True), (later, True)):
        body, dropped = written(Conversation(turns=turns, tools=(TOOL,), reasoning=high), to("claude-opus-4-5"))
        assert ("thinking" in body, dropped) == (thinks, () if thinks else ("reasoning",))
        assert written(Conversation(turns=turns, tools=(TOOL,), reasoning=high), to("claude-opus-4-6"))[1] == ()


@pytest.mark.parametrize(
    ("name", "thinking", "dropped"),
    [
        ("claude-opus-4-5", None, ("reasoning",)),
        ("claude-opus-4-6", None, ("reasoning",)),
        ("claude-opus-5", {"type": "disabled"}, ("reasoning",)),
        ("claude-opus-5-5", {"type": "adaptive"}, ("tool_choice",)),
        ("claude-fable-5-1", {"type": "adaptive"}, ("tool_choice",)),
    ],
)
@pytest.mark.parametrize("choice", [ToolChoice(mode="required"), ToolChoice(mode="named", name="f")])
def test_a_call_that_is_forced_and_thinking_exclude_each_other(
    choice: ToolChoice, name: str, thinking: Any, dropped: tuple[str, ...]
) -> None:
    forced = asked(tools=(TOOL,), tool_choice=choice, parallel_tools=False, reasoning=Reasoning(effort="high"))
    body, left_out = written(forced, to(name))
    assert (body.get("thinking"), left_out) == (thinking, dropped)
    kind = "auto" if "tool_choice" in dropped else {"required": "any", "named": "tool"}[choice.mode]
    assert (body["tool_choice"]["type"], body["tool_choice"]["disable_parallel_tool_use"]) == (kind, True)
    unasked = written(asked(tools=(TOOL,), tool_choice=choice), to(name))[0]
    assert unasked.get("thinking") == ({"type": "disabled"} if name == "claude-opus-5" else None)


def test_tools_of_earlier_calls_are_known() -> None:
    """Anthropic refuses calls in the history where no tools are given."""
    use = Turn(role="assistant", blocks=(ToolUse(id="c", name="f"), ToolUse(id="d", name="f")))
    body, dropped = written(Conversation(turns=(HI, use, Turn(role="user", blocks=(ToolResult(id="c"),)))))
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object"}}]
    assert (body["tool_choice"], dropped) == ({"type": "none"}, ())
    assert (
        not {"tools", "tool_choice"}
        & written(asked(tool_choice=ToolChoice(mode="auto"), parallel_tools=False))[0].keys()
    )
    none = asked(tools=(TOOL,), tool_choice=ToolChoice(mode="none"), parallel_tools=False)
    assert written(none)[0]["tool_choice"] == {"type": "none"}


SAMPLING = {"temperature": 0.5, "top_p": 0.9, "top_k": 40}


@pytest.mark.parametrize(
    ("name", "more", "kept"),
    [
        ("qwen3", SAMPLING, {"temperature", "top_p", "top_k"}),
        ("claude-opus-4", SAMPLING, {"temperature", "top_p", "top_k"}),
        ("claude-opus-4-5", SAMPLING, {"temperature", "top_k"}),
        ("claude-opus-4-5", {"top_p": 0.9}, {"top_p"}),
        ("claude-opus-4-7", SAMPLING, set()),
        ("qwen3", {"temperature": 1.5}, set()),
        ("qwen3", {"temperature": 0.0}, {"temperature"}),
        ("qwen3", SAMPLING | {"reasoning": Reasoning(effort="low")}, set()),
        ("qwen3", {"temperature": 1.0, "top_p": 0.95, "reasoning": Reasoning(effort="low")}, {"temperature", "top_p"}),
    ],
)
def test_sampling_as_far_as_the_model_takes_it(name: str, more: dict[str, Any], kept: set[str]) -> None:
    body, dropped = written(asked(max_output_tokens=9000, **more), to(name))
    assert body.keys() & {*SAMPLING} == kept
    assert {*dropped} == (more.keys() & {*SAMPLING}) - kept
    assert written(asked(temperature=1.0, top_p=1.0), to("claude-opus-5"))[1] == ()


# reading


def test_every_kind_of_block_is_read() -> None:
    sealed = enclose(Seal(wire="responses", data="rs_1 gAAA", origin="far"))
    conversation = read(
        system="be brief",
        messages=[
            {"role": "user", "content": [
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": ""},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "p"}, "title": "t"},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": w} for w in "xy"]}},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}},
                {"type": "document", "source": {"type": "file", "file_id": "f"}},
                {"type": "search_result", "source": "s", "title": "t", "content": []},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "thinking", "thinking": "oh", "signature": ""},
                {"type": "redacted_thinking", "data": sealed},
                {"type": "text", "text": "so", "citations": [{"cited_text": "c"}]},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"p": "ü"}, "caller": {"type": "direct"}},
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}},
            ]},
            {"role": "system", "content": "from now on"},
            {"role": "user", "content": "wait"},
            {"role": "user", "id": "m", "content": [
                {"type": "text", "text": "here"},
                {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": [
                    {"type": "text", "text": "1"}, {"type": "tool_reference", "tool_name": "g"},
                ]},
            ]},
        ],
    )  # fmt: skip
    system, first, reply, amended, last = conversation.turns
    assert system == Turn(role="system", blocks=(Text(text="be brief"),), path="system")
    assert first.blocks == (
        Text(text="a", cache=True),
        Image(url="https://example.com/a.png"),
        Image(data=PIXEL, media_type="image/png"),
        File(name="t", text="p", media_type="text/plain"),
        File(text="x\ny", media_type="text/plain"),
        File(url="https://example.com/a.pdf", media_type="application/pdf"),
        File(data="JVBERi0=", media_type="application/pdf"),
    )
    assert reply.blocks == (
        Thinking(text="hm", seal=Seal(wire="messages", data="signed:EqQB")),
        Thinking(text="oh"),
        Thinking(seal=Seal(wire="responses", data="rs_1 gAAA", origin="far")),
        Text(text="so"),
        ToolUse(id="t1", name="f", arguments='{"p":"ü"}'),
    )
    assert (amended.role, amended.path) == ("system", "messages[2]")
    assert last == Turn(
        role="user",
        path="messages[3]",
        blocks=(
            ToolResult(id="t1", name="f", content=(Text(text="1"),), error=True),
            Text(text="wait"),
            Text(text="here"),
        ),
    )
    assert conversation.foreign == (
        "messages[0].content[8]: document", "messages[0].content[9]: search_result",
        "messages[1].content[3].citations", "messages[1].content[5]: server_tool_use",
        "messages[4].content[1].content[1]: tool_reference", "messages[4].id",
    )  # fmt: skip


def test_every_setting_is_read() -> None:
    conversation = read(
        max_tokens=7, temperature=0.5, top_p=0.9, top_k=4, stop_sequences=["END"], metadata={"user_id": "u"},
        tools=[{"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True}],
        tool_choice={"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        thinking={"type": "enabled", "budget_tokens": 2000}, stream=True,
    )  # fmt: skip
    assert (conversation.max_output_tokens, conversation.temperature, conversation.top_p) == (7, 0.5, 0.9)
    assert (conversation.top_k, conversation.stop, conversation.user) == (4, ("END",), "u")
    assert conversation.tools == (Tool(name="f", description="d", parameters=SCHEMA, strict=True),)
    assert (conversation.tool_choice, conversation.parallel_tools) == (ToolChoice(mode="named", name="f"), False)
    assert conversation.format == Format(kind="schema", schema=SCHEMA, strict=True)
    assert conversation.reasoning == Reasoning(budget_tokens=2000, visible=True)
    assert conversation.foreign == ()
    fields = ("max_output_tokens", "stop", "user", "parallel_tools", "reasoning", "format", "top_k")
    assert [conversation.name(field) for field in fields] == [
        "max_tokens", "stop_sequences", "metadata.user_id", "tool_choice.disable_parallel_tool_use", "thinking",
        "output_config.format", "top_k",
    ]  # fmt: skip
    older = read(output_format={"type": "json_schema", "schema": SCHEMA})
    assert (older.format, older.name("format")) == (conversation.format, "output_format")


def test_what_no_other_wire_has_is_named() -> None:
    conversation = read(
        max_tokens=0, container="c", service_tier="auto", cache_control={"type": "ephemeral"}, mcp_servers=None,
        metadata={"team": "a", "x-tierwise-label": "internal"}, system=[{"type": "text", "text": "s", "new": 1}],
        tools=[{"name": "f", "input_schema": {}, "defer_loading": True, "eager": False}, {"type": "bash_1", "name": "bash"}],
        tool_choice={"type": "tool", "name": "bash"}, thinking={"type": "between_tools", "new": 1},
        output_config={"effort": "extreme", "task_budget": {"total": 1}},
        messages=[{"role": "user", "content": "hi", "output_config": {"effort": "low"}}],
    )  # fmt: skip
    assert {*conversation.foreign} == {
        "max_tokens", "container", "service_tier", "cache_control", "metadata.team", "system[0].new",
        "tools[0].defer_loading", "tools[1]: bash_1", "tool_choice", "thinking.new", "thinking: between_tools",
        "output_config.effort", "output_config.task_budget", "messages[0].output_config",
    }  # fmt: skip
    assert len(conversation.foreign) == len({*conversation.foreign})
    assert conversation.max_output_tokens == 1
    assert read(metadata={"x-tierwise-label": "internal"}).foreign == ()


@pytest.mark.parametrize(
    ("more", "reasoning", "foreign"),
    [
        ({}, None, ()),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none"), ()),
        ({"thinking": {"type": "adaptive"}}, Reasoning(visible=True), ()),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, Reasoning(visible=False), ()),
        ({"output_config": {"effort": "xhigh"}}, Reasoning(effort="xhigh"), ()),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, Reasoning(effort="max", visible=True), ()),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, Reasoning(effort="none"), ("output_config.effort",)),
    ],
)  # fmt: skip
def test_how_much_thinking_is_asked_for(more: Any, reasoning: Reasoning | None, foreign: tuple[str, ...]) -> None:
    assert (read(**more).reasoning, read(**more).foreign) == (reasoning, foreign)


@pytest.mark.parametrize(
    ("choice", "mode", "alone"),
    [
        (None, None, ()),
        ({"type": "auto"}, "auto", ()),
        ({"type": "none"}, "none", ()),
        ({"type": "any"}, "required", ("tool_choice",)),
        ({"type": "tool", "name": "f"}, "named", ("tool_choice",)),
    ],
)
def test_without_tools_there_is_nothing_to_choose(choice: Any, mode: str | None, alone: tuple[str, ...]) -> None:
    """Chat Completions refuses a choice, and a number of calls at once, where there are no tools."""
    given_tools = read(tools=[{"name": "f", "input_schema": {}}], tool_choice=choice)
    assert (given_tools.tool_choice and given_tools.tool_choice.mode, given_tools.foreign) == (mode, ())
    less = choice and choice | {"disable_parallel_tool_use": True}
    bare = read(tools=[{"type": "bash_1", "name": "bash"}], tool_choice=less)
    assert (bare.tool_choice, bare.parallel_tools) == (None, None)
    assert bare.foreign == ("tools[0]: bash_1", *alone)
