"""A chat request and the answer of a linear model: its label, how sure it is, and what it refuses."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.linear.files import HEADER, made
from tierwise.core.answer import assemble
from tierwise.core.call import Call
from tierwise.providers.linear_answer import MAX_TEXT_CHARACTERS, Unanswerable, reply
from tierwise.quality.confidence import confidence
from tierwise.wires.known import CALLERS, ENDPOINTS

MODEL = made()


def shape(*labels: str, field: str = "intent", **more: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": {field: {"enum": list(labels)}}, "required": [field], **more}
    return {"type": "json_schema", "json_schema": {"name": "i", "schema": schema}}


def body(text: Any = "I lost my card", **more: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": text}], **more}).encode()


def answered(request: bytes) -> dict[str, Any]:
    found = reply(MODEL, "intents", request, ident="i", created=7)
    (part,) = found.parts
    return json.loads(part)


def said(request: bytes) -> str:
    return answered(request)["choices"][0]["message"]["content"]


def test_a_plain_question_gets_the_plain_label() -> None:
    assert said(body()) == "lost"


@pytest.mark.parametrize("wanted", [shape("lost", "money"), shape("lost", "money", "other"), {"type": "json_object"}])
def test_a_schema_gets_the_field_and_the_label(wanted: dict[str, Any]) -> None:
    assert json.loads(said(body(response_format=wanted))) == {"intent": "lost"}


def test_labels_that_the_schema_leaves_out_are_not_said() -> None:
    answer = answered(body(response_format=shape("money"), logprobs=True))
    assert json.loads(answer["choices"][0]["message"]["content"]) == {"intent": "money"}
    assert all(token["logprob"] == 0 for token in answer["choices"][0]["logprobs"]["content"]), "no choice was left"


def test_only_the_last_user_message_is_read() -> None:
    turns = [("system", "money money"), ("user", "money refund"), ("assistant", "money"), ("user", "card")]
    messages = [{"role": role, "content": text} for role, text in turns]
    assert said(json.dumps({"messages": [*messages, {"role": "assistant", "content": "money"}]}).encode()) == "lost"


def test_text_in_parts_is_one_text() -> None:
    assert said(body([{"type": "text", "text": "ca"}, {"type": "text", "text": "card"}])) == "lost"


@pytest.mark.parametrize("wanted", [{}, {"response_format": shape("lost", "money")}])
def test_the_gateway_reads_the_chance_of_the_label_as_its_confidence(wanted: dict[str, Any]) -> None:
    request = body(logprobs=True, **wanted)
    found = reply(MODEL, "intents", request, ident="i", created=7)
    (choice,) = ENDPOINTS["chat"].decode_answer(found.parts[0], key=None, mark="m").choices
    assert confidence(choice, schema=bool(wanted)) == pytest.approx(MODEL.logprobs("I lost my card")[0])


def test_other_labels_are_told_with_their_chances() -> None:
    (choice,) = answered(body(logprobs=True, top_logprobs=5))["choices"]
    (token,) = choice["logprobs"]["content"]
    assert [other["token"] for other in token["top_logprobs"]] == ["lost", "money"]
    assert sum(math.exp(other["logprob"]) for other in token["top_logprobs"]) == pytest.approx(1)


def test_labels_that_json_must_escape_stay_the_same() -> None:
    labels = ('say "no"', "ünter\\weg")
    model = made(msgspec.structs.replace(HEADER, labels=labels))
    request = body("card", response_format={"type": "json_object"}, logprobs=True)
    (choice,) = json.loads(reply(model, "m", request, ident="i", created=0).parts[0])["choices"]
    assert json.loads(choice["message"]["content"]) == {"intent": labels[0]}
    assert "".join(token["token"] for token in choice["logprobs"]["content"]) == choice["message"]["content"]


def test_words_are_counted_as_tokens() -> None:
    assert answered(body("one two, three!"))["usage"] == {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}


@pytest.mark.parametrize(
    ("limit", "text", "finish"),
    [({}, '{"intent":"lost"}', "stop"), ({"max_tokens": 2}, '{"intent":"lost', "length"),
     ({"max_completion_tokens": 1}, '{"intent":"', "length"), ({"stop": "ost"}, '{"intent":"l', "stop"),
     ({"stop": ["}", '"'], "max_tokens": 1}, "{", "stop"), ({"stop": "zebra"}, '{"intent":"lost"}', "stop")],
)  # fmt: skip
def test_an_answer_ends_where_the_caller_says(limit: dict[str, Any], text: str, finish: str) -> None:
    (choice,) = answered(body(response_format={"type": "json_object"}, logprobs=True, **limit))["choices"]
    assert choice["message"]["content"].replace(" ", "") == text
    assert choice["finish_reason"] == finish
    assert "".join(token["token"] for token in choice["logprobs"]["content"]) == choice["message"]["content"]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (body(tools=[{"type": "function"}]), "no tools"),
        (body(n=2), "n must be 1"),
        (body([{"type": "image_url", "image_url": {"url": "data:"}}]), "no images"),
        (body([{"type": "text"}]), "text only"),
        (body([]), "no user message"),
        (json.dumps({"messages": [{"role": "system", "content": "card"}]}).encode(), "no user message"),
        (body("x" * (MAX_TEXT_CHARACTERS + 1)), "at most 100000"),
        (body(response_format=shape("a", "b", field="topic")), "answers in one field, 'intent'"),
        (body(response_format=shape("lost", required=["intent", "reason"])), "the schema is another"),
        (body(response_format=shape("card_arrival")), "none of the 2 labels"),
        (body(response_format={"type": "json_schema"}), "the schema is another"),
    ],
)
def test_what_cannot_be_done_is_refused(request_: bytes, words: str) -> None:
    with pytest.raises(Unanswerable, match=words) as caught:
        reply(MODEL, "m", request_, ident="i", created=0)
    assert caught.value.param


@given(st.binary(max_size=200))
def test_whatever_the_bytes_they_are_answered_or_refused(data: bytes) -> None:
    with pytest.raises((Unanswerable, msgspec.DecodeError, UnicodeError)):
        reply(MODEL, "m", data, ident="i", created=0)


def test_a_stream_is_read_by_the_gateway_as_the_same_answer() -> None:
    request = body(stream=True, stream_options={"include_usage": True}, logprobs=True, response_format=shape("lost"))
    found = reply(MODEL, "m", request, ident="i", created=0)
    decoder = ENDPOINTS["chat"].answer_decoder(key=None, mark="m")
    deltas = [delta for part in found.parts for delta in decoder.feed(part)] + list(decoder.finish())
    call: Call = CALLERS["chat"].decode_request(request)
    assert found.streamed and call.features.stream
    assert assemble(deltas).choices[0].text == '{"intent": "lost"}'
