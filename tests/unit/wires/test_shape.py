"""A wrong shape is named by its path."""

from typing import Any

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
