"""The validator says what does not fit, ends on everything, and says what it cannot check."""

from typing import Any

import pytest
from hypothesis import given
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
    "schema", [{"$ref": "#"}, {"$ref": "http://x/y"}, {"$ref": "#/no"}, {"pattern": "("}, {"type": "int"}, 7]
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
