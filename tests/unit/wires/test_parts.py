"""What all wires share of the gathering: text is found, bytes are counted, control is refused."""

import base64

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.wires.parts import Gathered, refuse_control, shown, text

BINARY = base64.b64encode(bytes(range(256)) * 40).decode()


def test_text_in_base64_is_read_and_bytes_are_counted() -> None:
    found = Gathered()
    found.file("file", "data:text/plain;base64," + base64.b64encode(b"my secret").decode())
    found.file("file", BINARY)
    assert found.parts[0].text == "data:text/plain,my secret"
    assert found.files == 2
    assert found.tokens >= 256 * 40 // 2
    assert shown(BINARY) == ("", len(BINARY) * 3 // 4)


def test_a_picture_is_counted_and_an_address_inside_refused() -> None:
    found = Gathered()
    found.picture("image", "https://example.com/a.png")
    assert (found.images, found.parts[0].text) == (1, "https://example.com/a.png")
    with pytest.raises(InvalidCall, match="image"):
        found.picture("image", "http://169.254.169.254/latest")


def test_arguments_are_searched_without_their_escapes() -> None:
    found = Gathered()
    found.called("call", {"name": "f"}, r'{"a":"\u0041"}')
    found.called("call", {"name": "f"}, "{\\")
    assert "A" in found.parts[0].text
    assert found.parts[1].text.endswith("{\\")


def test_what_is_not_named_is_found_all_the_same() -> None:
    found = Gathered()
    found.rest("", {"known": "x", "new": {"a": ["b"]}, "odd key!": "c", "on": True}, frozenset(("known",)))
    assert [(part.path, part.text) for part in found.parts] == [("new", '{"a":["b"]}'), ("*", '{"odd key!":"c"}')]
    assert text("a") == "a"


def test_control_is_refused_at_any_depth() -> None:
    with pytest.raises(InvalidCall, match="api_base"):
        refuse_control([("extra", {"a": [{"api_base": "x"}]})], "")
