"""What did an endpoint say, where anything may be anything? Reads values that need not be what they should.

Knows no wire. Invariant: a wrong type reads as nothing, never as an error.
"""

from typing import Any

from tierwise.core.answer import TokenLogprob


def a_text(value: Any) -> str:
    """Return a text, or none."""
    return value if isinstance(value, str) else ""


def an_object(value: Any) -> dict[str, Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def tokens_of(value: Any, name: str = "logprob") -> tuple[TokenLogprob, ...]:
    """Return tokens with their log-probabilities, which stand under `name`."""
    return tuple(
        TokenLogprob(
            bytes(row["bytes"]) if isinstance(row.get("bytes"), list) else a_text(row.get("token")).encode(),
            float(row[name]),
        )
        for row in objects(value)
        if isinstance(row.get(name), (int, float))
    )
