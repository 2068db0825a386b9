"""One meaning only, and no byte changed that was not named."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import InvalidCall
from tierwise.wires.splice import MAX_DEPTH, MAX_MEMBERS, edit, members, parse, value_of

TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
LEAVES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    LEAVES | TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(TEXT, VALUES, max_size=6)
WRITERS = st.sampled_from(
    [
        lambda value: json.dumps(value).encode(),
        lambda value: json.dumps(value, ensure_ascii=False, indent=2).encode(),
        lambda value: json.dumps(value, separators=(",", ":")).encode(),
        lambda value: json.dumps(value, indent="\t", separators=(" ,", " : ")).encode(),
    ]
)


def code_of(body: bytes) -> str | None:
    with pytest.raises(InvalidCall) as caught:
        parse(body)
    return caught.value.code


@given(OBJECTS, WRITERS)
def test_parse_reads_what_json_means(value: dict[str, Any], write: Any) -> None:
    assert parse(write(value)) == value


@given(OBJECTS, WRITERS)
def test_members_lie_where_they_are_found(value: dict[str, Any], write: Any) -> None:
    body = write(value)
    spans = members(body)
    assert {name: json.loads(value_of(body, spans, name)) for name in spans} == value
    for name, (start, value_start, _) in spans.items():
        assert json.loads(body[start:value_start].rstrip()[:-1]) == name


@given(OBJECTS, WRITERS, st.sets(TEXT, max_size=3), st.dictionaries(TEXT, LEAVES, max_size=3), st.data())
def test_edit_changes_what_is_named_and_nothing_else(
    value: dict[str, Any], write: Any, more: set[str], added: dict[str, Any], data: st.DataObject
) -> None:
    drop = more - added.keys()
    if value:
        drop |= data.draw(st.sets(st.sampled_from(sorted(value)), max_size=3))
    put = {name: json.dumps(new).encode() for name, new in added.items() if name not in drop}
    body = write(value)
    edited = edit(body, put=put, drop=drop)
    expected = {name: old for name, old in value.items() if name not in drop}
    expected |= {name: added[name] for name in put}
    assert parse(edited) == expected
    old, new = members(body), members(edited)
    for name in value.keys() - drop - put.keys():
        assert value_of(edited, new, name) == value_of(body, old, name)
    assert edit(edited, put=put, drop=drop) == edited


@given(OBJECTS, WRITERS)
def test_an_edit_of_nothing_is_the_same_bytes(value: dict[str, Any], write: Any) -> None:
    body = write(value)
    assert edit(body) == body
    assert edit(body, put={name: value_of(body, members(body), name) for name in value}) == body


@pytest.mark.parametrize(
    ("body", "put", "drop", "expected"),
    [
        (b'{"a":1,"b":2,"c":3}', {}, {"a"}, b'{"b":2,"c":3}'),
        (b'{"a":1, "b":2, "c":3}', {}, {"b"}, b'{"a":1, "c":3}'),
        (b'{"a":1,"b":2 }', {}, {"b"}, b'{"a":1 }'),
        (b'{ "a" : 1 }', {"a": b"2"}, (), b'{ "a" : 2 }'),
        (b"{ }", {"a": b"2"}, (), b'{"a":2 }'),
        (b'{"a":1}', {"b": b"2"}, {"a"}, b'{"b":2}'),
        (b'{"\\u0061":1}', {"a": b"2"}, (), b'{"\\u0061":2}'),
    ],
)
def test_edit_by_hand(body: bytes, put: dict[str, bytes], drop: Any, expected: bytes) -> None:
    assert edit(body, put=put, drop=drop) == expected


@given(OBJECTS, st.data())
def test_a_duplicate_key_at_any_depth_is_refused(value: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(TEXT)
    inner = json.dumps({name: 1, "other": value})
    doubled = inner[:-1] + "," + json.dumps(name) + ":" + json.dumps(data.draw(VALUES)) + "}"
    for _ in range(data.draw(st.integers(0, 5))):
        doubled = data.draw(st.sampled_from([f"[{doubled}]", '{"in":' + doubled + "}"]))
    body = '{"top":' + doubled + ',"text":' + json.dumps(data.draw(TEXT)) + "}"
    assert code_of(body.encode()) == "duplicate_key"


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":1,"mod\\u0065l":2}',
        b'{"a":"\\u003a","b":{"c":1,"c":2}}',
        b'{"a":"\\u003A\\u003a","b":[{"c":{"x":1},"c":2}]}',
        b'{"a":1,"a":1}',
    ],
)
def test_escapes_do_not_hide_a_duplicate(body: bytes) -> None:
    assert code_of(body) == "duplicate_key"


def test_escaped_colons_alone_are_no_duplicate() -> None:
    assert parse(b'{"a":"\\u003a:","\\u003a":1}') == {"a": "::", ":": 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b'{"a":1', "invalid_json"),
        (b'{"a":1} x', "invalid_json"),
        (b'{"a":NaN}', "invalid_json"),
        (b'{"a":-Infinity}', "invalid_json"),
        (b'{"a":01}', "invalid_json"),
        (b"{'a':1}", "invalid_json"),
        (b'{"a":"\x01"}', "invalid_json"),
        (b'{"a":"\\ud800"}', "invalid_json"),
        (b'{"a":"\\udc00x"}', "invalid_json"),
        (b'{"\\ud83d":1}', "invalid_json"),
        (b'{"a":"\xed\xa0\x80"}', "invalid_encoding"),
        (b'{"a":"\xff"}', "invalid_encoding"),
        (b'\xef\xbb\xbf{"a":1}', "invalid_encoding"),
        ('{"a":1}'.encode("utf-16"), "invalid_encoding"),
        ('{"a":1}'.encode("utf-16-le"), "invalid_encoding"),
        ('{"a":1}'.encode("utf-16-be"), "invalid_encoding"),
        (b"[]", "invalid_type"),
        (b'"text"', "invalid_type"),
        (b"null", "invalid_type"),
        (b"7", "invalid_type"),
        (b'{"a":1e400}', "invalid_value"),
        (b'{"a":' + b"9" * 5000 + b"}", "invalid_value"),
        (b"[" * 100_000, "too_complex"),
        (b'{"a":' * 100_000, "too_complex"),
        (b'{"a":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}", "too_complex"),
        (b"{" + b",".join(b'"%d":0' % n for n in range(MAX_MEMBERS + 1)) + b"}", "too_complex"),
        (b'{"a":[' + b"0," * 500_001 + b"0]}", "too_complex"),
        (b'{"a":' + b"[" * 1_000_001, "too_complex"),
    ],
)
def test_what_is_refused(body: bytes, code: str) -> None:
    assert code_of(body) == code


def test_the_deepest_and_the_widest_that_pass() -> None:
    depth = MAX_DEPTH - 1
    assert parse(b'{"a":' + b"[" * depth + b"]" * depth + b"}")
    assert len(parse(b"{" + b",".join(b'"%d":0' % n for n in range(MAX_MEMBERS)) + b"}")) == MAX_MEMBERS


def test_brackets_and_colons_inside_of_text_do_not_count() -> None:
    text = '[[{"\\": :{' * 60_000
    assert parse(json.dumps({"a": text}).encode()) == {"a": text}


def test_a_number_out_of_range_names_its_member() -> None:
    with pytest.raises(InvalidCall) as caught:
        parse(b'{"model":"m","seed":1e999}')
    assert caught.value.param == "seed"
