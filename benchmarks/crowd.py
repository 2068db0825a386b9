"""Do many processes of callers, all at once, ever get more than a budget holds? Run: scripts/bench crowd

Each round is a workflow with money for ten answers, each of which costs just what is set aside for it. All processes
ask for more at once; there must be ten answers, and every other call must be refused with `insufficient_quota`. One
gateway owns a ledger in SQLite, so the processes are its callers there; in PostgreSQL each has a gateway of its own.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import uvloop

from serving import end, environment, free_port, start, wait_ready
from tierwise import bootstrap, config
from tierwise.testing import ScriptedUpstream

MODEL = "scripted-1"
PASSWORD = "TIERWISE_CROWD_PASSWORD"
WORDS, MONEY_FOR = 20, 10
LINES = 100
COST_USD = Decimal(WORDS) * 10 / 1_000_000


def configuration(upstream_url: str, rounds: int, ledger: str) -> str:
    """Write a configuration with one workflow and one budget for each round."""
    parts = [
        f'[[endpoint]]\nname = "upstream"\nkind = "scripted"\ntier = "self_hosted"\nurl = "{upstream_url}"',
        f'[[model]]\nid = "{MODEL}"\nendpoint = "upstream"\ncontext_tokens = 8192\n'
        'price = { input_usd_per_mtok = "0", output_usd_per_mtok = "10" }',
        ledger,
    ]
    for number in range(rounds):
        parts.append(f'[[workflow]]\nname = "round{number}"\ncandidates = ["{MODEL}"]')
        parts.append(
            f'[[budget]]\nscope = "workflow:round{number}"\nlimit_usd = "{MONEY_FOR * COST_USD}"\nwindow = "30d"'
        )
    return "\n\n".join(parts) + "\n"


def request(number: int) -> bytes:
    words = " ".join(f"w{word}" for word in range(WORDS))
    body = json.dumps(
        {"model": f"auto:round{number}", "messages": [{"role": "user", "content": words}], "max_tokens": WORDS}
    ).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n" + (
        b"content-length: %d\r\n\r\n%b" % (len(body), body)
    )


async def ask(port: int, admissions: int, rounds: int) -> list[dict[str, int]]:
    """Ask so often in every round, over many connections at once; return how the answers began."""
    told = []
    for number in range(rounds):
        asked, found = iter(range(admissions)), collections.Counter[str]()
        await asyncio.gather(*(line(port, request(number), asked, found) for _ in range(LINES)))
        told.append(dict(found))
        print(f"round {number + 1} of {rounds}", file=sys.stderr, flush=True)
    return told


async def line(port: int, payload: bytes, asked: Iterator[int], found: collections.Counter[str]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in asked:
        writer.write(payload)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        body = await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0]))
        status = head[9:12].decode()
        quota = status == "429" and b"insufficient_quota" in body and b"x-should-retry: false" in head
        found["answered" if status == "200" else "refused" if quota else f"other {status}"] += 1
    writer.close()
    await writer.wait_closed()


@contextlib.contextmanager
def gateways(home: Path, options: argparse.Namespace, upstream_url: str) -> Iterator[tuple[list[int], Path, Any]]:
    """Start one gateway, or with PostgreSQL as many as there are processes; give their ports."""
    environ, log, file = environment(home), home / "log.txt", home / "tierwise.toml"
    with contextlib.ExitStack() as stack:
        ledger = ""
        if options.store == "postgres":
            from tests.postgres.server import Server

            server = Server()
            stack.callback(server.close)
            environ[PASSWORD] = server.password
            ledger = f'[ledger]\nurl = "{server.database()}"\npassword = "env:{PASSWORD}"'
        file.write_text(configuration(upstream_url, options.rounds, ledger))
        ports = [free_port() for _ in range(options.processes if ledger else 1)]
        for port in ports:
            command = [sys.executable, "-m", "tierwise", "serve", "--config", str(file), "--port", str(port)]
            gateway = start(command, environ, log)
            stack.callback(end, gateway)
            wait_ready(gateway, port, "/readyz", log)
        yield ports, file, environ
        stack.close()


async def spent(file: Path, environ: dict[str, str]) -> list[Decimal]:
    async with bootstrap.opened(config.load(file, environ)) as wired:
        return [account.spent + account.reserved for account in wired.gateway.facts.accounts]


def crowd(options: argparse.Namespace, home: Path) -> dict[str, Any]:
    with ScriptedUpstream.in_thread(models=(MODEL,)) as upstream, gateways(home, options, upstream.url) as found:
        ports, file, environ = found
        told = asked_by(ports, options)
        if options.store == "postgres":
            per_budget = asyncio.run(spent(file, environ))
        asked = len(upstream.asked)
    if options.store == "sqlite":  # its gateway has gone now
        per_budget = asyncio.run(spent(file, environ))
    total = collections.Counter[str]()
    answers = [sum(one[number].get("answered", 0) for one in told) for number in range(options.rounds)]
    for one in told:
        for counts in one:
            total.update(counts)
    limit = MONEY_FOR * COST_USD
    return {
        "store": options.store,
        "processes": options.processes,
        "gateways": len(ports),
        "admissions": options.processes * options.admissions * options.rounds,
        "rounds": options.rounds,
        "answered": total.pop("answered", 0),
        "refused": total.pop("refused", 0),
        "otherwise": dict(total),
        "rounds_without_ten_answers": sum(count != MONEY_FOR for count in answers),
        "asked_upstream": asked,
        "overshoot_usd": float(max(one - limit for one in per_budget)),
    }


def asked_by(ports: Sequence[int], options: argparse.Namespace) -> list[list[dict[str, int]]]:
    """Let every process ask, and return what each was told."""
    command = [sys.executable, __file__, "--admissions", str(options.admissions), "--rounds", str(options.rounds)]
    children = [
        subprocess.Popen([*command, "--ask", str(ports[number % len(ports)])], stdout=subprocess.PIPE)
        for number in range(options.processes)
    ]
    return [json.loads(child.communicate()[0]) for child in children]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--admissions", type=int, default=10_000, help="of each process in each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(uvloop.run(ask(options.ask, options.admissions, options.rounds))))
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tierwise-crowd-") as folder:
        found = crowd(options, Path(folder))
    held = found["overshoot_usd"] <= 0 and not found["rounds_without_ten_answers"] and not found["otherwise"]
    held = held and found["asked_upstream"] == found["answered"]
    print(json.dumps({**found, "seconds": round(time.monotonic() - began, 1), "held": held}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
