"""The parser side of an exchange, without sockets: any split of the bytes gives the same answer, no bytes break it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.errors import BadReply, ProviderError, TimedOut, Unreachable
from tierwise.core.model import Limits
from tierwise.providers.exchange import Exchange


class Line:
    """Notes what it is told."""

    def __init__(self):
        self.told = []

    def heard(self):
        self.told.append("heard")

    def finished(self, reusable):
        self.told.append("kept" if reusable else "dropped")

    def hold(self):
        self.told.append("hold")

    def resume(self):
        self.told.append("resume")

    def abort(self):
        self.told.append("abort")


def outcome(pieces, *, stream=True, limits=None):
    """Feed the pieces, lose the connection; return status, body, error code, and the fate of the connection."""

    async def go():
        line = Line()
        exchange = Exchange(asyncio.get_running_loop(), line, limits or Limits(), stream)
        for piece in pieces:
            if exchange.complete or "abort" in line.told:
                break
            exchange.feed(piece)
        if not {"kept", "dropped", "abort"} & set(line.told):
            exchange.lost(None)
        try:
            body, code = await exchange.read_all(), None
        except ProviderError as error:
            body, code = b"", error.code
        fate = [word for word in line.told if word in ("kept", "dropped", "abort")]
        assert len(fate) == 1  # the connection is let go of exactly once
        return exchange.status, body, code, fate[0]

    return asyncio.run(go())


def split(data, cuts):
    places = sorted({cut % len(data) for cut in cuts}) if data else []
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True) if a < b]


WHOLE = [
    (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", (200, b"hello", None, "kept")),
    (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nx: y\r\n\r\n", (200, b"hello", None, "kept")),
    (b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello", (200, b"hello", None, "dropped")),
    (b"HTTP/1.1 200 OK\r\n\r\nhello", (200, b"hello", None, "dropped")),
    (b"HTTP/1.1 100 Continue\r\na: b\r\n\r\nHTTP/1.1 429 Slow\r\ncontent-length: 5\r\n\r\nhello", (429, b"hello", None, "kept")),
    (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"", None, "kept")),
    (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello", (200, b"", "upstream_incomplete", "abort")),
    (b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 5\r\n\r\nhello", (200, b"", "upstream_invalid", "abort")),
]  # fmt: skip


@pytest.mark.parametrize(("data", "expected"), WHOLE)
@given(st.lists(st.integers(0, 200), max_size=12), st.booleans())
def test_any_split_gives_the_same_answer(data, expected, cuts, stream):
    assert outcome(split(data, cuts), stream=stream) == expected


@given(st.lists(st.binary(max_size=80), max_size=6), st.booleans())
def test_arbitrary_bytes_end_in_an_answer_or_an_error(pieces, stream):
    *_, code, fate = outcome(pieces, stream=stream)
    assert (code is None) == (fate in ("kept", "dropped"))


@given(st.sampled_from(WHOLE[:6]), st.integers(0, 100), st.binary(min_size=1, max_size=10), st.booleans())
def test_damaged_answers_end_in_an_answer_or_an_error(case, place, bytes_, stream):
    data = case[0]
    place %= len(data)
    *_, code, fate = outcome([data[:place] + bytes_ + data[place + len(bytes_) :]], stream=stream)
    assert (code is None) == (fate in ("kept", "dropped"))


# Line breaks behind an answer say nothing (RFC 9112, section 2.2); the parser reads over them.
@given(st.binary(min_size=1, max_size=40).filter(lambda more: bool(more.strip(b"\r\n"))))
def test_bytes_behind_an_answer_cost_the_connection(more):
    assert outcome([WHOLE[0][0] + more])[:3] == (200, b"hello", None)
    assert outcome([WHOLE[0][0] + more])[3] == "dropped"


@pytest.mark.parametrize("status", [b"000", b"099", b"103"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_body_without_a_status_is_never_waited_for(status, stream):
    """A bit turned in `200` makes an interim answer of it, whose body belongs to nothing."""

    async def go():
        exchange = Exchange(asyncio.get_running_loop(), Line(), Limits(), stream)
        exchange.feed(b"HTTP/1.1 " + status + b" OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        exchange.fail(TimedOut("silence", code="idle_timeout"))
        async with asyncio.timeout(5):
            with pytest.raises(ProviderError):
                await exchange.opened()

    asyncio.run(go())


def test_what_had_come_before_an_error_stays_readable():
    async def go():
        exchange = Exchange(asyncio.get_running_loop(), Line(), Limits(), True)
        exchange.feed(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello")
        await exchange.opened()
        exchange.lost(None)
        assert await exchange.read_some() == b"hello"
        with pytest.raises(BadReply):
            await exchange.read_some()

    asyncio.run(go())


def test_a_bad_head_is_known_before_the_body():
    async def go():
        exchange = Exchange(asyncio.get_running_loop(), Line(), Limits(), True)
        exchange.feed(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n\x1f\x8b")
        with pytest.raises(BadReply, match="compressed"):
            await exchange.opened()

    asyncio.run(go())


def test_lost_before_and_after_the_first_byte():
    async def go():
        exchange = Exchange(asyncio.get_running_loop(), Line(), Limits(), False)
        exchange.lost(None)
        with pytest.raises(Unreachable):
            await exchange.opened()
        exchange = Exchange(asyncio.get_running_loop(), Line(), Limits(), False)
        exchange.feed(b"H")
        exchange.lost(None)
        with pytest.raises(BadReply):
            await exchange.opened()

    asyncio.run(go())


def test_reading_is_paused_and_resumed():
    async def go():
        line = Line()
        exchange = Exchange(asyncio.get_running_loop(), line, Limits(), True)
        exchange.feed(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 200_000)
        exchange.feed(b"x" * 100_000)
        exchange.feed(b"x" * 100_000)  # what was already on its way
        assert line.told == ["heard", "hold"]
        assert len(await exchange.read_some()) == 400_000
        assert line.told == ["heard", "hold", "resume"]
        exchange.release()

    asyncio.run(go())
