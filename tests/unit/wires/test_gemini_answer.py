"""What Gemini answers: parts, reasons, counts, and the ids that it leaves out."""

import json
from typing import Any

import pytest

from tierwise.core.answer import Answer, Piece, TokenLogprob, ToolCall, assemble
from tierwise.core.errors import BadReply
from tierwise.core.usage import Usage
from tierwise.wires import gemini_answer
from tierwise.wires.gemini_answer import answer_decoder, decode_answer, read_usage


def answered(*parts: dict[str, Any], reason: str = "STOP", mark: str = "", **more: Any) -> Answer:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": reason} | more
    return decode_answer(json.dumps({"candidates": [candidate]}).encode(), mark=mark)


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name} | more}


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"promptTokenCount": 10, "candidatesTokenCount": 5}, Usage(input=10, output=5)),
        ({"promptTokenCount": 10}, Usage(input=10)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 4}, Usage(input=6, cache_read=4)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 10}, Usage(cache_read=10)),
        ({"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 7},
         Usage(input=10, output=5, reasoning=7)),
        ({"promptTokenCount": 10, "toolUsePromptTokenCount": 3}, Usage(input=13)),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 4, "toolUsePromptTokenCount": 3},
         Usage(input=9, cache_read=4)),
        ({"promptTokenCount": 0}, Usage()),
        ({"promptTokenCount": 10, "cachedContentTokenCount": 11}, None),
        ({"promptTokenCount": -1}, None),
        ({"promptTokenCount": True}, None),
        ({"promptTokenCount": 1.5}, None),
        ({"promptTokenCount": 1, "thoughtsTokenCount": "7"}, None),
        ({"promptTokenCount": 1, "candidatesTokenCount": None}, None),
        ({"promptTokenCount": 10**12}, None),
        ({"totalTokenCount": 9}, None),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)  # fmt: skip
def test_counts_are_sorted_into_buckets_that_do_not_overlap(counts: Any, usage: Usage | None) -> None:
    assert read_usage(counts) == usage
    if usage is not None:
        told = usage.input + usage.cache_read + usage.output + usage.reasoning
        assert told == sum(counts.values()) - counts.get("cachedContentTokenCount", 0)


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"), ("PROHIBITED_CONTENT", "content_filter"), ("SPII", "content_filter"),
        ("LANGUAGE", "content_filter"), ("IMAGE_SAFETY", "content_filter"), ("OTHER", "other"), ("NEW", "new"),
    ],
)  # fmt: skip
def test_reasons_to_stop_in_one_vocabulary(reason: str, finish: str) -> None:
    assert answered({"text": "x"}, reason=reason).choices[0].finish == finish


@pytest.mark.parametrize("reason", ["", "FINISH_REASON_UNSPECIFIED", None, 1])
def test_no_reason_is_none(reason: Any) -> None:
    with pytest.raises(BadReply):
        answered({"text": "x"}, reason=reason)


def test_what_comes_behind_the_reason_to_stop_opens_nothing_again() -> None:
    ended = {"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP", "index": 0}
    decoder = answer_decoder()
    behind = {"content": {"parts": [{"text": "y"}]}, "index": 0, "groundingMetadata": {"webSearchQueries": ["x"]}}
    deltas = []
    for candidate in (ended, behind):
        deltas += decoder.feed(b"data: " + json.dumps({"candidates": [candidate]}).encode() + b"\n\n")
    assert decoder.finish() == []
    assert assemble(deltas).choices[0].text == "x"
    assert decoder.finished


@pytest.mark.parametrize("reason", sorted(gemini_answer._BROKEN))
def test_what_the_server_itself_could_not_read_is_no_answer(reason: str) -> None:
    with pytest.raises(BadReply, match=reason):
        answered(call("look"), reason=reason)


def test_a_call_makes_the_reason_to_stop() -> None:
    assert answered(call("look")).choices[0].finish == "tool_calls"
    assert answered(call("look"), reason="MAX_TOKENS").choices[0].finish == "length"


def test_calls_without_ids_get_some_that_are_theirs_alone() -> None:
    first = answered(call("look"), call("look", id="own"), call("hear", args={"a": 1}), mark="abc_")
    assert first.choices[0].tool_calls == (
        ToolCall(index=0, id="call_abc_0_0", name="look", arguments="{}"),
        ToolCall(index=1, id="own", name="look", arguments="{}"),
        ToolCall(index=2, id="call_abc_0_2", name="hear", arguments='{"a":1}'),
    )
    again = answered(call("look"), mark="abd_").choices[0].tool_calls[0].id
    assert again != first.choices[0].tool_calls[0].id, "another answer's are others"


def test_calls_of_several_candidates_do_not_mix() -> None:
    candidates = [
        {"index": index, "content": {"parts": [call("look"), call("hear")]}, "finishReason": "STOP"} for index in (1, 0)
    ]
    answer = decode_answer(json.dumps({"candidates": candidates}).encode(), mark="m")
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert [[tool.id for tool in choice.tool_calls] for choice in answer.choices] == [
        ["call_m0_0", "call_m0_1"], ["call_m1_0", "call_m1_1"],
    ]  # fmt: skip
    assert [choice.finish for choice in answer.choices] == ["tool_calls", "tool_calls"]


def test_calls_are_counted_on_through_a_stream() -> None:
    decoder = answer_decoder(mark="m")
    parts = [[call("look")], [call("look")], []]
    body = b"".join(
        b"data: " + json.dumps({"candidates": [{"content": {"parts": part}} | end]}).encode() + b"\n\n"
        for part, end in zip(parts, ({}, {}, {"finishReason": "STOP"}), strict=True)
    )
    [choice] = assemble(decoder.feed(body) + decoder.finish()).choices
    assert [(tool.index, tool.id) for tool in choice.tool_calls] == [(0, "call_m0_0"), (1, "call_m0_1")]
    assert choice.finish == "tool_calls"


@pytest.mark.parametrize(
    ("part", "pieces"),
    [
        ({"text": "x"}, (Piece(text="x"),)),
        ({"text": ""}, ()),
        ({"text": "x", "thought": False}, (Piece(text="x"),)),
        ({"text": "hm", "thought": True}, (Piece(reasoning="hm"),)),
        ({"text": "hm", "thought": True, "thoughtSignature": "s"}, (Piece(reasoning="hm", seal="thought:s"),)),
        ({"text": "", "thought": True, "thoughtSignature": "s"}, (Piece(seal="thought:s"),)),
        ({"text": "x", "thoughtSignature": "s"}, (Piece(seal="s"), Piece(text="x"))),
        ({"text": "", "thoughtSignature": "s"}, (Piece(seal="s"),)),
        ({"thoughtSignature": "s"}, (Piece(seal="s"),)),
        ({"text": 1, "thoughtSignature": 2, "functionCall": 3}, ()),
    ],
)
def test_parts(part: dict[str, Any], pieces: tuple[Piece, ...]) -> None:
    answer = answered(part)
    assert tuple(piece for piece in answer.ordered if piece.content) == pieces
    assert answer.foreign == ()


def test_what_only_this_wire_has_is_named_once() -> None:
    pictures = {"inlineData": {"mimeType": "image/png", "data": "AA=="}}
    answer = answered(pictures, pictures, {"text": "x", "videoMetadata": {}}, groundingMetadata={"a": 1})
    assert answer.foreign == ("inlineData", "groundingMetadata")


def test_a_blocked_question_was_declined() -> None:
    answer = decode_answer(b'{"promptFeedback":{"blockReason":"OTHER"},"usageMetadata":{"promptTokenCount":3}}')
    assert [(choice.finish, choice.text) for choice in answer.choices] == [("content_filter", "")]
    assert answer.usage == Usage(input=3)
    with pytest.raises(BadReply):
        decode_answer(b'{"promptFeedback":{"safetyRatings":[]}}')


def test_tokens_keep_their_log_probabilities() -> None:
    chosen = [
        {"token": "a", "logProbability": -1.5}, {"token": "b"}, {"token": "c", "logProbability": "x"},
        {"token": "d", "logProbability": True}, {"token": "é", "logProbability": -1}, 5,
    ]  # fmt: skip
    answer = answered({"text": "x"}, logprobsResult={"chosenCandidates": chosen})
    assert answer.choices[0].tokens == (TokenLogprob(b"a", -1.5), TokenLogprob("é".encode(), -1.0))
