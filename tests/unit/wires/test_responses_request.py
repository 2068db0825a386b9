"""From a caller's bytes to a call, and on to an endpoint with only what must change."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.call import Features, Hints
from tierwise.core.conversation import Seal
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.wires.responses_conversation import read_conversation
from tierwise.wires.responses_request import (
    CUSTOM_SCHEMA,
    decode_request,
    items_of,
    output_of,
    previous_of,
    splice_request,
    with_history,
    with_references,
)
from tierwise.wires.seals import enclose
from tierwise.wires.splice import members, parse, value_of
from tierwise.wires.wire import EncodedRequest, Recipient

SCHEMA = {"type": "object", "properties": {"intent": {"enum": ["a", "b"]}}}
TOOL = {"type": "function", "name": "f", "parameters": SCHEMA}
PATCH = {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark", "definition": "x: y"}}
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}", "status": "completed"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "fine"}


def body(**more: Any) -> bytes:
    return json.dumps({"model": "auto", "input": "hi"} | more).encode()


def spliced(raw: bytes, **options: Any) -> EncodedRequest:
    call = decode_request(raw)
    wanted = {"endpoint": "there", "served_name": "served", "stream": call.stream} | options
    return splice_request(call, Recipient(**wanted))


def sent(raw: bytes, **options: Any) -> bytes:
    return spliced(raw, **options).body


# reading


def test_everything_that_a_route_is_chosen_by() -> None:
    raw = body(
        model="auto:banking",
        stream=True,
        max_output_tokens=7,
        include=["message.output_text.logprobs"],
        tools=[TOOL, PATCH, {"type": "web_search"}],
        text={"format": {"type": "json_schema", "name": "x", "schema": SCHEMA}},
        input=[
            {"role": "user", "content": [
                {"type": "input_image", "image_url": "https://example.com/a.png"},
                {"type": "input_file", "file_url": "https://example.com/a.pdf"},
            ]},
        ],
    )  # fmt: skip
    call = decode_request(raw)
    assert call.features == Features(
        input_tokens_est=call.features.input_tokens_est,
        schema_tokens_est=call.features.schema_tokens_est,
        max_output_tokens=7,
        tools=3,
        images=1,
        files=1,
        schema=True,
        json=True,
        stream=True,
        logprobs=True,
    )
    assert (call.wire, call.model, call.body) == ("responses", "auto:banking", raw)
    assert (call.stream, call.include_usage) == (True, True)
    assert call.json_schema == SCHEMA
    assert call.tools == {"f": SCHEMA, "apply_patch": CUSTOM_SCHEMA}


def test_the_estimate_by_hand() -> None:
    assert decode_request(body()).features.input_tokens_est == 8 + 1
    call = decode_request(body(instructions="b" * 10, input=[{"role": "user", "content": "a" * 100}]))
    assert call.features.input_tokens_est == 8 + 5 + 50


def test_tools_that_stand_deeper_are_offered_too() -> None:
    """Codex groups functions in namespaces, and loads some later by items."""
    inner = {"type": "namespace", "name": "agents", "description": "d", "tools": [TOOL]}
    loaded = {"type": "tool_search_output", "call_id": "s", "tools": [{"type": "function", "name": "g"}]}
    call = decode_request(body(tools=[inner, {"type": "tool_search"}], input=[USER, loaded]))
    assert call.tools == {"f": SCHEMA, "g": {}}
    assert call.features.tools == 2


def test_one_name_with_two_meanings_promises_nothing() -> None:
    one, other = ({"type": "namespace", "name": n, "tools": [TOOL | {"parameters": p}]} for n, p in (("a", SCHEMA), ("b", {"type": "object"})))  # fmt: skip
    assert decode_request(body(tools=[one, other])).tools == {"f": {}}


@pytest.mark.parametrize(
    ("items", "answers"),
    [
        ([USER, CALL, OUTPUT], ("c1",)),
        ([USER, CALL, CALL | {"call_id": "c2"}, OUTPUT, OUTPUT | {"call_id": "c2"}], ("c1", "c2")),
        ([USER, CALL, OUTPUT, USER], ()),
        ([USER, CALL, OUTPUT, {"type": "message", "role": "assistant", "content": "so"}], ()),
        ([USER, {"type": "custom_tool_call", "call_id": "c1", "name": "p", "input": "x"},
          {"type": "custom_tool_call_output", "call_id": "c1", "output": "y"}], ("c1",)),
        ([USER], ()),
    ],
)  # fmt: skip
def test_a_tool_loop_goes_on_where_results_end_the_input(items: list[Any], answers: tuple[str, ...]) -> None:
    assert decode_request(body(input=items)).answers == answers


def test_hints_in_metadata_and_headers() -> None:
    raw = body(metadata={"x-tierwise-workflow": "w", "x-tierwise-label": "restricted", "x-tierwise-max-cost-usd": "1"})
    call = decode_request(raw, Hints(workflow="header", label=Label.PUBLIC))
    assert call.hints == Hints(workflow="header", label=Label.RESTRICTED, max_cost_usd=Decimal(1))
    with pytest.raises(InvalidCall) as caught:
        decode_request(body(metadata={"x-tierwise-quality": "2"}))
    assert caught.value.param == "metadata.x-tierwise-quality"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"text": {"format": {"type": "json_schema", "schema": {"$ref": "#"}}}}, "text.format.schema"),
        ({"tools": [TOOL | {"parameters": {"$ref": "#"}}]}, "tools[0].parameters"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [TOOL | {"parameters": {"$ref": "#"}}]}]}, "tools[0].tools[0].parameters"),
        ({"tools": [PATCH | {"format": {"type": "grammar", "syntax": "regex", "definition": "(a+)+"}}]}, "tools[0].format"),
        ({"guided_json": {"items": {"$ref": "#"}}}, "guided_json"),
        ({"structured_outputs": {"regex": "["}}, "structured_outputs"),
        ({"guided_regex": "(a+)+"}, "guided_regex"),
    ],
)  # fmt: skip
def test_no_engine_sees_a_wild_schema(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        decode_request(body(**more))
    assert caught.value.param == param


# splicing


def test_only_the_model_and_the_storing_change() -> None:
    raw = b'{ "input" : [ {"content":"\\u00e9 \\/","role":"user", "x":[1.0e0]} ],\r\n "top_p":1.0e0,"store":false, "model"\t:"auto" , "x":{} }'
    assert sent(raw) == raw.replace(b'"auto"', b'"served"')
    stored = raw.replace(b"false", b"true")
    assert sent(stored) == raw.replace(b'"auto"', b'"served"')


def test_nothing_is_stored_by_others() -> None:
    for store in ({}, {"store": None}, {"store": True}, {"store": False}):
        assert parse(sent(body(**store)))["store"] is False


def test_thinking_comes_in_a_form_that_can_be_sent_again() -> None:
    able = frozenset({"thinking"})
    assert parse(sent(body(), capabilities=able))["include"] == ["reasoning.encrypted_content"]
    asked = body(include=["message.output_text.logprobs"])
    assert parse(sent(asked, capabilities=able))["include"] == [
        "message.output_text.logprobs", "reasoning.encrypted_content",
    ]  # fmt: skip
    assert "include" not in parse(sent(body(store=False), capabilities=able))
    assert "include" not in parse(sent(body()))


def test_an_endpoint_may_be_asked_otherwise_than_the_caller_asked() -> None:
    whole = parse(sent(body(stream=True, stream_options={"include_obfuscation": False}), stream=False))
    assert whole["stream"] is False and "stream_options" not in whole
    assert parse(sent(body(stream=False), stream=True))["stream"] is True


def test_hints_do_not_leave() -> None:
    hint = {"x-tierwise-label": "internal"}
    assert parse(sent(body(metadata=hint | {"own": "kept"})))["metadata"] == {"own": "kept"}
    assert "metadata" not in parse(sent(body(metadata=hint)))
    assert parse(sent(body(metadata={})))["metadata"] == {}
    escaped = b'{"model":"auto","input":"hi","m\\u0065tadata":{"x-tierwis\\u0065-label":"internal"}}'
    assert "metadata" not in parse(sent(escaped))


def reasoning(sealed: str | None, ident: str = "rs_1", **more: Any) -> dict[str, Any]:
    sealing = {} if sealed is None else {"encrypted_content": sealed}
    return {"type": "reasoning", "id": ident, "summary": []} | sealing | more


def kept(*items: Any, **options: Any) -> tuple[list[Any], tuple[str, ...]]:
    request = spliced(body(input=[*items], store=False), **options)
    return parse(request.body)["input"], request.dropped


BARE = {name: value for name, value in CALL.items() if name != "id"}
OPENED = {"type": "reasoning", "summary": [], "encrypted_content": "sealed"}


def test_thinking_goes_back_where_it_came_from() -> None:
    """As it came, or out of its envelope; then without ids, for its neighbours no longer are those it had."""
    plain, own = reasoning("gAAAA"), enclose(Seal(wire="responses", data="rs_9 sealed", origin="there"))
    assert kept(USER, plain, CALL, OUTPUT) == ([USER, plain, CALL, OUTPUT], ())
    assert kept(USER, reasoning(own), CALL, OUTPUT) == ([USER, OPENED, BARE, OUTPUT], ())
    nobodys = enclose(Seal(wire="responses", data="rs_9 sealed"))
    assert kept(USER, reasoning(nobodys), CALL, OUTPUT) == ([USER, OPENED, BARE, OUTPUT], ())


def test_thinking_of_others_is_left_out_and_named() -> None:
    for wire, origin in (("messages", "there"), ("responses", "elsewhere")):
        sealed = enclose(Seal(wire=wire, data="rs_9 sealed", origin=origin))
        assert kept(USER, reasoning(sealed), CALL, OUTPUT) == ([USER, BARE, OUTPUT], ("reasoning",))
    assert kept(USER, reasoning("gAAAA"), CALL, OUTPUT, unseal=True) == ([USER, BARE, OUTPUT], ("reasoning",))


def test_what_followed_thinking_that_was_left_out_no_longer_refers_to_it() -> None:
    """OpenAI refuses an item with its own id "without its required 'reasoning' item"."""
    said = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "x"}]}
    later = said | {"id": "msg_2"}
    items, _ = kept(USER, reasoning("a"), said, CALL, OUTPUT, reasoning("b"), later, USER, said, unseal=True)
    assert [item.get("id") for item in items] == [None, None, None, None, None, None, "msg_1"]


def test_thinking_without_a_seal_is_words_where_it_has_any() -> None:
    """What vLLM and llama.cpp write stands in plain words; a bare reference leads to what nobody stored."""
    told = reasoning(None, content=[{"type": "reasoning_text", "text": "hm"}])
    assert kept(USER, told, CALL, OUTPUT) == ([USER, told, CALL, OUTPUT], ())
    items, dropped = kept(USER, reasoning(None), CALL, OUTPUT)
    assert (len(items), dropped) == (3, ("reasoning",))
    assert kept(USER, told, CALL, OUTPUT, unseal=True)[1] == ("reasoning",)


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}x", fullmatch=True), TEXT | st.integers(0, 9) | st.booleans(), max_size=4
    ),
    TEXT,
    st.booleans(),
)
def test_every_other_byte_stays(more: dict[str, Any], text: str, stream: bool) -> None:
    raw = body(input=[{"role": "user", "content": text, "x": more}], stream=stream, **more)
    edited = sent(raw)
    old, new = members(raw), members(edited)
    assert [name for name in new if name in old] == list(old)
    for name in old.keys() - {"model"}:
        assert value_of(edited, new, name) == value_of(raw, old, name)
    assert sent(edited, stream=stream) == edited


@given(st.lists(st.sampled_from(["user", "own", "others", "call"]), min_size=1, max_size=6), st.integers(0, 3))
def test_items_that_stay_keep_their_bytes(kinds: list[str], spaces: int) -> None:
    """Prompt caches hold only as long as the beginning of the input keeps its bytes."""
    gap, others = " " * spaces, enclose(Seal(wire="messages", data="s", origin="o"))
    written = {
        "user": f'{{"role" :{gap} "user", "content": "\\u00e9", "x": 1.50}}',
        "own": f'{{"type":"reasoning",{gap}"id":"rs","summary":[ ],"encrypted_content":"gAAA"}}',
        "others": f'{{"type":"reasoning","id":"rs","summary":[],"encrypted_content":"{others}"}}',
        "call": f'{{"type":"local_shell_call",{gap}"call_id":"c","action":{{"z":1,"a":2}}}}',
    }
    items = [written[kind] for kind in kinds] + [written["user"]]
    raw = f'{{"model":"auto","store":false,"input":[{f",{gap}".join(items)}]}}'.encode()
    left = items_of(sent(raw))
    assert left == [item.encode() for item in items if item != written["others"]]


# state


HISTORY = [b'{"type":"message","role":"user","content":"caf\\u00e9" }', b'{"type":"message","role":"assistant","content":[ ]}']  # fmt: skip


def test_history_stands_before_what_is_new() -> None:
    raw = b'{ "previous_response_id":"resp_1", "x":1.50,"input" : [ {"role":"user","content":"b"} ],"model":"m"}'
    assert previous_of(raw) == "resp_1"
    whole = with_history(raw, HISTORY)
    assert whole == b'{ "x":1.50,"input" : [' + b",".join(HISTORY) + b',{"role":"user","content":"b"}],"model":"m"}'
    assert previous_of(whole) is None
    assert items_of(whole) == [*HISTORY, b'{"role":"user","content":"b"}']


def test_history_alone_and_before_bare_text() -> None:
    alone = b'{"model":"m","previous_response_id":"resp_1"}'
    assert parse(with_history(alone, HISTORY))["input"] == [parse(item) for item in HISTORY]
    assert parse(with_history(b'{"model":"m","input":null,"previous_response_id":"resp_1"}', HISTORY)) == parse(
        with_history(alone, HISTORY)
    )
    text = b'{"input":"caf\\u00e9","previous_response_id":"resp_1"}'
    assert items_of(with_history(text, HISTORY))[-1] == b'{"type":"message","role":"user","content":"caf\\u00e9"}'


@pytest.mark.parametrize("given", [5, {"role": "user"}, True, [5], [None]])
def test_history_does_not_hide_what_is_wrong(given: Any) -> None:
    raw = json.dumps({"model": "m", "previous_response_id": "r", "input": given}).encode()
    with pytest.raises(InvalidCall) as caught:
        decode_request(with_history(raw, HISTORY))
    assert (caught.value.param or "").startswith("input")


@pytest.mark.parametrize("raw", [body(), body(previous_response_id=None), body(input="previous_response_id")])
def test_no_reference_is_none(raw: bytes) -> None:
    assert previous_of(raw) is None


def test_a_reference_that_nobody_resolved_is_an_error_as_openai_words_it() -> None:
    with pytest.raises(InvalidCall) as caught:
        decode_request(body(previous_response_id="resp_1"))
    assert (caught.value.param, caught.value.code) == ("previous_response_id", "previous_response_not_found")
    with pytest.raises(InvalidCall) as caught:
        decode_request(body(previous_response_id=5))
    assert caught.value.param == "previous_response_id"


def test_items_may_be_named_instead_of_repeated() -> None:
    kept_items = {"fc_1": json.dumps(CALL).encode()}
    raw = body(input=[USER, {"type": "item_reference", "id": "fc_1"}, OUTPUT])
    resolved = with_references(raw, kept_items.get)
    assert parse(resolved)["input"] == [USER, CALL, OUTPUT]
    assert items_of(resolved)[1] == kept_items["fc_1"]
    unknown = body(input=[USER, {"type": "item_reference", "id": "fc_2"}])
    assert with_references(unknown, kept_items.get) == unknown
    spoken = body(input='{"type":"item_reference"}')
    assert with_references(spoken, kept_items.get) == spoken


@pytest.mark.parametrize(
    "raw",
    [
        b'{"item_reference"',
        b'["item_reference"]',
        b'{"input":"item_reference","input":"item_reference"}',
        b"[" * 200_000 + b'"item_reference"',
        b'"previous_response_id"',
        b'{"input":"item_reference"}\xff',
    ],
)
def test_state_is_only_looked_for_in_what_can_be_read(raw: bytes) -> None:
    with pytest.raises(InvalidCall):
        decode_request(with_references(raw, {}.get) if previous_of(raw) is None else raw)


def test_what_a_response_brought() -> None:
    items = [b'{"id":"msg_1", "type":"message"}', b'{"type":"x"}', b'{"id":5}']
    response = b'{"id":"resp_1","status":"completed","output":[' + b" ,".join(items) + b"]}"
    assert output_of(response) == ("resp_1", dict(zip(("msg_1", "1", "2"), items, strict=True)), b'"completed"')


@pytest.mark.parametrize("response", [b"null", b"{}", b"[]", b'{"id":null,"output":null}', b'{"output":[5]}', b""])
def test_what_is_no_response_brought_nothing(response: bytes) -> None:
    assert output_of(response)[:2] == ("", {})


@given(st.lists(TEXT, max_size=3), st.lists(TEXT, min_size=1, max_size=3))
def test_a_conversation_in_turns_is_the_conversation_in_one(old: list[str], new: list[str]) -> None:
    said = [{"type": "message", "role": "user", "content": text} for text in [*old, *new]]
    encoded = [json.dumps(item).encode() for item in said]
    split = with_history(body(input=said[len(old) :], previous_response_id="r"), encoded[: len(old)])
    assert items_of(split) == encoded
    assert decode_request(split).features == decode_request(body(input=said)).features


# whatever comes

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**40) | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([
                "type", "text", "role", "content", "image_url", "file_url", "file_data", "name", "id", "call_id", "input",
                "output", "arguments", "summary", "encrypted_content", "$ref", "pattern", "format", "tools", "x",
            ]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=10,
)  # fmt: skip
NAMES = st.sampled_from([
    "model", "input", "instructions", "stream", "stream_options", "tools", "tool_choice", "text", "reasoning", "include",
    "metadata", "store", "previous_response_id", "conversation", "prompt", "background", "max_output_tokens", "user", "x",
])  # fmt: skip
KINDS = st.sampled_from([
    "message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
    "item_reference", "web_search_call", "tool_search_output", "additional_tools",
])  # fmt: skip
ITEMS = st.builds(
    lambda kind, junk, content: (
        USER
        | {"type": kind, "call_id": "c1", "name": "f", "arguments": "{}", "input": "", "output": content}
        | {"content": content, "summary": content, "tools": content}
        | junk
    ),
    KINDS,
    st.dictionaries(st.sampled_from(["content", "summary", "output", "id", "encrypted_content", "tools", "x"]), JUNK),
    JUNK | st.lists(st.dictionaries(st.sampled_from(["type", "text", "image_url", "file_data"]), JUNK), max_size=2),
)


@given(st.dictionaries(NAMES, JUNK, max_size=6), st.lists(ITEMS, max_size=3), st.lists(JUNK, max_size=2))
def test_whatever_comes_is_a_call_or_an_invalid_call(more: dict[str, Any], items: list[Any], tools: list[Any]) -> None:
    inner = [{"type": "namespace", "name": "n", "tools": tools}, {"type": "custom", "name": "p", "format": tools[:1]}]
    for raw in (
        json.dumps(more).encode(),
        body(**more),
        body(input=[USER, CALL, *items]),
        body(input=[USER, *items], tools=[*tools, *inner]),
        body(tools=inner, text={"format": tools[-1] if tools else None}),
    ):
        try:
            call = decode_request(with_references(raw, {}.get))
        except InvalidCall as error:
            assert error.status == 400
        else:
            sent(raw, stream=True, unseal=False)
            read_conversation(call)


@given(st.binary(max_size=100))
def test_bytes_that_are_no_json_are_an_invalid_call(raw: bytes) -> None:
    with pytest.raises(InvalidCall):
        decode_request(raw)
