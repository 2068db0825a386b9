"""What did an endpoint say, where anything may be anything? Reads values that need not be what they should.

Knows no wire. Invariant: a wrong type reads as nothing, never as an error.
"""

from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


def a_text(value: Any) -> str:
    """Return a text, or none."""
    return value if isinstance(value, str) else ""


def an_object(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def arguments_of(arguments: str) -> dict[str, Any]:
    """Return a call's arguments as an object; text that is none is kept under one name."""
    try:
        value = _decode(arguments or "{}")
    except (msgspec.DecodeError, RecursionError):
        value = arguments
    return value if isinstance(value, dict) else {"arguments": value}
