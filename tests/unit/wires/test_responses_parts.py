"""No text of a request is hidden from the detectors, wherever it stands."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.planting import places, planted
from tierwise.core.call import Part
from tierwise.core.conversation import Seal
from tierwise.core.errors import InvalidCall
from tierwise.wires.responses_parts import gather
from tierwise.wires.responses_request import decode_request
from tierwise.wires.responses_shape import read_shape
from tierwise.wires.seals import enclose
from tierwise.wires.tokens import IMAGE_TOKENS, MESSAGE_TOKENS

CANARY = "canary é 4111 1111"

FULL: dict[str, Any] = {
    "model": "m",
    "instructions": "rules",
    "user": "u",
    "prompt_cache_key": "cache",
    "safety_identifier": "s",
    "stream": True,
    "stream_options": {"include_obfuscation": False, "future": "so"},
    "include": ["reasoning.encrypted_content"],
    "tool_choice": {"type": "function", "name": "f"},
    "metadata": {"order": "meta", "note": "text"},
    "client_metadata": {"deep": [{"er": "x"}]},
    "truncation": "auto",
    "text": {
        "format": {"type": "json_schema", "name": "x", "description": "d", "schema": {"description": "in a schema"}},
        "verbosity": "low",
        "future": "so",
    },
    "reasoning": {"effort": "low", "summary": "auto", "future": "so"},
    "tools": [
        {"type": "function", "name": "f", "description": "does", "parameters": {"description": "d"}},
        {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
        {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "h", "description": "deep"}]},
        {"type": "mcp", "server_url": "https://example.com/", "authorization": "token"},
    ],
    "input": [
        {"role": "developer", "content": "more rules"},
        {
            "type": "message",
            "id": "msg_1",
            "role": "user",
            "status": "completed",
            "content": [
                {"type": "input_text", "text": "look", "future": "so"},
                {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "low", "alt": "a"},
                {"type": "input_image", "file_id": "file_1"},
                {"type": "input_file", "filename": "report.pdf", "file_data": "data:text/plain,hello"},
                {"type": "input_file", "file_url": "https://example.com/a.pdf"},
                {"type": "future_kind", "future": {"text": "tomorrow"}},
            ],
        },
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "briefly"}],
            "content": [{"type": "reasoning_text", "text": "at length"}],
            "encrypted_content": "gAAAA",
        },
        {
            "role": "assistant",
            "phase": "commentary",
            "content": [
                {"type": "output_text", "text": "sure", "annotations": [{"type": "url_citation", "title": "t"}]},
                {"type": "refusal", "refusal": "rather not"},
            ],
        },
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"p":"v"}', "namespace": "n"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "*** patch"},
        {"type": "web_search_call", "id": "ws_1", "action": {"type": "search", "query": "what"}},
        {"type": "function_call_output", "id": "fco_1", "call_id": "c1", "output": "result"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "done"}]},
        {"type": "compaction", "id": "cmp_0", "encrypted_content": "so"},
        {"role": "user", "content": "go"},
    ],
}  # fmt: skip


def parts_of(tree: dict[str, Any]) -> list[Part]:
    return list(decode_request(json.dumps(tree).encode()).parts)


PLACES = [place for place in places(FULL) if place != ("model",)]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_every_string_of_a_request_is_in_some_part_or_refused(place: tuple[Any, ...]) -> None:
    text = CANARY
    if place[-1] in ("image_url", "file_url"):
        text = "https://example.com/" + CANARY.replace(" ", "-")
    tree = planted(FULL, place, text)
    if place[-1] == "call_id":  # its other half has to say the same
        tree = json.loads(json.dumps(tree).replace(f'"call_id": "{"c1" if place[1] in (4, 7) else "c2"}"', f'"call_id": {json.dumps(text)}'))  # fmt: skip
    try:
        parts = parts_of(tree)
    except InvalidCall:
        assert place[-1] in ("role", "effort", "type", "file_data")
        return
    assert any(text in part.text for part in parts), place
    assert all(text not in part.path for part in parts)


def test_each_part_says_where_and_of_what_kind_it_is() -> None:
    kinds = {part.path: part.kind for part in parts_of(FULL)}
    assert kinds["instructions"] == "text"
    assert kinds["input[0].content"] == "text"
    assert kinds["input[1].content[0].text"] == "text"
    assert kinds["input[1].content[1].image_url"] == "image"
    assert kinds["input[1].content[3].file_data"] == kinds["input[1].content[4].file_url"] == "file"
    assert kinds["input[1].content[3].filename"] == "name"
    assert kinds["input[2].summary[0].text"] == kinds["input[2].content[0].text"] == "text"
    assert kinds["input[4]"] == kinds["input[5]"] == "tool_call"
    assert kinds["input[7].output"] == kinds["input[8].output[0].text"] == "tool_result"
    assert kinds["tools[0]"] == kinds["tools[3]"] == "tool_definition"
    assert kinds["metadata"] == kinds["user"] == kinds["client_metadata"] == "metadata"
    assert kinds["text.format"] == "schema"


def test_words_from_closed_lists_are_no_parts() -> None:
    paths = {part.path for part in parts_of(FULL)}
    told = ("type", "status", "detail", "verbosity", "effort", "summary")
    assert {path for path in paths if path.endswith(told)} == {
        "input[1].content[5].type", "input[6].type", "input[9].type",
    }  # fmt: skip


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), min_size=1))
def test_a_key_is_searched_like_a_value(key: str) -> None:
    tree = {
        "model": "m",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "a", "w" + key: 1}], "x" + key: 1}],
        "y" + key: True,
        "z" + key: [1],
        "text": {"v" + key: 1},
    }
    parts = parts_of(tree)
    assert any(key in part.text or key in part.path for part in parts)
    assert all(part.path.isascii() for part in parts)


def test_characters_hidden_behind_escapes_in_arguments_are_found() -> None:
    arguments = '{"card":"\\u0034111 1111","a":"x\\ny"}'
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": arguments}
    assert any("4111 1111" in part.text for part in parts_of({"model": "m", "input": [call]}))


def test_text_files_are_read_and_binary_ones_counted() -> None:
    def file(data: str) -> dict[str, Any]:
        part = {"type": "input_file", "filename": "f", "file_data": data}
        return {"model": "m", "input": [{"role": "user", "content": [part]}]}

    encoded = base64.b64encode(CANARY.encode()).decode()
    assert any(CANARY in part.text for part in parts_of(file(f"data:text/csv;base64,{encoded}")))
    tree = file("data:application/pdf;base64," + "A" * 40_000)
    found = gather(read_shape(tree), tree)
    assert not any("AAAA" in part.text for part in found.parts)
    assert (found.files, found.images) == (1, 0)
    assert found.tokens > 10_000


def test_what_is_sealed_is_counted_and_searched_only_if_it_is_none() -> None:
    def sealed(data: str) -> dict[str, Any]:
        return {"model": "m", "input": [{"type": "reasoning", "summary": [], "encrypted_content": data}]}

    for data in ("gAAAAB" * 100 + "==", enclose(Seal(wire="messages", data="s" * 1000, origin="o"))):
        tree = sealed(data)
        found = gather(read_shape(tree), tree)
        assert (found.parts, found.tokens) == ([], MESSAGE_TOKENS + len(data) // 4)
    assert any(CANARY in part.text for part in parts_of(sealed(CANARY)))


def test_pictures_are_counted() -> None:
    part = {"type": "input_image", "image_url": "https://example.com/a.png"}
    tree = {"model": "m", "input": [{"role": "user", "content": [part, part]}]}
    found = gather(read_shape(tree), tree)
    assert found.images == 2
    assert found.tokens > 2 * IMAGE_TOKENS


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"base_url": "http://x"}, "base_url"),
        ({"metadata": {"fallbacks": "x"}}, "metadata.fallbacks"),
        ({"client_metadata": {"api_key": "x"}}, "api_key"),
    ],
)
def test_nobody_steers_the_gateway_from_outside(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        parts_of({"model": "m", "input": "x"} | more)
    assert (caught.value.code, caught.value.param) == ("forbidden_field", param)


@pytest.mark.parametrize("name", ["image_url", "file_url"])
def test_addresses_inside_are_refused(name: str) -> None:
    part = {"type": "input_file" if name == "file_url" else "input_image", name: "http://169.254.169.254/latest"}
    with pytest.raises(InvalidCall) as caught:
        parts_of({"model": "m", "input": [{"role": "user", "content": [part]}]})
    assert (caught.value.code, caught.value.param) == ("bad_url", f"input[0].content[0].{name}")
