"""What the wires share of reading streams: lines, junk before the first event, errors in order."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.answer import Delta, Piece
from tierwise.core.errors import BadReply, Overloaded, ProviderError, RateLimited
from tierwise.core.secret import Secret
from tierwise.wires.stream import MAX_JUNK_BYTES, EventReader, LineDecoder, count, event_name


class Reader(EventReader):
    """A wire of its own: an event is a word; `end` ends it, `busy` and `bad` are errors."""

    @property
    def _complete(self) -> bool:
        return self._ended

    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        if payload == b"busy":
            raise RateLimited("busy")
        if payload == b"bad":
            raise BadReply("bad", code="upstream_invalid")
        if payload == b"end":
            self._ended = True
            return None
        return Delta(event=name.decode("latin-1"), pieces=(Piece(text=payload.decode("latin-1")),))


class Strict(Reader):
    """As the wires are: the end of the bytes alone completes nothing."""

    @property
    def _complete(self) -> bool:
        return self._said

    _said = False

    def _event(self, name: bytes, payload: bytes) -> Delta | None:
        self._said = self._said or payload == b"end"
        return super()._event(name, payload)


def outcome(reader: EventReader, parts: list[bytes]) -> tuple[list[str], str, bool]:
    said: list[Delta] = []
    try:
        for part in parts:
            said += reader.feed(part)
        said += reader.finish()
    except ProviderError as error:
        return [delta.pieces[0].text for delta in said], f"{error.code}: {error}", reader.finished
    return [delta.pieces[0].text for delta in said], "", reader.finished


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


PIECES = st.sampled_from([
    b"data: x\n\n", b"data: y\r\n\r\n", b": comment\n\n", b"event: e\ndata: z\n\n", b"data: end\n\n", b"data: busy\n\n",
    b"data: bad\n\n", b"\xef\xbb\xbf", b"\xef", b"\xef\xbb", b" ", b"\n", b"{", b'{"error":{"message":"m"}}', b"[", b"<", b"junk", b"\xff",
])  # fmt: skip


@given(st.lists(PIECES, max_size=7), st.lists(st.integers(0, 120), max_size=6), st.booleans())
def test_any_split_gives_the_same(pieces: list[bytes], places: list[int], lined: bool) -> None:
    data = b"".join(pieces)

    def reader() -> Strict:
        return Strict(framing=LineDecoder(20)) if lined else Strict()

    whole = outcome(reader(), [data])
    assert outcome(reader(), cut(data, places)) == whole
    assert outcome(reader(), [data[at : at + 1] for at in range(len(data))]) == whole


def test_what_precedes_an_error_comes_first_and_the_error_stays() -> None:
    reader = Strict()
    assert [delta.pieces[0].text for delta in reader.feed(b"data: x\n\ndata: y\n\ndata: busy\n\ndata: z\n\n")] == [
        "x",
        "y",
    ]
    for again in (lambda: reader.feed(b"data: end\n\n"), reader.finish, lambda: reader.feed(b"")):
        with pytest.raises(RateLimited):
            again()
    assert not reader.finished


def test_nothing_is_read_behind_the_end() -> None:
    reader = Strict()
    assert [delta.pieces[0].text for delta in reader.feed(b"data: x\n\ndata: end\n\ndata: busy\n\n")] == ["x"]
    assert reader.finished
    assert reader.feed(b"data: busy\n\n") == reader.finish() == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "upstream_invalid"),
        (b" \r\n\t", "upstream_invalid"),
        (b"\xef\xbb", "upstream_invalid"),
        (b"<html>", "upstream_invalid"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html>", "upstream_invalid"),
        (b"[1]", "upstream_invalid"),
        (b'{"object":"x"}', "upstream_invalid"),
        (b"data: x\n\n", "upstream_incomplete"),
        (b"data: x\n\ndata: ba", "upstream_incomplete"),
        (b"data: x\n\ndata: bad", "upstream_incomplete"),
        (b": nothing but comments\n\n", "upstream_incomplete"),
        (b"junk", "upstream_incomplete"),
        (b"\xef\xff", "upstream_incomplete"),
    ],
)
def test_what_is_no_whole_stream(data: bytes, code: str) -> None:
    said, error, finished = outcome(Strict(), [data])
    assert (error.partition(":")[0], finished) == (code, False)
    assert said in ([], ["x"], ["x", "ba"])


def test_an_error_instead_of_a_stream_is_read_and_the_key_in_it_masked() -> None:
    body = b' {"error":{"message":"no hunter2hunter2 here","code":"server_error"}}'
    reader = Strict(Secret("hunter2hunter2"))
    assert reader.feed(body) == []
    with pytest.raises(Overloaded) as caught:
        reader.finish()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("junk", [b"{", b"[", b'{"a":"b"}', b"\n", b" ", b"\xef\xbb\xbf {"])
@pytest.mark.parametrize("size", [1000, 1_000_000])
def test_junk_before_a_stream_is_not_held_without_end(junk: bytes, size: int) -> None:
    reader = Strict()
    with pytest.raises(BadReply) as caught:
        for _ in range(2 * MAX_JUNK_BYTES // size + 1):
            reader.feed((junk * size)[:size])
    assert caught.value.code == "upstream_invalid"
    with pytest.raises(BadReply):
        reader.finish()


# lines


def lines_of(parts: list[bytes], limit: int = 10) -> tuple[list[bytes], bool]:
    decoder = LineDecoder(limit)
    said: list[bytes] = []
    try:
        for part in parts:
            said += [line for _, line in decoder.feed(part)]
        said += [line for _, line in decoder.finish()]
    except BadReply as error:
        assert error.code == "upstream_too_large"
        with pytest.raises(BadReply):
            decoder.finish()
        return said, True
    return said, False


@given(st.lists(st.sampled_from([b"{}", b"\n", b"\r\n", b"a b", b" ", "\u00e9".encode(), b"0123456789"]), max_size=12), st.lists(st.integers(0, 60), max_size=5))  # fmt: skip
def test_any_split_gives_the_same_lines(pieces: list[bytes], places: list[int]) -> None:
    data = b"".join(pieces)
    whole = lines_of([data])
    assert lines_of(cut(data, places)) == whole
    assert lines_of([data[at : at + 1] for at in range(len(data))]) == whole
    if not whole[1]:
        assert whole[0] == [line.strip() for line in data.split(b"\n") if line.strip()]


@pytest.mark.parametrize(
    ("data", "lines", "broken"),
    [
        (b"a\r\n\n b \nc", [b"a", b"b", b"c"], False),
        (b"0123456789\nx", [b"0123456789", b"x"], False),
        (b"01234567890\nx", [], True),
        (b"a\n01234567890", [b"a"], True),
        (b"a\n01234567890\nb\n", [b"a"], True),
        (b"", [], False),
    ],
)
def test_lines_before_one_too_long_come_first(data: bytes, lines: list[bytes], broken: bool) -> None:
    said, was_broken = lines_of([data, b""])
    assert (said, was_broken) == (lines, broken)


# words and numbers


@pytest.mark.parametrize("kind", ["response.output_text.delta", "message_stop", "ping", "\u00e9"])
def test_a_name_is_passed_on(kind: str) -> None:
    assert event_name(kind) == kind


@pytest.mark.parametrize("kind", ["", "a b", "a\nevent: b", "a\r", "a:b", "a\u2028"])
def test_a_name_that_could_leave_its_line_is_none(kind: str) -> None:
    assert event_name(kind) == ""


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (7, 7),
        (10**9, 10**9),
        (10**9 + 1, None),
        (-1, None),
        (True, None),
        (1.0, None),
        ("7", None),
        (None, None),
    ],
)
def test_a_count_is_a_count(value: object, number: int | None) -> None:
    assert count(value) == number
