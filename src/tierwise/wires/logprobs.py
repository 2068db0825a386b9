"""How sure was the model of each token? Lists of tokens with their log-probabilities: read whatever they
hold, and written.

Knows no wire. Invariant: a row without a usable number is left out; none is ever made up.
"""

from collections.abc import Iterable
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


def write_tokens(tokens: Iterable[TokenLogprob]) -> list[dict[str, object]]:
    """Write tokens as OpenAI's wires do; alternatives are not known on the way between wires."""
    return [
        {
            "token": token.data.decode("utf-8", "replace"),
            "bytes": list(token.data),
            "logprob": token.logprob,
            "top_logprobs": [],
        }
        for token in tokens
    ]


def _bytes(row: dict[str, Any]) -> bytes:
    """Return the bytes of a token, which need not be whole characters."""
    said = row.get("bytes")
    try:
        return bytes(said) if isinstance(said, list) else a_text(row.get("token")).encode()
    except (TypeError, ValueError, OverflowError):
        return a_text(row.get("token")).encode()
