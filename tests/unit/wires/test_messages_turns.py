"""Turns as messages: lawful, whatever the conversation, and nothing lost in silence."""

import base64
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.conversations import PIXEL
from tierwise.core.conversation import (
    Block,
    Conversation,
    File,
    Image,
    Role,
    Seal,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Turn,
)
from tierwise.wires.messages_turns import safe_id, write_turns
from tierwise.wires.wire import Recipient

THERE = Recipient(endpoint="there", served_name="m", stream=False)
WORDS = Text(text="x")
NOTHING_SAID = [{"type": "text", "text": "."}]


def written(*turns: Turn, to: Recipient = THERE) -> tuple[list[Any], list[Any], list[str]]:
    dropped: list[str] = []
    system, messages = write_turns(Conversation(turns=turns), to, dropped)
    return system, messages, dropped


def user(*blocks: Block, **more: Any) -> Turn:
    return Turn(role="user", blocks=blocks, **more)


def assistant(*blocks: Block, **more: Any) -> Turn:
    return Turn(role="assistant", blocks=blocks, **more)


def test_only_the_first_words_of_the_system_stand_apart() -> None:
    system, messages, dropped = written(
        Turn(role="system", blocks=(Text(text="a", cache=True),)),
        Turn(role="developer", blocks=(Text(text="b"),)),
        user(WORDS),
        Turn(role="system", blocks=(Text(text="c"),), path="messages[3]"),
        assistant(WORDS),
    )
    assert system == [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"},
    ]  # fmt: skip
    assert [(message["role"], len(message["content"])) for message in messages] == [("user", 2), ("assistant", 1)]
    assert dropped == ["messages[3].role"]


def test_the_user_begins_and_words_do_not_end_in_blanks() -> None:
    assert written()[1] == [{"role": "user", "content": NOTHING_SAID}]
    _, messages, _ = written(assistant(Text(text="so \n")))
    assert messages == [
        {"role": "user", "content": NOTHING_SAID}, {"role": "assistant", "content": [{"type": "text", "text": "so"}]},
    ]  # fmt: skip


def test_results_come_first_and_point_at_their_calls() -> None:
    odd = "call.1 " + "x" * 80
    _, messages, dropped = written(
        user(WORDS),
        assistant(ToolUse(id=odd, name="f", arguments='{"a":1}'), ToolUse(id="t2", name="g", arguments="no json")),
        user(Text(text="meanwhile")),
        user(ToolResult(id=odd, content=(Text(text="1"), Text(text=" "))), ToolResult(id="t2", error=True)),
    )
    calls, results = messages[1]["content"], messages[2]["content"]
    assert [call["input"] for call in calls] == [{"a": 1}, {"arguments": "no json"}]
    assert [block["type"] for block in results] == ["tool_result", "tool_result", "text"]
    assert [block["tool_use_id"] for block in results[:2]] == [call["id"] for call in calls]
    assert results[0]["content"] == [{"type": "text", "text": "1"}]
    assert results[1] == {"type": "tool_result", "tool_use_id": "t2", "is_error": True}
    assert dropped == []


def test_an_id_used_twice_is_two_ids() -> None:
    """Small servers count their calls anew in every answer; Anthropic wants ids to be unique."""
    loop = (assistant(ToolUse(id="call_0", name="f")), user(ToolResult(id="call_0")))
    _, messages, _ = written(user(WORDS), *loop, *loop)
    first, second = messages[1]["content"][0]["id"], messages[3]["content"][0]["id"]
    assert first == "call_0" != second
    assert [messages[at]["content"][0]["tool_use_id"] for at in (2, 4)] == [first, second]


@pytest.mark.parametrize("data", ["signed:EqQB", "redacted:EmwK"])
def test_thinking_goes_to_whom_can_read_it_and_never_as_text(data: str) -> None:
    for origin in ("there", ""):
        _, messages, dropped = written(assistant(Thinking(text="hm", seal=Seal(wire="messages", data=data, origin=origin)), WORDS))  # fmt: skip
        assert messages[1]["content"][0]["type"].endswith("thinking")
        assert dropped == []
    foreign = [None, Seal(wire="messages", data=data, origin="elsewhere"), Seal(wire="gemini", data=data)]
    for seal in foreign:
        assert written(user(WORDS), assistant(Thinking(text="hm", seal=seal), WORDS))[1:] == (
            [{"role": role, "content": [{"type": "text", "text": "x"}]} for role in ("user", "assistant")], ["thinking"],
        )  # fmt: skip


def test_pictures_and_files() -> None:
    plain = base64.b64encode(b"a,b").decode()
    _, messages, dropped = written(
        user(
            Image(data=PIXEL, media_type="image/png"),
            Image(url="https://example.com/a.png", detail="low"),
            File(name="a.pdf", data="JVBERi0=", media_type="application/pdf"),
            File(data=plain, media_type="text/csv"),
            File(text="words", name="w"),
            File(url="https://example.com/a.pdf"),
            File(data="AA==", media_type="audio/wav"),
            path="messages[0]",
        )
    )
    assert [block["source"]["type"] for block in messages[0]["content"]] == [
        "base64", "url", "base64", "text", "text", "url",
    ]  # fmt: skip
    assert messages[0]["content"][3]["source"]["data"] == "a,b"
    assert [block.get("title") for block in messages[0]["content"][2:5]] == ["a.pdf", None, "w"]
    assert dropped == ["messages[0].detail", "messages[0]: audio/wav"]


@pytest.mark.parametrize("role", ["assistant", "system"])
def test_only_the_user_shows_pictures(role: Role) -> None:
    shown = Turn(role=role, blocks=(Image(data=PIXEL), File(text="x"), WORDS), path="p")
    system, messages, dropped = written(shown, user(WORDS))
    said = system if role == "system" else messages[1]["content"]
    assert (said, dropped) == ([{"type": "text", "text": "x"}], ["p: image", "p: file"])


def test_names_of_speakers_have_no_place() -> None:
    assert written(user(WORDS, name="ada", path="messages[0]"), user(WORDS, name="bob"))[2] == [
        "messages[0].name",
        "name",
    ]


BLOCKS = st.one_of(
    st.builds(Text, text=st.sampled_from(["", " ", "a", "b\n"])),
    st.builds(Thinking, text=st.just("hm"), seal=st.none() | st.just(Seal(wire="messages", data="signed:x"))),
    st.builds(ToolUse, id=st.sampled_from(["a", "b.", "c" * 99]), name=st.just("f")),
    st.builds(Image, url=st.just("https://example.com/a.png")),
)
RESULTS = st.lists(st.builds(ToolResult, id=st.sampled_from(["a", "b.", "c" * 99])), max_size=2)


@st.composite
def any_turns(draw: st.DrawFn) -> list[Turn]:
    turns = []
    for role in draw(st.lists(st.sampled_from(["system", "developer", "user", "assistant"]), max_size=6)):
        blocks = [
            block
            for block in draw(st.lists(BLOCKS, max_size=3))
            if role == "assistant" or isinstance(block, Text | Image)
        ]
        turns.append(Turn(role=role, blocks=(*(draw(RESULTS) if role == "user" else ()), *blocks), path="p"))
    return turns


@given(any_turns())
def test_what_is_written_is_lawful(turns: list[Turn]) -> None:
    system, messages, dropped = written(*turns)
    assert all(block["type"] == "text" for block in system)
    assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2) + ["user"] * (len(messages) % 2)  # fmt: skip
    for message in messages:
        kinds = [block["type"] for block in message["content"]]
        assert kinds
        assert kinds == sorted(kinds, key=lambda kind: kind != "tool_result")
        assert all(block["text"].strip() for block in message["content"] if block["type"] == "text")
        assert message["role"] == "user" or not {"tool_result", "image"} & {*kinds}
    calls = [block["id"] for message in messages for block in message["content"] if block["type"] == "tool_use"]
    assert len(calls) == len(set(calls))
    assert all(ident == safe_id(ident) for ident in calls)
    unsealed = [block for turn in turns for block in turn.blocks if isinstance(block, Thinking) and block.seal is None]
    assert dropped.count("thinking") == len(unsealed)


@given(st.text(max_size=100), st.text(max_size=100))
def test_ids_fit_and_stay_apart(one: str, other: str) -> None:
    assert safe_id(safe_id(one)) == safe_id(one)
    assert (safe_id(one) == safe_id(other)) == (one == other)
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", safe_id(one))


def test_a_call_that_is_repeated_thousands_of_times_costs_no_more_each_time() -> None:
    """Each looked for a free id from the beginning: a request of 2 MB took minutes."""
    blocks = [ToolUse(id="a", name="f")] * 20_000
    _, messages, _ = written(user(WORDS), assistant(*blocks))
    assert len({block["id"] for block in messages[1]["content"]}) == len(blocks)
