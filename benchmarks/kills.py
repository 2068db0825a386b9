"""Is every answered request in the ledger exactly once, with what the endpoint billed, whenever the gateway is killed?

Clients ask without pause, half of them streaming, and note the decision of each answer that arrived whole; the gateway
gets SIGKILL at random instants and is started again. Each request has a session of its own, whose name is in its text,
so that what the scripted upstream counted for it is compared with what the ledger says, token by token.
Exit 0: every noted decision stands there once as answered, every answer costs what the upstream counted, nobody was
asked without a record, nothing is left open or set aside, and each restarted gateway answers.
"""

import argparse
import asyncio
import collections
import contextlib
import http.client
import json
import logging
import random
import re
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from serving import POLL_S, end, environment, free_port, start, wait_ready
from tierwise import bootstrap, config
from tierwise.core.decision import Decision
from tierwise.testing import ScriptedUpstream
from tierwise.testing.connection import Received

MODEL = "scripted-1"
DECISION = "x-tierwise-decision"
PASSWORD = "TIERWISE_KILLS_PASSWORD"
LEASES_S = 60
NAMED = re.compile(rb"call-[0-9a-f]{16}")


@dataclass
class Clients:
    """Threads that ask until told to stop. `answered` holds the decision of every complete answer, in any order."""

    port: int
    answered: list[str] = field(default_factory=list)
    cut: int = 0
    stalled: int = 0
    refused: collections.Counter[int] = field(default_factory=collections.Counter)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, count: int) -> list[threading.Thread]:
        threads = [threading.Thread(target=self._ask_on, args=(number,), daemon=True) for number in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def _ask_on(self, number: int) -> None:
        while not self.stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
            with contextlib.suppress(ConnectionRefusedError), contextlib.closing(connection):
                try:
                    while not self.stop.is_set():
                        self._ask(connection, stream=number % 2 == 0)
                except ConnectionRefusedError:
                    raise
                except (OSError, http.client.HTTPException):
                    self.cut += 1
            time.sleep(POLL_S)

    def _ask(self, connection: http.client.HTTPConnection, *, stream: bool) -> None:
        name = f"call-{random.getrandbits(64):016x}"
        words = " ".join(["how do I change my PIN?"] * random.randrange(1, 4))
        messages = [{"role": "user", "content": f"{name} {words}"}]
        body = json.dumps({"model": MODEL, "messages": messages, "stream": stream, "max_tokens": 32})
        connection.request(
            "POST", "/v1/chat/completions", body, {"content-type": "application/json", "x-tierwise-session": name}
        )
        response = connection.getresponse()
        payload = response.read()
        if response.status != http.HTTPStatus.OK:
            self.refused[response.status] += 1
        elif stream and not payload.rstrip().endswith(b"data: [DONE]"):
            self.cut += 1
        else:
            self.answered.append(response.headers[DECISION])


def main() -> int:
    options = arguments()
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the upstream writes to connections that a kill has ended
    with tempfile.TemporaryDirectory(prefix="tierwise-kills-") as folder:
        return measure(options, Path(folder))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--longest-s", type=float, default=1.0, help="a gateway lives up to this long under load")
    parser.add_argument("--seed", type=int, default=None, help="of the instants; printed when not given")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args()


class Bills:
    """What the upstream counted, by the name of each call. Folded now and then, so that it does not grow."""

    def __init__(self, upstream: ScriptedUpstream) -> None:
        self.counted: dict[str, list[tuple[int, int]]] = collections.defaultdict(list)
        self._upstream = upstream
        self._young: list[Received] = []

    def fold(self) -> None:
        """Count what was received before the last time: that has ended since, one way or another."""
        for request in self._young:
            found = NAMED.search(request.body)
            if found:
                self.counted[found[0].decode()].append((request.prompt_tokens, request.completion_tokens))
        received = self._upstream.received
        self._young = received[: len(received)]
        del received[: len(self._young)]


@contextlib.contextmanager
def settings(home: Path, store: str, upstream_url: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """Write the configuration; start a server where the ledger is to be in one."""
    environ = environment(home)
    rows = [
        f'[[endpoint]]\nname = "upstream"\nkind = "scripted"\ntier = "self_hosted"\nurl = "{upstream_url}"',
        f'[[model]]\nid = "{MODEL}"\nendpoint = "upstream"\ncontext_tokens = 8192\n'
        'price = { input_usd_per_mtok = "1", output_usd_per_mtok = "10" }',
        '[[budget]]\nscope = "all"\nlimit_usd = "100000"\nwindow = "30d"',
    ]
    config_file = home / "tierwise.toml"
    with contextlib.ExitStack() as stack:
        if store == "postgres":
            from tests.postgres.server import Server

            server = Server()
            stack.callback(server.close)
            environ[PASSWORD] = server.password
            rows.append(f'[ledger]\nurl = "{server.database()}"\npassword = "env:{PASSWORD}"')
        config_file.write_text("\n\n".join(rows) + "\n")
        yield config_file, environ


def measure(options: argparse.Namespace, home: Path) -> int:
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    with (
        ScriptedUpstream.in_thread(models=(MODEL,)) as upstream,
        settings(home, options.store, upstream.url) as (file, environ),
    ):
        bills, clients = Bills(upstream), Clients(free_port())
        restarts = kill(clients, bills, options, random.Random(seed), (file, environ))
        bills.fold()
        bills.fold()
        decisions, money = asyncio.run(recorded(file, environ))
    return verdict(clients, bills, decisions, money, options, seed, restarts)


def kill(
    clients: Clients,
    bills: Bills,
    options: argparse.Namespace,
    instants: random.Random,
    place: tuple[Path, dict[str, str]],
) -> list[float]:
    """Kill the gateway so many times under load; return how long each new one took to be ready."""
    file, environ = place
    log = file.with_name("log.txt")
    serve = [sys.executable, "-m", "tierwise", "serve", "--config", str(file), "--port", str(clients.port)]
    restarts: list[float] = []
    gateway = start(serve, environ, log)
    try:
        wait_ready(gateway, clients.port, "/readyz", log)
        threads = clients.run(options.clients)
        for number in range(options.kills):
            answered = len(clients.answered)
            deadline = time.monotonic() + 10
            while len(clients.answered) == answered and time.monotonic() < deadline:
                time.sleep(POLL_S)
            clients.stalled += len(clients.answered) == answered
            time.sleep(instants.uniform(0, options.longest_s))
            end(gateway, signal.SIGKILL)
            bills.fold()
            gateway = start(serve, environ, log)
            restarts.append(wait_ready(gateway, clients.port, "/readyz", log))
            print(
                f"{number + 1} of {options.kills} kills, {len(clients.answered)} answers", file=sys.stderr, flush=True
            )
        clients.stop.set()
        for thread in threads:
            thread.join(15)
    finally:
        clients.stop.set()
        end(gateway)
    return restarts


async def recorded(file: Path, environ: dict[str, str]) -> tuple[list[tuple[str, str | None, str, int, int]], str]:
    """Open the ledger as the next start does; return each record, and what is still set aside.

    In a shared ledger, what a killed process had open is closed when it has been silent for its lease.
    """
    async with bootstrap.opened(config.load(file, environ)) as wired:
        deadline = time.monotonic() + LEASES_S
        while aside := sum((account.reserved for account in wired.gateway.facts.accounts), Decimal(0)):
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(0.5)
        found = [told(decision) async for decision in wired.ledger.iterate()]
    return found, str(aside)


def told(decision: Decision) -> tuple[str, str | None, str, int, int]:
    """Return what is compared: id, session, outcome, tokens in and out."""
    usage = decision.attempts[-1].usage if decision.attempts else None
    known = usage is not None and not usage.estimated
    return (
        decision.id,
        decision.session,
        decision.outcome,
        usage.input if usage and known else -1,
        usage.output if usage and known else -1,
    )


def verdict(
    clients: Clients,
    bills: Bills,
    decisions: list[tuple[str, str | None, str, int, int]],
    aside: str,
    options: argparse.Namespace,
    seed: int,
    restarts: list[float],
) -> int:
    noted = clients.answered
    outcomes: dict[str, list[str]] = collections.defaultdict(list)
    for ident, _, outcome, _, _ in decisions:
        outcomes[ident].append(outcome)
    named = {session for _, session, *_ in decisions}
    answers = [
        (session or "", (read, wrote)) for _, session, outcome, read, wrote in decisions if outcome == "answered"
    ]
    figures = {
        "store": options.store,
        "kills": options.kills,
        "seed": seed,
        "answered": len(noted),
        "answered_twice_under_one_id": len(noted) - len(set(noted)),
        "answered_not_recorded": sum(not outcomes.get(id_) for id_ in noted),
        "answered_recorded_twice": sum(len(outcomes.get(id_, ())) > 1 for id_ in noted),
        "answered_recorded_otherwise": sum(outcomes.get(id_) not in ([], None, ["answered"]) for id_ in noted),
        "recorded_twice": sum(len(found) > 1 for found in outcomes.values()),
        "recorded_otherwise_than_billed": sum(bills.counted.get(session) != [tokens] for session, tokens in answers),
        "asked_without_record": sum(name not in named for name in bills.counted),
        "tokens_recorded": sum(read + wrote for _, (read, wrote) in answers),
        "tokens_billed_for_them": sum(sum(map(sum, bills.counted.get(session, ()))) for session, _ in answers),
        "left_open": sum("pending" in found for found in outcomes.values()),
        "left_set_aside": float(aside),
        "refused": dict(clients.refused),
        "lives_without_an_answer": clients.stalled,
        "cut_by_a_kill": clients.cut,
        "recorded": len(outcomes),
        "outcomes": dict(collections.Counter(outcome for found in outcomes.values() for outcome in found)),
        "restart_s_median": round(sorted(restarts)[len(restarts) // 2], 3) if restarts else None,
    }
    never = ("answered_", "recorded_", "asked_", "left_", "refused", "lives_")
    wrong = [name for name in figures if name.startswith(never) and figures[name]]
    if figures["tokens_recorded"] != figures["tokens_billed_for_them"]:
        wrong.append("tokens")
    held = bool(noted) and not wrong
    if options.json:
        print(json.dumps({**figures, "held": held}))
    else:
        print("\n".join(f"{name.replace('_', ' '):32s} {value}" for name, value in figures.items()))
        print(
            "every answered request is in the ledger exactly once" if held else f"BROKEN: {', '.join(wrong) or 'none'}"
        )
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
