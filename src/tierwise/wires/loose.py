"""What did an endpoint say, where anything may be anything? Reads values that need not be what they should.

Knows no wire. Invariant: a wrong type reads as nothing, never as an error.
"""

from typing import Any


def a_text(value: Any) -> str:
    """Return a text, or none."""
    return value if isinstance(value, str) else ""


def an_object(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
