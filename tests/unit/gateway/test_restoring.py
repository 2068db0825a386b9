"""The caller reads his values in words, thoughts, refusals and arguments, however the stream was cut and on any wire."""

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tierwise.core.answer import Answer, Choice, Delta, Piece, ToolCall, assemble, whole
from tierwise.core.call import Call, Features
from tierwise.gateway.restoring import Restoring
from tierwise.policy.pseudonyms import Pseudonyms
from tierwise.wires.known import CALLERS, ENDPOINTS

TAG = "7QK2MX"
VALUES = ("4024007134564847", 'hunter"2\\xyz', "-----BEGIN KEY-----\nab\n", "ÄÖ😀 ")
WIRES = ("chat", "messages", "responses")
ASKED = {
    "chat": b'{"model":"m","messages":[{"role":"user","content":"x"}]}',
    "messages": b'{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}',
    "responses": b'{"model":"m","input":"x"}',
}
CALLS = {wire: CALLERS[wire].decode_request(body) for wire, body in ASKED.items()}
PSEUDONYMS = Pseudonyms(TAG)
NAMES = [PSEUDONYMS.name("CARD", value) for value in VALUES]
# Beginnings of placeholders stand at every end, where they are not one after all.
WORDS = st.lists(st.sampled_from([*NAMES, "CARD", "CARD_1_", "C", " ", "so", TAG[:3], "é"]), min_size=1, max_size=6)


def restored(text: str) -> str:
    for name, value in zip(NAMES, VALUES, strict=True):
        text = text.replace(name, value)
    return text


def cut(data: st.DataObject, text: str) -> list[str]:
    cuts = sorted(data.draw(st.sets(st.integers(1, max(1, len(text) - 1)), max_size=6)))
    return [text[a:b] for a, b in pairwise([0, *cuts, len(text)]) if a < b]


def arguments_of(words: str) -> str:
    return json.dumps({"to": words, words: [words]}, ensure_ascii=False)


def stream_of(data: st.DataObject, thought: str, text: str, refusal: str, calls: list[str]) -> list[Piece]:
    pieces = [Piece(reasoning=part) for part in cut(data, thought)]
    pieces += [Piece(text=part) for part in cut(data, text)]
    pieces += [Piece(refusal=part) for part in cut(data, refusal)] if refusal else []
    for index, said in enumerate(calls):
        pieces.append(Piece(tool_calls=(ToolCall(index=index, id=f"c{index}", name="pay"),)))
        pieces += [Piece(tool_calls=(ToolCall(index=index, arguments=part),)) for part in cut(data, said)]
    return [*pieces, Piece(finish="tool_calls" if calls else "stop")]


def events(wire: str, pieces: list[Piece]) -> list[Delta]:
    """Return the deltas of an endpoint that says this."""
    writer = CALLERS[wire].answer_writer(CALLS[wire], ident="x")
    frames = b"".join(writer.write(Delta(pieces=(piece,))) for piece in pieces) + writer.end()
    return read(wire, frames)


def read(wire: str, frames: bytes) -> list[Delta]:
    decoder = ENDPOINTS[wire].answer_decoder()
    deltas = decoder.feed(frames)
    return deltas if decoder.finished else deltas + decoder.finish()


def written(wire: str, deltas: list[Delta]) -> bytes:
    writer = CALLERS[wire].answer_writer(CALLS[wire], ident="x")
    return b"".join(writer.write(delta) for delta in deltas) + writer.end()


def restoring(wire: str, *, json: bool = False) -> Restoring:
    return Restoring(PSEUDONYMS, "far", wire, json=json)


@pytest.mark.parametrize("caller", WIRES)
@pytest.mark.parametrize("endpoint", WIRES)
@given(st.data(), WORDS, WORDS, WORDS, st.lists(WORDS, max_size=2))
@settings(max_examples=60)
def test_every_split_of_a_stream_is_restored(
    endpoint: str,
    caller: str,
    data: Any,
    thought: list[str],
    text: list[str],
    refusal: list[str],
    calls: list[list[str]],
) -> None:
    said = [arguments_of("".join(words)) for words in calls]
    refused = "".join(refusal) if caller != "messages" and endpoint != "messages" else ""
    deltas = events(endpoint, stream_of(data, "".join(thought), "".join(text), refused, said))
    if caller != endpoint:
        deltas = [msgspec.structs.replace(delta, raw=b"", event="") for delta in deltas]
    got = restoring(caller).streamed(deltas)
    frames = written(caller, got)
    for answer in (assemble(got), assemble(read(caller, frames))):
        choice = answer.choices[0]
        assert choice.reasoning == restored("".join(thought))
        assert choice.text == restored("".join(text))
        assert choice.refusal == restored(refused)
        assert [json.loads(call.arguments) for call in choice.tool_calls] == [
            json.loads(arguments_of(restored("".join(words)))) for words in calls
        ]
    assert not any(name.encode() in frames for name in NAMES)
    if caller == "responses":
        numbers = [json.loads(line[6:])["sequence_number"] for line in frames.split(b"\n") if line[:5] == b"data:"]
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("wire", WIRES)
@given(WORDS, WORDS, st.lists(WORDS, max_size=2))
@settings(max_examples=40)
def test_a_whole_answer_is_restored_in_its_bytes_and_in_its_parts(
    wire: str, thought: list[str], text: list[str], calls: list[list[str]]
) -> None:
    made = tuple(
        ToolCall(index=index, id=f"c{index}", name="pay", arguments=arguments_of("".join(words)))
        for index, words in enumerate(calls)
    )
    said = [Piece(reasoning="".join(thought)), Piece(text="".join(text)), Piece(tool_calls=made), Piece(finish="stop")]
    body = CALLERS[wire].encode_answer(whole(said), CALLS[wire], ident="x")
    answer = ENDPOINTS[wire].decode_answer(body)
    for got in (
        restoring(wire).whole(answer),
        ENDPOINTS[wire].decode_answer(restoring(wire).whole(answer).raw),
    ):
        choice = got.choices[0]
        assert (choice.reasoning, choice.text) == (restored("".join(thought)), restored("".join(text)))
        assert [json.loads(call.arguments) for call in choice.tool_calls] == [
            json.loads(arguments_of(restored("".join(words)))) for words in calls
        ]
        assert "".join(piece.text for piece in got.pieces) == choice.text


@pytest.mark.parametrize("wire", WIRES)
@given(st.data(), WORDS)
@settings(max_examples=30)
def test_json_that_was_asked_for_stays_json(wire: str, data: Any, words: list[str]) -> None:
    text = arguments_of("".join(words))
    thought = "".join(words)
    got = restoring(wire, json=True).streamed(events(wire, stream_of(data, thought, text, "", [])))
    assert assemble(read(wire, written(wire, got))).choices[0].reasoning == restored(thought)
    assert json.loads(assemble(read(wire, written(wire, got))).choices[0].text) == json.loads(
        arguments_of(restored("".join(words)))
    )


@pytest.mark.parametrize("wire", WIRES)
def test_what_holds_no_placeholder_keeps_its_bytes(wire: str) -> None:
    deltas = events(wire, [Piece(text="so it "), Piece(text="is."), Piece(finish="stop")])
    assert restoring(wire).streamed(deltas) == deltas
    body = CALLERS[wire].encode_answer(whole([Piece(text="so"), Piece(finish="stop")]), CALLS[wire], ident="x")
    assert restoring(wire).whole(ENDPOINTS[wire].decode_answer(body)).raw is not None
    assert restoring(wire).whole(ENDPOINTS[wire].decode_answer(body)).raw == body


@pytest.mark.parametrize("wire", ["messages", "chat"])
def test_only_the_beginning_of_a_placeholder_waits(wire: str) -> None:
    deltas = events(wire, [Piece(text=f"pay {NAMES[0][:5]}"), Piece(text=NAMES[0][5:] + " now"), Piece(finish="stop")])
    texts = ["".join(piece.text for piece in delta.pieces) for delta in restoring(wire).streamed(deltas)]
    assert [text for text in texts if text] == ["pay ", f"{VALUES[0]} now"]


def test_choices_and_calls_whose_pieces_are_mixed_keep_their_own() -> None:
    name = NAMES[0]
    said = [
        Piece(choice=0, text=name[:4]), Piece(choice=1, text=name[:6]), Piece(choice=0, text=name[4:]),
        Piece(choice=1, text=name[6:]), Piece(choice=0, finish="stop"), Piece(choice=1, finish="stop"),
    ]  # fmt: skip
    call = msgspec.structs.replace(CALLS["chat"], features=Features(input_tokens_est=1, n=2))
    assert isinstance(call, Call)
    answer = assemble(restoring("chat").streamed(events("chat", said)))
    assert [choice.text for choice in answer.choices] == [VALUES[0], VALUES[0]]


def test_names_and_ids_of_calls_are_restored() -> None:
    calls = (ToolCall(id=NAMES[0], name=NAMES[0], arguments="{}"),)
    got = restoring("chat").whole(Answer(choices=(Choice(tool_calls=calls),)))
    assert (got.choices[0].tool_calls[0].name, got.choices[0].tool_calls[0].id) == (VALUES[0], VALUES[0])


def test_a_seal_is_kept_as_made_under_these_placeholders() -> None:
    pseudonyms = Pseudonyms(TAG)
    Restoring(pseudonyms, "far", "messages", json=False).streamed([Delta(pieces=(Piece(seal="signed:abc"),))])
    assert pseudonyms.knows_seal("far", "abc")
