"""The value for a schema follows the rule and fits the schema."""

from typing import Any

import pytest

from tierwise.testing.schema_value import value_for


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 7}, 7),
        ({"enum": ["a", "b"]}, "a"),
        ({"type": "string"}, "text"),
        ({"type": "string", "minLength": 6}, "textte"),
        ({"type": "string", "maxLength": 2}, "te"),
        ({"type": "string", "maxLength": 0}, ""),
        ({"type": "integer"}, 0),
        ({"type": "integer", "minimum": 1.5}, 2),
        ({"type": "integer", "exclusiveMinimum": 3}, 4),
        ({"type": "integer", "maximum": -2.5}, -3),
        ({"type": "number", "minimum": 0.5}, 0.5),
        ({"type": "number", "maximum": -1}, -1),
        ({"type": "boolean"}, True),
        ({"type": "null"}, None),
        ({"type": ["integer", "null"]}, 0),
        ({"type": "array", "items": {"type": "integer"}}, [0]),
        ({"type": "array", "items": {"const": 1}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "minItems": 0}, []),
        ({"anyOf": [{"const": 2}, {"const": 3}]}, 2),
        ({"oneOf": [{"type": "boolean"}]}, True),
        ({"properties": {"a": {"type": "integer"}, "b": {"enum": [None]}}}, {"a": 0, "b": None}),
        ({"$defs": {"x/y": {"const": 5}}, "type": "object", "properties": {"a": {"$ref": "#/$defs/x~1y"}}}, {"a": 5}),
        ({"type": "object"}, {}),
        ({}, "text"),
        (True, None),
    ],
)
def test_by_hand(schema: Any, value: Any) -> None:
    assert value_for(schema) == value


def test_the_prompt_picks_among_the_values() -> None:
    schema = {"type": "object", "properties": {"intent": {"enum": ["card_lost", "pin_change", "other"]}}}
    assert value_for(schema, "this is pin_change") == {"intent": "pin_change"}
    assert value_for(schema, "hello") == {"intent": "card_lost"}


def test_a_schema_without_end_ends() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#"}}}
    assert str(value_for(schema)).count("'a'") < 40
