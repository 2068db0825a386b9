"""The promises that every endpoint's wire keeps, asked of Gemini's with recorded bytes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.gemini_recordings import MARK, STREAMS, WHOLES
from tests.contract.recording import Recording, named
from tierwise.core.answer import Answer, Delta, assemble
from tierwise.core.errors import (
    BadReply,
    ContextTooLong,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    Unauthorized,
    Verdict,
)
from tierwise.core.secret import Secret
from tierwise.wires import gemini


def deltas_of(parts: list[bytes]) -> list[Delta]:
    decoder = gemini.answer_decoder(mark=MARK)
    return [delta for part in parts for delta in decoder.feed(part)] + decoder.finish()


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\r\n\r\n"


@pytest.mark.parametrize("recording", STREAMS, ids=named)
class TestStreams:
    def test_the_meaning(self, recording: Recording) -> None:
        deltas = deltas_of([recording.body])
        assert assemble(deltas) == recording.answer
        assert tuple(piece for delta in deltas for piece in delta.pieces if piece.content) == recording.pieces
        assert tuple(name for delta in deltas for name in delta.foreign) == recording.foreign

    def test_a_byte_order_mark_and_empty_reads_say_nothing(self, recording: Recording) -> None:
        assert deltas_of([b"\xef", b"\xbb\xbf", b"", recording.body, b""]) == deltas_of([recording.body])

    def test_cut_before_the_last_reason_it_is_incomplete(self, recording: Recording) -> None:
        last = max(recording.body.rfind(b'"finishReason"'), recording.body.rfind(b'"blockReason"'))
        for place in range(0, last, 37):
            with pytest.raises(BadReply) as caught:
                deltas_of([recording.body[:place]])
            assert caught.value.code == ("upstream_incomplete" if place else "upstream_invalid")

    def test_only_the_end_of_the_stream_ends_it(self, recording: Recording) -> None:
        """Usage may come behind the reason to stop."""
        decoder = gemini.answer_decoder(mark=MARK)
        decoder.feed(recording.body)
        assert not decoder.finished
        decoder.feed(b"\r\n\r\n" + event({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 99}}))
        decoder.finish()
        assert decoder.finished
        assert decoder.feed(event({"candidates": [{"content": {"parts": [{"text": "late"}]}}]})) == []


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_whole_answers(recording: Recording) -> None:
    answer = gemini.decode_answer(recording.body, mark=MARK)
    assert answer.raw == recording.body
    assert Answer(choices=answer.choices, usage=answer.usage, served_model=answer.served_model) == recording.answer
    assert tuple(piece for piece in answer.pieces if piece.content) == recording.pieces
    assert answer.foreign == recording.foreign


@pytest.mark.parametrize("recording", WHOLES, ids=named)
def test_a_whole_answer_means_the_same_as_its_stream(recording: Recording) -> None:
    streamed = deltas_of([event(json.loads(recording.body))])
    assert assemble(streamed) == recording.answer
    assert tuple(piece for delta in streamed for piece in delta.pieces if piece.content) == recording.pieces


def test_candidates_that_began_have_to_end() -> None:
    begun = [{"content": {"parts": [{"text": "a"}]}, "index": index} for index in (0, 1)]
    ended = [candidate | {"finishReason": "STOP"} for candidate in begun]
    for unfinished in ([begun[0]], [ended[0], begun[1]], [begun[0], ended[1]]):
        with pytest.raises(BadReply) as caught:
            deltas_of([event({"candidates": unfinished})])
        assert caught.value.code == "upstream_incomplete"
        with pytest.raises(BadReply):
            gemini.decode_answer(json.dumps({"candidates": unfinished}).encode())
    assert len(assemble(deltas_of([event({"candidates": ended})])).choices) == 2


ERRORS = [
    (503, "UNAVAILABLE", "The model is overloaded.", Overloaded, Verdict.RETRY_SAME),
    (500, "INTERNAL", "An internal error has occurred.", Overloaded, Verdict.RETRY_SAME),
    (429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", RateLimited, Verdict.NEXT),
    (403, "PERMISSION_DENIED", "no", Unauthorized, Verdict.NEXT),
    (400, "INVALID_ARGUMENT", "The model is tired.", Refused, Verdict.STOP),
    (400, "INVALID_ARGUMENT", "Function call is missing a thought_signature.", Refused, Verdict.STOP),
    (400, "INVALID_ARGUMENT", "exceeds the context window", ContextTooLong, Verdict.NEXT),
]


@pytest.mark.parametrize(("code", "status", "message", "error", "verdict"), ERRORS)
@pytest.mark.parametrize("at", [0, 1, 2], ids=["first", "after content", "later"])
def test_errors_in_a_stream(
    code: int, status: str, message: str, error: type[ProviderError], verdict: Verdict, at: int
) -> None:
    events = STREAMS[0].body.split(b"\n\n")[:at]
    said = event({"error": {"code": code, "message": message, "status": status}})
    decoder = gemini.answer_decoder()
    deltas: list[Delta] = []
    with pytest.raises(error) as caught:
        deltas += decoder.feed(b"".join(part + b"\n\n" for part in events) + said)
        decoder.feed(b"")
    assert (type(caught.value), caught.value.verdict, len(deltas)) == (error, verdict, at)
    assert not decoder.finished
    with pytest.raises(error):
        decoder.finish()


def test_a_missing_signature_is_told_apart() -> None:
    said = event({"error": {"code": 400, "message": "Function call `look` is missing a `thought_signature`."}})
    with pytest.raises(Refused) as caught:
        deltas_of([said])
    assert caught.value.code == "thinking_refused"


def test_a_whole_error_that_came_with_200() -> None:
    said = b'{\n  "error": {"code": 503, "message": "key AIzaSyA1234567890abcdefghij", "status": "UNAVAILABLE"}\n}'
    for read in (lambda: gemini.decode_answer(said), lambda: deltas_of([said])):
        with pytest.raises(Overloaded) as caught:
            read()
        assert "AIza" not in str(caught.value)


def test_the_key_is_masked() -> None:
    with pytest.raises(Overloaded) as caught:
        gemini.decode_answer(b'{"error":{"code":500,"message":"is it hush-hush?"}}', key=Secret("hush-hush"))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "reason",
    ["MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"],
)
def test_a_call_that_the_server_could_not_read_is_no_answer(reason: str) -> None:
    said = {"candidates": [{"content": {"role": "model"}, "finishReason": reason, "finishMessage": "Malformed: f("}]}
    for read in (lambda: gemini.decode_answer(json.dumps(said).encode()), lambda: deltas_of([event(said)])):
        with pytest.raises(BadReply, match=reason) as caught:
            read()
        assert (caught.value.code, caught.value.verdict) == ("upstream_invalid", Verdict.NEXT)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html></html>",
        b"{}",
        b"[]",
        b'{"candidates":[]}',
        b'{"candidates":1}',
        b'{"candidates":[{"content":{"parts":[{"text":"x"}]}}]}',
        b'{"choices":[{"message":{"content":"x"}}]}',
        b'{"usageMetadata":{"promptTokenCount":1}}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadReply):
        gemini.decode_answer(body)
    with pytest.raises(BadReply):
        deltas_of([body])


@pytest.mark.parametrize("payload", [b"[1]", b"{", b"null", b'"x"', b"[DONE]", b"{}", b"\xff"])
def test_what_is_no_event(payload: bytes) -> None:
    with pytest.raises(BadReply) as caught:
        deltas_of([b"data: " + payload + b"\n\n"])
    assert caught.value.code == "upstream_invalid"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(st.data())
def test_members_of_wrong_types_are_no_reason_to_fail(data: st.DataObject) -> None:
    """A member may be anything: what comes is an answer or a reply that is none, and never another error."""
    part = st.dictionaries(
        st.sampled_from(("text", "thought", "thoughtSignature", "functionCall", "inlineData")), JUNK, max_size=4
    )
    candidate = st.fixed_dictionaries(
        {"content": st.fixed_dictionaries({"parts": st.lists(part, max_size=3) | JUNK}) | JUNK},
        optional={"index": JUNK, "finishReason": st.just("STOP") | JUNK, "logprobsResult": JUNK},
    )
    said = {
        "candidates": data.draw(st.lists(candidate, max_size=2) | JUNK),
        "usageMetadata": data.draw(JUNK),
        "modelVersion": data.draw(JUNK),
        "promptFeedback": data.draw(JUNK),
    }
    try:
        answer = gemini.decode_answer(json.dumps(said).encode())
    except ProviderError:
        return
    assert all(choice.finish for choice in answer.choices)
