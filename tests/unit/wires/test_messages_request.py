"""From a caller's bytes to a call, and on to an endpoint with only what must change."""

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.messages_bodies import DICE, SCHEMA, bodies, oddly, thought, turns
from tierwise.core.call import Features, Hints
from tierwise.core.conversation import Seal
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.wires.messages_request import VERSION, decode_request, headers_of, splice_request
from tierwise.wires.messages_seals import SIGNED, UNSIGNED
from tierwise.wires.seals import enclose
from tierwise.wires.splice import members, parse, value_of
from tierwise.wires.wire import EncodedRequest, Recipient

TOOL = {"name": "f", "input_schema": SCHEMA}
USER = {"role": "user", "content": "hi"}
USE = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "t1", "content": "fine"}
OWN, ELSEWHERE = (enclose(Seal(wire="messages", data=SIGNED + "EqQB", origin=name)) for name in ("there", "elsewhere"))


def body(**more: Any) -> bytes:
    return json.dumps({"model": "auto", "max_tokens": 9, "messages": [USER]} | more).encode()


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
        max_tokens=7,
        tools=[TOOL, {"type": "custom", "name": "g", "input_schema": {}}, {"type": "web_search_20260209", "name": "web"}],
        output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
        messages=[
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
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
    )
    assert (call.wire, call.model, call.body) == ("messages", "auto:banking", raw)
    assert (call.stream, call.include_usage, call.answers) == (True, True, ())
    assert call.json_schema == SCHEMA
    assert call.tools == {"f": SCHEMA}


def test_the_estimate_by_hand() -> None:
    assert decode_request(body()).features.input_tokens_est == 2 * 8 + 1
    call = decode_request(body(system="b" * 10, messages=[{"role": "user", "content": "a" * 100}]))
    assert call.features.input_tokens_est == 2 * 8 + 5 + 50


def test_the_schema_has_two_places() -> None:
    call = decode_request(body(output_format={"type": "json_schema", "schema": SCHEMA}))
    assert call.json_schema == SCHEMA
    assert [part.path for part in call.parts if part.kind == "schema"] == ["output_format"]


@pytest.mark.parametrize(
    ("turns", "answers"),
    [
        ([{"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]}], ("t1",)),
        ([{"role": "assistant", "content": [USE, USE | {"id": "t2"}]},
          {"role": "user", "content": [RESULT]}, {"role": "system", "content": "s"},
          {"role": "user", "content": [RESULT | {"tool_use_id": "t2"}, {"type": "text", "text": "go on"}]}], ("t1", "t2")),
        ([{"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]}, {"role": "user", "content": "x"}], ("t1",)),
        ([{"role": "assistant", "content": [USE]}, {"role": "user", "content": [RESULT]}, {"role": "assistant", "content": "x"}], ()),
        ([{"role": "assistant", "content": "x"}, USER], ()),
        ([], ()),
    ],
)  # fmt: skip
def test_a_tool_loop_goes_on_where_results_answer_the_last_turn(turns: list[Any], answers: tuple[str, ...]) -> None:
    assert decode_request(body(messages=[USER, *turns])).answers == answers


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
        ({"output_config": {"format": {"type": "json_schema", "schema": {"$ref": "#"}}}}, "output_config.format"),
        ({"output_format": {"type": "json_schema", "schema": {"pattern": "(a+)+"}}}, "output_format"),
        ({"tools": [TOOL, TOOL | {"input_schema": {"$ref": "#"}}]}, "tools[1].input_schema"),
        ({"structured_outputs": {"regex": "["}}, "structured_outputs"),
        ({"guided_regex": "(a+)+"}, "guided_regex"),
    ],
)
def test_no_engine_sees_a_wild_schema(more: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidCall) as caught:
        decode_request(body(**more))
    assert (caught.value.code, caught.value.param) == ("invalid_schema", param)


# splicing


def test_only_the_model_changes() -> None:
    raw = b'{ "messages" : [ {"content":"\\u00e9 \\/","role":"user", "x":[1.0e0]} ],\r\n "top_p":1.0e0,"max_tokens":9, "model"\t:"auto" , "x":{} }'
    assert sent(raw) == raw.replace(b'"auto"', b'"served"')


def test_an_endpoint_may_be_asked_otherwise_than_the_caller_asked() -> None:
    assert parse(sent(body(stream=True), stream=False))["stream"] is False
    assert parse(sent(body(), stream=True))["stream"] is True
    assert "stream" not in parse(sent(body()))


def test_hints_do_not_leave() -> None:
    hint = {"x-tierwise-label": "internal"}
    assert parse(sent(body(metadata=hint | {"user_id": "kept"})))["metadata"] == {"user_id": "kept"}
    assert "metadata" not in parse(sent(body(metadata=hint)))
    assert parse(sent(body(metadata={})))["metadata"] == {}


def test_the_version_is_the_callers_or_the_one_that_is_spoken() -> None:
    assert spliced(body()).headers == (VERSION,)
    beta = ("anthropic-beta", "context-1m-2025-08-07")
    assert headers_of((beta,)) == (beta, VERSION)
    newer = ("anthropic-version", "2099-01-01")
    assert headers_of((newer, beta)) == (newer, beta)


def loop(*blocks: Any, **more: Any) -> bytes:
    turns = [USER, {"role": "assistant", "content": [*blocks, USE]}, {"role": "user", "content": [RESULT]}]
    return body(messages=turns, **more)


MANUAL = {"type": "enabled", "budget_tokens": 2048}


def test_inside_a_tool_loop_manual_thinking_wants_what_was_cut() -> None:
    """Anthropic refuses it: "Expected `thinking`, but found `tool_use`"."""
    clearing = {"edits": [{"type": "clear_thinking_20251015"}, {"type": "clear_tool_uses_20250919"}]}
    request = spliced(loop(thought(ELSEWHERE), thinking=MANUAL, context_management=clearing))
    tree = parse(request.body)
    assert request.dropped == ("thinking",)
    assert tree["messages"][1]["content"] == [USE]
    assert "thinking" not in tree
    assert tree["context_management"] == {"edits": [{"type": "clear_tool_uses_20250919"}]}
    alone = spliced(loop(thought(ELSEWHERE), thinking=MANUAL, context_management={"edits": clearing["edits"][:1]}))
    assert "context_management" not in parse(alone.body)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (loop(thought(OWN), thinking=MANUAL), "nothing is cut"),
        (loop(thought("EqQB"), thinking=MANUAL), "of an endpoint nobody knows any more: it is tried"),
        (loop(thought(ELSEWHERE), thought(OWN), thinking=MANUAL), "the turn still begins with thinking"),
        (loop(thought(ELSEWHERE), thinking={"type": "adaptive"}), "the model need not have thought"),
        (loop(thought(ELSEWHERE)) , "nobody asked to think"),
        (body(messages=[USER, {"role": "assistant", "content": [thought(ELSEWHERE), {"type": "text", "text": "x"}]}, USER],
              thinking=MANUAL), "no loop"),
        (body(messages=[USER, {"role": "assistant", "content": [thought(ELSEWHERE), USE]}, {"role": "user", "content": [RESULT]},
                        {"role": "assistant", "content": [thought(OWN), USE | {"id": "t2"}]},
                        {"role": "user", "content": [RESULT | {"tool_use_id": "t2"}]}], thinking=MANUAL), "an earlier turn"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)  # fmt: skip
def test_else_thinking_stays_as_it_was_asked_for(raw: bytes, why: str) -> None:
    old, new = (parse(one).get("thinking") for one in (raw, sent(raw)))
    assert new == old, why


def test_a_turn_in_several_messages_is_one_turn() -> None:
    turns = [USER, {"role": "assistant", "content": [thought(ELSEWHERE)]}, {"role": "assistant", "content": [USE]},
             {"role": "user", "content": [RESULT]}]  # fmt: skip
    tree = parse(sent(body(messages=turns, thinking=MANUAL)))
    assert "thinking" not in tree
    assert [message["role"] for message in tree["messages"]] == ["user", "assistant", "user"]


# the same wire: the same bytes


def without(raw: bytes, *names: str) -> list[tuple[bytes, bytes]]:
    """Return the members of a body, keys and values as they are written, but for these."""
    return [(raw[key:value], raw[value:end]) for name, (key, value, end) in members(raw).items() if name not in names]


@given(bodies(), DICE, st.booleans())
def test_the_same_wire_is_the_same_bytes(tree: dict[str, Any], dice: random.Random, stream: bool) -> None:
    raw = oddly(tree, dice).encode()
    start, end = members(raw)["model"][1:]
    if stream == bool(tree.get("stream")):
        assert sent(raw, stream=stream) == raw[:start] + b'"served"' + raw[end:]
    edited = sent(raw, stream=stream)
    assert without(edited, "model", "stream") == without(raw, "model", "stream")
    assert bool(parse(edited).get("stream")) is stream
    again = edited if stream == bool(tree.get("stream")) else sent(edited, stream=stream)
    assert again == edited


@given(bodies(), DICE)
def test_hints_and_thinking_from_elsewhere_are_all_that_goes(tree: dict[str, Any], dice: random.Random) -> None:
    kept = tree | {"metadata": {"user_id": "\u00e9"}}
    hinted = tree | {"metadata": {"x-tierwise-label": "internal", "user_id": "\u00e9", "x-tierwise-session": "s"}}
    said = [*tree["messages"], {"role": "user", "content": "so"}]
    cut = {"role": "assistant", "content": [{"type": "text", "text": "x"}]}
    foreign = cut | {"content": [thought(UNSIGNED), *cut["content"], {"type": "redacted_thinking", "data": ELSEWHERE}]}
    raw = oddly(hinted | {"messages": [*said, foreign, USER]}, dice).encode()
    request = spliced(raw)
    assert request.dropped == ("thinking",)
    assert parse(request.body) == kept | {"model": "served", "messages": [*said, cut, USER]} | (
        {"stream": tree["stream"]} if "stream" in tree else {}
    )
    assert without(request.body, "model", "messages", "metadata") == without(raw, "model", "messages", "metadata")


@given(st.lists(turns(), min_size=1, max_size=4), DICE, st.booleans())
def test_the_beginning_of_a_growing_conversation_keeps_its_bytes(
    rounds: list[Any], dice: random.Random, foreign: bool
) -> None:
    """Prompt caches hold only as long as it does, also where thinking from elsewhere is cut out of it."""
    written: list[str] = []
    before = b""
    for round_ in rounds:
        hidden = (
            [{"role": "assistant", "content": [thought(ELSEWHERE), {"type": "text", "text": "x"}]}] if foreign else []
        )
        written += [oddly(turn, dice).strip() for turn in [*round_, *hidden, {"role": "user", "content": "so"}]]
        raw = f'{{"max_tokens":9,"model":"auto","messages":[{", ".join(written)}]}}'.encode()
        said = value_of(sent(raw), members(sent(raw)), "messages")
        assert said.startswith(before)
        before = said.removesuffix(b"]")
