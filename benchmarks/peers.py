"""Are others served as fast while thousands of slow peers sit on the gateway? Run: scripts/bench peers

The peers drip their headers or bodies, read slowly or not at all, or sit idle behind an answer; who is cut off comes
again. A good client asks on, in turns without and with them, so that both are measured in the same minutes. Then the
same beside raw requests that try to bring HTTP out of step, and at the default cap on connections.
Exit 0: the good client's p99 is at most twice what it is alone (median of the rounds), each of its requests is
answered, and when the peers have left so has all that they held: connections, descriptors, upstream requests, memory.
"""

import argparse
import asyncio
import collections
import contextlib
import http.client
import json
import os
import random
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import uvloop

from serving import POLL_S, Standing, end, environment, free_port, start, wait_ready
from tierwise.server.connection import MAX_TOLD
from tierwise.server.settings import ServerSettings
from tierwise.testing import ScriptedUpstream

MODEL, SLOW = "scripted-1", "scripted-slow"
KINDS = ("head",) * 5 + ("body",) * 5 + ("idle",) * 4 + ("reads_slowly",) * 3 + ("never_reads",) * 3
LET_GO_S, DRIP_S, AGAIN_S, REFUSED_AGAIN_S = 20.0, 1.0, 0.5, 5.0
MEMORY_LEFT_MB, DEFAULT_CAP = 40, ServerSettings().max_connections
LEFT = ("connections_left", "descriptors_left", "upstream_left", "over_the_cap")
NEVER = ("failed", *LEFT, "answers_out_of_step", "slower_than_twice")
ANSWERS = re.compile(rb"HTTP/1\.1 \d\d\d ")
TEXT = " ".join(f"word{number}" for number in range(60))
NEXT = b"\r\n\r\nGET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
DESYNC = tuple(
    first.replace(b"|", b" HTTP/1.1\r\nhost: x\r\n") + NEXT
    for first in (
        b"POST /v1/models|content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n0",
        b"GET /v1/models|content-length: 0\r\ncontent-length: 5",
        b"GET /v1/models|transfer-encoding: chunked, identity\r\n\r\n0",
        b"GET /v1/models|transfer-encoding : chunked\r\n\r\n0",
        b"GET /v1/models|content-length: +5",
        b"POST /v1/chat/completions|transfer-encoding: chunked\r\n\r\nzz",
        b"GET /v1/models| folded: y\r\n\x00: z",
    )
)
"""Each is two requests for who reads it one way, one or none for who reads it another: it is refused, once."""


def post(model: str, text: str, *, stream: bool) -> bytes:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


class Peer(asyncio.Protocol):
    """One slow peer. It comes again until the crowd leaves."""

    def __init__(self, crowd: "Crowd", kind: str) -> None:
        self._crowd, self._kind, self._loop = crowd, kind, asyncio.get_running_loop()
        self._transport: Any = None
        self._again_s = AGAIN_S

    async def come(self) -> None:
        if self._crowd.over:
            return
        plug = socket.socket()
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plug.setblocking(False)
        try:
            await self._loop.sock_connect(plug, ("127.0.0.1", self._crowd.port))
            await self._loop.create_connection(lambda: self, sock=plug)
        except OSError:
            plug.close()
            self._crowd.seen["not_connected"] += 1
            self._loop.call_later(AGAIN_S, self._again)

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._crowd.open.add(self)
        self._crowd.seen["connected"] += 1
        stream = self._kind in ("reads_slowly", "never_reads")
        whole = post(SLOW if stream else MODEL, "peer " + TEXT, stream=stream)
        match self._kind:
            case "head":
                transport.write(whole[:20])
            case "body":
                transport.write(whole[:-400])
            case _:
                transport.write(whole)
        self._loop.call_later(random.random() * DRIP_S, self._drip)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 "):
            self._crowd.seen[f"answered_{data[9:12].decode()}"] += 1
            self._again_s = REFUSED_AGAIN_S if data[9:12] == b"503" else AGAIN_S
        if self._kind in ("reads_slowly", "never_reads") and data[9:12] == b"200":
            self._transport.pause_reading()

    def _drip(self) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        if self._kind in ("head", "body"):
            with contextlib.suppress(RuntimeError):  # the other side has just closed it
                transport.write(b"x")
        elif self._kind == "reads_slowly" and not transport.is_reading():
            transport.resume_reading()
            self._loop.call_later(0.01, self._rest)
        self._loop.call_later(DRIP_S, self._drip)

    def _rest(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.open.discard(self)
        self._crowd.seen["cut_off"] += not self._crowd.over
        self._transport = None
        self._loop.call_later(self._again_s * random.uniform(0.5, 1.5), self._again)

    def _again(self) -> None:
        if not self._crowd.over:
            self._crowd.coming.add(task := self._loop.create_task(self.come()))
            task.add_done_callback(self._crowd.coming.discard)

    def leave(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class Crowd:
    """All peers of one process, and those who try to bring HTTP out of step."""

    def __init__(self, port: int) -> None:
        self.port, self.over = port, False
        self.open: set[Peer] = set()
        self.coming: set[asyncio.Task[None]] = set()
        self.seen: collections.Counter[str] = collections.Counter()

    async def run(self, count: int, probes: int) -> None:
        """Come, say so, stay until a line comes on standard input, leave, and say what was seen."""
        loop = asyncio.get_running_loop()
        for first in range(0, count, 50):
            await asyncio.gather(
                *(Peer(self, KINDS[n % len(KINDS)]).come() for n in range(first, min(first + 50, count)))
            )
        probing = [asyncio.create_task(self._probe(n)) for n in range(probes)]
        print(json.dumps({"came": len(self.open)}), flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
        stayed, self.over = len(self.open), True
        for task in (*probing, *self.coming):
            task.cancel()
        for peer in list(self.open):
            peer.leave()
        print(json.dumps({"stayed": stayed, **self.seen}), flush=True)

    async def _probe(self, number: int) -> None:
        while True:
            payload = DESYNC[number % len(DESYNC)]
            number += 1
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(5):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.write(payload)
                    said = await reader.read()
                    writer.close()
                self.seen["probes"] += 1
                self.seen["answers_out_of_step"] += not said.startswith(b"HTTP/1.1 4") or len(ANSWERS.findall(said)) > 1
            await asyncio.sleep(0.05)


def good(port: int, seconds: float) -> dict[str, Any]:
    """Ask one after the other on a connection that was there before, and take the time of each answer."""
    line = socket.create_connection(("127.0.0.1", port), timeout=30)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    took: list[float] = []
    failed = 0
    print("ready", flush=True)
    while command := sys.stdin.readline().strip():
        took.clear()
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            began = time.perf_counter()
            line.sendall(post(MODEL, "one two", stream=False))
            answer = http.client.HTTPResponse(line)
            answer.begin()
            answer.read()
            failed += answer.status != 200
            took.append(time.perf_counter() - began)
        ranked = sorted(took)
        at = {name: round(ranked[int(len(ranked) * part)] * 1000, 3) for name, part in (("p50", 0.5), ("p99", 0.99))}
        print(json.dumps({"round": command, "requests": len(took), "failed": failed, **at}), flush=True)
    return {}


class Child:
    """A process of this file, spoken to line by line."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, __file__, *map(str, arguments)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.first = self.hear()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def say(self, word: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.hear())
        return found

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def until(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LET_GO_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(POLL_S * 5)
    return holds()


@contextlib.contextmanager
def gateway(home: Path, upstream: ScriptedUpstream, cap: int | None, streams: int) -> Iterator[tuple[int, Standing]]:
    """Serve with this cap on connections, None for the default."""
    home.mkdir()
    server = "" if cap is None else f"[server]\nmax_connections = {cap}\n\n"
    slow = f"{MODEL}?fault=slow_chunks&delay_ms=2000"
    (home / "tierwise.toml").write_text(
        f'{server}[[endpoint]]\nname = "upstream"\nkind = "scripted"\ntier = "self_hosted"\nurl = "{upstream.url}"\n'
        f"limits = {{ max_connections = {streams} }}\n\n"
        f'[[model]]\nid = "{MODEL}"\nendpoint = "upstream"\n\n'
        f'[[model]]\nid = "{SLOW}"\nendpoint = "upstream"\nserved_name = "{slow}"\n'
    )
    port, log = free_port(), home / "log.txt"
    command = [sys.executable, "-m", "tierwise", "serve", "--config", str(home / "tierwise.toml"), "--port", str(port)]
    process = start(command, environment(home), log)
    try:
        wait_ready(process, port, "/readyz", log)
        yield port, Standing(process.pid, port, upstream.port)
    finally:
        end(process)


def measured(options: argparse.Namespace, home: Path, cap: int | None, peers: int, probes: int) -> dict[str, Any]:
    """Measure the good client in turns alone and beside the crowd."""
    rounds: list[dict[str, Any]] = []
    with (
        ScriptedUpstream.in_thread(models=(MODEL,)) as upstream,
        gateway(home, upstream, cap, peers + 100) as (port, watched),
    ):
        client = Child("--good", port, "--seconds", options.seconds)
        client.say("warm")
        for _ in range(options.rounds):
            until(lambda: watched.now()["connections"] <= 1)
            before = watched.now()
            alone = turn(client, "alone", watched)
            crowd = Child("--crowd", port, "--peers", peers, "--probes", probes)
            beside = turn(client, "beside", watched)
            during = watched.now()
            seen = crowd.say("leave")
            crowd.close()
            until(lambda: watched.now()["connections"] <= 1 and not left(upstream))
            until(lambda base=before["descriptors"]: watched.now()["descriptors"] <= base)  # type: ignore[misc]
            after = watched.now()
            held = int(during["descriptors"] - before["descriptors"])
            rounds.append({
                "alone": alone, "beside": beside, "seen": seen, "upstream_left": left(upstream),
                "held": held, "connections_left": max(0, int(after["connections"]) - 1),
                "descriptors_left": max(0, int(after["descriptors"] - before["descriptors"])),
                "over_the_cap": max(0, held - (cap or DEFAULT_CAP) - MAX_TOLD),
                "memory_mb": [one["memory_mb"] for one in (before, during, after)],
            })  # fmt: skip
            upstream.received.clear()
            print(json.dumps(rounds[-1]), file=sys.stderr, flush=True)
        client.close()
    return summary(rounds)


def turn(client: Child, word: str, watched: Standing) -> dict[str, Any]:
    """Let the good client ask for a while; what part of a processor the gateway took for it and for all others."""
    spent, began = watched.now()["cpu_s"], time.monotonic()
    told = client.say(word)
    return told | {"cpu": round((watched.now()["cpu_s"] - spent) / (time.monotonic() - began), 3)}


def left(upstream: ScriptedUpstream) -> int:
    """Count the upstream requests that go on."""
    return sum(not (request.finished or request.cancelled) for request in upstream.received)


def summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    def median(of: Callable[[dict[str, Any]], float]) -> float:
        return round(statistics.median(map(of, rounds)), 3)

    ratio = median(lambda one: one["beside"]["p99"] / one["alone"]["p99"])
    held = median(lambda one: one["held"])
    peak = max(one["memory_mb"][1] for one in rounds)  # what one round has freed, the next takes again
    per_peer = round((peak - rounds[0]["memory_mb"][0]) * 1024 / max(1, held), 1)
    return {
        "held": int(held), "requests": sum(one["beside"]["requests"] for one in rounds),
        "refused_503": sum(one["seen"].get("answered_503", 0) for one in rounds),
        "cut_off_408": sum(one["seen"].get("answered_408", 0) for one in rounds),
        "probes": sum(one["seen"].get("probes", 0) for one in rounds),
        **{
            f"{at}_ms_{turn}": median(lambda one, at=at, turn=turn: one[turn][at])  # type: ignore[misc]
            for at in ("p50", "p99") for turn in ("alone", "beside")
        },
        **{f"cpu_{turn}": median(lambda one, turn=turn: one[turn]["cpu"]) for turn in ("alone", "beside")},  # type: ignore[misc]
        "p99_ratio": ratio, "kib_per_peer": per_peer,
        "memory_left_mb": round(rounds[-1]["memory_mb"][2] - rounds[0]["memory_mb"][2], 1),
        "failed": max(one["beside"]["failed"] for one in rounds),
        **{name: max(one[name] for one in rounds) for name in LEFT},
        "answers_out_of_step": sum(one["seen"].get("answers_out_of_step", 0) for one in rounds),
        "slower_than_twice": int(ratio > 2),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10, help="of each turn; who drips headers is cut off after 10")
    parser.add_argument("--probes", type=int, default=8, help="lines that try to bring HTTP out of step")
    parser.add_argument("--only", choices=["many", "probes", "cap"], nargs="+", default=["many", "probes", "cap"])
    parser.add_argument("--no-times", action="store_true", help="judge no times: for a machine that is shared")
    parser.add_argument("--crowd", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--good", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if options.crowd:
        os.nice(10)  # what it costs to be five thousand is others' elsewhere
        uvloop.run(Crowd(options.crowd).run(options.peers, options.probes))
        return 0
    if options.good:
        good(options.good, options.seconds)
        return 0
    if hard != resource.RLIM_INFINITY and hard < 2 * options.peers + 500:
        sys.exit(f"{options.peers} peers need {2 * options.peers + 500} descriptors, and only {hard} are allowed here")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tierwise-peers-") as folder:
        found = {}
        many = options.peers
        fewer = None if many > DEFAULT_CAP else many // 2
        phases = (("many", many + 100, many, 0), ("probes", None, 0, options.probes), ("cap", fewer, many, 0))
        for name, cap, peers, probes in phases:
            if name in options.only:
                found[name] = measured(options, Path(folder) / name, cap, peers, probes)
    return verdict(found, options, round(time.monotonic() - began, 1))


def verdict(found: dict[str, dict[str, Any]], options: argparse.Namespace, seconds: float) -> int:
    """Print the figures of all phases, and say whether everything held."""
    figures: dict[str, Any] = {"peers": options.peers, "rounds": options.rounds}
    for phase, told in found.items():
        figures |= {f"{phase}_{name}": value for name, value in told.items() if name not in NEVER}
    for name in NEVER:
        figures[name] = sum(told[name] for told in found.values())
    if options.no_times:
        figures["slower_than_twice"] = 0
    figures["memory_kept"] = sum(told["memory_left_mb"] > MEMORY_LEFT_MB for told in found.values())
    figures["none_refused_at_the_cap"] = int("cap" in found and not found["cap"]["refused_503"])
    held = not any(figures[name] for name in (*NEVER, "memory_kept", "none_refused_at_the_cap"))
    print(json.dumps({**figures, "seconds": seconds, "held": held}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
