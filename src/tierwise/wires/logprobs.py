"""How sure was the model of each token? Reads lists of tokens with their log-probabilities, whatever they hold.

Knows no wire. Invariant: a row without a usable number is left out; none is ever made up.
"""

from typing import Any

from tierwise.core.answer import TokenLogprob
from tierwise.wires.loose import a_text, objects

_LIMIT = 1e6


def read_tokens(value: Any, name: str = "logprob") -> tuple[TokenLogprob, ...]:
    """Return the tokens of a list whose log-probabilities stand under `name`."""
    said = ((_bytes(row), row.get(name)) for row in objects(value))
    return tuple(
        TokenLogprob(token, float(logprob))
        for token, logprob in said
        if isinstance(logprob, (int, float)) and not isinstance(logprob, bool) and abs(logprob) < _LIMIT
    )


def _bytes(row: dict[str, Any]) -> bytes:
    """Return the bytes of a token, which need not be whole characters."""
    said = row.get("bytes")
    try:
        return bytes(said) if isinstance(said, list) else a_text(row.get("token")).encode()
    except (TypeError, ValueError, OverflowError):
        return a_text(row.get("token")).encode()
