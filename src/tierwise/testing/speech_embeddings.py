"""The scripted upstream's Embeddings wire: vectors that can be computed from the text.

Number k of a text's vector is (sum of its bytes + k) modulo 97, divided by 97; eight numbers unless told.
"""

import base64
import struct
from collections.abc import Mapping
from typing import Any

import msgspec

DIMENSIONS = 8
_encode = msgspec.json.Encoder().encode


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """Return the vector of a text."""
    total = sum(text.encode())
    return [(total + place) % 97 / 97 for place in range(dimensions)]


def texts(request: Mapping[str, Any]) -> list[str]:
    """Return the texts of a request."""
    given = request["input"]
    return [given] if isinstance(given, str) else list(given)


def whole(request: Mapping[str, Any], model: str, tokens: int, *, only_floats: bool) -> bytes:
    """Write the answer; with `only_floats` the encoding that was asked for is ignored, as by some servers."""
    packed = request.get("encoding_format") == "base64" and not only_floats
    rows = []
    for index, text in enumerate(texts(request)):
        numbers = vector(text, request.get("dimensions") or DIMENSIONS)
        shown = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode() if packed else numbers
        rows.append({"object": "embedding", "index": index, "embedding": shown})
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return _encode({"object": "list", "data": rows, "model": model, "usage": usage})
