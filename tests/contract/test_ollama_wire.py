"""The promises that every endpoint's wire keeps, asked of Ollama's own with recorded bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.ollama_recordings import MARK, STREAMS, WHOLES
from tests.contract.recording import Recording, named
from tierwise.core.answer import Answer, Delta, assemble
from tierwise.core.errors import BadReply, Overloaded, ProviderError, RateLimited, Verdict
from tierwise.core.secret import Secret
from tierwise.wires import ollama


def deltas_of(parts: list[bytes]) -> list[Delta]:
    decoder = ollama.answer_decoder(mark=MARK)
    return [delta for part in parts for delta in decoder.feed(part)] + decoder.finish()


def line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


@pytest.mark.parametrize("recording", STREAMS, ids=named)
class TestStreams:
    def test_the_meaning(self, recording: Recording) -> None:
        deltas = deltas_of([recording.body])
        assert assemble(deltas) == recording.answer
        assert tuple(piece for delta in deltas for piece in delta.pieces if piece.content) == recording.pieces
        assert not any(delta.foreign for delta in deltas)

    def test_a_byte_order_mark_and_empty_reads_say_nothing(self, recording: Recording) -> None:
        marked = deltas_of([b"\xef", b"\xbb\xbf", b"", recording.body, b""])
        assert assemble(marked) == assemble(deltas_of([recording.body]))

    def test_cut_before_it_says_done_it_is_incomplete(self, recording: Recording) -> None:
        for place in range(0, recording.body.index(b'"done":true'), 17):
            with pytest.raises(BadReply) as caught:
                deltas_of([recording.body[:place]])
            assert caught.value.code == "upstream_incomplete"

    def test_reading_stops_where_it_says_done(self, recording: Recording) -> None:
        decoder = ollama.answer_decoder(mark=MARK)
        decoder.feed(recording.body.rstrip() + b"\n")
        assert decoder.finished
        assert decoder.feed(line({"message": {"content": "late"}, "done": False})) == []
        assert decoder.finish() == []


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_whole_answers(recording: Recording) -> None:
    answer = ollama.decode_answer(recording.body, mark=MARK)
    assert answer.raw == recording.body
    assert Answer(choices=answer.choices, usage=answer.usage, served_model=answer.served_model) == recording.answer
    assert tuple(piece for piece in answer.pieces if piece.content) == recording.pieces


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_a_whole_answer_means_the_same_as_its_stream(recording: Recording) -> None:
    assert assemble(deltas_of([line(json.loads(recording.body))])) == recording.answer


ERRORS = [
    ("an error was encountered while running the model: unexpected EOF", BadReply, Verdict.NEXT),
    ({"message": "later", "type": "overloaded_error"}, Overloaded, Verdict.RETRY_SAME),
    ({"message": "later", "code": 429}, RateLimited, Verdict.NEXT),
]


@pytest.mark.parametrize(("said", "error", "verdict"), ERRORS, ids=["words", "type", "code"])
@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "after content", "later"])
def test_errors_in_a_stream(said: object, error: type[ProviderError], verdict: Verdict, at: int) -> None:
    lines = STREAMS[0].body.splitlines(keepends=True)[:at]
    decoder = ollama.answer_decoder()
    deltas: list[Delta] = []
    with pytest.raises(error) as caught:
        deltas += decoder.feed(b"".join(lines) + line({"error": said}))
        decoder.feed(b"")
    assert (type(caught.value), caught.value.verdict, len(deltas)) == (error, verdict, at)
    assert not decoder.finished
    with pytest.raises(error):
        decoder.finish()


@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "after content", "later"])
def test_an_error_without_a_line_end_is_told_all_the_same(at: int) -> None:
    lines = STREAMS[0].body.splitlines(keepends=True)[:at]
    with pytest.raises(BadReply, match="unexpected EOF"):
        deltas_of([*lines, b'{"error":"unexpected EOF"}'])


def test_a_whole_error_that_came_with_200() -> None:
    said = b'{"error":"model runner has unexpectedly stopped; my key is hush-hush"}'
    for read in (lambda: ollama.decode_answer(said, key=Secret("hush-hush")), lambda: deltas_of([said + b"\n"])):
        with pytest.raises(BadReply, match="unexpectedly stopped"):
            read()
    with pytest.raises(BadReply) as caught:
        ollama.decode_answer(said, key=Secret("hush-hush"))
    assert "hush-hush" not in str(caught.value)


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_server_that_was_asked_nothing_answers_nothing(reason: str) -> None:
    said = {"model": "m", "message": {"role": "assistant", "content": ""}, "done_reason": reason, "done": True}
    for read in (lambda: ollama.decode_answer(line(said)), lambda: deltas_of([line(said)])):
        with pytest.raises(BadReply, match=reason):
            read()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"{}",
        b"[]",
        b'{"message":1,"done":true}',
        b'{"message":{"content":"x"},"done":false}',
        b'{"message":{"content":"x"},"done":"true"}',
        b'{"response":"x","done":true}',
        b'{"choices":[{"message":{"content":"x"}}]}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        ollama.decode_answer(body)
    for stream in (body, body + b"\n"):
        with pytest.raises(BadReply):
            deltas_of([stream])


@pytest.mark.parametrize("payload", [b"[1]", b"{", b"null", b'"x"', b"data: {}", b"\xff", b'{"status":"pulling"}'])
def test_what_is_no_line(payload: bytes) -> None:
    with pytest.raises(BadReply) as caught:
        deltas_of([payload + b"\n"])
    assert caught.value.code == "upstream_invalid"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.fixed_dictionaries(
        {"done": st.just(True) | JUNK},
        optional={
            "message": JUNK
            | st.dictionaries(st.sampled_from(("content", "thinking", "tool_calls", "images")), JUNK, max_size=4),
            "done_reason": JUNK, "prompt_eval_count": JUNK, "eval_count": JUNK, "logprobs": JUNK, "model": JUNK,
            "error": st.none() | st.just(""),
        },
    )
)  # fmt: skip
def test_members_of_wrong_types_are_no_reason_to_fail(said: dict[str, object]) -> None:
    """A member may be anything: what comes is an answer or a reply that is none, and never another error."""
    try:
        answer = ollama.decode_answer(json.dumps(said).encode())
    except ProviderError:
        return
    assert len(answer.choices) == 1
    assert answer.usage is None or min(answer.usage.input, answer.usage.output) >= 0
