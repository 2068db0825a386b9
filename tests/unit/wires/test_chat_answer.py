"""From an endpoint's bytes to deltas and answers, whatever the split and however odd the endpoint."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Answer, Choice, Delta, TokenLogprob, ToolCall, assemble
from tierwise.core.errors import BadReply, Overloaded, ProviderError, RateLimited
from tierwise.core.usage import Usage
from tierwise.wires.chat_answer import AnswerDecoder, decode_answer, read_usage
from tierwise.wires.stream import MAX_ITEMS


def event(payload: Any) -> bytes:
    return b"data: " + (payload if isinstance(payload, bytes) else json.dumps(payload).encode()) + b"\n\n"


def chunk(delta: dict[str, Any] | None = None, *, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish} | more
    return event({"id": "c", "object": "chat.completion.chunk", "model": "served", "choices": [choice]})


DONE = b"data: [DONE]\n\n"
STREAM = chunk({"role": "assistant", "content": ""}) + chunk({"content": "Hé"}) + chunk({"content": "llo 😀"})
STREAM += chunk(finish="stop") + event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}) + DONE


def run(parts: list[bytes]) -> tuple[list[Delta], ProviderError | None, bool]:
    """Return the deltas, the error if any, and whether the answer was finished."""
    decoder = AnswerDecoder()
    deltas: list[Delta] = []
    try:
        for part in parts:
            deltas += decoder.feed(part)
        deltas += decoder.finish()
    except ProviderError as error:
        return deltas, error, decoder.finished
    return deltas, None, decoder.finished


def read(data: bytes) -> Answer:
    deltas, error, finished = run([data])
    assert error is None
    assert finished
    return assemble(deltas)


def test_an_ordinary_stream() -> None:
    assert read(STREAM) == Answer(
        choices=(Choice(text="Hé" + "llo 😀", finish="stop"),), usage=Usage(input=3, output=2), served_model="served"
    )
    deltas, _, _ = run([STREAM])
    assert [delta.content for delta in deltas] == [False, True, True, False, False]
    assert b"".join(event(delta.raw) for delta in deltas) + DONE == STREAM


PIECES = st.sampled_from(
    [
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "é😀"}),
        chunk({"content": "x"}, index=1),
        chunk({"reasoning_content": "hm"}),
        chunk({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ""}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}),
        chunk({"tool_calls": [{"function": {"name": "g", "arguments": {"a": 1}}}]}),
        chunk(finish="stop"),
        chunk(finish="length", index=1),
        event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
        event({"choices": None, "usage": None}),
        event({"error": {"message": "x", "code": "server_error"}}),
        b'event: error\ndata: {"message":"x"}\n\n',
        b": keep-alive\n\n",
        b"event: ping\n\n",
        event(b"not json"),
        b"\r\n",
        DONE,
        b"\xff\xfe",
        b"<html>",
        b'{"error":{"message":"x"}}',
        b" ",
    ]
)


@given(st.lists(PIECES, max_size=8), st.lists(st.integers(0, 2000), max_size=8), st.integers(0, 60))
def test_any_split_gives_the_same_deltas(pieces: list[bytes], cuts: list[int], lost: int) -> None:
    data = b"".join(pieces)
    data = data[: max(0, len(data) - lost)]
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    results = [
        run([data]),
        run([data[start:end] for start, end in pairwise(places)]),
        run([data[place : place + 1] for place in range(len(data))]),
    ]
    shown = [(deltas, type(error), str(error), finished) for deltas, error, finished in results]
    assert shown[0] == shown[1] == shown[2]


@given(st.integers(0, len(STREAM)))
def test_a_cut_stream_never_looks_finished(place: int) -> None:
    deltas, error, finished = run([STREAM[:place]])
    complete = any(piece.finish for delta in deltas for piece in delta.pieces)
    assert (error is None) == complete == finished
    if error is not None:
        assert error.code in {"upstream_incomplete", "upstream_invalid"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "upstream_invalid"),
        (b"  \n ", "upstream_invalid"),
        (b"<!DOCTYPE html><html></html>", "upstream_invalid"),
        (b"\xef\xbb\xbf <html>", "upstream_invalid"),
        (b'{"object":"chat.completion","choices":[]}', "upstream_invalid"),
        (b"[1,2,3]", "upstream_invalid"),
        (event(b"[1,2,3]"), "upstream_invalid"),
        (event(b"{}"), "upstream_invalid"),
        (event(b'{"choices":"x"}'), "upstream_invalid"),
        (event(b'{"choices":[{"index":0,'), "upstream_invalid"),
        (event(b"\xff"), "upstream_invalid"),
        (DONE, "upstream_incomplete"),
        (b": only comments\n\n", "upstream_incomplete"),
        (chunk({"content": "x"}) + DONE, "upstream_incomplete"),
        (chunk({"content": "x"}), "upstream_incomplete"),
        (chunk({"content": "x"}) + b'data: {"choices":[{"ind', "upstream_incomplete"),
        (chunk(finish="stop") + chunk({"content": "x"}, index=1) + DONE, "upstream_incomplete"),
        (chunk({"content": "x"}, finish="") + DONE, "upstream_incomplete"),
    ],
)
def test_what_is_no_answer(data: bytes, code: str) -> None:
    _, error, finished = run([data])
    assert isinstance(error, BadReply)
    assert (error.code, finished) == (code, False)


@pytest.mark.parametrize(
    "data",
    [
        STREAM.removesuffix(DONE),
        STREAM + chunk({"content": "late"}) + event(b"junk"),
        STREAM.removesuffix(b"\n\n"),
        STREAM.replace(b"\n", b"\r\n"),
        STREAM.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + STREAM,
        b": hello\n\n" + STREAM.replace(b"data: ", b"data:"),
        STREAM.replace(b'"finish_reason": "stop"', b'"finish_reason": "stop", "extra": {}'),
        STREAM.replace(DONE, chunk(finish="stop") + DONE),
        STREAM.replace(b'"choices": [{', b'"usage": null, "choices": [{'),
        STREAM.replace(b', "choices": [{', b',\ndata: "choices": [{'),
    ],
)
def test_ways_to_say_the_same(data: bytes) -> None:
    assert read(data) == read(STREAM)


def test_an_error_after_content_is_raised_after_the_content() -> None:
    decoder = AnswerDecoder()
    deltas = decoder.feed(chunk({"content": "x"}) + event({"error": {"message": "x", "code": "rate_limit_exceeded"}}))
    assert [delta.pieces[0].text for delta in deltas] == ["x"]
    for again in (lambda: decoder.feed(b""), decoder.finish):
        with pytest.raises(RateLimited):
            again()


def test_an_error_event_without_an_error_member() -> None:
    _, error, _ = run([b'event: error\ndata: {"type":"overloaded_error","message":"x"}\n\n'])
    assert isinstance(error, Overloaded)


def test_finished_says_that_nothing_more_comes() -> None:
    decoder = AnswerDecoder()
    decoder.feed(chunk({"content": "x"}) + chunk(finish="stop"))
    assert not decoder.finished, "usage and further choices may follow"
    usage = decoder.feed(event({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}))
    assert usage[0].usage == Usage(input=1, output=1)
    decoder.feed(chunk({"content": "y"}, index=1) + chunk(finish="stop", index=1))
    assert not decoder.finished
    decoder.feed(DONE)
    assert decoder.finished
    assert decoder.feed(b"anything") == decoder.finish() == []


def test_the_end_of_the_stream_finishes_too() -> None:
    decoder = AnswerDecoder()
    decoder.feed(chunk({"content": "x"}) + chunk(finish="stop"))
    assert decoder.finish() == []
    assert decoder.finished


def test_done_without_a_reason_is_not_finished() -> None:
    decoder = AnswerDecoder()
    decoder.feed(chunk({"content": "x"}) + DONE)
    assert not decoder.finished
    with pytest.raises(BadReply):
        decoder.finish()


def test_an_event_without_end_is_refused() -> None:
    decoder = AnswerDecoder(max_event_bytes=1000)
    with pytest.raises(BadReply) as caught:
        for _ in range(10):
            decoder.feed(b"data: " + b"x" * 500)
    assert caught.value.code == "upstream_too_large"


def calls(*deltas: list[dict[str, Any]]) -> tuple[ToolCall, ...]:
    data = b"".join(chunk({"tool_calls": delta}) for delta in deltas) + chunk(finish="tool_calls") + DONE
    answer = read(data)
    again = read(b"".join(event(delta.raw) for delta in run([data])[0]) + DONE)
    assert again.choices == answer.choices, "what the caller gets means the same"
    return answer.choices[0].tool_calls


F = {"name": "f", "arguments": ""}
G = {"name": "g", "arguments": ""}
TWO = (ToolCall(index=0, id="a", name="f", arguments='{"x":1}'), ToolCall(index=1, id="b", name="g", arguments="{}"))


@pytest.mark.parametrize(
    "deltas",
    [
        # as published
        [
            [{"index": 0, "id": "a", "function": F}],
            [{"index": 0, "function": {"arguments": '{"x":1}'}}],
            [{"index": 1, "id": "b", "function": G}],
            [{"index": 1, "function": {"arguments": "{}"}}],
        ],
        # interleaved
        [
            [{"index": 0, "id": "a", "function": F}, {"index": 1, "id": "b", "function": G}],
            [{"index": 1, "function": {"arguments": "{}"}}, {"index": 0, "function": {"arguments": '{"x":1}'}}],
        ],
        # index 0 for each
        [
            [{"index": 0, "id": "a", "function": F}],
            [{"index": 0, "function": {"arguments": '{"x":1}'}}],
            [{"index": 0, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        ],
        # no index
        [
            [{"id": "a", "function": F}],
            [{"function": {"arguments": '{"x":1}'}}],
            [{"id": "b", "function": {"name": "g", "arguments": "{}"}}],
        ],
        # id and name in every piece
        [
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x"'}}],
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": ":1}"}}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        ],
        # arguments as objects
        [
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": {"x": 1}}}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": {}}}],
        ],
        # nothing written for an empty object
        [
            [{"index": 0, "id": "a", "function": {"name": "f", "arguments": '{"x":1}'}}],
            [{"index": 1, "id": "b", "function": G}],
        ],
        # an id under the index of another
        [
            [{"index": 0, "id": "a", "function": F}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
            [{"index": 1, "id": "a", "function": {"arguments": '{"x":1}'}}],
        ],
        # the older engines' way: a new id in every piece, the name only in the first
        [
            [{"index": 0, "id": "a", "function": F}],
            [{"index": 0, "id": "z", "function": {"arguments": '{"x":1}'}}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        ],
        # empty ids in continuations
        [
            [{"index": 0, "id": "a", "function": F}],
            [{"index": 0, "id": "", "function": {"name": None, "arguments": '{"x":1}'}}],
            [{"index": 1, "id": "b", "function": {"name": "g", "arguments": "{}"}}],
        ],
    ],
)
def test_tool_calls_however_they_are_pieced(deltas: list[list[dict[str, Any]]]) -> None:
    assert calls(*deltas) == TWO


def test_calls_without_ids_get_some() -> None:
    made = calls([{"function": {"name": "f", "arguments": "{}"}}], [{"function": {"name": "g", "arguments": "{}"}}])
    assert [call.name for call in made] == ["f", "g"]
    assert len({call.id for call in made}) == 2
    assert all(call.id for call in made)


@pytest.mark.parametrize("names", ["fg", "ff"])
@pytest.mark.parametrize("more", [{"index": 0}, {"index": 0, "id": ""}, {"id": None}, {}], ids=str)
def test_calls_with_neither_id_nor_index_of_their_own(more: dict[str, Any], names: str) -> None:
    made = calls(*([more | {"function": {"name": name, "arguments": '{"a":1}'}}] for name in names))
    assert [(call.name, call.arguments) for call in made] == [(name, '{"a":1}') for name in names]
    assert len({call.id for call in made}) == len({call.index for call in made}) == 2
    whole = [more | {"function": {"name": name, "arguments": '{"a":1}'}} for name in names]
    body = json.dumps({"choices": [{"message": {"tool_calls": whole}, "finish_reason": "stop"}]}).encode()
    [choice] = decode_answer(body).choices
    assert (choice.tool_calls, choice.finish) == (made, "tool_calls")


def test_a_name_in_every_piece_makes_no_new_call() -> None:
    pieces = [{"index": 0, "function": {"name": "f", "arguments": text}} for text in ("", '{"a"', ":1}", "")]
    assert [(call.name, call.arguments) for call in calls(*([piece] for piece in pieces))] == [("f", '{"a":1}')]


@pytest.mark.parametrize(
    ("finish", "means"), [("stop", "tool_calls"), ("tool_calls", "tool_calls"), ("length", "length")]
)
def test_a_call_is_why_an_answer_stopped_whatever_the_server_says(finish: str, means: str) -> None:
    data = chunk({"tool_calls": [{"index": 0, "id": "a", "function": G}]}) + chunk(finish=finish) + DONE
    [choice] = read(data).choices
    assert (choice.finish, choice.tool_calls[0].arguments) == (means, "" if means == "length" else "{}")
    assert run([data])[0][-1].raw == json.dumps({"id": "c", "object": "chat.completion.chunk", "model": "served", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}).encode()  # fmt: skip


def test_a_call_that_is_repaired_in_the_chunk_that_ends_it() -> None:
    made = {"tool_calls": [{"function": {"name": "f"}}]}
    [call] = read(chunk(made, finish="stop") + DONE).choices[0].tool_calls
    assert (call.name, call.arguments, bool(call.id)) == ("f", "{}", True)


def test_usage_that_is_not_told_is_not_zero() -> None:
    untold = event({"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}], "usage": None})
    assert read(untold + DONE).usage is None
    told = event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}})
    assert read(untold + told + DONE).usage == read(told + untold + DONE).usage == Usage(input=3, output=1)
    deltas, _, _ = run([untold + told + DONE])
    assert (deltas[1].pieces, deltas[1].content) == ((), False)


def test_the_older_way_to_call_a_function() -> None:
    data = chunk({"function_call": {"name": "f", "arguments": "{"}}) + chunk({"function_call": {"arguments": "}"}})
    assert read(data + chunk(finish="function_call")).choices[0].tool_calls == (ToolCall(name="f", arguments="{}"),)


def test_logprobs_are_bytes() -> None:
    tokens = [
        {"token": "H", "logprob": -0.5, "bytes": [72], "top_logprobs": []},
        {"token": "\\xf0", "logprob": -1, "bytes": [0xF0, 0x9F]},
        {"token": "é", "logprob": None, "bytes": None},
        {"token": "e", "logprob": 0, "bytes": [999]},
    ]
    answer = read(chunk({"content": "x"}, logprobs={"content": tokens}) + chunk(finish="stop"))
    assert answer.choices[0].tokens == (
        TokenLogprob(b"H", -0.5),
        TokenLogprob(b"\xf0\x9f", -1.0),
        TokenLogprob("é".encode(), -9999.0),
        TokenLogprob(b"e", 0.0),
    )


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        (None, None),
        ("many", None),
        ({}, None),
        ({"prompt_tokens": 5, "completion_tokens": 2}, Usage(input=5, output=2)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
        (
            {"prompt_tokens": 10, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(input=6, cache_read=4, output=7),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 7,
                "total_tokens": 17,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(input=10, output=2, reasoning=5),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 7,
                "total_tokens": 22,
                "completion_tokens_details": {"reasoning_tokens": 5},
            },
            Usage(input=10, output=7, reasoning=5),
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 5}},
            Usage(input=10, output=1, reasoning=5),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": None},
                "completion_tokens_details": None,
            },
            Usage(input=9, output=1),
        ),
        ({"prompt_tokens": -1, "completion_tokens": 2}, None),
        ({"prompt_tokens": 10**10, "completion_tokens": 2}, None),
        ({"prompt_tokens": 1.5, "completion_tokens": 2}, None),
        ({"prompt_tokens": True, "completion_tokens": 2}, None),
        ({"prompt_tokens": 5}, None),
        ({"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 6}}, None),
    ],
)
def test_usage_in_buckets_that_do_not_overlap(reported: Any, usage: Usage | None) -> None:
    assert read_usage(reported) == usage


WHOLE = {
    "id": "x",
    "object": "chat.completion",
    "model": "served",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"},
        {
            "index": 1,
            "message": {
                "content": None,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
            },
            "finish_reason": "tool_calls",
        },
    ],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
}


def test_a_whole_answer() -> None:
    body = json.dumps(WHOLE).encode()
    assert decode_answer(body) == Answer(
        choices=(
            Choice(text="hi", finish="stop"),
            Choice(index=1, tool_calls=(ToolCall(id="a", name="f", arguments="{}"),), finish="tool_calls"),
        ),
        usage=Usage(input=3, output=2),
        served_model="served",
        ident=WHOLE["id"],
        raw=body,
    )


def test_a_whole_answer_is_repaired_where_clients_would_stumble() -> None:
    odd = [{"function": {"name": "f", "arguments": {"x": 1}}}, {"function": {"name": "g", "arguments": None}}]
    body = json.dumps({"choices": [{"message": {"content": "", "tool_calls": odd}, "finish_reason": "stop"}]}).encode()
    answer = decode_answer(body)
    assert [(call.name, call.arguments) for call in answer.choices[0].tool_calls] == [("f", '{"x":1}'), ("g", "{}")]
    written = json.loads(answer.raw)["choices"][0]["message"]["tool_calls"]
    assert [call["function"]["arguments"] for call in written] == ['{"x":1}', "{}"]
    assert len({call["id"] for call in written}) == 2
    assert decode_answer(answer.raw).choices == answer.choices


def test_content_in_blocks() -> None:
    blocks = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}, 7]
    body = json.dumps({"choices": [{"message": {"content": blocks}, "finish_reason": "stop"}]}).encode()
    assert decode_answer(body).choices[0].text == "ab"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", BadReply),
        (b"<html></html>", BadReply),
        (b"[1]", BadReply),
        (b"{}", BadReply),
        (b'{"choices":[]}', BadReply),
        (b'{"choices":[{"index":0}]}', BadReply),
        (b'{"choices":[{"message":{"content":5}}]}', BadReply),
        (b'{"choices":[{"message":{"content":"\\ud800"}}]}', BadReply),
        (json.dumps(WHOLE).encode()[:-20], BadReply),
        (STREAM, BadReply),
        (b'{"error":{"message":"x"}}', BadReply),
        (b'{"error":"x"}', BadReply),
        (b'{"error":{"message":"x","code":429}}', RateLimited),
        (b'{"error":{"message":"x"},"choices":[{"message":{"content":"x"}}]}', BadReply),
    ],
)
def test_what_is_no_whole_answer(body: bytes, kind: type[ProviderError]) -> None:
    with pytest.raises(kind):
        decode_answer(body)


@given(st.binary(max_size=300))
def test_junk_is_always_a_provider_error(data: bytes) -> None:
    with pytest.raises(ProviderError):
        decode_answer(data)
    _, error, _ = run([data])
    assert error is not None


def test_an_answer_of_ten_thousand_calls_is_read_in_one_pass() -> None:
    """The place of each was looked for among all before it: one such answer held everybody up for an hour."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "tool_calls": [call] * MAX_ITEMS}
    answer = decode_answer(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode())
    assert [call.index for call in answer.choices[0].tool_calls] == list(range(MAX_ITEMS))


@pytest.mark.parametrize("strange", [b'"cont\xe4nt": "x"', b'"unknown": "\xff"', b'"unknown": {"\xc3": 1}'])
def test_what_is_no_text_is_no_answer_wherever_it_stands(strange: bytes) -> None:
    """Also where nothing of ours looks: it would be passed on as it came, or be read again to be repaired."""
    calls = b'"tool_calls": [{"function": {"name": "look", "arguments": {}}}]'
    for said in (strange, strange + b", " + calls):
        _, error, _ = run([event(b'{"choices": [{"index": 0, "delta": {%b}}]}' % said)])
        assert isinstance(error, BadReply)
        with pytest.raises(BadReply):
            decode_answer(b'{"choices": [{"index": 0, "message": {%b}, "finish_reason": "stop"}]}' % said)
