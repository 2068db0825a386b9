"""Put a text into any place of a full request, to see whether it is found there. For the tests of every caller's wire."""

import json
from typing import Any

Place = tuple[Any, ...]


def places(node: Any, path: Place = ()) -> list[Place]:
    """Return the way to every string."""
    if isinstance(node, str):
        return [path]
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place for key, value in items for place in places(value, (*path, key))]


def planted(full: dict[str, Any], place: Place, text: str) -> dict[str, Any]:
    """Return a copy of a request with `text` at one place."""
    tree: dict[str, Any] = json.loads(json.dumps(full))
    node: Any = tree
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = text
    return tree
