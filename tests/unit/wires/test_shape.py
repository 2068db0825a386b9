"""A wrong shape is named by its path."""

from typing import Annotated, Any

import msgspec
import pytest

from tierwise.core.errors import InvalidCall
from tierwise.wires.shape import shaped, wrong


class Inner(msgspec.Struct):
    size: int


class Outer(msgspec.Struct):
    inner: list[Inner]


@pytest.mark.parametrize(
    ("tree", "place", "param"),
    [
        ({}, "", "inner"),
        ({"inner": [{"size": 1}, {}]}, "", "inner.size"),
        ({"inner": [{"size": "secret"}]}, "", "inner.size"),
        ({"inner": [{"size": "secret"}]}, "input[3]", "input[3].inner.size"),
        ([], "input[3]", "input[3]"),
    ],
)
def test_the_path_of_what_is_wrong(tree: Any, place: str, param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        shaped(tree, Outer, place=place)
    assert caught.value.param is not None
    assert caught.value.param.replace("[0]", "").replace("[1]", "") == param
    assert "secret" not in str(caught.value)


def test_a_right_one_is_converted() -> None:
    assert shaped({"inner": [{"size": 1}]}, Outer) == Outer(inner=[Inner(size=1)])
    assert wrong("", "is empty").param is None


class Said(msgspec.Struct):
    model: str = ""
    temperature: Annotated[float, msgspec.Meta(le=2)] | None = None
    tools: list[dict[str, int]] | None = None


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"model": 1}, "model: expected a string, got a whole number."),
        ({"temperature": "hot"}, "temperature: expected a number or null, got a string."),
        ({"temperature": 99}, "temperature: expected a number <= 2.0."),
        ({"tools": {}}, "tools: expected a list or null, got an object."),
        ({"tools": [[]]}, "tools[0]: expected an object, got a list."),
        ({"tools": [{"a": True}]}, "tools[0]: expected a whole number, got true or false."),
    ],
)
def test_it_is_said_in_the_words_of_json(tree: Any, said: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        shaped(tree, Said)
    assert str(caught.value) == said
