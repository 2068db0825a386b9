"""The same events whatever the split, as the WHATWG standard frames them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import BadReply
from tierwise.wires.sse import Event, SseDecoder

LINE = st.one_of(
    st.just(b"data: {}"),
    st.just(b"data:x"),
    st.just(b"data:  two spaces"),
    st.just(b"data"),
    st.just(b": comment"),
    st.just(b"event: error"),
    st.just(b"event:ping"),
    st.just(b"id: 7"),
    st.just(b"retry"),
    st.just(b"junk"),
    st.just(b""),
    st.just("data: é😀\u2028".encode()),
    st.binary(max_size=6).map(lambda data: b"data:" + data.replace(b"\r", b"").replace(b"\n", b"")),
)
STREAM = st.tuples(st.booleans(), st.lists(st.tuples(LINE, st.sampled_from([b"\n", b"\r\n", b"\r"])), max_size=14)).map(
    lambda drawn: (b"\xef\xbb\xbf" if drawn[0] else b"") + b"".join(line + end for line, end in drawn[1])
)


def run(parts: list[bytes], limit: int = 1000) -> tuple[list[Event], bool]:
    """Return the events and whether it ended in an error."""
    decoder = SseDecoder(limit)
    events: list[Event] = []
    try:
        for part in parts:
            events += decoder.feed(part)
        events += decoder.finish()
    except BadReply as error:
        assert error.code == "upstream_too_large"
        return events, True
    return events, False


def by_the_standard(data: bytes) -> list[Event]:
    """Read a whole stream by the letter of the standard, but for the last event, which needs no blank line."""
    text = data.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events: list[Event] = []
    name, lines = b"", []
    for line in [*text.split(b"\n"), b""]:
        if not line:
            if lines:
                events.append((name, b"\n".join(lines)))
            name, lines = b"", []
            continue
        if line.startswith(b":"):
            continue
        field, _, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if field == b"event":
            name = value
        if field == b"data":
            lines.append(value)
    return events


@given(STREAM)
def test_reads_what_the_standard_says(data: bytes) -> None:
    assert run([data]) == (by_the_standard(data), False)


@given(STREAM, st.lists(st.integers(0, 400), max_size=8), st.sampled_from([6, 12, 1000]))
def test_any_split_gives_the_same_events(data: bytes, cuts: list[int], limit: int) -> None:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    parts = [data[start:end] for start, end in pairwise(places)]
    assert run(parts, limit) == run([data], limit) == run([data[n : n + 1] for n in range(len(data))], limit)


def test_an_endless_line_is_refused_before_it_is_held() -> None:
    decoder = SseDecoder(1000)
    with pytest.raises(BadReply) as caught:
        for _ in range(3):
            decoder.feed(b"data: " + b"x" * 400)
    assert caught.value.code == "upstream_too_large"
    with pytest.raises(BadReply):
        decoder.feed(b"\n\n")


def test_what_came_before_the_oversized_event_is_not_lost() -> None:
    decoder = SseDecoder(10)
    assert decoder.feed(b"data: a\n\ndata: " + b"x" * 20) == [(b"", b"a")]
    with pytest.raises(BadReply):
        decoder.feed(b"")
