"""Does a gateway that has served for hours still stand as it stood after minutes? Run: scripts/bench soak

A mixed load on all wires, streamed and not: answers, faults of the scripted upstream, cancelled calls, refusals,
sessions, keys, budgets, looks at the ledger and the metrics. The gateway's memory, descriptors, threads, connections,
waiting rows and log are sampled all the while.
Exit 0: after the warm-up memory grew by no more than 20 MB, no descriptor or thread is left over, every answer that a
caller got whole is recorded once as answered, nothing is left open or set aside, and the log stays short.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import uvloop
from tests.integration.lies.proof import answer, asking
from tests.integration.lies.reading import http, told

from serving import Standing, end, environment, free_port, start, wait_ready
from tierwise import bootstrap, config
from tierwise.testing import ScriptedUpstream

WIRES = ("chat", "responses", "messages", "gemini", "ollama")
FAULTS = {
    "plain": "", "error": "fault=error&status=503", "limited": "fault=rate_limit&retry_after=0", "cut": "fault=cut",
    "drop": "fault=drop", "reset": "fault=reset", "in_band": "fault=in_band_error", "bad_json": "fault=bad_json",
    "html": "fault=html", "no_usage": "fault=no_usage", "wrong_length": "fault=wrong_length",
    "close_kept": "fault=close_kept", "no_finish": "fault=no_finish", "empty": "fault=empty_content",
    "slow": "fault=slow_chunks&delay_ms=60",
}  # fmt: skip
KEYS = {"anyone": "tw-soak-anyone-000000000000", "hurried": "tw-soak-hurried-00000000000"}
SESSIONS = 5_000
"""How many are known at a time: what is kept of sessions has limits of its own, far above, and is full when warm."""
FIRST_REQUESTS, SETTLED_S = 1000, 10.0
"""What the gateway has served, and for how long it has rested, when it is first looked at: what it opens when it is
first needed is no leak."""
GROWTH_MB, LOG_LINES, WARM_PART = 20.0, 200, 0.2
NEVER = (
    "grown_too_much", "descriptors_left", "threads_left", "answered_not_recorded", "recorded_twice",
    "recorded_otherwise", "left_open", "left_set_aside", "own_errors", "log_too_long", "answered_to_nobody",
)  # fmt: skip


def configuration(upstream: ScriptedUpstream) -> str:
    """Write endpoints for all wires, a model for each fault, a cascade, keys, limits and budgets."""
    rows = [
        '[breaker]\nfailures = 1000000',
        '[[key]]\nname = "anyone"\nsecret = "env:SOAK_ANYONE"\nscopes = ["admin", "call", "metrics"]',
        '[[key]]\nname = "hurried"\nsecret = "env:SOAK_HURRIED"\nrequests_per_minute = 60',
        '[[budget]]\nscope = "all"\nlimit_usd = "1000000"\nwindow = "30d"',
        '[[budget]]\nscope = "workflow:poor"\nlimit_usd = "0.000001"\nwindow = "30d"',
        '[[workflow]]\nname = "poor"\ncandidates = ["chat-plain"]',
        '[[workflow]]\nname = "steps"\nstrategy = "cascade"\n'
        'candidates = ["chat-error", "messages-drop", "ollama-plain"]',
        f'[[endpoint]]\nname = "far"\nkind = "scripted"\ntier = "frontier"\nurl = "{upstream.url}"',
        '[[model]]\nid = "far"\nendpoint = "far"\nserved_name = "m"\ncontext_tokens = 8192\n'
        'price = { input_usd_per_mtok = "1", output_usd_per_mtok = "10" }',
    ]  # fmt: skip
    for wire in (*WIRES, "embeddings", "count_tokens"):
        url = upstream.generate_url if wire == "gemini" else upstream.url
        rows.append(
            f'[[endpoint]]\nname = "{wire}"\nkind = "scripted"\ntier = "self_hosted"\nurl = "{url}"\n'
            f'wires = ["{"messages" if wire == "count_tokens" else wire}"]'
        )
    for wire in WIRES:
        for name, script in FAULTS.items():
            rows.append(
                f'[[model]]\nid = "{wire}-{name}"\nendpoint = "{wire}"\ncontext_tokens = 8192\n'
                f'served_name = "m{"?" * bool(script)}{script}"\n'
                'price = { input_usd_per_mtok = "1", output_usd_per_mtok = "10" }'
            )
    rows.append('[[model]]\nid = "vectors"\nendpoint = "embeddings"\nserved_name = "m"\ncapabilities = ["embeddings"]')
    return "\n\n".join(rows) + "\n"


@dataclass
class Load:
    """The callers: so many lines that ask on, each at its pace."""

    port: int
    requests: int
    seconds: float
    chance: random.Random
    answered: Any
    began: float = field(default_factory=time.monotonic)
    sent: int = 0
    seen: collections.Counter[str] = field(default_factory=collections.Counter)

    async def line(self) -> None:
        """Ask until all is asked, no faster than the pace."""
        connection = None
        while self.sent < self.requests:
            number, self.sent = self.sent, self.sent + 1
            early = self.began + number * self.seconds / self.requests - time.monotonic()
            if early > 0:
                await asyncio.sleep(early)
            try:
                async with asyncio.timeout(60):
                    connection = await self._ask(connection)
            except (OSError, asyncio.IncompleteReadError):
                self.seen["broken_off"] += 1
                connection = None
            except TimeoutError:
                self.seen["unanswered"] += 1
                connection = None
        if connection is not None:
            connection[1].close()

    async def _ask(self, connection: Any) -> Any:
        reader, writer = connection or await asyncio.open_connection("127.0.0.1", self.port)
        what = self.chance.random()
        wire = self.chance.choice(("chat", "responses", "messages"))
        stream = self.chance.random() < 0.5
        if what < 0.05:
            writer.write(self._written(wire, f"{self.chance.choice(WIRES)}-slow", stream=True))
            await reader.read(self.chance.choice((1, 400, 2000)))
            writer.close()
            self.seen["cancelled"] += 1
            return None
        if what < 0.15:
            writer.write(self._refused(wire))
        elif what < 0.20:
            path = self.chance.choice(("/v1/models", "/metrics", "/healthz", "/v1/decisions/none"))
            writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {KEYS['anyone']}\r\n\r\n".encode())
        elif what < 0.25:
            wire, stream = "embeddings", False
            writer.write(self._written(wire, "vectors", stream=False))
        else:
            model = self.chance.choice(WIRES) + "-" + ("plain" if what < 0.7 else self.chance.choice(list(FAULTS)))
            if what > 0.95:
                model = self.chance.choice(("auto:steps", "far"))
            writer.write(self._written(wire, model, stream=stream))
        data = await answer(reader)
        self._note(data, wire, stream)
        if not http(data).whole:
            writer.close()
            return None
        return reader, writer

    def _written(self, wire: str, model: str, *, stream: bool, key: str = KEYS["anyone"], more: str = "") -> bytes:
        name = f"lie-{self.chance.randrange(1_000_000):06d}"
        path, body = asking(wire, model, name, stream=stream, tool=wire != "embeddings" and self.chance.random() < 0.2)
        data = json.dumps(body).encode()
        session = f"x-tierwise-session: s-{self.chance.randrange(SESSIONS)}\r\n" if self.chance.random() < 0.3 else ""
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {key}\r\n"
        return f"{head}{session}{more}content-length: {len(data)}\r\n\r\n".encode() + data

    def _refused(self, wire: str) -> bytes:
        """Write what is refused: a wrong key, no such model, no money, too often, outside, no JSON."""
        match self.chance.randrange(6):
            case 0:
                return self._written(wire, "chat-plain", stream=False, key=f"tw-{self.chance.random()}")
            case 1:
                return self._written(wire, f"none-{self.chance.random()}", stream=False)
            case 2:
                return self._written(wire, "auto:poor", stream=False)
            case 3:
                return self._written(wire, "chat-plain", stream=False, key=KEYS["hurried"])
            case 4:
                return self._written(wire, "far", stream=False, more="x-tierwise-label: restricted\r\n")
            case _:
                return self._written(wire, "chat-plain", stream=False).replace(b'"model"', b'?model"', 1)

    def _note(self, data: bytes, wire: str, stream: bool) -> None:
        got = http(data)
        self.seen[f"status_{got.status}"] += 1
        if got.status != 200 or b"\r\nx-tierwise-decision: " not in data:
            return
        said = told(wire, got.body, stream=stream)
        if said.ended and not said.failed and got.whole:
            self.seen["answered"] += 1
            self.answered.write(data.partition(b"\r\nx-tierwise-decision: ")[2].split(b"\r\n", 1)[0].decode() + "\n")


async def ask(options: argparse.Namespace, answered: Any) -> dict[str, int]:
    """Be the callers."""
    load = Load(options.ask, options.requests, options.hours * 3600, random.Random(options.seed), answered)
    await asyncio.gather(*(load.line() for _ in range(options.lines)))
    return {"sent": load.sent, **load.seen}


class Gauge:
    """How the gateway stands, what waits for its disk, and how much it has logged."""

    def __init__(self, standing: Standing, port: int, log: Path) -> None:
        self._standing, self._port, self._log = standing, port, log

    def sample(self) -> dict[str, float]:
        lines = self._log.read_bytes().count(b"\n")
        return {**self._standing.now(), "pending_rows": self._pending(), "log_lines": lines}

    def descriptors(self) -> list[str]:
        return self._standing.descriptors()

    def _pending(self) -> int:
        head = {"authorization": f"Bearer {KEYS['anyone']}"}
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{self._port}/metrics", headers=head), timeout=30
        ) as said:
            for line in said.read().decode().splitlines():
                if line.startswith("tierwise_ledger_pending_rows "):
                    return int(float(line.split()[1]))
        return -1


@contextlib.contextmanager
def gateway(home: Path, upstream: ScriptedUpstream) -> Iterator[tuple[int, Gauge, Path, dict[str, str]]]:
    file, log, port = home / "tierwise.toml", home / "log.txt", free_port()
    file.write_text(configuration(upstream))
    environ = environment(home) | {f"SOAK_{name.upper()}": secret for name, secret in KEYS.items()}
    process = start(
        [sys.executable, "-m", "tierwise", "serve", "--config", str(file), "--port", str(port)], environ, log
    )
    try:
        wait_ready(process, port, "/readyz", log)
        yield port, Gauge(Standing(process.pid, port, upstream.port), port, log), file, environ
    finally:
        end(process)


def soak(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    answered = home / "answered.txt"
    samples: list[dict[str, float]] = []
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        with gateway(home, upstream) as (port, gauge, file, environ):
            before = home / "before.txt"
            begun, _ = callers_of(options, port, FIRST_REQUESTS, 0.0, before).communicate()
            time.sleep(SETTLED_S)
            first, began = gauge.sample(), time.monotonic()
            callers = callers_of(options, port, options.requests, options.hours, answered)
            while callers.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    callers.wait(options.sample_s)
                forget(upstream)
                samples.append({"at_s": round(time.monotonic() - began, 1), **gauge.sample()})
                print(json.dumps(samples[-1]), file=sys.stderr, flush=True)
            assert callers.stdout is not None
            seen = collections.Counter(json.loads(callers.stdout.read() or "{}")) + collections.Counter(
                json.loads(begun)
            )
            last = settled(gauge, first)
        records = asyncio.run(recorded(file, environ))
    log = (home / "log.txt").read_text(errors="replace")
    if options.samples:
        Path(options.samples).write_text(json.dumps({"first": first, "samples": samples, "last": last}) + "\n")
    return told_of(seen, samples, (first, last), records, (before.read_text() + answered.read_text()).split(), log)


def callers_of(
    options: argparse.Namespace, port: int, requests: int, hours: float, answered: Path
) -> "subprocess.Popen[str]":
    """Start the callers, in a process of their own."""
    words = ["--ask", port, "--requests", requests, "--hours", hours, "--lines", options.lines]
    words += ["--seed", options.seed, "--answered", answered]
    return subprocess.Popen([sys.executable, __file__, *map(str, words)], stdout=subprocess.PIPE, text=True)


def forget(upstream: ScriptedUpstream) -> None:
    """Let go of what the upstream has noted, which is no part of what is measured."""
    del upstream.received[: max(0, len(upstream.received) - 1000)]


def settled(gauge: Gauge, first: dict[str, float]) -> dict[str, float]:
    """Wait until nothing is under way, and return how it stands."""
    deadline = time.monotonic() + 30
    while True:
        now = gauge.sample()
        calm = now["descriptors"] <= first["descriptors"] and not now["pending_rows"]
        if calm or time.monotonic() > deadline:
            if not calm:
                print("left open:", *gauge.descriptors(), sep="\n  ", file=sys.stderr)
            return now
        time.sleep(0.2)


async def recorded(file: Path, environ: dict[str, str]) -> tuple[dict[str, list[str]], str]:
    """Read what stands in the ledger, and what is still set aside."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    async with bootstrap.opened(config.load(file, environ)) as wired:
        aside = sum((account.reserved for account in wired.gateway.facts.accounts), Decimal(0))
        async for decision in wired.ledger.iterate():
            found[decision.id].append(decision.outcome)
    return found, str(aside)


def told_of(
    seen: dict[str, int],
    samples: list[dict[str, float]],
    ends: tuple[dict[str, float], dict[str, float]],
    records: tuple[dict[str, list[str]], str],
    answered: list[str],
    log: str,
) -> dict[str, Any]:
    """Make the figures."""
    (first, last), (found, aside) = ends, records
    warm = samples[int(len(samples) * WARM_PART) :]
    part = max(1, len(warm) // 8)

    def memory(few: list[dict[str, float]]) -> float:
        return statistics.median(one["memory_mb"] for one in few)

    growth = round(memory(warm[-part:]) - memory(warm[:part]), 1)
    outcomes = collections.Counter(outcome for told in found.values() for outcome in told)
    lines, noted = log.count("\n"), set(answered)
    return {
        "sent": seen.get("sent", 0), "answered": len(answered), "cancelled": seen.get("cancelled", 0),
        "recorded": len(found), "outcomes": dict(outcomes),
        "statuses": {name[7:]: count for name, count in sorted(seen.items()) if name.startswith("status_")},
        "unanswered": seen.get("unanswered", 0), "broken_off": seen.get("broken_off", 0),
        "memory_mb_first": first["memory_mb"], "memory_mb_warm": memory(warm[:part]),
        "memory_mb_last": last["memory_mb"],
        "growth_mb": growth, "log_lines": lines, "samples": samples,
        "grown_too_much": int(growth > GROWTH_MB),
        "descriptors_left": int(max(0, last["descriptors"] - first["descriptors"])),
        "threads_left": int(max(0, last["threads"] - warm[0]["threads"])),
        "answered_not_recorded": sum(ident not in found for ident in noted),
        "recorded_twice": sum(len(told) > 1 for told in found.values()) + len(answered) - len(noted),
        "recorded_otherwise": sum("answered" not in found.get(ident, ["answered"]) for ident in noted),
        "answered_to_nobody": max(0, outcomes["answered"] - len(noted) - seen.get("cancelled", 0)),
        "left_open": outcomes["interrupted"] + outcomes["pending"] + int(last["pending_rows"]),
        "left_set_aside": float(aside), "own_errors": seen.get("status_500", 0) + log.count("Traceback"),
        "log_too_long": int(lines > LOG_LINES),
    }  # fmt: skip


def drawn(samples: list[dict[str, float]], name: str, width: int = 72) -> str:
    """Draw one figure over time, in one line."""
    width = min(width, len(samples))
    values = [samples[int(at * len(samples) / width)][name] for at in range(width)]
    low, high = min(values), max(values)
    bars = "▁▂▃▄▅▆▇█"
    return f"{name:14s} {low:g} … {high:g}  " + "".join(
        bars[int((value - low) / (high - low or 1) * 7)] for value in values
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--hours", type=float, default=1.0, help="over which they are spread; 0: as fast as it goes")
    parser.add_argument("--lines", type=int, default=32, help="callers at once")
    parser.add_argument("--sample-s", type=float, default=5.0)
    parser.add_argument("--samples", help="a file for the samples, as JSON")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--answered", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        with Path(options.answered).open("w") as answered:
            print(json.dumps(uvloop.run(ask(options, answered))))
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tierwise-soak-") as folder:
        figures = soak(options, Path(folder))
    for name in ("memory_mb", "descriptors", "connections", "pending_rows"):
        print(drawn(figures["samples"], name), file=sys.stderr)
    figures["samples"] = len(figures["samples"])
    held = not any(figures[name] for name in NEVER) and figures["answered"] > 0 and not figures["unanswered"]
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({**figures, "seed": options.seed, "seconds": seconds, "held": held}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
