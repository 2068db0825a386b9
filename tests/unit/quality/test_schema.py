"""The validator says what does not fit, ends on everything, and says what it cannot check."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.quality.schema import CannotCheck, problem

CASES: list[tuple[Any, Any, bool]] = [
    ({"a": 1}, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, True),
    ({}, {"required": ["a"], "type": "object"}, False),
    ({"b": 1}, {"properties": {}, "additionalProperties": False}, False),
    ({"b": 1}, {"additionalProperties": {"type": "string"}}, False),
    (True, {"type": "integer"}, False),
    (2.0, {"type": "integer"}, True),
    (2.5, {"type": ["integer", "null"]}, False),
    (None, {"type": ["integer", "null"]}, True),
    ("x", {"enum": ["x", "y"]}, True),
    (1, {"enum": [True]}, False),
    (1, {"const": 1.0}, True),
    ("abc", {"maxLength": 2}, False),
    ("abc", {"pattern": "^a"}, True),
    ("abc", {"pattern": "^b"}, False),
    (5, {"minimum": 5, "exclusiveMaximum": 6}, True),
    (5, {"exclusiveMinimum": 5}, False),
    (0.3, {"multipleOf": 0.1}, True),
    ([1, "a"], {"items": {"type": "integer"}}, False),
    ([1, "a"], {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}, True),
    ([1, 1.0], {"uniqueItems": True}, False),
    ([], {"minItems": 1}, False),
    (3, {"anyOf": [{"type": "string"}, {"minimum": 3}]}, True),
    (3, {"oneOf": [{"type": "integer"}, {"minimum": 3}]}, False),
    (3, {"allOf": [{"type": "integer"}, {"maximum": 2}]}, False),
    (3, {"not": {"type": "integer"}}, False),
    ([[True]], {"enum": [[[1]]]}, False),
    ([[1.0]], {"enum": [[[1]]]}, True),
    ([{"a": 1, "b": [2]}, {"b": [2], "a": 1}], {"uniqueItems": True}, False),
    ([1, True, "1", None], {"uniqueItems": True}, True),
    (10**400, {"multipleOf": 10}, True),
    (10**400 + 1, {"multipleOf": 10}, False),
    ({"x-a": 1}, {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}, True),
    ({"x-a": "1"}, {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}, False),
    ({"y": "1"}, {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}, False),
    ({"x": 1}, {"patternProperties": {"x": {"minimum": 5}}, "properties": {"x": {"maximum": 3}}}, False),
    (3, {"anyOf": [{"type": "string"}, {"type": "integer"}], "$ref": "#/anyOf/1"}, True),
    ({"n": {"n": {}}}, {"$ref": "#/$defs/t", "$defs": {"t": {"properties": {"n": {"$ref": "#/$defs/t"}}}}}, True),
    (
        {"n": {"n": 1}},
        {"$ref": "#/$defs/t", "$defs": {"t": {"type": "object", "properties": {"n": {"$ref": "#/$defs/t"}}}}},
        False,
    ),
    (1, {"unheard-of": 7}, True),
    (1, False, False),
    (1, True, True),
]


@pytest.mark.parametrize(("value", "schema", "fits"), CASES)
def test_cases(value: Any, schema: Any, fits: bool) -> None:
    assert (problem(value, schema) is None) is fits


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": "http://x/y"},
        {"$ref": "#/no"},
        {"pattern": "("},
        {"pattern": "(?!x)"},
        {"pattern": 7},
        {"type": "int"},
        {"type": 7},
        {"minLength": "1"},
        {"enum": 7},
        {"anyOf": [7]},
        {"$ref": 7},
        7,
    ],
)
def test_what_cannot_be_checked_is_said(schema: Any) -> None:
    with pytest.raises(CannotCheck):
        problem("x", schema)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_every_value_fits_its_own_constant_and_the_text_is_never_told(value: Any) -> None:
    assert problem(value, {"const": value}) is None
    assert problem({"k": "canary-7"}, {"properties": {"k": {"enum": []}}}) == "$.k: not one of the 0 allowed values"


def test_alternatives_within_alternatives_end_and_are_not_passed_in_silence() -> None:
    schema: dict[str, Any] = {
        "$defs": {"t": {"anyOf": [{"items": {"$ref": "#/$defs/t"}, "type": "array", "minItems": 1}] * 8}},
        "$ref": "#/$defs/t",
    }
    value: Any = 1
    for _ in range(20):
        value = [value]
    with pytest.raises(CannotCheck, match="too much work"):
        problem(value, schema)


KEYWORDS = ["type", "enum", "const", "properties", "required", "additionalProperties", "patternProperties", "a"]
KEYWORDS += [
    "prefixItems",
    "items",
    "minimum",
    "maxLength",
    "multipleOf",
    "uniqueItems",
    "anyOf",
    "oneOf",
    "not",
    "$ref",
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-3, 3)
    | st.sampled_from(["", "a", "string", "#", "#/anyOf/0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYWORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=500)
@given(JSON, JSON)
def test_any_schema_ends_in_a_verdict_or_in_saying_that_there_is_none(value: Any, schema: Any) -> None:
    with contextlib.suppress(CannotCheck):
        assert problem(value, schema) is None or problem(value, schema)


def fitting() -> st.SearchStrategy[tuple[Any, Any]]:
    """Pairs of a schema and a value that fits it by construction."""
    scalar = (
        st.tuples(st.just({"type": "boolean"}), st.booleans())
        | st.integers(-5, 5).map(lambda n: ({"type": "integer", "minimum": n - 1, "maximum": n + 1}, n))
        | st.text(max_size=4).map(lambda t: ({"type": "string", "minLength": len(t), "maxLength": len(t)}, t))
        | st.text(max_size=4).map(lambda t: ({"enum": ["other", t]}, t))
    )

    def larger(inner: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
        objects = st.dictionaries(st.text(max_size=3), inner, max_size=3).map(
            lambda made: (
                {
                    "type": "object",
                    "properties": {name: schema for name, (schema, _) in made.items()},
                    "required": list(made),
                    "additionalProperties": False,
                },
                {name: value for name, (_, value) in made.items()},
            )
        )
        tuples = st.lists(inner, max_size=3).map(
            lambda made: (
                {"type": "array", "prefixItems": [s for s, _ in made], "items": False, "minItems": len(made)},
                [value for _, value in made],
            )
        )
        either = inner.map(lambda made: ({"anyOf": [False, made[0]]}, made[1]))
        return objects | tuples | either

    return st.recursive(scalar, larger, max_leaves=8)


@given(fitting())
def test_what_is_built_to_fit_fits_and_what_is_changed_does_not(made: tuple[Any, Any]) -> None:
    schema, value = made
    assert problem(value, schema) is None
    assert problem({"schema": value}, {"properties": {"schema": schema}}) is None
    assert problem([[value]], schema) is not None or "anyOf" in schema
    if isinstance(value, dict):
        assert problem(value | {"not allowed": 1}, schema) is not None
        for name in value:
            assert problem({k: v for k, v in value.items() if k != name}, schema) is not None
