"""Does a parsed body have the shape that a wire demands? Turns a struct's complaint into the caller's terms.

Knows no wire. Invariant: an error names the path of the first field that is wrong and repeats none of its content.
"""

import re
from typing import Any, NoReturn, TypeVar

import msgspec

from tierwise.core.errors import InvalidCall

_T = TypeVar("_T")
_PLACE = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_VALUE = re.compile(r"Invalid enum value .*", re.DOTALL)
_EXPECTED = re.compile(r"Expected `([^`]*)`(?:, got `([^`]*)`)?")
# What JSON calls the types that a complaint names in Python's words.
_JSON = {
    "str": "a string", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "null",
    "array": "a list", "object": "an object",
}  # fmt: skip


def shaped(tree: Any, shape: type[_T], *, place: str = "") -> _T:
    """Convert a parsed body. Raises `InvalidCall` whose `param` is the path of the first field that is wrong.

    `place` is where `tree` stands in the body, such as `messages[2].content[0]`.
    """
    try:
        return msgspec.convert(tree, shape)
    except msgspec.ValidationError as error:
        _refuse(str(error), place)


def wrong(param: str, what: str) -> InvalidCall:
    """Make the error that says what is wrong with a field."""
    return InvalidCall(f"{param or 'body'}: {what}.", param=param or None, code="invalid_value")


def check_name(model: str) -> None:
    """Refuse the name of a model that would not stay within its line."""
    if not model.isprintable():
        raise wrong("model", "has characters that cannot be printed")


def _refuse(text: str, within: str) -> NoReturn:
    place = _PLACE.search(text)
    param = place[1] if place else ""
    what = text[: place.start()] if place else text
    missing = _MISSING.match(what)
    if missing:
        param = f"{param}.{missing[1]}" if param else missing[1]
        what = "is required"
    what = _EXPECTED.sub(_in_json, _VALUE.sub("is not one of the values allowed here", what))
    param = f"{within}.{param}" if within and param else within or param
    raise wrong(param.replace("[...]", "")[:128], what[:1].lower() + what[1:])


def _in_json(found: re.Match[str]) -> str:
    """Say which types were expected in the words of JSON, whose names the caller knows."""
    expected, got = (" or ".join(_JSON.get(one, one) for one in (text or "").split(" | ")) for text in found.groups())
    return f"Expected {expected}" + (f", got {got}" if got else "")
