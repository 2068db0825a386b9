"""No text of a request is hidden from the detectors, wherever it stands."""

import base64
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.wires.planting import places, planted
from tierwise.core.call import Part
from tierwise.core.errors import InvalidCall
from tierwise.wires.chat_parts import gather
from tierwise.wires.chat_shape import read_shape
from tierwise.wires.tokens import IMAGE_TOKENS, MESSAGE_TOKENS

CANARY = "canary é 4111 1111"

FULL: dict[str, Any] = {
    "model": "m",
    "user": "u",
    "prompt_cache_key": "cache",
    "stop": ["halt"],
    "logit_bias": {"7": 1},
    "stream": True,
    "stream_options": {"include_usage": True, "future": "so"},
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "metadata": {"order": "meta", "note": "text"},
    "unknown": {"deep": [{"er": "x"}]},
    "prediction": {"type": "content", "content": "guess"},
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "does",
                "parameters": {"type": "object", "properties": {"p": {"type": "string", "description": "d"}}},
            },
        },
        {"type": "custom", "custom": {"name": "g", "description": "c"}},
    ],
    "messages": [
        {"role": "system", "content": "rules", "name": "boss"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low", "alt": "a"}},
                {
                    "type": "file",
                    "file": {"filename": "report.pdf", "file_data": "data:text/plain,hello", "file_id": "f1"},
                },
                {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
                {"type": "future_kind", "future": {"text": "tomorrow"}},
            ],
        },
        {
            "role": "assistant",
            "content": "sure",
            "refusal": "rather not",
            "reasoning_content": "thinking",
            "audio": {"id": "a1"},
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"p":"v"}'}}],
        },
        {"role": "assistant", "content": None, "function_call": {"name": "old", "arguments": "{}"}},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "result"}]},
        {"role": "user", "content": "go"},
    ],
}
CLOSED = {"role", "type", "format", "detail", "data"}
"""Members whose strings are a word from a closed list, or the bytes of a sound."""


def parts_of(tree: dict[str, Any]) -> list[Part]:
    return gather(read_shape(tree), tree).parts


OTHERS = {("model",), ("messages", 4, "tool_call_id")}
PLACES = [place for place in places(FULL) if not CLOSED.intersection(place) and place not in OTHERS]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_every_string_of_a_request_is_in_some_part(place: tuple[Any, ...]) -> None:
    text = CANARY
    if place[-1] == "url":
        text = "https://example.com/" + CANARY.replace(" ", "-")
    tree = planted(FULL, place, text)
    if place[-1] == "file_data":  # only base64 is a file; what it decodes to is searched
        text = CANARY.strip()
        tree = planted(FULL, place, base64.b64encode(text.encode()).decode())
    if place[-1] == "id" and "tool_calls" in place:
        tree["messages"][4]["tool_call_id"] = text
    found = [part for part in parts_of(tree) if text in part.text]
    assert found, place
    assert all(text not in part.path for part in found)


def test_each_part_says_where_and_of_what_kind_it_is() -> None:
    kinds = {part.path: part.kind for part in parts_of(FULL)}
    assert kinds["messages[0].content"] == "text"
    assert kinds["messages[0].name"] == "name"
    assert kinds["messages[1].content[0].text"] == "text"
    assert kinds["messages[1].content[1].image_url.url"] == "image"
    assert kinds["messages[1].content[2].file.file_data"] == "file"
    assert kinds["messages[1].content[2].file.filename"] == "name"
    assert kinds["messages[2].tool_calls[0]"] == "tool_call"
    assert kinds["messages[4].content[0].text"] == "tool_result"
    assert kinds["tools[0]"] == kinds["tools[1]"] == "tool_definition"
    assert kinds["metadata"] == kinds["user"] == kinds["unknown"] == "metadata"


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), min_size=1))
def test_a_key_is_searched_like_a_value(key: str) -> None:
    assume("_per_" not in key and "_cost" not in key)  # names of prices are refused
    tree = {
        "model": "m",
        "messages": [{"role": "user", "content": "hi", "x" + key: 1}],
        "y" + key: True,
        "z" + key: [1],
    }
    parts = parts_of(tree)
    assert any(key in part.text or key in part.path for part in parts)
    assert all(part.path.isascii() for part in parts)


def test_characters_hidden_behind_escapes_in_arguments_are_found() -> None:
    arguments = '{"card":"\\u0034111 1111","a":"x\\ny"}'
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    tree = {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}
    assert any("4111 1111" in part.text for part in parts_of(tree))


def test_text_files_are_read_and_binary_ones_counted() -> None:
    def file(data: str) -> dict[str, Any]:
        block = {"type": "file", "file": {"filename": "f", "file_data": data}}
        return {"model": "m", "messages": [{"role": "user", "content": [block]}]}

    encoded = base64.b64encode(CANARY.encode()).decode()
    assert any(CANARY in part.text for part in parts_of(file(f"data:text/csv;base64,{encoded}")))
    tree = file("data:application/pdf;base64," + "A" * 40_000)
    found = gather(read_shape(tree), tree)
    assert not any("AAAA" in part.text for part in found.parts)
    assert (found.files, found.images) == (1, 0)
    assert found.tokens >= 15_000


def test_pictures_are_counted_and_not_searched() -> None:
    block = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    tree = {"model": "m", "messages": [{"role": "user", "content": [block, block]}]}
    found = gather(read_shape(tree), tree)
    assert found.images == 2
    assert 2 * IMAGE_TOKENS + MESSAGE_TOKENS <= found.tokens < 2 * IMAGE_TOKENS + 100
    assert all(len(part.text) < 200 for part in found.parts)


def test_an_image_inside_a_private_network_is_refused() -> None:
    block = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}
    with pytest.raises(InvalidCall) as caught:
        parts_of({"model": "m", "messages": [{"role": "user", "content": [block]}]})
    assert caught.value.param == "messages[0].content[0].image_url.url"


@pytest.mark.parametrize(
    "members",
    [
        {"api_base": "http://evil.invalid"},
        {"base_url": "x"},
        {"api_key": "x"},
        {"fallbacks": []},
        {"headers": {}},
        {"extra_headers": {}},
        {"input_cost_per_token": 0},
        {"output_price": 0},
        {"price_usd_per_mtok": 0},
        {"pricing": {}},
        {"extra_body": {"a": [{"api_base": "x"}]}},
        {"metadata": {"api_key": "x"}},
        {"metadata": {"more": {"base_url": "x"}}},
    ],
)
def test_what_steers_the_gateway_is_refused(members: dict[str, Any]) -> None:
    with pytest.raises(InvalidCall) as caught:
        parts_of({"model": "m", "messages": [{"role": "user", "content": "hi"}]} | members)
    assert caught.value.code == "forbidden_field"


def test_the_same_words_are_free_where_they_are_the_callers_own() -> None:
    schema = {"type": "object", "properties": {"headers": {}, "api_key": {}, "price": {}}}
    parts_of(
        {
            "model": "m",
            "metadata": {"cost_center": "7", "x-tierwise-max-cost-usd": "1"},
            "messages": [{"role": "user", "content": "api_base"}],
            "tools": [{"type": "function", "function": {"name": "headers", "parameters": schema}}],
        }
    )


@given(
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")),
    st.sampled_from(["", "data:,", "data:x/y;base64,"]),
)
def test_text_in_base64_is_read_under_any_name(text: str, head: str) -> None:
    text += CANARY * 300
    data = head + (text if head == "data:," else base64.urlsafe_b64encode(text.encode()).decode())
    block = {"type": "file", "file": {"file_data": data}}
    assert any(
        text in part.text for part in parts_of({"model": "m", "messages": [{"role": "user", "content": [block]}]})
    )


def test_a_short_word_that_could_be_base64_is_searched_as_it_stands() -> None:
    block = {"type": "file", "file": {"file_data": "AKIAIOSFODNN7EXAMPLE"}}
    parts = parts_of({"model": "m", "messages": [{"role": "user", "content": [block]}]})
    assert any("AKIAIOSFODNN7EXAMPLE" in part.text for part in parts)
