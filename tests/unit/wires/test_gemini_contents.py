"""Turns as Gemini's contents: parts in the order that it demands, and every signature where it came from."""

import itertools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.conversations import EVERYTHING, PIXEL, conversations
from tierwise.core.answer import Answer
from tierwise.core.conversation import Conversation, File, Image, Seal, Text, Thinking, ToolResult, ToolUse, Turn
from tierwise.wires import messages, responses
from tierwise.wires.gemini_answer import decode_answer
from tierwise.wires.gemini_contents import THOUGHT, UNSIGNED, sign, write_contents
from tierwise.wires.gemini_request import encode_request
from tierwise.wires.seals import enclose
from tierwise.wires.wire import Recipient

THERE = Recipient(endpoint="there", served_name="gemini-3-pro", stream=False, capabilities=frozenset({"thinking"}))
HI = Turn(role="user", blocks=(Text(text="hi"),), path="messages[0]")


def written(*turns: Turn, to: Recipient = THERE) -> tuple[list[Any], list[Any], list[str]]:
    dropped: list[str] = []
    system, contents = write_contents(Conversation(turns=turns), to, dropped)
    return system, contents, dropped


def model(*blocks: Any) -> Turn:
    return Turn(role="assistant", blocks=blocks, path="messages[1]")


def results(*results: Any) -> Turn:
    return Turn(role="user", blocks=results, path="messages[2]")


# what came from this endpoint goes back as it came


def call(name: str = "look", ident: str = "c1", **more: Any) -> dict[str, Any]:
    return {"functionCall": {"id": ident, "name": name, "args": {"a": 1}}} | more


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"text": words} | more


def signed(signature: str) -> dict[str, str]:
    return {"thoughtSignature": signature}


def answered(parts: list[dict[str, Any]]) -> Answer:
    """Read an answer, and put its seals into envelopes as callers of another wire get them."""
    body = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}
    answer = decode_answer(json.dumps(body).encode())
    pieces = tuple(
        msgspec.structs.replace(p, seal=enclose(Seal(wire="gemini", data=p.seal, origin="there"))) if p.seal else p
        for p in answer.ordered
    )
    return msgspec.structs.replace(answer, raw=b"", ordered=pieces)


def through_messages(parts: list[dict[str, Any]]) -> Conversation:
    asked: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    whole = messages.encode_answer(answered(parts), messages.decode_request(json.dumps(asked).encode()), ident="1")
    content = json.loads(whole)["content"]
    asked["messages"].append({"role": "assistant", "content": content})
    calls = [block["id"] for block in content if block["type"] == "tool_use"]
    said = [{"type": "tool_result", "tool_use_id": ident, "content": "rain"} for ident in calls]
    asked["messages"].append({"role": "user", "content": said or "and?"})
    return messages.read_conversation(messages.decode_request(json.dumps(asked).encode()))


def through_responses(parts: list[dict[str, Any]]) -> Conversation:
    asked: dict[str, Any] = {"model": "m", "input": [{"role": "user", "content": "hi"}]}
    whole = responses.encode_answer(answered(parts), responses.decode_request(json.dumps(asked).encode()), ident="1")
    output = json.loads(whole)["output"]
    calls = [item["call_id"] for item in output if item["type"] == "function_call"]
    said = [{"type": "function_call_output", "call_id": ident, "output": "rain"} for ident in calls]
    asked["input"] += output + (said or [{"role": "user", "content": "and?"}])
    return responses.read_conversation(responses.decode_request(json.dumps(asked).encode()))


THROUGH = {"messages": through_messages, "responses": through_responses}
PLACES: dict[str, list[dict[str, Any]]] = {
    "on words": [text("Hi", **signed("s"))],
    "alone at the end": [text("Hi"), text("", **signed("s"))],
    "alone": [text("", **signed("s"))],
    "on a call": [call(**signed("s"))],
    "on the first of two calls": [call(**signed("s")), call("hear", "c2")],
    "on words and on a call": [text("Let me look.", **signed("w")), call(**signed("c"))],
    "on each of two words": [text("A", **signed("1")), text("B", **signed("2"))],
    "on the second words": [text("A"), text("B", **signed("2"))],
    "on a thought": [text("hm", thought=True, **signed("t")), text("Hi")],
    "on a thought and on a call": [text("hm", thought=True, **signed("t")), call(**signed("c"))],
    "on each of two thoughts": [
        text("a", thought=True, **signed("1")), text("b", thought=True, **signed("2")), text("Hi"),
    ],
    "on the call behind a thought without": [text("hm", thought=True), call(**signed("c"))],
    "on the words behind a thought without": [text("hm", thought=True), text("Hi", **signed("w"))],
    "everywhere": [
        text("hm", thought=True, **signed("t")), text("Hi", **signed("w")), call(**signed("c")), call("hear", "c2"),
        text("", **signed("e")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("through", THROUGH)
@pytest.mark.parametrize("place", PLACES)
def test_a_signature_comes_back_where_it_was(through: str, place: str) -> None:
    request = encode_request(THROUGH[through](PLACES[place]), THERE)
    assert json.loads(request.body)["contents"][1] == {"role": "model", "parts": PLACES[place]}
    assert request.dropped == ()


@st.composite
def parts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Make what a model says: signed thoughts, words and calls signed or not, a signature alone at the end."""
    said: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 6))):
        mark = signed(f"s{number}") if draw(st.booleans()) else {}
        match draw(st.sampled_from(("thought", "words", "call"))):
            case "thought":
                said.append(text(f"t{number}", thought=True, **signed(f"s{number}")))
            case "words" if mark or not (said and said[-1].keys() >= {"text"} and "thought" not in said[-1]):
                said.append(text(f"w{number}", **mark))
            case _:
                said.append(call("look", f"c{number}", **mark))
    return said + ([text("", **signed("end"))] if draw(st.booleans()) else [])


@given(parts(), st.sampled_from(sorted(THROUGH)))
def test_any_answer_of_this_endpoint_comes_back_as_it_was(said: list[dict[str, Any]], through: str) -> None:
    to = msgspec.structs.replace(THERE, served_name="gemini-2.5-pro")  # which looks for no signatures
    request = encode_request(THROUGH[through](said), to)
    assert json.loads(request.body)["contents"][1]["parts"] == said
    assert request.dropped == ()


@pytest.mark.parametrize("through", THROUGH)
def test_thoughts_that_nobody_signed_stay_behind(through: str) -> None:
    request = encode_request(THROUGH[through]([text("hm", thought=True), text("Hi")]), THERE)
    assert json.loads(request.body)["contents"][1]["parts"] == [text("Hi")]
    assert request.dropped == ("thinking",)


# what came from elsewhere


SEALS = {
    "another wire's": Seal(wire="messages", data="signed:x", origin="there"),
    "another endpoint's": Seal(wire="gemini", data="x", origin="elsewhere"),
    "another endpoint's, on a thought": Seal(wire="gemini", data=THOUGHT + "x", origin="elsewhere"),
}


@pytest.mark.parametrize("whose", SEALS)
def test_a_call_with_a_foreign_seal_gets_the_documented_placeholder(whose: str) -> None:
    turns = (
        HI,
        model(Thinking(text="hm", seal=SEALS[whose]), ToolUse(id="c1", name="look"), ToolUse(id="c2", name="hear")),
        results(ToolResult(id="c1", name="look"), ToolResult(id="c2", name="hear")),
    )
    request = encode_request(Conversation(turns=turns), THERE)
    first, second = json.loads(request.body)["contents"][1]["parts"]
    assert first["thoughtSignature"] == UNSIGNED == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second, "only the first of calls at once is signed"
    assert request.dropped == ("thinking",)
    assert b"hm" not in request.body, "thinking never becomes words"


def steps(*seals: Seal | None) -> tuple[Turn, ...]:
    """Make a tool loop of one call a step."""
    turns = [HI]
    for number, seal in enumerate(seals):
        thinking = () if seal is None else (Thinking(seal=seal),)
        turns.append(model(*thinking, ToolUse(id=f"c{number}", name="look")))
        turns.append(results(ToolResult(id=f"c{number}", name="look", content=(Text(text="rain"),))))
    return tuple(turns)


def signatures(request: Any) -> list[str]:
    contents = json.loads(request.body)["contents"]
    return [part.get("thoughtSignature", "") for c in contents for part in c["parts"] if "functionCall" in part]


OURS = Seal(wire="gemini", data="ours", origin="there")


@pytest.mark.parametrize(
    ("seals", "expected"),
    [
        ((OURS, OURS), ["ours", "ours"]),
        ((None, OURS), [UNSIGNED, "ours"]),
        ((OURS, None), ["ours", UNSIGNED]),
        ((None, None), [UNSIGNED, UNSIGNED]),
        ((Seal(wire="gemini", data="old"),), ["old"]),  # of an endpoint that nobody knows any more
    ],
)
def test_every_step_of_the_current_turn_is_signed(seals: tuple[Seal | None, ...], expected: list[str]) -> None:
    assert signatures(encode_request(Conversation(turns=steps(*seals)), THERE)) == expected


def test_calls_before_the_current_turn_need_no_signature() -> None:
    turns = (*steps(None), model(Text(text="It rains.")), HI, *steps(None)[1:])
    assert signatures(encode_request(Conversation(turns=turns), THERE)) == ["", UNSIGNED]


@pytest.mark.parametrize("name", ["gemini-2.5-pro", "gemini-1.5-flash", "models/gemini-2.5-flash"])
def test_older_models_get_no_placeholder(name: str) -> None:
    to = msgspec.structs.replace(THERE, served_name=name)
    assert signatures(encode_request(Conversation(turns=steps(None, OURS)), to)) == ["", "ours"]


def test_a_model_that_does_not_think_gets_none_until_it_asks() -> None:
    plain = msgspec.structs.replace(THERE, capabilities=frozenset())
    assert signatures(encode_request(Conversation(turns=steps(None)), plain)) == [""]
    refused = msgspec.structs.replace(plain, unseal=True)
    assert signatures(encode_request(Conversation(turns=steps(None)), refused)) == [UNSIGNED]


def test_an_endpoint_that_refused_its_seals_gets_none() -> None:
    request = encode_request(Conversation(turns=steps(OURS, OURS)), msgspec.structs.replace(THERE, unseal=True))
    assert signatures(request) == [UNSIGNED, UNSIGNED]
    assert request.dropped == ("thinking",)


def test_a_call_that_nobody_asked_for_is_signed_too() -> None:
    """As of a conversation whose beginning was cut off."""
    assert signatures(encode_request(Conversation(turns=steps(None)[1:]), THERE)) == [UNSIGNED]


def test_of_two_signatures_in_a_row_none_is_lost() -> None:
    first, second = (Thinking(seal=Seal(wire="gemini", data=data, origin="there")) for data in "ab")
    thought = Thinking(text="hm", seal=Seal(wire="gemini", data=THOUGHT + "t", origin="there"))
    _, contents, dropped = written(HI, model(first, second, Text(text="x"), first, thought, second))
    assert contents[1]["parts"] == [
        text("", **signed("a")), text("x", **signed("b")), text("", **signed("a")),
        text("hm", thought=True, **signed("t")), text("", **signed("b")),
    ]  # fmt: skip
    assert dropped == []


def test_nothing_is_signed_where_nothing_is_called() -> None:
    contents = [{"role": "user", "parts": [{"text": "hi"}]}, {"role": "model", "parts": [{"text": "x"}]}]
    before = json.loads(json.dumps(contents))
    sign(contents)
    sign([])
    assert contents == before


# order, roles, blocks


@given(conversations())
def test_roles_alternate_and_results_stand_first(asked: Conversation) -> None:
    system, contents, dropped = written(*asked.turns)
    roles = [content["role"] for content in contents]
    assert all(one != following for one, following in itertools.pairwise(roles))
    assert roles[0] == "user"
    assert bool(system) == (asked.turns[0].role == "system")
    for content in contents:
        kinds = ["functionResponse" in part for part in content["parts"]]
        assert kinds == sorted(kinds, reverse=True)
    assert dropped == []


@given(conversations())
def test_every_word_is_said(asked: Conversation) -> None:
    system, contents, _ = written(*asked.turns)
    said = [part["text"] for content in [{"parts": system}, *contents] for part in content["parts"] if "text" in part]
    assert said == [block.text for turn in asked.turns for block in turn.blocks if isinstance(block, Text)]


def test_everything_has_its_place() -> None:
    system, contents, dropped = written(*EVERYTHING.turns)
    assert system == [{"text": "Be brief."}]
    assert contents == [
        {"role": "user", "parts": [{"text": "What is this?"}, inline("image/png", PIXEL)]},
        {"role": "model", "parts": [
            {"text": "Let me look."},
            {"functionCall": {"id": "call_1", "name": "look", "args": {"city": "Köln"}}},
            {"functionCall": {"id": "call_2", "name": "look", "args": {}}},
        ]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "call_1", "name": "look", "response": {"output": "rain"}}},
            {"functionResponse": {"id": "call_2", "name": "look", "response": {"error": "no such city"}}},
            {"text": "From the tool call call_1:"},
            {"fileData": {"fileUri": "https://example.com/a.png", "mimeType": "image/png"}},
            {"text": "And now?"},
            inline("application/pdf", "JVBERi0="),
        ]},
    ]  # fmt: skip
    assert dropped == ["thinking", "messages[3]: file name"]


def inline(media_type: str, data: str) -> dict[str, Any]:
    return {"inlineData": {"mimeType": media_type, "data": data}}


def test_instructions_alone_are_asked_as_a_question() -> None:
    alone = Turn(role="developer", blocks=(Text(text="Count."),), path="messages[0]")
    assert written(alone) == ([], [{"role": "user", "parts": [{"text": "Count."}]}], ["messages[0].role"])
    assert written() == ([], [{"role": "user", "parts": [{"text": "."}]}], [])


def test_instructions_in_between_are_the_users() -> None:
    between = Turn(role="system", blocks=(Text(text="Now in French."),), path="messages[2]")
    system, contents, dropped = written(HI, model(Text(text="Hello")), between)
    assert (system, contents[-1]) == ([], {"role": "user", "parts": [{"text": "Now in French."}]})
    assert dropped == ["messages[2].role"]


@pytest.mark.parametrize("arguments", ["", "{}", "[1]", "not json", '"x"'])
def test_arguments_are_an_object_whatever_was_written(arguments: str) -> None:
    _, contents, _ = written(HI, model(ToolUse(id="c", name="f", arguments=arguments)))
    args = contents[1]["parts"][0]["functionCall"]["args"]
    wanted: dict[str, dict[str, Any]] = {
        "[1]": {"arguments": [1]}, "not json": {"arguments": "not json"}, '"x"': {"arguments": "x"},
    }  # fmt: skip
    assert args == wanted.get(arguments, {})


def test_a_result_without_an_id_or_a_name_still_has_a_name() -> None:
    _, contents, _ = written(HI, model(ToolUse(id="", name="look")), results(ToolResult(id="", name="look")))
    assert contents[1]["parts"] == [{"functionCall": {"name": "look", "args": {}}}]
    assert contents[2]["parts"] == [{"functionResponse": {"name": "look", "response": {"output": ""}}}]
    _, contents, _ = written(HI, results(ToolResult(id="c9")))
    assert contents[0]["parts"][0]["functionResponse"]["name"] == "c9"


@pytest.mark.parametrize(
    ("block", "part"),
    [
        (Image(data=PIXEL), inline("image/png", PIXEL)),
        (Image(url="https://example.com/x"), {"fileData": {"fileUri": "https://example.com/x"}}),
        (File(data="AAAA"), inline("application/octet-stream", "AAAA")),
        (File(data="AAAA", media_type="audio/mp3"), inline("audio/mp3", "AAAA")),
        (File(url="https://example.com/a.pdf?x=1"),
         {"fileData": {"fileUri": "https://example.com/a.pdf?x=1", "mimeType": "application/pdf"}}),
        (File(text="a,b", media_type="text/csv"), {"text": "a,b"}),
    ],
)  # fmt: skip
def test_every_file_says_of_which_kind_it_is(block: Image | File, part: dict[str, Any]) -> None:
    _, contents, dropped = written(Turn(role="user", blocks=(block,)))
    assert (contents[0]["parts"], dropped) == ([part], [])


def test_a_files_name_tells_its_kind_before_it_is_lost() -> None:
    _, contents, dropped = written(Turn(role="user", blocks=(File(name="a.csv", data="YSxi"),), path="p"))
    assert (contents[0]["parts"], dropped) == ([inline("text/csv", "YSxi")], ["p: file name"])
