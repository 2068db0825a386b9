"""Is every answered request in the ledger exactly once, whenever the gateway is killed?

Clients ask without pause, half of them streaming, and note the decision of each answer that arrived whole; the gateway
gets SIGKILL at random instants and is started again. Afterwards the ledger is read through `tierwise log`.
Exit 0: every noted decision stands there once as answered, nothing is left open, and each restarted gateway answers.
"""

import argparse
import collections
import contextlib
import http.client
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from serving import POLL_S, TIERWISE, configuration, end, environment, free_port, start, wait_ready

MODEL = "scripted-1"
DECISION = "x-tierwise-decision"
LISTED = 100_000


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
        messages = [{"role": "user", "content": f"How do I change my PIN? {random.random()}"}]
        body = json.dumps({"model": MODEL, "messages": messages, "stream": stream, "max_tokens": 32})
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
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
    with tempfile.TemporaryDirectory(prefix="tierwise-kills-") as folder:
        return measure(options, Path(folder))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--longest-s", type=float, default=1.0, help="a gateway lives up to this long under load")
    parser.add_argument("--seed", type=int, default=None, help="of the instants; printed when not given")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser.parse_args()


def measure(options: argparse.Namespace, home: Path) -> int:
    seed = options.seed if options.seed is not None else random.randrange(1 << 32)
    instants = random.Random(seed)
    upstream_port, port = free_port(), free_port()
    log, config = home / "log.txt", home / "tierwise.toml"
    environ = environment(home)
    upstream_command = [sys.executable, "-m", "tierwise.testing", "--port", str(upstream_port), "--model", MODEL]
    upstream = start(upstream_command, environ, log)
    config.write_text(configuration(f"http://127.0.0.1:{upstream_port}/v1", [MODEL], kind="scripted"))
    serve = [TIERWISE, "serve", "--config", str(config), "--port", str(port)]
    clients = Clients(port)
    restarts: list[float] = []
    try:
        wait_ready(upstream, upstream_port, "/v1/models", log)
        gateway = start(serve, environ, log)
        wait_ready(gateway, port, "/readyz", log)
        threads = clients.run(options.clients)
        for kill in range(options.kills):
            answered = len(clients.answered)
            deadline = time.monotonic() + 10
            while len(clients.answered) == answered and time.monotonic() < deadline:
                time.sleep(POLL_S)
            clients.stalled += len(clients.answered) == answered
            time.sleep(instants.uniform(0, options.longest_s))
            end(gateway, signal.SIGKILL)
            gateway = start(serve, environ, log)
            restarts.append(wait_ready(gateway, port, "/readyz", log))
            if sys.stderr.isatty():
                print(
                    f"\r{kill + 1} of {options.kills} kills, {len(clients.answered)} answers", end="", file=sys.stderr
                )
        clients.stop.set()
        for thread in threads:
            thread.join(15)
        end(gateway)
    finally:
        clients.stop.set()
        for process in (gateway, upstream) if "gateway" in locals() else (upstream,):
            end(process)
    return verdict(clients, recorded(config, environ), options, seed, restarts)


def recorded(config: Path, environ: dict[str, str]) -> dict[str, list[str]]:
    """Read the outcomes of every decision, through the command that a user would use."""
    command = [TIERWISE, "log", "--config", str(config), "--json", "--limit", str(LISTED)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"tierwise log failed with {done.returncode}:\n{done.stderr}")
    outcomes: dict[str, list[str]] = collections.defaultdict(list)
    listed = json.loads(done.stdout)
    for decision in listed["decisions"] if isinstance(listed, dict) else listed:
        outcomes[decision["id"]].append(decision["outcome"])
    if sum(map(len, outcomes.values())) >= LISTED:
        sys.exit(f"more than the {LISTED} decisions that `tierwise log` lists at once: take a smaller --longest-s")
    return outcomes


def verdict(
    clients: Clients, outcomes: dict[str, list[str]], options: argparse.Namespace, seed: int, restarts: list[float]
) -> int:
    noted = clients.answered
    figures = {
        "kills": options.kills,
        "seed": seed,
        "answered": len(noted),
        "answered_twice_under_one_id": len(noted) - len(set(noted)),
        "answered_not_recorded": sum(not outcomes.get(id_) for id_ in noted),
        "answered_recorded_twice": sum(len(outcomes.get(id_, ())) > 1 for id_ in noted),
        "answered_recorded_otherwise": sum(outcomes.get(id_) not in ([], None, ["answered"]) for id_ in noted),
        "left_open": sum("pending" in found for found in outcomes.values()),
        "refused": dict(clients.refused),
        "lives_without_an_answer": clients.stalled,
        "cut_by_a_kill": clients.cut,
        "recorded": len(outcomes),
        "outcomes": dict(collections.Counter(outcome for found in outcomes.values() for outcome in found)),
        "restart_s_median": round(sorted(restarts)[len(restarts) // 2], 3) if restarts else None,
    }
    wrong = [name for name in figures if name.startswith(("answered_", "left_", "refused", "lives_")) and figures[name]]
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
