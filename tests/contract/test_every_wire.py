"""The promises that every wire of endpoints keeps, asked of each with recorded bytes.

A wire that is added brings its recordings and is entered below; the tests stay as they are.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract import (
    chat_recordings,
    gemini_recordings,
    messages_recordings,
    ollama_recordings,
    responses_recordings,
)
from tests.contract.recording import Recording
from tierwise.core.answer import Delta
from tierwise.core.errors import BadReply, ProviderError
from tierwise.wires.known import APART, ENDPOINTS
from tierwise.wires.stream import MAX_ITEMS


@dataclass(frozen=True)
class Recorded:
    """What servers of a wire sent, streamed and whole; `mark` makes the ids of calls that came without one."""

    streams: Sequence[Recording]
    wholes: Sequence[Recording]
    mark: str = ""


RECORDED = {
    "chat": Recorded(chat_recordings.STREAMS, chat_recordings.WHOLES),
    "responses": Recorded(responses_recordings.STREAMS, responses_recordings.WHOLES),
    "messages": Recorded(messages_recordings.STREAMS, messages_recordings.WHOLES),
    "gemini": Recorded(gemini_recordings.STREAMS, gemini_recordings.WHOLES, gemini_recordings.MARK),
    "ollama": Recorded(ollama_recordings.STREAMS, ollama_recordings.WHOLES, ollama_recordings.MARK),
}
STREAMS = [pytest.param(wire, one, id=f"{wire}-{one.name}") for wire, of in RECORDED.items() for one in of.streams]
WHOLES = [pytest.param(wire, one, id=f"{wire}-{one.name}") for wire, of in RECORDED.items() for one in of.wholes]


def outcome(wire: str, parts: list[bytes]) -> tuple[list[Delta], str]:
    """Return the deltas of a stream that comes in these parts, and the error that ended it, in words."""
    decoder = ENDPOINTS[wire].answer_decoder(mark=RECORDED[wire].mark)
    deltas: list[Delta] = []
    try:
        for part in parts:
            deltas += decoder.feed(part)
        deltas += decoder.finish()
    except ProviderError as error:
        return deltas, f"{type(error).__name__} {error.code} {error}"
    return deltas, ""


def whole_events(body: bytes) -> Iterator[Any]:
    """Give the events that stand on one line of a stream."""
    for line in body.replace(b"\r", b"\n").split(b"\n"):
        with suppress(ValueError):
            yield json.loads(line.removeprefix(b"data:"))


NAMED = {"chat": ("id",), "responses": ("response", "id"), "messages": ("message", "id"), "gemini": ("responseId",)}


@pytest.mark.parametrize("wire", NAMED)
def test_every_wire_hands_on_what_the_endpoint_calls_its_answer(wire: str) -> None:
    """Bills name it; a wire that lost it would leave reconciling to guesses."""
    found = 0
    for recording in RECORDED[wire].streams:
        given = list(whole_events(recording.body))
        for name in NAMED[wire]:
            given = [one.get(name) for one in given if isinstance(one, dict)]
        deltas, _ = outcome(wire, [recording.body])
        first = next((one for one in given if one), None)  # one vendor's first event has an empty one
        assert next((delta.ident for delta in deltas if delta.ident), None) == first
        found += first is not None
    for recording in RECORDED[wire].wholes:
        said = json.loads(recording.body).get(NAMED[wire][-1])
        answer = ENDPOINTS[wire].decode_answer(recording.body, mark=RECORDED[wire].mark)
        assert answer.ident == said
        found += said is not None
    assert found


def test_every_wire_is_recorded() -> None:
    assert set(RECORDED) == set(ENDPOINTS) - APART


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 1000])
@pytest.mark.parametrize(("wire", "recording"), STREAMS)
def test_the_same_deltas_in_pieces_of_any_size(wire: str, recording: Recording, size: int) -> None:
    body = recording.body
    whole = outcome(wire, [body])
    assert not whole[1]
    assert outcome(wire, [body[at : at + size] for at in range(0, len(body), size)]) == whole


@pytest.mark.parametrize("wire", RECORDED)
@given(st.data())
def test_any_split_of_a_whole_or_a_cut_stream_gives_the_same_deltas_and_the_same_end(
    wire: str, data: st.DataObject
) -> None:
    body = data.draw(st.sampled_from(RECORDED[wire].streams)).body
    body = body[: data.draw(st.integers(0, len(body)))] if data.draw(st.booleans()) else body
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    parts = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert outcome(wire, parts) == outcome(wire, [body])


CALLS = {
    "chat": lambda n: {"choices": [{"finish_reason": "stop", "message": {"tool_calls": [{"function": {"name": "f"}}] * n}}]},
    "responses": lambda n: {"status": "completed", "output": [{"type": "function_call", "name": "f"}] * n},
    "messages": lambda n: {"stop_reason": "tool_use", "content": [{"type": "tool_use", "name": "f"}] * n},
    "gemini": lambda n: {"candidates": [{"finishReason": "STOP", "content": {"parts": [{"functionCall": {}}] * n}}]},
    "ollama": lambda n: {"done": True, "message": {"tool_calls": [{"function": {"name": "f"}}] * n}},
}  # fmt: skip


@pytest.mark.parametrize("wire", RECORDED)
def test_more_calls_than_anybody_makes_are_no_answer(wire: str) -> None:
    """Each is work on the way to another wire: 200,000 of them held everybody up for 16 s."""
    answer = ENDPOINTS[wire].decode_answer(json.dumps(CALLS[wire](MAX_ITEMS - 1)).encode())
    assert len(answer.choices[0].tool_calls) == MAX_ITEMS - 1
    with pytest.raises(BadReply, match="more than 10,000 items"):
        ENDPOINTS[wire].decode_answer(json.dumps(CALLS[wire](MAX_ITEMS + 1)).encode())


@pytest.mark.parametrize(("wire", "recording"), STREAMS)
def test_nothing_is_committed_before_content(wire: str, recording: Recording) -> None:
    content = [delta.content for delta in outcome(wire, [recording.body])[0]]
    assert (content.index(True) if True in content else -1) == recording.content_at


@pytest.mark.parametrize(("wire", "recording"), WHOLES)
def test_a_cut_whole_answer_is_none(wire: str, recording: Recording) -> None:
    for place in range(len(recording.body.rstrip())):
        with pytest.raises(BadReply):
            ENDPOINTS[wire].decode_answer(recording.body[:place])
