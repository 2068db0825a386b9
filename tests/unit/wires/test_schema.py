"""Which schemas may reach an engine."""

from typing import Any

import pytest

from tierwise.core.errors import InvalidCall
from tierwise.wires.schema import MAX_PATTERN_BYTES, MAX_PATTERNS_BYTES, MAX_SCHEMA_DEPTH, check_schemas


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth - 1):
        schema = {"items": schema}
    return schema


def pattern(text: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": "string", "pattern": text}}}


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        {"$defs": {"a": {"type": "string"}}, "anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]},
        {"$defs": {"a/b": {"$ref": "#/$defs/c~d"}, "c~d": {}}, "items": {"$ref": "#/$defs/a~1b"}},
        {"$defs": {"a b": {}}, "$ref": "#/$defs/a%20b"},
        {"properties": {"$ref": {"type": "string"}, "pattern": {"type": "string"}}},
        nested(MAX_SCHEMA_DEPTH),
        pattern("^[a-z]{2,10}$"),
        pattern(r"^(?<year>\d{4})-\p{L}+\u{1F600}$"),
        pattern(r"^(ab|cd)+$"),
        pattern(r"^\((a+)\)$"),
        pattern(r"[(+)]*x+"),
        pattern("^" + "a" * (MAX_PATTERN_BYTES - 1)),
    ],
)
def test_ordinary_schemas_pass(schema: dict[str, Any]) -> None:
    check_schemas([("p", schema)])


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"enum": ["x" * 1000] * 300}, "bytes"),
        (nested(MAX_SCHEMA_DEPTH + 1), "deeper"),
        ({"$ref": "#"}, "itself"),
        ({"items": {"$ref": "#"}}, "itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"items": {"$ref": "#/$defs/a"}}}}, "itself"),
        ({"anyOf": [{"a": {"$ref": "#/anyOf/1"}}, {"b": {"$ref": "#/anyOf/0"}}]}, "itself"),
        ({"$ref": "#/$defs/none"}, "nowhere"),
        ({"$ref": "#anchor"}, "nowhere"),
        ({"$ref": "http://127.0.0.1/schema"}, "another document"),
        ({"$ref": "other.json#/a"}, "another document"),
        (pattern("a" * (MAX_PATTERN_BYTES + 1)), "more than 1,024"),
        (pattern("["), "not a regular expression"),
        (pattern("(a"), "not a regular expression"),
        (pattern("(a+)+$"), "repeat inside"),
        (pattern("((a*b)|c)*"), "repeat inside"),
        (pattern("(?:x{2,}){3,}"), "repeat inside"),
        (pattern("a{100000}"), "repeats more"),
        ({"patternProperties": {"(a*)*": {}}}, "repeat inside"),
        ({"regex": "("}, "not a regular expression"),
    ],
)
def test_what_is_refused(schema: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidCall, match=says) as caught:
        check_schemas([("fine", {}), ("tools[3].function.parameters", schema)])
    assert (caught.value.code, caught.value.param) == ("invalid_schema", "tools[3].function.parameters")


def test_all_patterns_of_a_request_share_one_allowance() -> None:
    count = MAX_PATTERNS_BYTES // 1000 + 1
    with pytest.raises(InvalidCall, match="patterns of the request"):
        check_schemas([(str(number), pattern("a" * 1000)) for number in range(count)])
