"""The schema that is sent is never wider than the caller's, but for bounds that are named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.wires.messages_schema import fitted


@pytest.mark.parametrize(
    ("schema", "written", "left_out"),
    [
        ({}, {}, set()),
        ({"type": "string", "minLength": 1, "pattern": "a"}, {"type": "string", "pattern": "a"}, {"minLength"}),
        ({"type": "array", "minItems": 1, "maxItems": 3}, {"type": "array", "minItems": 1}, {"maxItems"}),
        ({"type": "array", "minItems": 2}, {"type": "array"}, {"minItems"}),
        ({"type": "object"}, {"type": "object", "additionalProperties": False}, set()),
        ({"type": ["object", "null"]}, {"type": ["object", "null"], "additionalProperties": False}, set()),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object", "additionalProperties": False},
            {"additionalProperties"},
        ),
        ({"anyOf": [{"type": "number", "minimum": 0}]}, {"anyOf": [{"type": "number"}]}, {"minimum"}),
    ],
)
def test_what_is_written(schema: dict[str, Any], written: dict[str, Any], left_out: set[str]) -> None:
    assert fitted(schema) == (written, left_out)


def test_names_and_values_are_no_keywords() -> None:
    """A property may be called `maximum`, and a value of an enumeration may look like a schema."""
    inner = {"maximum": {"type": "integer", "maximum": 3}, "properties": {"type": "string"}}
    schema = {
        "type": "object",
        "properties": inner,
        "$defs": {"minLength": {"type": "string"}},
        "required": ["maximum"],
    }
    written, left_out = fitted(schema)
    assert (written["properties"]["maximum"], left_out) == ({"type": "integer"}, {"maximum"})
    assert (written["properties"]["properties"], written["$defs"]) == ({"type": "string"}, schema["$defs"])
    values = {"enum": [{"type": "object", "maximum": 1}], "const": {"minimum": 1}, "default": {"type": "object"}}
    assert fitted(values) == (values, frozenset())


WORDS = st.sampled_from(
    ["type", "properties", "items", "anyOf", "minimum", "minItems", "enum", "$defs", "maxLength", "x"]
)
TREES = st.recursive(
    st.none() | st.integers(0, 3) | st.sampled_from(["object", "string"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(WORDS, TREES, max_size=4))
def test_fitting_is_done_once_and_any_tree_is_read(schema: dict[str, Any]) -> None:
    written, _ = fitted(schema)
    assert fitted(written) == (written, frozenset())
