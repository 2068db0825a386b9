"""Does a JSON value fit a schema? The part of JSON Schema that model APIs accept.

Covers type, enum, const, properties, patternProperties, required, additionalProperties, items, prefixItems, bounds of
numbers, lengths, pattern (RE2, linear time), anyOf, oneOf, allOf, not and local $ref. Other keywords ask nothing.
Invariant: ends on every schema and value; what cannot be checked is said, never passed in silence.
Source: JSON Schema 2020-12, https://json-schema.org/draft/2020-12
"""

import math
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import re2

MAX_DEPTH = 64
MAX_STEPS = 100_000
"""Pairs of a value and a schema that one check looks at, about 0.2 s: alternatives within alternatives multiply."""


class CannotCheck(ValueError):
    """The schema uses something that is not understood here, or takes too much work."""


def problem(value: object, schema: object) -> str | None:
    """Return where and how the value does not fit, or None. Names places and rules, never the value itself.

    Raises CannotCheck for an unresolvable reference, a pattern that RE2 refuses, a malformed schema, nesting beyond
    `MAX_DEPTH` or work beyond `MAX_STEPS`.
    """
    try:
        return next(_Check(schema).problems(value, schema, "$", 0), None)
    except (TypeError, AttributeError, KeyError, ArithmeticError) as error:
        raise CannotCheck(f"the schema is malformed ({type(error).__name__})") from error


class _Check:
    """One check: the root that references start from, and the work that is left."""

    __slots__ = ("_left", "_root")

    def __init__(self, root: object) -> None:
        self._root = root
        self._left = MAX_STEPS

    def problems(self, value: Any, schema: Any, at: str, depth: int) -> Iterator[str]:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise CannotCheck(f"nested deeper than {MAX_DEPTH}" if depth > MAX_DEPTH else "too much work")
        if schema is True or schema == {}:
            return
        if schema is False:
            yield f"{at}: nothing is allowed here"
            return
        if not isinstance(schema, dict):
            raise CannotCheck("a schema must be an object or a boolean")
        if "$ref" in schema:
            yield from self.problems(value, _resolve(schema["$ref"], self._root), at, depth + 1)
        yield from _scalar(value, schema, at)
        if isinstance(value, dict):
            yield from self._object(value, schema, at, depth)
        elif isinstance(value, list):
            yield from self._array(value, schema, at, depth)
        yield from self._combined(value, schema, at, depth)

    def _object(self, value: dict[str, Any], schema: dict[str, Any], at: str, depth: int) -> Iterator[str]:
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{at}: {name} is missing"
        yield from _bounds(len(value), schema, at, "minProperties", "maxProperties")
        properties, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
        more = schema.get("additionalProperties", True)
        for name, item in value.items():
            rules = [rule for pattern, rule in patterns.items() if _matches(pattern, name)]
            if name in properties:
                rules.append(properties[name])
            if not rules and more is False:
                yield f"{at}: a property that the schema does not allow"
            elif not rules:
                rules.append(more)
            place = f"{at}.{name}" if name in properties else f"{at}.*"
            for rule in rules:
                yield from self.problems(item, rule, place, depth + 1)

    def _array(self, value: list[Any], schema: dict[str, Any], at: str, depth: int) -> Iterator[str]:
        yield from _bounds(len(value), schema, at, "minItems", "maxItems")
        if schema.get("uniqueItems") and len({_frozen(item) for item in value}) < len(value):
            yield f"{at}: items repeat"
        first = schema.get("prefixItems", ())
        for place, item in enumerate(value):
            rule = first[place] if place < len(first) else schema.get("items", True)
            yield from self.problems(item, rule, f"{at}[{place}]", depth + 1)

    def _combined(self, value: Any, schema: dict[str, Any], at: str, depth: int) -> Iterator[str]:
        for rule in schema.get("allOf", ()):
            yield from self.problems(value, rule, at, depth + 1)
        for name in ("anyOf", "oneOf"):
            rules = schema.get(name)
            if rules is not None:
                fitting = sum(self._fits(value, rule, at, depth) for rule in rules)
                if fitting == 0 or (name == "oneOf" and fitting > 1):
                    yield f"{at}: fits {fitting} of {name}"
        if "not" in schema and self._fits(value, schema["not"], at, depth):
            yield f"{at}: fits what it must not"

    def _fits(self, value: Any, rule: Any, at: str, depth: int) -> bool:
        return next(self.problems(value, rule, at, depth + 1), None) is None


def _scalar(value: Any, schema: dict[str, Any], at: str) -> Iterator[str]:
    types = schema.get("type")
    if types is not None and not any(_is(value, name) for name in ([types] if isinstance(types, str) else types)):
        yield f"{at}: not of type {types if isinstance(types, str) else ' or '.join(types)}"
    if "enum" in schema and not _among(value, schema["enum"]):
        yield f"{at}: not one of the {len(schema['enum'])} allowed values"
    if "const" in schema and _frozen(value) != _frozen(schema["const"]):
        yield f"{at}: not the one allowed value"
    if isinstance(value, str):
        yield from _bounds(len(value), schema, at, "minLength", "maxLength")
        if "pattern" in schema and not _matches(schema["pattern"], value):
            yield f"{at}: does not match the pattern"
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _number(value, schema, at)


def _number(value: float, schema: dict[str, Any], at: str) -> Iterator[str]:
    yield from _bounds(value, schema, at, "minimum", "maximum")
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield f"{at}: not above exclusiveMinimum"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield f"{at}: not below exclusiveMaximum"
    step = schema.get("multipleOf")
    if step is None:
        return
    whole = isinstance(value, int) and isinstance(step, int)
    if value % step if whole else not math.isclose(value / step, round(value / step), abs_tol=1e-9):
        yield f"{at}: not a multiple of {step}"


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
        raise CannotCheck("a type that is not one of JSON's")
    return known(value)


def _among(value: Any, allowed: list[Any]) -> bool:
    """Return whether a value is in an enum; texts, the usual case, need no stand-in."""
    return value in allowed if isinstance(value, str) else _frozen(value) in map(_frozen, allowed)


def _frozen(value: Any) -> Hashable:
    """Return a stand-in that is equal exactly where the values are equal as JSON: 1 is 1.0, true is not 1."""
    if isinstance(value, dict):
        return ("object", frozenset((name, _frozen(item)) for name, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(map(_frozen, value)))
    return (isinstance(value, bool), value)


def _matches(pattern: str, value: str) -> bool:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.search(pattern, value, options=options) is not None
    except re2.error as error:
        raise CannotCheck("a pattern is not RE2") from error


def _resolve(reference: str, root: Any) -> Any:
    if not reference.startswith("#"):
        raise CannotCheck("only references within the schema are followed")
    found = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and name in found:
            found = found[name]
        elif isinstance(found, list) and name.isdecimal() and int(name[:9]) < len(found):
            found = found[int(name[:9])]
        else:
            raise CannotCheck("a reference leads nowhere")
    return found
