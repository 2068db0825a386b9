"""A program: let processes ask for money at once, in rounds, and see whether their budgets were ever overshot.

`python -m tests.integration.ledger.crowd --processes 2 --admissions 10000 --rounds 100` prints one JSON object. On
PostgreSQL every process has a ledger of its own over one database; SQLite has one writer, so there `--processes 1`.
Each round asks for more than is left, settles some calls at a random cost and leaves others open until the next.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.unit.ledger.samples import a_decision, an_intent
from tierwise.core.errors import StoreError
from tierwise.core.secret import Secret
from tierwise.economics.budget import Account, Budget
from tierwise.ledger.ids import IdSource
from tierwise.ledger.postgres import PostgresLedger
from tierwise.ledger.protocol import Store
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options
from tierwise.postgres.connect import Place, place

ROOT = Path(__file__).parents[3]
PASSWORD = "TIERWISE_CROWD_PASSWORD"
OPTIONS = Options(max_pending_rows=100_000, max_pending_bytes=1 << 30)
WORST = Decimal("0.01")
LIMITS = {"all": Decimal(40), "workflow:w": Decimal(15)}


def accounts() -> list[Account]:
    budgets = (Budget(scope=scope, limit_usd=limit, window="30d") for scope, limit in LIMITS.items())
    return [Account(budget, spent=Decimal(0), now=0) for budget in budgets]


async def opened(where: str) -> Store:
    if where.startswith("postgresql:"):
        return await PostgresLedger.open(located(where), OPTIONS)
    return await Ledger.open(Path(where), options=OPTIONS)


def located(where: str) -> Place:
    found = place(where)
    return Place(
        user=found.user,
        host=found.host,
        port=found.port,
        database=found.database,
        password=Secret(os.environ[PASSWORD]),
    )


async def ask(where: str, admissions: int, rounds: int, seed: int) -> dict[str, Any]:
    """Ask for money, and count what was admitted and what it really cost."""
    ids, chance = IdSource(time.time_ns, os.urandom), random.Random(seed)
    wide, narrow = mine = accounts()
    over = admitted = untold = 0
    spent = Decimal(0)
    still_open: list[str] = []
    async with await opened(where) as store:  # type: ignore[attr-defined]  # both kinds are context managers
        await store.enforce(mine)

        async def admit(number: int) -> str | None:
            nonlocal over, untold
            name, workflow = ids.next(), "w" if number % 2 else None
            intent = an_intent(1, id=name, ts=time.time(), workflow=workflow, reserved_usd=WORST)
            try:
                short = await store.intent(intent, mine if workflow else [wide])
                if short:  # as the gateway does
                    await store.outcome(a_decision(1, id=name, ts=time.time(), workflow=workflow, outcome="refused"))
            except StoreError:  # no answer in time: the caller is refused, and what became of it is open
                untold += 1
                return None
            over += any(one.spent + one.reserved > one.budget.limit_usd for one in (wide, narrow))
            return None if short else name + (workflow or "-")

        for _ in range(rounds):
            calls = [name for name in await asyncio.gather(*map(admit, range(admissions))) if name]
            admitted += len(calls)
            chance.shuffle(calls)
            settling, still_open = still_open + calls[: len(calls) // 2], calls[len(calls) // 2 :]
            costs = [WORST * chance.randrange(0, 3) / 100 for _ in settling]
            told = await asyncio.gather(
                *(
                    store.outcome(
                        a_decision(1, id=name[:-1], ts=time.time(), total_cost_usd=cost,
                                   workflow=name[-1].replace("-", "") or None)
                    )
                    for name, cost in zip(settling, costs, strict=True)
                ),
                return_exceptions=True,
            )  # fmt: skip
            untold += sum(isinstance(one, StoreError) for one in told)
            spent += sum(cost for cost, one in zip(costs, told, strict=True) if not isinstance(one, StoreError))
    return {"admitted": admitted, "over": over, "spent": str(spent), "open": len(still_open), "untold": untold}


async def look(where: str) -> list[Account]:
    """Open the ledger as the next process would, and return what the accounts say."""
    found = accounts()
    async with await opened(where) as store:  # type: ignore[attr-defined]
        await store.enforce(found)
    return found


def crowd(where: str, processes: int, admissions: int, rounds: int, seed: int) -> dict[str, Any]:
    """Let so many processes ask, and return what they were given and what is wrong."""
    command = [sys.executable, "-m", "tests.integration.ledger.crowd", "--ask", where,
               "--admissions", str(admissions), "--rounds", str(rounds)]  # fmt: skip
    children = [
        subprocess.Popen([*command, "--seed", str(seed + place)], cwd=ROOT, stdout=subprocess.PIPE)
        for place in range(processes)
    ]
    told = [json.loads(child.communicate()[0] or b"{}") for child in children]
    wide, narrow = asyncio.run(look(where))
    spent = sum((Decimal(one["spent"]) for one in told), Decimal(0))
    left_open = sum(one["open"] for one in told)
    wrong = [f"{one['over']} times a process saw more than a limit" for one in told if one["over"]]
    wrong += [
        f"{a.budget.scope}: {a.spent + a.reserved} of {a.budget.limit_usd}" for a in (wide, narrow) if a.left(0) < 0
    ]
    untold = sum(one["untold"] for one in told)  # each counts as nothing, or as what it had set aside
    if not 0 <= wide.spent - spent - left_open * WORST <= untold * WORST:
        wrong.append(f"calls cost {spent}, {left_open} were left open, {untold} untold, the account says {wide.spent}")
    if wide.reserved or narrow.reserved:
        wrong.append(f"{wide.reserved} and {narrow.reserved} are still set aside")
    return {
        "processes": processes,
        "admissions": processes * admissions * rounds,
        "admitted": sum(one["admitted"] for one in told),
        "untold": untold,
        "overshoot": len(wrong),
        "wrong": wrong,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ask")
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="postgres")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--admissions", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.ask:
        print(json.dumps(asyncio.run(ask(options.ask, options.admissions, options.rounds, options.seed))))
        return
    began = time.monotonic()
    if options.store == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            where = str(Path(folder) / "ledger.sqlite")
            found = crowd(where, 1, options.admissions, options.rounds, options.seed)
    else:
        from tests.postgres.server import Server

        server = Server()
        try:
            os.environ[PASSWORD] = server.password
            where = str(server.database())
            found = crowd(where, options.processes, options.admissions, options.rounds, options.seed)
        finally:
            server.close()
    print(json.dumps({"store": options.store, **found, "seconds": round(time.monotonic() - began, 1)}))
    sys.exit(1 if found["wrong"] else 0)


if __name__ == "__main__":
    main()
