"""What Ollama's own interface is asked: every field in its own words, the rest named as the caller spells it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from tests.unit.wires.callers import BODIES, asked_on
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
from tierwise.wires.ollama_request import WIRE, encode_request
from tierwise.wires.wire import Recipient

THERE = Recipient(endpoint="there", served_name="qwen3:8b", stream=False)
THINKS = msgspec.structs.replace(THERE, capabilities=frozenset({"thinking"}))
LEVELS = msgspec.structs.replace(THINKS, served_name="gpt-oss:20b")
HI = Conversation(turns=(Turn(role="user", blocks=(Text(text="hi"),), path="messages[0]"),))


def asking(**fields: Any) -> Conversation:
    return msgspec.structs.replace(HI, **fields)


def written(asked: Conversation, to: Recipient = THERE) -> tuple[dict[str, Any], tuple[str, ...]]:
    request = encode_request(asked, to)
    assert (request.path, request.root, WIRE) == ("/api/chat", True, "ollama"), "beside `/v1`, not within"
    return json.loads(request.body), request.dropped


def messages(*turns: Turn, to: Recipient = THERE) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    body, dropped = written(Conversation(turns=turns), to)
    return body["messages"], dropped


LOST = {
    "chat": {
        "store", "service_tier", "keep_alive", "metadata", "cache_control", "messages[0].name",
        "messages[1]: image detail", "messages[1]: file", "thinking", "tool_choice", "tools: strict",
        "parallel_tool_calls", "logit_bias", "user", "verbosity", "n", "reasoning_effort",
    },
    "responses": {
        "truncation", "safety_identifier", "include: file_search_call.results", "metadata", "tools[1]: web_search",
        "input[0]: image detail", "input[0]: file", "thinking", "tool_choice", "tools: strict", "parallel_tool_calls",
        "user", "text.verbosity", "reasoning",
    },
    "messages": {
        "service_tier", "container", "cache_control", "messages[0]: file", "thinking", "tool_choice", "tools: strict",
        "tool_choice.disable_parallel_tool_use", "metadata.user_id",
    },
}  # fmt: skip


@pytest.mark.parametrize("wire", BODIES)
def test_what_it_cannot_be_told_is_named_as_the_caller_wrote_it(wire: str) -> None:
    _, dropped = written(asked_on(wire))
    assert set(dropped) == LOST[wire]
    assert len(dropped) == len(LOST[wire])


def test_a_model_that_thinks_by_levels_is_told_the_level_and_gets_its_words_back() -> None:
    body, dropped = written(asked_on("chat"), LEVELS)
    assert body["think"] == "high"
    assert body["messages"][2]["thinking"] == "hm"
    assert set(dropped) == LOST["chat"] - {"reasoning_effort", "thinking"}


@pytest.mark.parametrize("wire", BODIES)
def test_the_rest_is_the_same_from_every_wire(wire: str) -> None:
    body, _ = written(asked_on(wire), THERE)
    system, asked, called, answered = body["messages"]
    assert system == {"role": "system", "content": "Be brief."}
    assert asked == {"role": "user", "content": "What is this?", "images": [PIXEL]}
    function = {"index": 0, "name": "look", "arguments": {"city": "Bern"}}
    assert called == {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "function": function}]}
    assert answered == {"role": "tool", "content": "rain", "tool_name": "look", "tool_call_id": "c1"}
    [tool] = body["tools"]
    assert tool == {"type": "function", "function": {"name": "look", "description": "", "parameters": SCHEMA}}
    assert body["format"] == SCHEMA
    assert "keep_alive" not in body, "how long a model stays loaded is its server's to say"


def test_everything_that_can_be_said_is_said() -> None:
    body, dropped = written(EVERYTHING, msgspec.structs.replace(LEVELS, context_tokens=8192, stream=True))
    assert body["options"] == {
        "num_predict": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 40, "seed": 7, "frequency_penalty": 0.1,
        "presence_penalty": 0.2, "num_ctx": 8192, "stop": ["END"],
    }  # fmt: skip
    assert {name: body[name] for name in ("model", "stream", "format", "logprobs", "top_logprobs", "think")} == {
        "model": "gpt-oss:20b", "stream": True, "format": SCHEMA, "logprobs": True, "top_logprobs": 3, "think": "high",
    }  # fmt: skip
    assert set(dropped) == {
        "container", "thinking", "messages[3]: image", "messages[3]: file", "tool_choice", "tools: strict",
        "parallel_tools", "logit_bias", "user", "verbosity", "n", "cache_control",
    }  # fmt: skip


@given(conversations())
def test_what_it_can_say_is_said_without_loss(asked: Conversation) -> None:
    body, dropped = written(asked)
    forced = asked.tool_choice is not None and asked.tool_choice.mode == "required"
    assert dropped == (("tool_choice",) if forced else ())
    assert body["options"]["num_predict"] == asked.max_output_tokens
    said = "".join(message["content"] for message in body["messages"])
    words = [part.text for turn in asked.turns for block in turn.blocks
             for part in (block.content if isinstance(block, ToolResult) else (block,)) if isinstance(part, Text)]  # fmt: skip
    assert said == "".join(words)


def test_a_bare_question_says_only_that_nothing_may_be_left_out() -> None:
    assert written(HI) == (
        {
            "model": "qwen3:8b", "stream": False, "truncate": False, "shift": False,
            "messages": [{"role": "user", "content": "hi"}],
        },
        (),
    )  # fmt: skip


# how much is read


@pytest.mark.parametrize(
    ("context", "options"), [(None, None), (4096, {"num_ctx": 4096}), (131_072, {"num_ctx": 131_072})]
)
def test_the_context_length_is_set_only_where_one_is_wanted(context: int | None, options: Any) -> None:
    body, _ = written(HI, msgspec.structs.replace(THERE, context_tokens=context))
    assert body.get("options") == options


@pytest.mark.parametrize("stream", [True, False])
def test_a_stream_is_asked_for_or_refused(stream: bool) -> None:
    """Left out, it would be one."""
    assert written(HI, msgspec.structs.replace(THERE, stream=stream))[0]["stream"] is stream


@pytest.mark.parametrize("value", [0, 0.0])
def test_nought_is_a_value(value: float) -> None:
    fields = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty")
    body, dropped = written(asking(**dict.fromkeys(fields, value)))
    assert (body["options"], dropped) == (dict.fromkeys(fields, value), ())


# tools


@pytest.mark.parametrize(
    ("mode", "offered", "lost"),
    [(None, True, ()), ("auto", True, ()), ("none", False, ()), ("required", True, ("tool_choice",)),
     ("named", True, ("tool_choice",))],
)  # fmt: skip
def test_which_tools_are_called(mode: Any, offered: bool, lost: tuple[str, ...]) -> None:
    choice = None if mode is None else ToolChoice(mode=mode, name="look")
    body, dropped = written(asking(tools=(Tool(name="look", parameters=SCHEMA),), tool_choice=choice))
    assert ("tools" in body, "tool_choice" in body, dropped) == (offered, False, lost)


NESTED = {
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/place"}, "when": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": ["string", "null"]}}}},
    "additionalProperties": False,
}


@pytest.mark.parametrize("schema", [SCHEMA, NESTED, {"type": "object"}, {}], ids=["flat", "nested", "any", "none"])
def test_a_schema_goes_as_it_is(schema: dict[str, Any]) -> None:
    body, dropped = written(asking(tools=(Tool(name="f", description="does", parameters=schema),)))
    parameters = schema or {"type": "object", "properties": {}}
    function = {"name": "f", "description": "does", "parameters": parameters}
    assert (body["tools"], dropped) == ([{"type": "function", "function": function}], ())


@pytest.mark.parametrize(
    ("wanted", "said"), [(Format(kind="json"), "json"), (Format(kind="schema", schema=NESTED), NESTED)]
)
def test_formats(wanted: Format, said: Any) -> None:
    body, dropped = written(asking(format=wanted))
    assert (body["format"], dropped) == (said, ())


# thinking


THOUGHT: list[tuple[Recipient, Reasoning, Any, bool]] = [
    (THINKS, Reasoning(effort="none"), False, False),
    (THINKS, Reasoning(visible=True), True, False),
    (THINKS, Reasoning(effort="low"), True, True),
    (THINKS, Reasoning(effort="max", visible=True), True, True),
    (THINKS, Reasoning(budget_tokens=2048), True, True),
    (LEVELS, Reasoning(effort="minimal"), "low", False),
    (LEVELS, Reasoning(effort="medium"), "medium", False),
    (LEVELS, Reasoning(effort="max"), "high", False),
    (LEVELS, Reasoning(visible=True), True, False),
    (LEVELS, Reasoning(budget_tokens=2048), True, True),
    (LEVELS, Reasoning(effort="none"), "low", True),
    (msgspec.structs.replace(LEVELS, served_name="hf.co/openai/gpt-oss-120b"), Reasoning(effort="low"), "low", False),
    (THERE, Reasoning(effort="none"), None, False),
    (THERE, Reasoning(effort="high"), None, True),
    (THERE, Reasoning(budget_tokens=9), None, True),
]


@pytest.mark.parametrize(("to", "reasoning", "said", "lost"), THOUGHT)
def test_how_much_to_think(to: Recipient, reasoning: Reasoning, said: Any, lost: bool) -> None:
    """A level is refused by all models but one family: the others think or do not."""
    body, dropped = written(asking(reasoning=reasoning, spelled={"reasoning": "reasoning_effort"}), to)
    assert body.get("think") == said
    assert dropped == (("reasoning_effort",) if lost else ())


def test_a_model_is_not_told_to_think_unasked() -> None:
    assert "think" not in written(HI, THINKS)[0]


@pytest.mark.parametrize(
    ("to", "thinking", "back", "lost"),
    [
        (THINKS, Thinking(text="hm"), "hm", False),
        (THERE, Thinking(text="hm"), None, True),
        (THINKS, Thinking(text="hm", seal=Seal(wire="messages", data="signed:x", origin="there")), None, True),
        (THINKS, Thinking(seal=Seal(wire="gemini", data="x")), None, True),
    ],
)
def test_only_its_own_words_come_back_as_thinking(
    to: Recipient, thinking: Thinking, back: str | None, lost: bool
) -> None:
    said = Turn(role="assistant", blocks=(thinking, Text(text="Hi.")), path="messages[1]")
    [_, message], dropped = messages(*HI.turns, said, to=to)
    assert message == {"role": "assistant", "content": "Hi."} | ({} if back is None else {"thinking": back})
    assert dropped == (("thinking",) if lost else ())


# turns


def test_results_are_messages_of_their_own_before_the_words() -> None:
    called = Turn(
        role="assistant", blocks=(ToolUse(id="a", name="look"), ToolUse(id="b", name="hear", arguments="[1]"))
    )
    answered = Turn(
        role="user",
        blocks=(
            ToolResult(id="a", name="look", content=(Text(text="rain"), Image(data=PIXEL))),
            ToolResult(id="b", content=(Text(text="no"),), error=True),
            ToolResult(id="c", error=True),
            Text(text="And now?"),
        ),
        path="messages[2]",
    )
    said, dropped = messages(*HI.turns, called, answered)
    assert said[1]["tool_calls"] == [
        {"id": "a", "function": {"index": 0, "name": "look", "arguments": {}}},
        {"id": "b", "function": {"index": 1, "name": "hear", "arguments": {"arguments": [1]}}},
    ]
    assert said[2:] == [
        {"role": "tool", "content": "rain", "images": [PIXEL], "tool_name": "look", "tool_call_id": "a"},
        {"role": "tool", "content": "Error: no", "tool_name": "b", "tool_call_id": "b"},
        {"role": "tool", "content": "Error", "tool_name": "c", "tool_call_id": "c"},
        {"role": "user", "content": "And now?"},
    ]
    assert dropped == ()


@pytest.mark.parametrize(
    ("block", "message", "lost"),
    [
        (Image(data=PIXEL, media_type="image/png", detail="auto"), {"content": "", "images": [PIXEL]}, ()),
        (Image(data=PIXEL, detail="low"), {"content": "", "images": [PIXEL]}, ("p: image detail",)),
        (Image(url="https://example.com/a.png"), {"content": ""}, ("p: image",)),
        (File(text="a,b", media_type="text/csv"), {"content": "a,b"}, ()),
        (File(text="a,b", name="a.csv"), {"content": "a,b"}, ("p: file name",)),
        (File(data="JVBERi0=", media_type="application/pdf"), {"content": ""}, ("p: file",)),
        (File(data="AAAA", media_type="audio/wav"), {"content": ""}, ("p: file",)),
        (Text(text="No.", refusal=True), {"content": "No."}, ()),
    ],
)
def test_blocks(block: Any, message: dict[str, Any], lost: tuple[str, ...]) -> None:
    assert messages(Turn(role="user", blocks=(block,), path="p")) == ([{"role": "user"} | message], lost)


@pytest.mark.parametrize(
    ("role", "here"), [("system", "system"), ("developer", "system"), ("user", "user"), ("assistant", "assistant")]
)
def test_roles_stay_in_their_places(role: Any, here: str) -> None:
    said, dropped = messages(*HI.turns, Turn(role=role, blocks=(Text(text="x"),)), *HI.turns)
    assert ([message["role"] for message in said], dropped) == (["user", here, "user"], ())


def test_names_have_no_place() -> None:
    said, dropped = messages(Turn(role="user", blocks=(Text(text="x"),), path="messages[0]", name="ada"))
    assert (said, dropped) == ([{"role": "user", "content": "x"}], ("messages[0].name",))
