"""What Ollama answers: reasons, counts, and the ids that it leaves out."""

import json
from typing import Any

import pytest

from tierwise.core.answer import Answer, Piece, TokenLogprob, ToolCall, assemble
from tierwise.core.errors import BadReply
from tierwise.core.usage import Usage
from tierwise.wires.ollama_answer import answer_decoder, decode_answer


def answered(mark: str = "", **more: Any) -> Answer:
    said = {"model": "m", "message": {"role": "assistant", "content": "x"}, "done": True, "done_reason": "stop"} | more
    return decode_answer(json.dumps(said).encode(), mark=mark)


def called(*calls: Any, **more: Any) -> Answer:
    return answered("m_", message={"role": "assistant", "content": "", "tool_calls": list(calls)}, **more)


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_eval_count": 26, "eval_count": 298}, Usage(input=26, output=298)),
        ({"eval_count": 298}, Usage(output=298)),  # the prompt was all in the cache
        ({"prompt_eval_count": 26}, Usage(input=26)),
        ({}, None),
        ({"prompt_eval_count": -1, "eval_count": 1}, None),
        ({"prompt_eval_count": "1", "eval_count": 1}, None),
        ({"prompt_eval_count": 1, "eval_count": True}, None),
        ({"prompt_eval_count": 1, "eval_count": 10**12}, None),
    ],
)
def test_counts(counts: dict[str, Any], usage: Usage | None) -> None:
    assert answered(**counts).usage == usage
    assert answered(**counts, total_duration=5_043_500_667, load_duration=5, eval_duration="?").usage == usage


def test_counts_are_only_those_of_the_end() -> None:
    decoder = answer_decoder()
    first = {"model": "m", "message": {"content": "x"}, "done": False, "prompt_eval_count": 7, "eval_count": 1}
    assert [delta.usage for delta in decoder.feed(json.dumps(first).encode() + b"\n")] == [None]


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("stop", "stop"), ("length", "length"), ("new", "new"), ("", None), (None, None), (7, None)],
)
def test_reasons_to_stop_are_never_invented(reason: Any, finish: str | None) -> None:
    assert answered(done_reason=reason).choices[0].finish == finish


@pytest.mark.parametrize(("reason", "finish"), [("stop", "tool_calls"), ("length", "length"), ("", None)])
def test_a_call_makes_the_reason_to_stop(reason: str, finish: str | None) -> None:
    assert called({"function": {"name": "f"}}, done_reason=reason).choices[0].finish == finish


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_server_that_only_loaded_has_not_answered(reason: str) -> None:
    with pytest.raises(BadReply, match=reason):
        answered(done_reason=reason)


@pytest.mark.parametrize("done", [False, None, 1, "true"])
def test_an_answer_that_is_not_done_is_none(done: Any) -> None:
    with pytest.raises(BadReply):
        answered(done=done)


@pytest.mark.parametrize(
    ("arguments", "read"),
    [({"a": 1}, '{"a":1}'), ({}, "{}"), ('{"a": 1}', '{"a": 1}'), ("", "{}"), (None, "{}"), ([1], "{}")],
)
def test_arguments_are_an_object_or_its_text(arguments: Any, read: str) -> None:
    [call] = called({"function": {"name": "f", "arguments": arguments}}).choices[0].tool_calls
    assert call == ToolCall(id="call_m_0_0", name="f", arguments=read)


def test_calls_without_ids_get_some_that_are_theirs_alone() -> None:
    calls = [{"function": {"name": "f", "index": 9}}, {"id": "own", "function": {"name": "f"}}, {"function": 1}, "x"]
    assert [(call.index, call.id, call.name) for call in called(*calls).choices[0].tool_calls] == [
        (0, "call_m_0_0", "f"), (1, "own", "f"), (2, "call_m_0_2", ""),
    ]  # fmt: skip


def test_calls_are_counted_on_through_a_stream() -> None:
    decoder = answer_decoder(mark="m_")
    call = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "index": 0}}]}
    lines = [
        {"message": call, "done": False}, {"message": call, "done": False},
        {"message": {"content": ""}, "done": True, "done_reason": "stop"},
    ]  # fmt: skip
    [choice] = assemble(decoder.feed(b"".join(json.dumps(line).encode() + b"\n" for line in lines))).choices
    assert [(tool.index, tool.id) for tool in choice.tool_calls] == [(0, "call_m_0_0"), (1, "call_m_0_1")]
    assert choice.finish == "tool_calls"
    assert decoder.finished


def test_thinking_comes_before_words_and_calls() -> None:
    message = {"content": "x", "thinking": "hm", "tool_calls": [{"id": "c", "function": {"name": "f"}}]}
    assert answered(message=message).ordered == (
        Piece(reasoning="hm"),
        Piece(text="x"),
        Piece(tool_calls=(ToolCall(id="c", name="f", arguments="{}"),)),
        Piece(finish="tool_calls"),
    )


def test_tokens_keep_their_bytes_and_log_probabilities() -> None:
    rows = [
        {"token": "\ufffd", "bytes": [195], "logprob": -1}, {"token": "é", "logprob": -0.5},
        {"token": "x", "bytes": [300], "logprob": -2}, {"token": "y"}, {"token": "z", "logprob": None},
    ]  # fmt: skip
    assert answered(logprobs=rows).choices[0].tokens == (
        TokenLogprob(b"\xc3", -1.0), TokenLogprob("é".encode(), -0.5), TokenLogprob(b"x", -2.0),
    )  # fmt: skip


def test_tokens_without_words_are_kept_too() -> None:
    message = {"role": "assistant", "content": ""}
    assert answered(message=message, logprobs=[{"token": "", "logprob": 0}]).choices[0].tokens == (
        TokenLogprob(b"", 0.0),
    )


def test_the_model_that_answered_is_named() -> None:
    assert answered().served_model == "m"
    assert answered(model=7).served_model is None
