"""The one outbound path against servers that behave, and servers that do not."""

import asyncio
import gc
import socket
import ssl
from collections import deque

import msgspec
import pytest

from tierwise.core.errors import BadReply, ConfigError, TimedOut, Unreachable
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Limits
from tierwise.core.secret import Secret
from tierwise.providers.address import address_of
from tierwise.providers.egress import LOOPBACK
from tierwise.providers.transport import Address, Transport

KEY = "sk-canary-0123456789"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"


def soon(seconds=10.0):
    return asyncio.get_running_loop().time() + seconds


async def echo(peer):
    while True:
        _, _, body = await peer.request()
        await peer.answer(body)


def scenario(run, loopback, handler, work, *, tls=None, **address):
    """Run `work(transport, address)` against `handler`."""

    async def go():
        async with loopback.listen(handler, tls):
            transport = Transport()
            try:
                return await work(transport, Address(url=loopback.url, **address))
            finally:
                await transport.aclose()

    return run(go())


def test_post_sends_what_it_says_and_keeps_the_connection(run, loopback):
    async def work(transport, address):
        for number in range(3):
            exchange = await transport.post(address, "/chat", b'{"n":%d}' % number, deadline=soon(), stream=False)
            assert exchange.status == 200
            assert await exchange.read_all() == b'{"n":%d}' % number
            assert exchange.headers == {b"content-length": b"7"}
            assert exchange.first_byte_ms > 0
            exchange.release()

    scenario(run, loopback, echo, work, key=Secret(KEY), headers=(("X-Team", "a"), ("x-api-key", Secret("k2"))))
    assert loopback.accepted == 1
    line, headers, body = loopback.requests[0]
    assert line == "POST /v1/chat HTTP/1.1"
    assert body == b'{"n":0}'
    assert headers == {
        "host": f"127.0.0.1:{loopback.port}",
        "user-agent": "tierwise",
        "accept-encoding": "identity",
        "authorization": f"Bearer {KEY}",
        "x-team": "a",
        "x-api-key": "k2",
        "content-type": "application/json",
        "content-length": "7",
    }


def test_get(run, loopback):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"[]", extra="Content-Type: application/json\r\n")

    async def work(transport, address):
        exchange = await transport.get(address, "/models", deadline=soon())
        assert (exchange.status, await exchange.read_all()) == (200, b"[]")
        assert exchange.headers[b"content-type"] == b"application/json"

    scenario(run, loopback, handler, work)
    assert loopback.requests[0][0] == "GET /v1/models HTTP/1.1"
    assert "content-length" not in loopback.requests[0][1]


BODIES = {
    "length": (OK + b"content-length: 11\r\n\r\n", b"hello", b" world"),
    "chunked": (CHUNKED, b"5\r\nhello\r\n", b"6;x=y\r\n world\r\n", b"0\r\nA: b\r\n\r\n"),
    "until close": (OK + b"\r\n", b"hello", b" world"),
    "until close, 1.0": (b"HTTP/1.0 200 OK\r\n\r\nhello world",),
    "interim answers": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
        OK + b"content-length: 11\r\n\r\nhello world",
    ),
    "byte by byte": tuple(bytes([b]) for b in CHUNKED + b"b\r\nhello world\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", BODIES)
def test_every_framing_of_a_body(run, loopback, name, stream):
    async def handler(peer):
        await peer.request()
        await peer.send(*BODIES[name])
        if "close" not in name:
            await peer.gone()

    async def work(transport, address):
        exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=stream)
        assert (exchange.status, await exchange.read_all()) == (200, b"hello world")
        assert exchange.complete
        assert b"link" not in exchange.headers
        assert b"a" not in exchange.headers

    scenario(run, loopback, handler, work)


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_answers_without_a_body_end_with_their_head(run, loopback, status):
    async def handler(peer):
        while True:
            await peer.request()
            await peer.send(f"HTTP/1.1 {status}\r\n\r\n".encode())

    async def work(transport, address):
        for _ in range(2):
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=True)
            assert (exchange.status, await exchange.read_all()) == (int(status[:3]), b"")

    scenario(run, loopback, handler, work)
    assert loopback.accepted == 1


CUT = {
    "length": OK + b"content-length: 12\r\n\r\nhello world",
    "chunked": CHUNKED + b"5\r\nhello\r\n",
    "inside a chunk": CHUNKED + b"5\r\nhel",
    "no last line": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "head": OK + b"content-len",
    "interim only": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", CUT)
def test_a_cut_answer_is_an_error(run, loopback, name, stream):
    async def handler(peer):
        await peer.request()
        await peer.send(CUT[name])

    async def work(transport, address):
        with pytest.raises(BadReply) as caught:
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=stream)
            await exchange.read_all()
        assert caught.value.code == "upstream_incomplete"

    scenario(run, loopback, handler, work)


def test_a_reset_does_not_end_a_body_that_lasts_until_close(run, loopback):
    async def handler(peer):
        await peer.request()
        await peer.send(OK + b"\r\nhello")
        plug = peer.writer.get_extra_info("socket")
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    async def work(transport, address):
        exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=True)
        with pytest.raises(BadReply, match="before its answer was complete"):
            await exchange.read_all()

    scenario(run, loopback, handler, work)


WRONG = {
    "not http": (b"SSH-2.0-OpenSSH_9.6\r\n", "upstream_invalid"),
    "two lengths": (OK + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab", "upstream_invalid"),
    "length and chunked": (
        OK + b"content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "upstream_invalid",
    ),
    "bad chunk": (CHUNKED + b"zz\r\n", "upstream_invalid"),
    "other coding": (OK + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "upstream_invalid"),
    "compressed": (OK + b"content-encoding: gzip\r\ncontent-length: 2\r\n\r\nab", "upstream_invalid"),
    "upgrade": (
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "upstream_invalid",
    ),
    "declared too large": (OK + b"content-length: 99999999\r\n\r\n", "upstream_too_large"),
    "too large": (OK + b"\r\n" + b"a" * 5000, "upstream_too_large"),
    "headers too large": (OK + b"" + b"a: b\r\n" * 20_000 + b"\r\n", "upstream_too_large"),
    "one header too large": (OK + b"a: " + b"b" * 200_000, "upstream_too_large"),
    "interim flood": (b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000, "upstream_too_large"),
    "trailer flood": (CHUNKED + b"0\r\n" + b"a: b\r\n" * 20_000, "upstream_too_large"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_what_is_not_an_answer_is_refused(run, loopback, until, name, stream):
    data, code = WRONG[name]

    async def handler(peer):
        await peer.request()
        await peer.send(data)
        await peer.gone()

    async def work(transport, address):
        with pytest.raises(BadReply) as caught:
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=stream)
            await exchange.read_all()
        assert caught.value.code == code
        await until(lambda: loopback.open == 0)

    scenario(run, loopback, handler, work, limits=Limits(max_answer_bytes=4096))


def test_redirects_are_not_followed(run, loopback):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"", "302 Found", extra="location: http://127.0.0.1:1/\r\n")

    async def work(transport, address):
        exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        assert exchange.status == 302

    scenario(run, loopback, handler, work, key=Secret(KEY))
    assert len(loopback.requests) == 1


def test_no_proxy_is_taken_from_the_environment(run, loopback, monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async def work(transport, address):
        exchange = await transport.post(address, "/x", b"direct", deadline=soon(), stream=False)
        assert await exchange.read_all() == b"direct"

    scenario(run, loopback, echo, work)


@pytest.mark.parametrize("stream", [False, True])
def test_limit_on_the_first_byte(run, loopback, until, stream):
    async def handler(peer):
        await peer.request()
        await peer.gone()

    async def work(transport, address):
        with pytest.raises(TimedOut) as caught:
            await transport.post(address, "/x", b"{}", deadline=soon(), stream=stream)
        assert caught.value.code == "first_byte_timeout"
        await until(lambda: loopback.open == 0)

    scenario(run, loopback, handler, work, limits=Limits(first_byte_timeout_s=0.05))
    assert len(loopback.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_limit_on_silence_inside_an_answer(run, loopback, stream):
    async def handler(peer):
        await peer.request()
        await peer.send(OK + b"content-length: 9\r\n\r\npart")
        await peer.gone()

    async def work(transport, address):
        with pytest.raises(TimedOut) as caught:
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=stream)
            assert await exchange.read_some() == b"part"
            await exchange.read_some()
        assert caught.value.code == "idle_timeout"

    scenario(run, loopback, handler, work, limits=Limits(idle_timeout_s=0.05))


@pytest.mark.parametrize("total_s", [None, 0.1])
def test_one_deadline_for_the_whole_exchange(run, loopback, total_s):
    async def handler(peer):
        await peer.request()
        await peer.send(OK + b"\r\n")
        while not peer.reader.at_eof():
            await peer.send(b"x")
            await asyncio.sleep(0.01)

    async def work(transport, address):
        with pytest.raises(TimedOut) as caught:
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(10 if total_s else 0.1), stream=True)
            await exchange.read_all()
        assert caught.value.code == "total_timeout"
        with pytest.raises(TimedOut):
            await transport.post(address, "/x", b"{}", deadline=soon(-1), stream=True)

    scenario(run, loopback, handler, work, limits=Limits(total_timeout_s=total_s or 600))


def test_limit_on_connecting(run):
    """The listener's queue is full, so the kernel drops the handshake."""

    async def go():
        with socket.socket() as listener, socket.socket() as filler:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            filler.connect(listener.getsockname())
            transport = Transport()
            port = listener.getsockname()[1]
            address = Address(url=f"http://127.0.0.1:{port}", limits=Limits(connect_timeout_s=0.1))
            with pytest.raises(TimedOut) as caught:
                await transport.get(address, "/", deadline=soon())
            assert caught.value.code == "connect_timeout"
            await transport.aclose()

    run(go())


def test_nobody_listens(run):
    async def go():
        with socket.socket() as plug:
            plug.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{plug.getsockname()[1]}"
            transport = Transport()
            with pytest.raises(Unreachable) as caught:
                await transport.get(Address(url=url, key=Secret(KEY)), "/", deadline=soon())
            assert caught.value.code == "connection_refused"
            assert KEY not in repr(caught.value) + str(caught.value.__cause__)
            with pytest.raises(Unreachable) as caught:
                await transport.get(Address(url="http://no-such-host.invalid"), "/", deadline=soon())
            assert caught.value.code == "no_such_host"
            await transport.aclose()

    run(go())


@pytest.mark.parametrize("stream", [False, True])
def test_a_kept_connection_that_died_is_replaced_once(run, loopback, stream):
    async def handler(peer):
        await peer.request()
        await peer.answer(b"%d" % peer.number)
        if peer.number == 1:
            await peer.request()  # takes the second request and dies without a byte

    async def work(transport, address):
        for expected in (b"1", b"2"):
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=stream)
            assert await exchange.read_all() == expected

    scenario(run, loopback, handler, work)
    assert len(loopback.requests) == 3


def test_a_fresh_connection_that_died_is_not_tried_again(run, loopback):
    async def handler(peer):
        await peer.request()

    async def work(transport, address):
        with pytest.raises(Unreachable) as caught:
            await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        assert caught.value.code == "connection_lost"

    scenario(run, loopback, handler, work)
    assert len(loopback.requests) == 1


def test_no_second_try_after_the_first_byte(run, loopback):
    async def handler(peer):
        await peer.request()
        await peer.answer()
        await peer.request()
        await peer.send(b"H")

    async def work(transport, address):
        await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        with pytest.raises(BadReply) as caught:
            await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        assert caught.value.code == "upstream_incomplete"

    scenario(run, loopback, handler, work)
    assert len(loopback.requests) == 2


DIRTY = {
    "close": OK + b"connection: close\r\ncontent-length: 2\r\n\r\n{}",
    "junk behind": OK + b"content-length: 2\r\n\r\n{}junk",
    "second answer": OK + b"content-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen",
    "old": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", DIRTY)
def test_connections_that_may_hold_foreign_bytes_are_not_kept(run, loopback, name, stream):
    async def handler(peer):
        while True:
            await peer.request()
            await peer.send(DIRTY[name])

    async def work(transport, address):
        for _ in range(3):
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=stream)
            assert await exchange.read_all() == b"{}"

    scenario(run, loopback, handler, work)
    assert loopback.accepted == 3


def test_bytes_on_an_idle_connection_close_it(run, loopback, until):
    speak = asyncio.Event()

    async def handler(peer):
        await peer.request()
        await peer.answer()
        if peer.number == 1:
            await speak.wait()
            await peer.send(OK + b"content-length: 6\r\n\r\nstolen")
        await peer.gone()

    async def work(transport, address):
        await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        speak.set()
        await until(lambda: loopback.open == 0)
        exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        assert await exchange.read_all() == b"{}"

    scenario(run, loopback, handler, work)
    assert loopback.accepted == 2


@pytest.mark.parametrize("when", ["head", "body"])
def test_cancelling_closes_the_connection(run, loopback, until, when):
    async def handler(peer):
        await peer.request()
        if when == "body":
            await peer.send(OK + b"content-length: 99\r\n\r\nx")
        await peer.gone()

    async def work(transport, address):
        async def call():
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=True)
            await exchange.read_all()

        task = asyncio.create_task(call())
        await until(lambda: len(loopback.requests) == 1)
        if when == "body":
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: loopback.open == 0)

    scenario(run, loopback, handler, work)


def test_leaving_early_closes_the_connection(run, loopback, until):
    async def handler(peer):
        await peer.request()
        await peer.send(OK + b"\r\ndata: 1\n\n")
        await peer.gone()

    async def work(transport, address):
        exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=True)
        assert await exchange.read_some() == b"data: 1\n\n"
        exchange.release()
        exchange.release()
        await until(lambda: loopback.open == 0)
        with pytest.raises(BadReply):
            await exchange.read_some()

    scenario(run, loopback, handler, work)


def test_cap_queues_and_hands_over(run, loopback):
    busiest = 0

    async def handler(peer):
        nonlocal busiest
        while True:
            _, _, body = await peer.request()
            busiest = max(busiest, loopback.open)
            await asyncio.sleep(0.001)
            await peer.answer(body)

    async def work(transport, address):
        async def call(number):
            exchange = await transport.post(address, "/x", b"%d" % number, deadline=soon(), stream=number % 2 == 0)
            assert await exchange.read_all() == b"%d" % number

        await asyncio.gather(*(call(number) for number in range(50)))

    scenario(run, loopback, handler, work, limits=Limits(max_connections=3))
    assert busiest == loopback.accepted == 3


def test_waiting_for_a_connection_ends_with_the_deadline(run, loopback, until):
    async def handler(peer):
        await peer.request()
        await peer.gone()

    async def work(transport, address):
        first = asyncio.create_task(transport.post(address, "/x", b"{}", deadline=soon(), stream=True))
        await until(lambda: len(loopback.requests) == 1)
        with pytest.raises(TimedOut) as caught:
            await transport.post(address, "/x", b"{}", deadline=soon(0.05), stream=True)
        assert caught.value.code == "pool_timeout"
        waiting = asyncio.create_task(transport.post(address, "/x", b"{}", deadline=soon(), stream=True))
        abandoned = asyncio.create_task(transport.post(address, "/x", b"{}", deadline=soon(), stream=True))
        await asyncio.sleep(0)
        abandoned.cancel()
        first.cancel()
        await until(lambda: len(loopback.requests) == 2)  # the place of the cancelled one went to the waiting one
        waiting.cancel()
        await asyncio.gather(first, waiting, abandoned, return_exceptions=True)

    scenario(run, loopback, handler, work, limits=Limits(max_connections=1))


def test_giving_up_while_connecting_leaves_no_place_taken_whenever_it_happens(run, loopback):
    async def scenario():
        async with loopback.listen(echo):
            for steps in range(40):
                transport = Transport()
                address = Address(url=loopback.url, limits=Limits(max_connections=1))
                asking = asyncio.create_task(transport.post(address, "/x", b"{}", deadline=soon(), stream=False))
                for _ in range(steps):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.wait([asking])
                async with asyncio.timeout(5):
                    found = await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
                    assert found.status == 200, "the one place is free again"
                    await transport.aclose()

    run(scenario())


def test_a_waiter_cancelled_at_its_turn_passes_it_on(run, loopback, until):
    """Cancel at the very moment when the connection is handed over, for every position in the queue."""

    async def work(transport, address):
        for victim in range(4):
            tasks = [
                asyncio.create_task(transport.post(address, "/x", b"%d" % n, deadline=soon(), stream=False))
                for n in range(4)
            ]
            tasks[0].add_done_callback(lambda _, task=tasks[victim]: task.cancel())
            results = await asyncio.gather(*tasks, return_exceptions=True)
            for number, result in enumerate(results):
                if not isinstance(result, asyncio.CancelledError):
                    assert await result.read_all() == b"%d" % number

    scenario(run, loopback, echo, work, limits=Limits(max_connections=1))


def test_a_slow_reader_stops_the_sender(run, loopback, until):
    sent = 0
    total = 64 * 1024 * 1024

    async def handler(peer):
        nonlocal sent
        await peer.request()
        await peer.send(f"HTTP/1.1 200 OK\r\ncontent-length: {total}\r\n\r\n".encode())
        while sent < total:
            await peer.send(b"x" * 65536)
            sent += 65536
        await peer.gone()

    async def work(transport, address):
        exchange = await transport.post(address, "/x", b"{}", deadline=soon(25), stream=True)
        last = -1
        while last != sent:  # until the sender makes no progress
            last = sent
            await asyncio.sleep(0.1)
        assert sent < 16 * 1024 * 1024  # kernel buffers and at most 512 KiB of ours
        got = 0
        while part := await exchange.read_some():
            assert len(part) <= 1024 * 1024
            got += len(part)
        assert got == total

    # The idle limit is shorter than the reader's pause: a reader's silence is not the upstream's.
    scenario(run, loopback, handler, work, limits=Limits(idle_timeout_s=0.08, max_answer_bytes=total))


def test_no_delay_is_set(run, loopback):
    async def work(transport, address):
        await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        (pool,) = transport._pools.values()
        (connection,) = pool._idle
        plug = connection._transport.get_extra_info("socket")
        assert plug.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    scenario(run, loopback, echo, work)


def test_large_body_goes_out_whole(run, loopback):
    async def work(transport, address):
        body = bytes(range(256)) * 40_000
        exchange = await transport.post(address, "/x", body, deadline=soon(), stream=True)
        assert await exchange.read_all() == body

    scenario(run, loopback, echo, work)


def test_an_early_refusal_of_a_large_body_is_read_and_the_connection_dropped(run, loopback):
    async def handler(peer):
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.answer(b"too much", "413 Payload Too Large")
        await peer.gone()

    async def work(transport, address):
        for _ in range(2):
            exchange = await transport.post(address, "/x", b"x" * 30_000_000, deadline=soon(), stream=False)
            assert (exchange.status, await exchange.read_all()) == (413, b"too much")

    scenario(run, loopback, handler, work)
    assert loopback.accepted == 2


def test_a_name_that_leads_elsewhere_is_sent_nothing(loopback):
    """The look-up is the loop's, so this one's is asked first to lead home and then, for the next connection, away."""

    homes = deque(("127.0.0.1", "127.0.0.2"))

    class Rebinding(asyncio.SelectorEventLoop):
        async def getaddrinfo(self, host, port, **more):
            return await super().getaddrinfo(homes.popleft() if host == "models.invalid" else host, port, **more)

    async def handler(peer):
        await peer.request()
        await peer.answer(b"{}", extra="connection: close\r\n")

    async def work():
        async with loopback.listen(handler, host="0.0.0.0"):
            transport = Transport()
            url = f"http://models.invalid:{loopback.port}/v1"
            address = Address(url=url, key=Secret(KEY), networks=("127.0.0.1/32", "10.0.0.0/8"))
            exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
            assert exchange.status == 200
            with pytest.raises(Unreachable, match="nothing was sent") as caught:
                await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
            assert caught.value.code == "address_elsewhere"
            assert len(loopback.requests) == 1
            await transport.aclose()

    with asyncio.Runner(loop_factory=Rebinding) as runner:
        runner.run(asyncio.wait_for(work(), 30))


def test_an_endpoint_of_this_machine_is_asked_at_this_machine_alone():
    near = Endpoint(name="near", kind="scripted", wires=("chat",), tier=Tier.LOCAL, url="http://localhost:1/v1")
    assert address_of(near).networks == LOOPBACK
    own = msgspec.structs.replace(near, tier=Tier.SELF_HOSTED, networks=("10.0.0.0/8",))
    assert address_of(own).networks == ("10.0.0.0/8",)


def test_tls_is_verified(run, loopback, authority, tmp_path):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)

    async def work(transport, address):
        for number in range(3):
            exchange = await transport.post(address, "/x", b"%d" % number, deadline=soon(), stream=True)
            assert await exchange.read_all() == b"%d" % number
        with pytest.raises(Unreachable) as caught:
            await transport.post(Address(url=address.url, key=Secret(KEY)), "/x", b"{}", deadline=soon(), stream=False)
        assert caught.value.code == "tls_untrusted"
        with pytest.raises(Unreachable) as caught:  # the name in the certificate must fit
            other = Address(url=address.url.replace("127.0.0.1", "localhost"), ca_file=str(trusted))
            await transport.post(other, "/x", b"{}", deadline=soon(), stream=False)
        assert caught.value.code == "tls_untrusted"
        with pytest.raises(Unreachable) as caught:
            plain = Address(url=address.url.replace("https", "http"))
            await transport.get(plain, "/x", deadline=soon())
        for file in (tmp_path / "missing.pem", tmp_path):
            with pytest.raises(ConfigError, match=r"cannot be used as a file of trusted certificates"):
                await transport.get(Address(url=address.url, ca_file=str(file)), "/x", deadline=soon())

    scenario(run, loopback, echo, work, tls=tls, ca_file=str(trusted))
    assert len(loopback.requests) == 3


def test_tls_to_a_plain_server(run, loopback):
    async def work(transport, address):
        with pytest.raises(Unreachable) as caught:
            await transport.get(Address(url=address.url.replace("http", "https")), "/x", deadline=soon())
        assert caught.value.code in ("tls_failed", "connect_failed")

    async def handler(peer):
        await peer.reader.read(10)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    scenario(run, loopback, handler, work)


def test_closing_the_transport_ends_everything(run, loopback, until):
    async def handler(peer):
        await peer.request()
        await peer.gone()

    async def work(transport, address):
        tasks = [
            asyncio.create_task(transport.post(address, "/x", b"{}", deadline=soon(), stream=True)) for _ in range(3)
        ]
        await until(lambda: len(loopback.requests) == 1)
        await transport.aclose()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(result, Unreachable)
        with pytest.raises(Unreachable, match="closed"):
            await transport.post(address, "/x", b"{}", deadline=soon(), stream=True)
        await until(lambda: loopback.open == 0)

    scenario(run, loopback, handler, work, limits=Limits(max_connections=1))


def test_requests_leave_no_cycles(run, loopback):
    async def work(transport, address):
        exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                exchange = await transport.post(address, "/x", b"{}", deadline=soon(), stream=False)
                await exchange.read_all()
            del exchange
            kinds = [type(thing).__name__ for thing in gc.get_objects()]
            assert kinds.count("HttpResponseParser") == 0
        finally:
            gc.enable()

    scenario(run, loopback, echo, work)
