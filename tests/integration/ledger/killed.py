"""A program: kill a busy writer again and again, at random instants, and see whether it kept its word.

`python -m tests.integration.ledger.killed --kills 1000 --seed 7` prints one JSON object (`--store postgres` for a server
of its own). The child (`--write PLACE`) says `i ID` and `o ID` on its stdout once the ledger has said that the intent or the outcome is durable.
"""

import argparse
import asyncio
import json
import os
import random
import select
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.integration.ledger.crowd import PASSWORD, located, opened
from tests.postgres.server import Server
from tests.unit.ledger.samples import a_decision, an_intent
from tierwise.ledger.history import History
from tierwise.ledger.ids import IdSource
from tierwise.ledger.postgres import PostgresLedger
from tierwise.ledger.postgres_history import PostgresHistory

CALLERS = 32
ROOT = Path(__file__).parents[3]


async def write(where: str) -> None:
    """Make calls until killed."""
    ids = IdSource(time.time_ns, os.urandom)
    ledger = await opened(where)

    def say(what: str, name: str) -> None:
        os.write(1, f"{what} {name}\n".encode())

    async def caller() -> None:
        while True:
            name = ids.next()
            await ledger.intent(an_intent(1, id=name, ts=time.time()))
            say("i", name)
            await ledger.outcome(a_decision(1, id=name, ts=time.time(), requested_model="x" * 1000))
            say("o", name)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))


def kill_once(where: str, wait_s: float) -> tuple[set[str], set[str]]:
    """Let a child write, kill it so long after its first word, and return which intents and outcomes it promised."""
    command = [sys.executable, "-m", "tests.integration.ledger.killed", "--write", where]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        pipe = child.stdout.fileno()
        said = os.read(pipe, 1 << 16)
        end = time.monotonic() + wait_s
        while (left_s := end - time.monotonic()) > 0:
            if select.select([pipe], [], [], left_s)[0]:
                said += os.read(pipe, 1 << 16)
        child.kill()
        said += child.stdout.read()
    words = [line.split() for line in said.decode().splitlines() if len(line) == 28]
    return {name for what, name in words if what == "i"}, {name for what, name in words if what == "o"}


async def look(where: str) -> tuple[dict[str, str], list[int], list[str]]:
    """Open the ledger as the next process would; return outcome by id, numbers, and what is wrong with the file."""
    remote = where.startswith("postgresql:")
    # The dead are known at once by their lock, or when their lease is over: here that is now.
    await (await (PostgresLedger.open(located(where), lease_s=0) if remote else opened(where))).close()
    history = PostgresHistory(located(where)) if remote else History(Path(where))
    found = [(decision.id, decision.outcome, decision.seq or 0) async for decision in history.iterate()]
    await history.close()
    wrong = [f"{name} stands there {count} times" for name, count in Counter(f[0] for f in found).items() if count > 1]
    return (
        {name: outcome for name, outcome, _ in found},
        [seq for *_, seq in found],
        wrong + ([] if remote else check(Path(where))),
    )


def check(path: Path) -> list[str]:
    """Return what SQLite finds wrong, and intents that nobody closed."""
    db = sqlite3.connect(path)
    wrong = [text for (text,) in db.execute("PRAGMA integrity_check") if text != "ok"]
    wrong += [f"intent {name} is still open" for (name,) in db.execute("SELECT id FROM intents")]
    db.close()
    return wrong


def kill(where: str, kills: int, seed: int) -> dict[str, object]:
    """Kill so many times and return what was promised, what was found and what is wrong."""
    instants = random.Random(seed)
    intents: set[str] = set()
    outcomes: set[str] = set()
    wrong: list[str] = []
    found: dict[str, str] = {}
    for number in range(kills):
        new_intents, new_outcomes = kill_once(where, instants.uniform(0, 0.3))
        intents |= new_intents
        outcomes |= new_outcomes
        found, seqs, faults = asyncio.run(look(where))
        faults += [f"outcome {name} was promised" for name in outcomes if found.get(name) != "answered"]
        faults += [f"intent {name} was promised" for name in intents if name not in found]
        if seqs != list(range(1, len(seqs) + 1)):
            faults.append("numbers have gaps")
        wrong += [f"after kill {number + 1}: {fault}" for fault in faults]
    return {
        "kills": kills,
        "seed": seed,
        "intents_promised": len(intents),
        "outcomes_promised": len(outcomes),
        "records": len(found),
        "interrupted": sum(outcome == "interrupted" for outcome in found.values()),
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--write")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.write is not None:
        asyncio.run(write(options.write))
        return
    if options.store == "postgres":
        server = Server()
        try:
            os.environ[PASSWORD] = server.password
            found = kill(str(server.database()), options.kills, options.seed)
        finally:
            server.close()
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = kill(str(Path(folder) / "ledger.sqlite"), options.kills, options.seed)
    print(json.dumps(found))
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
