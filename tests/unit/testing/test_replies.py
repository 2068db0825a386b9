"""The scripted model's rules, computed here by hand."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.testing.faults import Script
from tierwise.testing.replies import LOOPED, REFUSAL, Reply, ScriptedChoice, reply_to, words

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1}}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ("weather", "traffic")]


def ask(text: str = "one two three", script: Script = Script(), **more: Any) -> Reply:
    return reply_to({"messages": [{"role": "user", "content": text}]} | more, "m", script)


def text_of(choice: ScriptedChoice) -> str:
    return "".join(choice.pieces)


@given(st.text())
def test_words_join_to_the_text(text: str) -> None:
    assert "".join(words(text)) == text


def test_it_repeats_the_last_message_and_counts_words() -> None:
    messages = [
        {"role": "system", "content": "be  brief"},
        {"role": "user", "content": [{"type": "text", "text": "one two"}, {"type": "text", "text": "three"}]},
    ]
    reply = reply_to({"messages": messages}, "m", Script())
    assert text_of(reply.choices[0]) == "one two three"
    assert (reply.prompt_tokens, reply.completion_tokens, reply.choices[0].finish) == (5, 3, "stop")


def test_choices_are_numbered() -> None:
    reply = ask("hi", n=3)
    assert [text_of(choice) for choice in reply.choices] == ["hi", "hi #1", "hi #2"]
    assert reply.completion_tokens == 1 + 2 + 2


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_limits(name: str) -> None:
    reply = ask(**{name: 2})
    assert (text_of(reply.choices[0]), reply.choices[0].finish, reply.completion_tokens) == ("one two", "length", 2)
    assert ask(**{name: 3}).choices[0].finish == "stop"


@pytest.mark.parametrize(
    ("stop", "text"), [("two", "one "), (["three", " two"], "one"), ([], "one two three"), ("x", "one two three")]
)
def test_stops(stop: Any, text: str) -> None:
    choice = ask(stop=stop).choices[0]
    assert (text_of(choice), choice.finish) == (text, "stop")


@pytest.mark.parametrize(
    ("text", "more", "called"),
    [
        ("what weather", {}, ["weather"]),
        ("traffic, and weather!", {}, ["weather", "traffic"]),
        ("traffic, and weather!", {"parallel_tool_calls": False}, ["weather"]),
        ("hello", {}, []),
        ("hello", {"tool_choice": "required"}, ["weather"]),
        ("weather", {"tool_choice": "none"}, []),
        ("hello", {"tool_choice": {"type": "function", "function": {"name": "traffic"}}}, ["traffic"]),
    ],
)
def test_tools(text: str, more: dict[str, Any], called: list[str]) -> None:
    choice = ask(text, tools=TOOLS, **more).choices[0]
    assert [call.name for call in choice.calls] == called
    assert choice.finish == ("tool_calls" if called else "stop")
    assert all("".join(call.arguments) == '{"city":"text","days":1}' for call in choice.calls)
    assert len({call.id for call in choice.calls}) == len(called)


def test_after_a_tools_result_it_answers() -> None:
    messages = [
        {"role": "user", "content": "weather"},
        {"role": "tool", "tool_call_id": "x", "content": "weather sunny"},
    ]
    choice = reply_to({"messages": messages, "tools": TOOLS}, "m", Script()).choices[0]
    assert (text_of(choice), choice.calls) == ("weather sunny", ())


def test_json() -> None:
    schema = {"type": "object", "properties": {"intent": {"enum": ["a", "b"]}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    assert text_of(ask("it is b", response_format=wanted).choices[0]) == '{"intent":"b"}'
    assert text_of(ask("x", response_format={"type": "json_object"}).choices[0]) == '{"echo":"x"}'
    assert text_of(ask("b", Script(fault="broken_schema"), response_format=wanted).choices[0]) == '{"intent":"b"'


def test_bad_answers() -> None:
    assert ask(script=Script(fault="empty_content")).completion_tokens == 0
    assert "".join(ask(script=Script(fault="refusal")).choices[0].refusal) == REFUSAL
    assert text_of(ask(script=Script(fault="loop")).choices[0]) == "again and " * LOOPED
    cut = ask("a b c d", Script(fault="truncation")).choices[0]
    assert (text_of(cut), cut.finish) == ("a b", "length")
    assert text_of(ask(script=Script(text="said so")).choices[0]) == "said so"
    broken = ask("weather", Script(fault="bad_tool_arguments"), tools=TOOLS).choices[0]
    assert "".join(broken.calls[0].arguments) == '{"city":"text","days":1'


def test_a_prompt_may_be_read_in_part_only() -> None:
    assert ask(script=Script(reads=2)).prompt_tokens == 2
    assert ask(script=Script(reads=9)).prompt_tokens == 3


@pytest.mark.parametrize(
    ("ignores", "asked"),
    [
        ("schema", {"response_format": {"type": "json_object"}}),
        ("tools", {"tools": TOOLS, "tool_choice": "required"}),
        ("stop", {"stop": "two"}),
        ("max_tokens", {"max_tokens": 1}),
        ("max_tokens", {"max_completion_tokens": 1}),
    ],
)
def test_what_is_ignored_changes_nothing(ignores: Any, asked: dict[str, Any]) -> None:
    assert ask(**asked) != ask()
    assert ask(script=Script(ignores=ignores), **asked) == ask()
