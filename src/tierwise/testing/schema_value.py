"""Which value does the scripted model give for a JSON schema? Always the same one, and one that fits.

The rule: `const`; the first `enum` value that occurs in the prompt, else the first; the first branch of `anyOf` or
`oneOf`; of several types the first. Objects get all their properties in order, arrays `minItems` (else one) items,
numbers the smallest allowed (else 0), strings "text" repeated or cut to the allowed length, booleans true.
`pattern` and `format` are not looked at.
"""

from collections.abc import Mapping
from typing import Any

MAX_DEPTH = 32


def value_for(schema: Any, prompt: str = "", root: Any = None, depth: int = 0) -> Any:
    """Return the value that the rule gives for `schema`; None below `MAX_DEPTH` levels."""
    root = schema if root is None else root
    if depth > MAX_DEPTH or not isinstance(schema, Mapping):
        return None
    if isinstance(schema.get("$ref"), str):
        return value_for(_referred(root, schema["$ref"]), prompt, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        named = (value for value in schema["enum"] if isinstance(value, str) and value and value in prompt)
        return next(named, schema["enum"][0])
    for branches in ("anyOf", "oneOf"):
        if schema.get(branches):
            return value_for(schema[branches][0], prompt, root, depth + 1)
    return _of_type(schema, prompt, root, depth)


def _of_type(schema: Mapping[str, Any], prompt: str, root: Any, depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) and kind else kind:
        case "object":
            properties = schema.get("properties") or {}
            return {name: value_for(inner, prompt, root, depth + 1) for name, inner in properties.items()}
        case "array":
            item = value_for(schema.get("items", {"type": "string"}), prompt, root, depth + 1)
            return [item] * min(schema.get("minItems", 1), 1000)
        case "integer":
            return _smallest(schema, whole=True)
        case "number":
            return _smallest(schema, whole=False)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            text = "text" * -(-min(schema.get("minLength", 0), 100_000) // 4) or "text"
            least = max(schema.get("minLength", 0), min(4, schema.get("maxLength", 4)))
            return text[:least]


def _smallest(schema: Mapping[str, Any], *, whole: bool) -> float:
    if "exclusiveMinimum" in schema:
        least = schema["exclusiveMinimum"]
        return int(least // 1) + 1 if whole else least + 1
    if "minimum" in schema:
        return int(-(-schema["minimum"] // 1)) if whole else schema["minimum"]
    most = schema.get("maximum", schema.get("exclusiveMaximum", 1) - 1)
    return min(0, int(most // 1)) if whole else min(0, most)


def _referred(root: Any, reference: str) -> Any:
    node = root
    for step in reference.removeprefix("#").split("/")[1:]:
        node = node.get(step.replace("~1", "/").replace("~0", "~"), {}) if isinstance(node, Mapping) else {}
    return node
