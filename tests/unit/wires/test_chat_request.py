"""From a caller's bytes to a call, and on to an endpoint with only what must change."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.call import Features, Hints
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.wires.chat_request import decode_request, splice_request
from tierwise.wires.splice import members, parse, value_of
from tierwise.wires.wire import Recipient

SCHEMA = {"type": "object", "properties": {"intent": {"enum": ["a", "b"]}}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


def body(**more: Any) -> bytes:
    return json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]} | more).encode()


def sent(raw: bytes, **options: Any) -> bytes:
    call = decode_request(raw)
    wanted = {"endpoint": "there", "served_name": "served", "stream": call.stream} | options
    return splice_request(call, Recipient(**wanted)).body


def test_everything_that_a_route_is_chosen_by() -> None:
    raw = body(
        model="auto:banking",
        stream=True,
        stream_options={"include_usage": True},
        max_tokens=9,
        max_completion_tokens=7,
        n=2,
        logprobs=True,
        tools=[TOOL],
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}},
    )
    call = decode_request(raw)
    assert call.features == Features(
        input_tokens_est=call.features.input_tokens_est,
        schema_tokens_est=call.features.schema_tokens_est,
        max_output_tokens=7,
        tools=1,
        schema=True,
        json=True,
        stream=True,
        logprobs=True,
        n=2,
    )
    assert (call.wire, call.model, call.body) == ("chat", "auto:banking", raw)
    assert (call.stream, call.include_usage) == (True, True)
    assert call.json_schema == SCHEMA
    assert call.tools == {"f": SCHEMA}


def test_the_estimate_by_hand() -> None:
    assert decode_request(body()).features.input_tokens_est == 8 + 1
    call = decode_request(
        body(messages=[{"role": "user", "content": "a" * 100}, {"role": "assistant", "content": "é"}])
    )
    assert call.features.input_tokens_est == 2 * 8 + 50 + 2


def test_the_answers_schema_is_estimated_apart() -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["y" * 1000]}}}
    plain, with_schema = decode_request(body()), decode_request(body(response_format=wanted))
    assert with_schema.features.input_tokens_est == plain.features.input_tokens_est
    assert with_schema.features.schema_tokens_est > 500 > plain.features.schema_tokens_est == 0
    assert [part.kind for part in with_schema.parts] == ["text", "schema"]


@pytest.mark.parametrize(
    ("wanted", "schema", "is_json"),
    [
        ({"type": "text"}, None, False),
        ({"type": "json_object"}, None, True),
        ({"type": "json_object", "schema": SCHEMA}, SCHEMA, True),
        ({"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}, SCHEMA, True),
    ],
)
def test_kinds_of_answers(wanted: dict[str, Any], schema: dict[str, Any] | None, is_json: bool) -> None:
    call = decode_request(body(response_format=wanted))
    assert (call.json_schema, call.features.schema, call.features.json) == (schema, schema is not None, is_json)


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}}, "response_format"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "#"}}}]},
            "tools[0].function.parameters",
        ),
        ({"guided_regex": "(a+)+"}, "guided_regex"),
        ({"guided_json": {"items": {"$ref": "#"}}}, "guided_json"),
        ({"structured_outputs": {"regex": "["}}, "structured_outputs"),
        ({"functions": [{"name": "f", "parameters": {"pattern": "["}}]}, "functions"),
    ],
)
def test_no_engine_sees_a_wild_schema(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        decode_request(body(**more))
    assert caught.value.param == param


def test_hints_in_metadata_and_headers() -> None:
    raw = body(metadata={"x-tierwise-workflow": "w", "x-tierwise-label": "restricted", "x-tierwise-max-cost-usd": "1"})
    call = decode_request(raw, Hints(workflow="header", label=Label.PUBLIC))
    assert call.hints == Hints(workflow="header", label=Label.RESTRICTED, max_cost_usd=Decimal(1))
    with pytest.raises(InvalidCall) as caught:
        decode_request(body(metadata={"x-tierwise-quality": "2"}))
    assert caught.value.param == "metadata.x-tierwise-quality"


def test_only_the_model_changes() -> None:
    raw = b'{ "messages" : [ {"content":"\\u00e9 \\/","role":"user"} ],\r\n "top_p":1.0e0, "model"\t:"auto" , "x":{} }'
    assert sent(raw) == raw.replace(b'"auto"', b'"served"')


def test_asked_usage_and_logprobs() -> None:
    assert parse(sent(body(stream=True), logprobs=True)) == parse(
        body(model="served", stream=True, stream_options={"include_usage": True}, logprobs=True)
    )
    options = {"include_usage": False, "include_obfuscation": False}
    changed = parse(sent(body(stream=True, stream_options=options)))
    assert changed["stream_options"] == options | {"include_usage": True}
    assert parse(sent(body(stream=True, stream_options=None)))["stream_options"] == {"include_usage": True}
    assert "stream_options" not in parse(sent(body()))
    assert parse(sent(body(logprobs=False), logprobs=True))["logprobs"] is True


def test_what_the_caller_asked_for_is_left_alone() -> None:
    raw = body(stream=True, stream_options={"include_usage": True}, logprobs=True, top_logprobs=3)
    assert sent(raw, logprobs=True) == raw.replace(b'"auto"', b'"served"')


def test_an_endpoint_may_be_asked_otherwise_than_the_caller_asked() -> None:
    whole = parse(sent(body(stream=True, stream_options={"include_usage": True}), stream=False))
    assert "stream" not in whole and "stream_options" not in whole
    assert parse(sent(body(stream=False), stream=True))["stream"] is True


def test_hints_do_not_leave() -> None:
    hint = {"x-tierwise-label": "internal"}
    assert parse(sent(body(metadata=hint | {"own": "kept"})))["metadata"] == {"own": "kept"}
    assert "metadata" not in parse(sent(body(metadata=hint)))
    assert parse(sent(body(metadata={})))["metadata"] == {}
    escaped = b'{"model":"auto","messages":[{"role":"user","content":"hi"}],"m\\u0065tadata":{"x-tierwis\\u0065-label":"internal"}}'
    assert "metadata" not in parse(sent(escaped))


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}x", fullmatch=True), TEXT | st.integers(0, 9) | st.booleans(), max_size=4
    ),
    TEXT,
    st.booleans(),
)
def test_every_other_byte_stays(more: dict[str, Any], text: str, stream: bool) -> None:
    raw = body(messages=[{"role": "user", "content": text}], stream=stream, **more)
    edited = sent(raw, logprobs=True)
    old, new = members(raw), members(edited)
    for name in old.keys() - {"model", "stream_options", "logprobs"}:
        assert value_of(edited, new, name) == value_of(raw, old, name)
    assert sent(edited, stream=stream, logprobs=True) == edited


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "text", "role", "content", "url", "function", "name", "id", "$ref", "pattern", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)
NAMES = st.sampled_from(
    [
        "model", "messages", "stream", "stream_options", "tools", "tool_choice", "response_format", "metadata", "stop",
        "logit_bias", "n", "functions", "user", "x",
    ]
)  # fmt: skip


@given(st.dictionaries(NAMES, JUNK, max_size=6), st.lists(JUNK, max_size=3))
def test_whatever_comes_is_a_call_or_an_invalid_call(more: dict[str, Any], messages: list[Any]) -> None:
    for raw in (
        json.dumps(more).encode(),
        body(**more),
        body(messages=[{"role": "user", "content": messages}, *messages]),
    ):
        try:
            decode_request(raw)
        except InvalidCall as error:
            assert error.status == 400
        else:
            sent(raw, stream=True, logprobs=True)


@given(st.binary(max_size=100))
def test_bytes_that_are_no_json_are_an_invalid_call(raw: bytes) -> None:
    with pytest.raises(InvalidCall):
        decode_request(raw)


@pytest.mark.parametrize(
    ("tools", "sent"),
    [
        (
            b'[ {"type":"function", "function":{"name":"f","description": null,"parameters":{}},"x":1},\n{"type":"o"} ]',
            b'[ {"type":"function", "function":{"name":"f","parameters":{}},"x":1},\n{"type":"o"} ]',
        ),
        (b'[{"type":"function","function":{"name":"f","strict": null}}]', None),
        (b'[{"type":"function","function":{"name":"f","description":"null"}}]', None),
        (b'[{"type":"null"}]', None),
        (b"null", None),
    ],
)
def test_a_description_that_says_nothing_is_left_out_and_nothing_else(tools: bytes, sent: bytes | None) -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],"tools": %b }'
    call = decode_request(body % tools)
    request = splice_request(call, Recipient(endpoint="e", served_name="m", stream=False))
    assert request.body == body % (sent or tools)
