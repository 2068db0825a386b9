"""What Gemini is asked: every field in its own words, what it has no word for named as the caller spells it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.callers import BODIES, asked_on
from tests.unit.wires.conversations import EVERYTHING, SCHEMA, conversations
from tierwise.core.conversation import Conversation, Effort, Format, Reasoning, Text, Tool, ToolChoice, ToolUse, Turn
from tierwise.wires.gemini_request import LEAST_BUDGET, MOST_STOPS, WIRE, encode_request
from tierwise.wires.wire import Recipient

THERE = Recipient(endpoint="there", served_name="gemini-2.5-flash", stream=False)
THINKS = msgspec.structs.replace(THERE, capabilities=frozenset({"thinking"}))
LEVELS = msgspec.structs.replace(THINKS, served_name="gemini-3-pro-preview")
HI = Conversation(turns=(Turn(role="user", blocks=(Text(text="hi"),)),))


def asking(**fields: Any) -> Conversation:
    return msgspec.structs.replace(HI, **fields)


def written(asked: Conversation, to: Recipient = THERE) -> tuple[dict[str, Any], tuple[str, ...]]:
    request = encode_request(asked, to)
    assert (request.root, request.headers) == (False, ())
    return json.loads(request.body), request.dropped


def config(to: Recipient = THERE, **fields: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, dropped = written(asking(**fields), to)
    return body.get("generationConfig", {}), dropped


LOST = {
    "chat": {
        "store", "service_tier", "keep_alive", "metadata", "cache_control", "messages[0].name",
        "messages[1]: image detail", "messages[1]: file name", "thinking", "parallel_tool_calls", "logit_bias", "user",
        "verbosity",
    },
    "responses": {
        "truncation", "safety_identifier", "include: file_search_call.results", "metadata", "tools[1]: web_search",
        "input[0]: image detail", "input[0]: file name", "thinking", "parallel_tool_calls", "user", "text.verbosity",
    },
    "messages": {
        "service_tier", "container", "cache_control", "messages[0]: file name", "thinking",
        "tool_choice.disable_parallel_tool_use", "metadata.user_id",
    },
}  # fmt: skip


@pytest.mark.parametrize("wire", BODIES)
def test_what_it_cannot_be_told_is_named_as_the_caller_wrote_it(wire: str) -> None:
    _, dropped = written(asked_on(wire), THINKS)
    assert set(dropped) == LOST[wire]
    assert len(dropped) == len(LOST[wire])


@pytest.mark.parametrize(
    ("wire", "spelled"), [("chat", "reasoning_effort"), ("responses", "reasoning"), ("messages", "thinking")]
)
def test_a_model_that_does_not_think_is_not_told_to(wire: str, spelled: str) -> None:
    body, dropped = written(asked_on(wire))
    assert "thinkingConfig" not in body["generationConfig"]
    assert set(dropped) == LOST[wire] | {spelled}


@pytest.mark.parametrize("wire", BODIES)
def test_the_rest_is_the_same_from_every_wire(wire: str) -> None:
    body, _ = written(asked_on(wire, tool_choice=None), THINKS)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    [asked, called, answered] = body["contents"]
    assert [next(iter(part)) for part in asked["parts"]] == ["text", "inlineData", "inlineData"]
    assert called["parts"] == [{"functionCall": {"id": "c1", "name": "look", "args": {"city": "Bern"}}}]
    result = {"id": "c1", "name": "look", "response": {"output": "rain"}}
    assert answered == {"role": "user", "parts": [{"functionResponse": result}]}
    assert body["tools"] == [{"functionDeclarations": [{"name": "look", "parametersJsonSchema": SCHEMA}]}]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "VALIDATED"}}, "the tool is strict"
    assert body["generationConfig"]["responseJsonSchema"] == SCHEMA
    assert body["generationConfig"]["responseMimeType"] == "application/json"


def test_everything_that_can_be_said_is_said() -> None:
    body, dropped = written(EVERYTHING, THINKS)
    assert body["generationConfig"] == {
        "maxOutputTokens": 100, "temperature": 0.5, "topP": 0.9, "topK": 40, "frequencyPenalty": 0.1,
        "presencePenalty": 0.2, "seed": 7, "candidateCount": 2, "stopSequences": ["END"], "responseLogprobs": True,
        "logprobs": 3, "responseMimeType": "application/json", "responseJsonSchema": SCHEMA,
        "thinkingConfig": {"includeThoughts": True, "thinkingBudget": 24_576},
    }  # fmt: skip
    assert set(dropped) == {
        "container", "thinking", "messages[3]: file name", "parallel_tools", "logit_bias", "user", "verbosity",
        "cache_control",
    }  # fmt: skip


@given(conversations())
def test_what_every_wire_can_say_is_said_without_loss(asked: Conversation) -> None:
    body, dropped = written(asked, THINKS)
    assert dropped == ()
    assert body["generationConfig"]["maxOutputTokens"] == asked.max_output_tokens


def test_a_bare_question_says_nothing_more() -> None:
    assert written(HI) == ({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}, ())


# where to


@pytest.mark.parametrize(
    ("name", "stream", "path"),
    [
        ("gemini-3-pro", False, "/models/gemini-3-pro:generateContent"),
        ("gemini-3-pro", True, "/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        ("tunedModels/mine-1", False, "/tunedModels/mine-1:generateContent"),
        ("models/gemini-3-pro", True, "/models/gemini-3-pro:streamGenerateContent?alt=sse"),
        ("a b?x=1#y", False, "/models/a%20b%3Fx%3D1%23y:generateContent"),
        ("é", False, "/models/%C3%A9:generateContent"),
    ],
)
def test_the_path_names_the_model(name: str, stream: bool, path: str) -> None:
    to = msgspec.structs.replace(THERE, served_name=name, stream=stream)
    request = encode_request(HI, to)
    assert (request.path, WIRE) == (path, "gemini")
    assert json.loads(request.body).keys() == {"contents"}, "nor the model nor the stream is in the body"


# tools


@pytest.mark.parametrize(
    ("choice", "strict", "wanted"),
    [
        (None, None, None),
        (None, False, None),
        (None, True, {"mode": "VALIDATED"}),
        ("auto", None, {"mode": "AUTO"}),
        ("auto", True, {"mode": "VALIDATED"}),
        ("none", True, {"mode": "NONE"}),
        ("required", None, {"mode": "ANY"}),
        ("required", True, {"mode": "ANY"}),
        ("named", None, {"mode": "ANY", "allowedFunctionNames": ["look"]}),
    ],
)
def test_which_tools_are_called(choice: Any, strict: bool | None, wanted: dict[str, Any] | None) -> None:
    chosen = None if choice is None else ToolChoice(mode=choice, name="look" if choice == "named" else "")
    tools = (Tool(name="look", parameters=SCHEMA, strict=strict), Tool(name="hear"))
    body, dropped = written(asking(tools=tools, tool_choice=chosen))
    assert body.get("toolConfig") == (None if wanted is None else {"functionCallingConfig": wanted})
    assert dropped == ()


@pytest.mark.parametrize(
    ("parallel", "choice", "lost"),
    [(False, None, True), (False, "none", False), (True, None, False), (None, None, False)],
)
def test_it_cannot_be_told_to_call_one_at_a_time(parallel: bool | None, choice: Any, lost: bool) -> None:
    chosen = None if choice is None else ToolChoice(mode=choice)
    asked = asking(tools=(Tool(name="look"),), parallel_tools=parallel, tool_choice=chosen)
    assert written(asked)[1] == (("parallel_tools",) if lost else ())


NESTED = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"at": {"$ref": "#/$defs/place"}, "when": {"anyOf": [{"type": "string"}, {"type": "null"}]}},
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": ["string", "null"]}}}},
    "additionalProperties": False,
}
DIALECTS: list[tuple[dict[str, Any], bool]] = [
    (SCHEMA, True),
    (NESTED, True),
    ({"type": "object", "additionalProperties": {"type": "string"}}, True),
    ({"type": "object", "additionalProperties": True}, True),
    ({"anyOf": [SCHEMA, {"type": "object"}]}, True),
    ({"type": "object", "properties": {}, "minProperties": 1}, True),
    ({}, False),
    ({"type": "object"}, False),
    ({"type": "object", "properties": {}, "required": []}, False),
    ({"type": "object", "properties": {}, "additionalProperties": False, "$schema": "x"}, False),
]


@pytest.mark.parametrize(("schema", "kept"), DIALECTS)
def test_a_schema_goes_as_it_is_or_not_at_all(schema: dict[str, Any], kept: bool) -> None:
    body, _ = written(asking(tools=(Tool(name="f", description="does", parameters=schema),)))
    function = {"name": "f", "description": "does"} | ({"parametersJsonSchema": schema} if kept else {})
    assert body["tools"] == [{"functionDeclarations": [function]}]


def test_calls_of_tools_that_are_no_longer_offered_stay() -> None:
    turns = (*HI.turns, Turn(role="assistant", blocks=(ToolUse(id="c", name="gone"),)))
    body, dropped = written(asking(turns=turns))
    assert body["contents"][1]["parts"][0]["functionCall"]["name"] == "gone"
    assert ("tools" not in body, dropped) == (True, ())


# the answer


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Format(kind="json"), {"responseMimeType": "application/json"}),
        (
            Format(kind="schema", schema=NESTED),
            {"responseMimeType": "application/json", "responseJsonSchema": NESTED},
        ),
    ],
)
def test_formats(wanted: Format, said: dict[str, Any]) -> None:
    assert config(format=wanted) == (said, ())


@pytest.mark.parametrize(("n", "said"), [(None, {}), (1, {}), (3, {"candidateCount": 3})])
def test_several_candidates(n: int | None, said: dict[str, Any]) -> None:
    assert config(n=n) == (said, ())


def test_more_stops_than_it_takes_are_cut_and_named() -> None:
    stops = tuple("abcdefg")
    assert config(stop=stops, spelled={"stop": "stop_sequences"}) == (
        {"stopSequences": list(stops[:MOST_STOPS])},
        ("stop_sequences[5:]",),
    )
    assert config(stop=stops[:MOST_STOPS])[1] == ()


@given(st.integers(-(2**63), 2**64))
def test_a_seed_fits_and_is_always_the_same(seed: int) -> None:
    said, dropped = config(seed=seed)
    assert -(2**31) <= said["seed"] < 2**31
    assert (said["seed"] - seed) % 2**32 == 0
    assert dropped == ()


@pytest.mark.parametrize(
    ("fields", "to", "said"),
    [
        ({"logprobs": True}, THERE, {"responseLogprobs": True}),
        ({"logprobs": True, "top_logprobs": 0}, THERE, {"responseLogprobs": True, "logprobs": 0}),
        ({}, msgspec.structs.replace(THERE, logprobs=True), {"responseLogprobs": True}),
    ],
)
def test_log_probabilities(fields: dict[str, Any], to: Recipient, said: dict[str, Any]) -> None:
    assert config(to, **fields) == (said, ())


# thinking


PRO = msgspec.structs.replace(THINKS, served_name="gemini-2.5-pro")
THOUGHT: list[tuple[Recipient, Reasoning, dict[str, Any] | None, bool]] = [
    (THINKS, Reasoning(effort="minimal"), {"thinkingBudget": 1024}, False),
    (THINKS, Reasoning(effort="medium"), {"thinkingBudget": 8192}, False),
    (THINKS, Reasoning(effort="max"), {"thinkingBudget": 24_576}, False),
    (THINKS, Reasoning(budget_tokens=77), {"thinkingBudget": 77}, False),
    (THINKS, Reasoning(effort="low", budget_tokens=77), {"thinkingBudget": 77}, False),
    (THINKS, Reasoning(effort="none"), {"thinkingBudget": 0}, False),
    (THINKS, Reasoning(visible=True), {"includeThoughts": True}, False),
    (THINKS, Reasoning(visible=False), None, False),
    (PRO, Reasoning(effort="none"), {"thinkingBudget": LEAST_BUDGET}, True),
    (LEVELS, Reasoning(effort="minimal"), {"thinkingLevel": "LOW"}, False),
    (LEVELS, Reasoning(effort="medium"), {"thinkingLevel": "MEDIUM"}, False),
    (LEVELS, Reasoning(effort="xhigh", visible=True), {"includeThoughts": True, "thinkingLevel": "HIGH"}, False),
    (LEVELS, Reasoning(budget_tokens=77), {"thinkingBudget": 77}, False),
    (LEVELS, Reasoning(effort="none"), {"thinkingLevel": "LOW"}, True),
    (THERE, Reasoning(effort="high"), None, True),
    (THERE, Reasoning(budget_tokens=77), None, True),
    (THERE, Reasoning(effort="none"), None, False),
]


@pytest.mark.parametrize(("to", "reasoning", "said", "lost"), THOUGHT)
def test_how_much_to_think(to: Recipient, reasoning: Reasoning, said: dict[str, Any] | None, lost: bool) -> None:
    thinking, dropped = config(to, reasoning=reasoning, spelled={"reasoning": "reasoning_effort"})
    assert thinking.get("thinkingConfig") == said
    assert dropped == (("reasoning_effort",) if lost else ())


@pytest.mark.parametrize("effort", ["minimal", "low", "medium", "high", "xhigh", "max"])
@pytest.mark.parametrize("to", [THINKS, PRO, LEVELS], ids=lambda to: to.served_name)
def test_never_a_level_and_a_budget(to: Recipient, effort: Effort) -> None:
    thinking = config(to, reasoning=Reasoning(effort=effort))[0]["thinkingConfig"]
    assert thinking.keys() == ({"thinkingLevel"} if to is LEVELS else {"thinkingBudget"})
