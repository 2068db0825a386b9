"""What does a request cost in our transport? Run: python benchmarks/transport.py [--seconds S] [--concurrency N]

A tiny server in a process of its own answers fixed bytes. It is driven raw (one write, one read, nothing looked at) and
through `Transport`, not streamed and streamed, in turns, so that noise of the machine hits all alike.
"""

import argparse
import asyncio
import multiprocessing
import statistics
import time
from collections.abc import Awaitable, Callable

import uvloop

from tierwise.core.secret import Secret
from tierwise.providers.transport import Address, Transport

ROUNDS = 5
ANSWER = b'{"id":"chatcmpl-1","object":"chat.completion","choices":[' + b'{"index":0,"text":"' + b"x" * 400 + b'"}]}'
WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER)
BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"hello " * 40 + b'"}]}'


class Server(asyncio.Protocol):
    """Answers once for each blank line; good enough for requests that come whole."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(WHOLE)  # type: ignore[attr-defined]


def serve(port: "multiprocessing.Queue[int]") -> None:
    """Run the server until the process is ended."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


class Raw(asyncio.Protocol):
    """Writes a request and waits for as many bytes as the answer has."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport, self.got = transport, 0

    def data_received(self, data: bytes) -> None:
        self.got += len(data)
        if self.got >= len(WHOLE):
            self.got = 0
            self.waiter.set_result(None)

    async def ask(self, request: bytes) -> None:
        """Send one request and wait for its answer."""
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)  # type: ignore[attr-defined]
        await self.waiter


async def measure(one: Callable[[int], Awaitable[None]], concurrency: int, seconds: float) -> tuple[float, float]:
    """Return requests per second and microseconds of CPU per request."""
    end = time.perf_counter() + seconds
    done = 0

    async def worker(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end:
            await one(number)
            done += 1

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(number) for number in range(concurrency)))
    return done / (time.perf_counter() - began), (time.process_time() - cpu) / done * 1e6


async def run(port: int, concurrency: int, seconds: float) -> dict[str, list[tuple[float, float]]]:
    """Measure every way in turns."""
    loop = asyncio.get_running_loop()
    address = Address(url=f"http://127.0.0.1:{port}/v1", key=Secret("k" * 40))
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (b"k" * 40, len(BODY), BODY)
    )
    raw = [(await loop.create_connection(Raw, "127.0.0.1", port))[1] for _ in range(concurrency)]
    transport = Transport()

    async def ask_raw(number: int) -> None:
        await raw[number].ask(request)

    async def ask_whole(_: int) -> None:
        exchange = await transport.post(address, "/chat/completions", BODY, deadline=loop.time() + 60, stream=False)
        await exchange.read_all()
        exchange.release()

    async def ask_streamed(_: int) -> None:
        exchange = await transport.post(address, "/chat/completions", BODY, deadline=loop.time() + 60, stream=True)
        while await exchange.read_some():
            pass
        exchange.release()

    ways = {"raw": ask_raw, "whole": ask_whole, "streamed": ask_streamed}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            found[name].append(await measure(way, concurrency, seconds))
    await transport.aclose()
    return found


def main() -> None:
    """Print the medians."""
    options = argparse.ArgumentParser()
    options.add_argument("--seconds", type=float, default=1.0)
    options.add_argument("--concurrency", type=int, default=32)
    given = options.parse_args()
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=serve, args=(port,), daemon=True)
    server.start()
    found = uvloop.run(run(port.get(timeout=10), given.concurrency, given.seconds))
    server.terminate()
    raw_rate, raw_cpu = (statistics.median(column) for column in zip(*found["raw"], strict=True))
    print(f"{given.concurrency} at once, median of {ROUNDS} rounds of {given.seconds:g} s")
    for name, rounds in found.items():
        rate, cpu = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"{name:9} {rate:8.0f} requests/s  {rate / raw_rate:5.2f} of raw  {cpu:5.1f} us CPU (+{cpu - raw_cpu:.1f})"
        )


if __name__ == "__main__":
    main()
