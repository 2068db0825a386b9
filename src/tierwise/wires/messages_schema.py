"""Which JSON schema does a Messages endpoint take? Every object closed, and no bounds.

Source: Anthropic's published guide (structured outputs, its limits on JSON Schema; read 2026-11).
Invariant: what fits the schema that is written and keeps the bounds that were left out fits the caller's.
"""

from typing import Any

_BOUNDS = frozenset((
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "minProperties", "maxProperties", "uniqueItems",
))  # fmt: skip
_VALUES = frozenset(("enum", "const", "default", "examples"))
_NAMED = frozenset(("properties", "$defs", "definitions"))


def fitted(schema: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the schema as an endpoint takes it, and the keywords that it does not."""
    left_out: set[str] = set()
    return _fitted(schema, left_out), frozenset(left_out)


def _fitted(node: Any, left_out: set[str]) -> Any:
    if isinstance(node, list):
        return [_fitted(item, left_out) for item in node]
    if not isinstance(node, dict):
        return node
    written: dict[str, Any] = {}
    for name, value in node.items():
        if name in _BOUNDS or (name == "minItems" and value not in (0, 1)):
            left_out.add(name)
        elif name in _NAMED and isinstance(value, dict):
            written[name] = {key: _fitted(inner, left_out) for key, inner in value.items()}
        else:
            written[name] = value if name in _VALUES else _fitted(value, left_out)
    kind = written.get("type")
    if kind == "object" or (isinstance(kind, list) and "object" in kind):
        if written.get("additionalProperties", False) is not False:
            left_out.add("additionalProperties")
        written["additionalProperties"] = False
    return written
