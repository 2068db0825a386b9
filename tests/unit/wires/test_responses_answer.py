"""What a Responses endpoint's counts and odd events mean; its streams are read in `tests/contract`."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.wires.test_loose import ANYTHING
from tierwise.core.answer import Answer, Choice, ToolCall, assemble
from tierwise.core.errors import BadReply, Overloaded, ProviderError
from tierwise.core.secret import Secret
from tierwise.core.usage import Usage
from tierwise.wires.responses_answer import AnswerDecoder, answer_decoder, decode_answer, read_usage
from tierwise.wires.responses_reply import usage_of


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}, Usage(input=5, output=2)),
        ({"input_tokens": 0, "output_tokens": 0}, Usage()),
        (
            {
                "input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3},
                "output_tokens": 7, "output_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(input=3, cache_read=4, cache_write=3, output=2, reasoning=5),
        ),
        ({"input_tokens": 5, "input_tokens_details": None, "output_tokens": 2}, Usage(input=5, output=2)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": None}, "output_tokens": 2}, Usage(input=5, output=2)),
        ({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 6}, "output_tokens": 2}, None),
        ({"input_tokens": 5, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 3}}, None),
        ({"input_tokens": 5}, None),
        ({"output_tokens": 5}, None),
        ({"input_tokens": -1, "output_tokens": 1}, None),
        ({"input_tokens": True, "output_tokens": 1}, None),
        ({"input_tokens": 1.0, "output_tokens": 1}, None),
        ({"prompt_tokens": 1, "completion_tokens": 1}, None),
        (None, None),
        ([], None),
        ("x", None),
    ],
)  # fmt: skip
def test_usage_in_buckets_that_do_not_overlap(reported: Any, usage: Usage | None) -> None:
    assert read_usage(reported) == usage


COUNT = st.integers(0, 100_000)


@given(st.builds(Usage, input=COUNT, cache_read=COUNT, cache_write=COUNT, output=COUNT, reasoning=COUNT))
def test_usage_that_is_written_reads_the_same(usage: Usage) -> None:
    assert read_usage(usage_of(usage)) == usage


EVENTS = st.fixed_dictionaries(
    {
        "type": st.sampled_from([
            "response.created", "response.output_item.added", "response.output_item.done", "response.output_text.delta",
            "response.refusal.delta", "response.reasoning_text.delta", "response.reasoning_summary_text.delta",
            "response.function_call_arguments.delta", "response.output_text.annotation.added", "response.completed",
            "response.incomplete", "response.failed", "error", "", "x",
        ]),
    },
    optional={
        "output_index": st.integers(-1, 2) | ANYTHING,
        "delta": ANYTHING,
        "logprobs": ANYTHING,
        "error": ANYTHING,
        "summary_index": ANYTHING,
        "content_index": ANYTHING,
        "item": ANYTHING | st.fixed_dictionaries(
            {"type": st.sampled_from(["message", "reasoning", "function_call", "custom_tool_call", "x"])},
            optional=dict.fromkeys(("id", "call_id", "name", "arguments", "input", "content", "summary", "encrypted_content", "status"), ANYTHING),
        ),
        "response": ANYTHING | st.fixed_dictionaries({}, optional=dict.fromkeys(("model", "status", "output", "usage", "error", "incomplete_details"), ANYTHING)),
    },
)  # fmt: skip


@given(st.lists(EVENTS, max_size=5))
def test_whatever_comes_is_an_answer_or_a_providers_error(events: list[dict[str, Any]]) -> None:
    decoder = answer_decoder()
    deltas = []
    try:
        for event in events:
            deltas += (
                decoder.feed(b"data: " + json.dumps(event, allow_nan=False, default=str).encode() + b"\n\n")
                if finite(event)
                else []
            )
        deltas += decoder.finish()
    except ProviderError:
        assert not decoder.finished
        return
    assert decoder.finished
    assert assemble(deltas).choices[0].finish


def finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


@given(
    st.dictionaries(st.sampled_from(["status", "error", "output", "usage", "model", "incomplete_details"]), ANYTHING)
)
def test_whatever_a_body_holds_is_an_answer_or_a_providers_error(body: dict[str, Any]) -> None:
    with contextlib.suppress(ProviderError):
        assert decode_answer(json.dumps(body).encode()).choices[0].finish


def read(*events: dict[str, Any]) -> tuple[Answer, AnswerDecoder]:
    decoder = AnswerDecoder()
    deltas = [delta for event in events for delta in decoder.feed(b"data: " + json.dumps(event).encode() + b"\n\n")]
    return assemble(deltas), decoder


END = {"type": "response.completed", "response": {"status": "completed", "output": []}}


def item(kind: str, index: int = 0, *, done: bool = True, **more: Any) -> dict[str, Any]:
    name = "done" if done else "added"
    return {"type": f"response.output_item.{name}", "output_index": index, "item": {"type": kind} | more}


def test_what_came_only_with_the_end_of_an_item_is_not_lost() -> None:
    """Some servers stream nothing of an item but its beginning and its end."""
    call = {"call_id": "c", "name": "f", "arguments": '{"a":1}'}
    answer, decoder = read(
        item("reasoning", 0, done=False), item("reasoning", 0, summary=[{"text": "Hm"}], id="rs", encrypted_content="gA"),
        item("message", 1, done=False), item("message", 1, content=[{"type": "output_text", "text": "x"}]),
        item("function_call", 2, done=False, call_id="c", name="f"), item("function_call", 2, **call),
        item("custom_tool_call", 3, call_id="d", name="p", input="y"),
        END,
    )  # fmt: skip
    assert answer.choices == (
        Choice(
            reasoning="Hm",
            text="x",
            tool_calls=(
                ToolCall(index=2, id="c", name="f", arguments='{"a":1}'),
                ToolCall(index=3, id="d", name="p", arguments='{"input":"y"}'),
            ),
            finish="tool_calls",
        ),
    )
    assert decoder.finished


@pytest.mark.parametrize(("arguments", "read_as"), [("", "{}"), ('{"a":1}', '{"a":1}')])
def test_an_empty_piece_spells_nothing(arguments: str, read_as: str) -> None:
    empty = {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": ""}
    call = {"call_id": "c", "name": "f", "arguments": arguments}
    answer, _ = read(item("function_call", 0, done=False, call_id="c", name="f"), empty, item("function_call", 0, **call), END)  # fmt: skip
    assert answer.choices[0].tool_calls == (ToolCall(id="c", name="f", arguments=read_as),)


def test_a_summary_beside_the_text_is_not_told_twice() -> None:
    said = {"output_index": 0, "delta": "Hm"}
    answer, _ = read(
        {"type": "response.reasoning_text.delta"} | said, {"type": "response.reasoning_summary_text.delta"} | said, END
    )
    assert answer.choices[0].reasoning == "Hm"


def test_calls_that_interleave_stay_apart() -> None:
    def said(index: int, text: str) -> dict[str, Any]:
        return {"type": "response.function_call_arguments.delta", "output_index": index, "delta": text}

    answer, _ = read(
        item("function_call", 0, done=False, call_id="a", name="f"),
        item("function_call", 1, done=False, call_id="b", name="f"),
        said(1, '{"b"'), said(0, '{"a"'), said(1, ":2}"), said(0, ":1}"),
        item("function_call", 1, call_id="b", name="f", arguments='{"b":2}'),
        item("function_call", 0, call_id="a", name="f", arguments='{"a":1}'),
        END,
    )  # fmt: skip
    assert [(call.id, call.arguments) for call in answer.choices[0].tool_calls] == [("a", '{"a":1}'), ("b", '{"b":2}')]


def test_only_its_last_event_finishes_it() -> None:
    decoder = AnswerDecoder()
    decoder.feed(b'data: {"type":"response.output_text.delta","delta":"x"}\n\n')
    for word in (b'{"type":"response.output_text.done","text":"x"}', b'{"type":"response.done"}', b"[DONE]"):
        decoder.feed(b"data: %b\n\n" % word)
        assert not decoder.finished
    with pytest.raises(BadReply) as caught:
        decoder.finish()
    assert caught.value.code == "upstream_incomplete"


def test_a_key_that_an_endpoint_repeats_is_masked() -> None:
    said = b'{"error":{"message":"wrong key hunter2hunter2","code":"server_error"}}'
    for act in (lambda: decode_answer(said, key=Secret("hunter2hunter2")), lambda: answer_decoder(key=Secret("hunter2hunter2")).feed(b"data: " + said + b"\n\n")):  # fmt: skip
        with pytest.raises(Overloaded) as caught:
            act()
        assert "hunter2" not in str(caught.value)
