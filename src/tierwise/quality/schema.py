"""Does a JSON value fit a schema? The part of JSON Schema that model APIs accept.

Covers type, enum, const, properties, required, additionalProperties, items, prefixItems, bounds of numbers, lengths,
pattern (RE2, linear time), anyOf, oneOf, allOf and local $ref. An unknown keyword asks nothing.
Invariant: ends on every schema; what cannot be checked is said, never passed in silence.
Source: JSON Schema 2020-12, https://json-schema.org/draft/2020-12
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import re2

MAX_DEPTH = 64


class CannotCheck(ValueError):
    """The schema uses something that is not understood here."""


def problem(value: object, schema: object) -> str | None:
    """Return where and how the value does not fit, or None. Names places and rules, never the value itself.

    Raises CannotCheck for an unresolvable reference, a pattern that RE2 refuses, or nesting beyond `MAX_DEPTH`.
    """
    return next(_problems(value, schema, schema, "$", 0), None)


def _problems(value: Any, schema: Any, root: Any, at: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise CannotCheck(f"nested deeper than {MAX_DEPTH}")
    if schema is True or schema == {}:
        return
    if schema is False:
        yield f"{at}: nothing is allowed here"
        return
    if not isinstance(schema, dict):
        raise CannotCheck("a schema must be an object or a boolean")
    if "$ref" in schema:
        yield from _problems(value, _resolve(schema["$ref"], root), root, at, depth + 1)
    yield from _scalar(value, schema, at)
    if isinstance(value, dict):
        yield from _object(value, schema, root, at, depth)
    elif isinstance(value, list):
        yield from _array(value, schema, root, at, depth)
    yield from _combined(value, schema, root, at, depth)


def _scalar(value: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    types = schema.get("type")
    if types is not None and not any(_is(value, name) for name in ([types] if isinstance(types, str) else types)):
        yield f"{at}: not of type {types if isinstance(types, str) else ' or '.join(types)}"
    if "enum" in schema and not any(_same(value, allowed) for allowed in schema["enum"]):
        yield f"{at}: not one of the {len(schema['enum'])} allowed values"
    if "const" in schema and not _same(value, schema["const"]):
        yield f"{at}: not the one allowed value"
    if isinstance(value, str):
        yield from _bounds(len(value), schema, at, "minLength", "maxLength")
        if "pattern" in schema and not _matches(schema["pattern"], value):
            yield f"{at}: does not match the pattern"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _bounds(value, schema, at, "minimum", "maximum")
        if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
            yield f"{at}: not above exclusiveMinimum"
        if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
            yield f"{at}: not below exclusiveMaximum"
        step = schema.get("multipleOf")
        if step and not math.isclose(value / step, round(value / step), abs_tol=1e-9):
            yield f"{at}: not a multiple of {step}"


def _object(value: dict[str, Any], schema: dict[str, Any], root: Any, at: str, depth: int) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at}: {name} is missing"
    yield from _bounds(len(value), schema, at, "minProperties", "maxProperties")
    more = schema.get("additionalProperties", True)
    for name, item in value.items():
        if name in properties:
            yield from _problems(item, properties[name], root, f"{at}.{name}", depth + 1)
        elif more is False:
            yield f"{at}: a property that the schema does not allow"
        else:
            yield from _problems(item, more, root, f"{at}.*", depth + 1)


def _array(value: list[Any], schema: dict[str, Any], root: Any, at: str, depth: int) -> Iterator[str]:
    yield from _bounds(len(value), schema, at, "minItems", "maxItems")
    if schema.get("uniqueItems") and any(_same(a, b) for i, a in enumerate(value) for b in value[:i]):
        yield f"{at}: items repeat"
    first = schema.get("prefixItems", ())
    for place, item in enumerate(value):
        rule = first[place] if place < len(first) else schema.get("items", True)
        yield from _problems(item, rule, root, f"{at}[{place}]", depth + 1)


def _combined(value: Any, schema: dict[str, Any], root: Any, at: str, depth: int) -> Iterator[str]:
    for rule in schema.get("allOf", ()):
        yield from _problems(value, rule, root, at, depth + 1)
    for name in ("anyOf", "oneOf"):
        rules = schema.get(name)
        if rules is not None:
            fitting = sum(next(_problems(value, rule, root, at, depth + 1), None) is None for rule in rules)
            if fitting == 0 or (name == "oneOf" and fitting > 1):
                yield f"{at}: fits {fitting} of {name}"
    if "not" in schema and next(_problems(value, schema["not"], root, at, depth + 1), None) is None:
        yield f"{at}: fits what it must not"


def _bounds(size: float, schema: dict[str, Any], at: str, least: str, most: str) -> Iterator[str]:
    if least in schema and size < schema[least]:
        yield f"{at}: below {least}"
    if most in schema and size > schema[most]:
        yield f"{at}: above {most}"


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: not isinstance(v, bool) and (isinstance(v, int) or (isinstance(v, float) and v.is_integer())),
}


def _is(value: Any, name: str) -> bool:
    known = _TYPES.get(name)
    if known is None:
        raise CannotCheck(f"unknown type {name!r}")
    return known(value)


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def _matches(pattern: str, value: str) -> bool:
    try:
        return re2.search(pattern, value) is not None
    except re2.error as error:
        raise CannotCheck("the pattern is not RE2") from error


def _resolve(reference: str, root: Any) -> Any:
    if not reference.startswith("#"):
        raise CannotCheck("only references within the schema are followed")
    found = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            raise CannotCheck("a reference leads nowhere")
        found = found[name]
    return found
