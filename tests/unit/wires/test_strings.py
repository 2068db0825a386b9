"""Strings are found with their place; changing one changes no other byte."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tierwise.wires.strings import Where, escaped, is_json, respelled, strings

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def changed(value: Any) -> Any:
    match value:
        case str():
            return value + "!"
        case list():
            return [changed(inner) for inner in value]
        case dict():
            return {key: changed(inner) for key, inner in value.items()}
        case _:
            return value


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_every_string_is_changed_and_nothing_else(value: Any, plain: bool, indent: int | None) -> None:
    body = json.dumps(value, ensure_ascii=plain, indent=indent).encode()
    assert respelled(body, lambda where, text: None) == body
    new = respelled(body, lambda where, text: text + "!" if where.kind == "text" else None)
    assert json.loads(new) == changed(value)


def test_a_place_is_told_as_wires_write_paths() -> None:
    seen: list[tuple[str, str, str]] = []

    def look(where: Where, text: str) -> None:
        seen.append((where.path, where.kind, text))

    respelled(b'{"a":[{"b":"x"},"y",12],"c":{},"d":"z"}', look)
    assert ("a[0].b", "text", "x") in seen
    assert ("a[1]", "text", "y") in seen
    assert ("a[2]", "number", "12") in seen
    assert ("d", "text", "z") in seen
    assert [text for _, kind, text in seen if kind == "key"] == ["a", "b", "c", "d"]


def test_a_number_and_a_key_can_become_text() -> None:
    def change(where: Where, text: str) -> str | None:
        return "N" if where.kind == "number" else "K" if where.kind == "key" else None

    assert respelled(b'{"a" : 4111, "b": true}', change) == b'{"K" : "N", "K": true}'


def test_the_name_of_a_value_is_its_member_s() -> None:
    seen: dict[str, tuple[str, bool]] = {}

    def look(where: Where, text: str) -> None:
        seen[text] = (where.name, where.direct)

    respelled(b'{"password":"x","more":["y"]}', look)
    assert seen["x"] == ("password", True)
    assert seen["y"] == ("more", False)


@given(st.text())
def test_escaped_text_stands_between_quotes(text: str) -> None:
    assert json.loads(f'"{escaped(text)}"') == text


def test_json_is_told_from_words() -> None:
    assert is_json(' {"a":1}')
    assert not is_json('{"a":')
    assert not is_json("[1,2]")
    assert not is_json("words")


def test_all_strings_are_listed() -> None:
    assert list(strings(b'{"a\\n":["b",-1.5e3]}')) == ["a\n", "b", "-1.5e3"]
