"""No text of a request is hidden from the detectors, wherever it stands."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.messages_bodies import bodies
from tests.unit.wires.planting import places, planted
from tierwise.core.call import Part
from tierwise.core.conversation import Seal
from tierwise.core.errors import InvalidCall
from tierwise.wires.messages_parts import gather
from tierwise.wires.messages_request import decode_request
from tierwise.wires.messages_shape import read_shape
from tierwise.wires.seals import enclose
from tierwise.wires.tokens import IMAGE_TOKENS, MESSAGE_TOKENS

CANARY = "canary é 4111 1111"
CACHE = {"type": "ephemeral", "ttl": "1h"}

FULL: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "system": [{"type": "text", "text": "rules", "cache_control": CACHE, "citations": [{"cited_text": "c"}]}],
    "stop_sequences": ["END"],
    "service_tier": "auto",
    "container": {"skills": [{"skill_id": "s"}]},
    "mcp_servers": [{"type": "url", "url": "https://example.com/sse", "authorization_token": "token"}],
    "cache_control": {"type": "ephemeral"},
    "tool_choice": {"type": "tool", "name": "f", "future": "so"},
    "metadata": {"user_id": "u", "note": {"deep": ["x"]}},
    "thinking": {"type": "adaptive", "display": "summarized", "future": "so"},
    "output_config": {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {"description": "in a schema"}, "name": "n"},
        "future": {"x": "so"},
    },
    "tools": [
        {"name": "f", "description": "does", "input_schema": {"description": "d"}, "cache_control": CACHE},
        {"type": "web_search_20260209", "name": "web_search", "user_location": {"city": "Bern"}},
    ],
    "messages": [
        {
            "role": "user",
            "id": "msg_1",
            "content": [
                {"type": "text", "text": "look", "future": "so"},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "alt": "a"},
                {"type": "image", "source": {"type": "file", "file_id": "file_1"}, "cache_control": CACHE},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}, "title": "t"},
                {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "x"}]}},
                {"type": "document", "source": {"type": "content", "content": "bare"}, "context": "c"},
                {"type": "document", "source": {"type": "base64", "media_type": "text/csv", "data": "YSxi", "future": "so"}},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                {"type": "search_result", "source": "where", "title": "t", "content": [{"type": "text", "text": "found"}]},
            ],
        },
        {"role": "system", "content": "from now on"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "at length", "signature": "EqQB" * 40, "future": "so"},
                {"type": "redacted_thinking", "data": "EmwK"},
                {"type": "text", "text": "sure", "citations": [{"cited_text": "c", "title": "t"}]},
                {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "what"}},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"p": "v"}, "caller": {"type": "direct"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "done"}], "future": "so"}
            ],
        },
        {"role": "assistant", "content": "prefilled"},
    ],
}  # fmt: skip


def parts_of(tree: dict[str, Any]) -> list[Part]:
    return list(decode_request(json.dumps(tree).encode()).parts)


def with_blocks(*blocks: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"model": "m", "max_tokens": 9, "messages": [{"role": role, "content": list(blocks)}]}


PLACES = [place for place in places(FULL) if place != ("model",)]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ".".join(map(str, place)))
def test_every_string_of_a_request_is_in_some_part_or_refused(place: tuple[Any, ...]) -> None:
    text = CANARY
    if place[-1] == "url" and place[0] == "messages":
        text = "https://example.com/" + CANARY.replace(" ", "-")
    tree = planted(FULL, place, text)
    if place[-1] in ("id", "tool_use_id"):  # the other half has to say the same
        tree = json.loads(json.dumps(tree).replace('"t1"', json.dumps(text)))
    try:
        parts = parts_of(tree)
    except InvalidCall as refused:
        assert place[-1] in ("role", "type") or (place[-2:] == ("source", "data") and "base64" in str(refused))
        return
    assert any(text in part.text for part in parts), place
    assert all(text not in part.path for part in parts)


def marked(tree: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """Return the tree with a mark of its own on every string and key that may be anything."""
    marks: set[str] = set()

    def mark(text: str) -> str:
        marks.add(f"\u00a7{len(marks)}\u00a7")
        return f"{text}\u00a7{len(marks) - 1}\u00a7"

    def walk(node: Any) -> Any:
        if isinstance(node, list):
            return [walk(inner) for inner in node]
        if isinstance(node, str):
            return mark(node)
        if not isinstance(node, dict):
            return node
        return dict(walk_member(name, value) for name, value in node.items())

    def walk_member(name: str, value: Any) -> tuple[str, Any]:
        if name in ("type", "role", "id", "tool_use_id", "signature", "data", "model"):
            return name, value
        free = name.endswith(("_x", "\u00e9?")) and value is not None and not isinstance(value, bool)
        return mark(name) if free else name, walk(value)

    return walk(tree), marks


@given(bodies())
def test_every_string_and_key_of_any_request_is_in_some_part(tree: dict[str, Any]) -> None:
    written, marks = marked(tree)
    found = "\n".join(part.text for part in parts_of(written))
    assert {mark for mark in marks if mark not in found} == set()


def test_each_part_says_where_and_of_what_kind_it_is() -> None:
    kinds = {part.path: part.kind for part in parts_of(FULL)}
    assert kinds["system[0].text"] == kinds["messages[1].content"] == kinds["messages[4].content"] == "text"
    assert kinds["messages[0].content[1].source.url"] == "image"
    for place in (
        "[3].source.data",
        "[4].source.content[0].text",
        "[5].source.content",
        "[6].source.data",
        "[7].source.url",
    ):
        assert kinds[f"messages[0].content{place}"] == "file"
    assert kinds["messages[2].content[0].thinking"] == "text"
    assert kinds["messages[2].content[4]"] == "tool_call"
    assert kinds["messages[3].content[0].tool_use_id"] == "name"
    assert kinds["messages[3].content[0].content[0].text"] == "tool_result"
    assert kinds["tools[0]"] == kinds["tools[1]"] == "tool_definition"
    assert kinds["metadata"] == kinds["stop_sequences"] == kinds["mcp_servers"] == "metadata"
    assert kinds["output_config.format"] == "schema"
    roles = {part.path: part.role for part in parts_of(FULL)}
    assert (roles["system[0].text"], roles["messages[2].content[2].text"]) == ("system", "assistant")


def test_words_from_closed_lists_are_no_parts() -> None:
    told = ("type", "display", "effort", "role", "signature", "cache_control")
    found = {part.path for part in parts_of(FULL) if part.path.endswith(told)}
    unknown = {"messages[0].content[2].source.type", "messages[0].content[8].type", "messages[2].content[3].type"}
    assert found == unknown | {"cache_control"}


@pytest.mark.parametrize(
    "member",
    [{"thinking": {"type": CANARY}}, {"output_config": {"effort": CANARY}}, {"thinking": {"type": "adaptive", "display": CANARY}}],
)  # fmt: skip
def test_any_other_word_in_their_place_is(member: dict[str, Any]) -> None:
    assert any(CANARY in part.text for part in parts_of(with_blocks({"type": "text", "text": "x"}) | member))


def test_text_files_are_read_and_binary_ones_counted() -> None:
    def file(data: bytes, kind: str = "document") -> dict[str, Any]:
        source = {"type": "base64", "media_type": "x/y", "data": base64.b64encode(data).decode()}
        return with_blocks({"type": kind, "source": source})

    for kind in ("document", "image"):
        assert any(CANARY in part.text for part in parts_of(file(CANARY.encode() * 500, kind)))
    tree = file(bytes(range(256)) * 200)
    found = gather(read_shape(tree), tree)
    assert (found.files, found.images) == (1, 0)
    assert found.tokens > 10_000
    assert all(len(part.text) < 100 for part in found.parts)


def test_a_media_type_has_no_room_to_hide_in() -> None:
    """Of a large picture only the beginning of its data URL is shown."""
    source = {"type": "base64", "media_type": "image/png" + " " * 60 + CANARY, "data": "iVBO" * 2000}
    assert any(CANARY in part.text for part in parts_of(with_blocks({"type": "image", "source": source})))


def test_what_is_sealed_is_counted_and_searched_only_if_it_is_none() -> None:
    def sealed(data: str) -> dict[str, Any]:
        return with_blocks({"type": "redacted_thinking", "data": data}, role="assistant")

    for data in ("EmwK+/==" * 100, enclose(Seal(wire="responses", data="s" * 1000, origin="o"))):
        tree = sealed(data)
        found = gather(read_shape(tree), tree)
        assert (found.parts, found.tokens) == ([], 2 * MESSAGE_TOKENS + len(data) // 2)
    assert any(CANARY in part.text for part in parts_of(sealed(CANARY)))


def test_pictures_are_counted() -> None:
    block = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    tree = with_blocks(block, block)
    found = gather(read_shape(tree), tree)
    assert found.images == 2
    assert found.tokens > 2 * IMAGE_TOKENS


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"base_url": "http://x"}, "base_url"),
        ({"fallbacks": []}, "fallbacks"),
        ({"metadata": {"api_key": "x"}}, "metadata.api_key"),
        ({"extra": {"input_cost_per_token": 0}}, "input_cost_per_token"),
    ],
)
def test_nobody_steers_the_gateway_from_outside(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        parts_of(with_blocks({"type": "text", "text": "x"}) | more)
    assert (caught.value.code, caught.value.param) == ("forbidden_field", param)


@pytest.mark.parametrize("kind", ["image", "document"])
@pytest.mark.parametrize("url", ["http://169.254.169.254/latest", "file:///etc/passwd", "http://localhost/", ""])
def test_addresses_inside_are_refused(kind: str, url: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        parts_of(with_blocks({"type": kind, "source": {"type": "url", "url": url}}))
    assert (caught.value.code, caught.value.param) == ("bad_url", "messages[0].content[0].source.url")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters='"\\'), min_size=1))
def test_a_key_is_searched_like_a_value(key: str) -> None:
    tree = with_blocks({"type": "text", "text": "a", "w" + key: 1}) | {"z" + key: [1], "thinking": {"type": "adaptive", "v" + key: 1}}  # fmt: skip
    parts = parts_of(tree)
    for name in ("w" + key, "z" + key, "v" + key):
        assert any(name in part.text or part.path.endswith(name) for part in parts)
    assert all(part.path.isascii() for part in parts)
