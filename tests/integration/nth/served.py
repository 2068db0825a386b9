"""A gateway that serves on a socket while its calls fail, and says on request how it stands.

The first line on standard output is its port; for each line on standard input it prints one JSON object: what is under
way, what is set aside and spent, and the newest records. It ends with its standard input.
"""

import asyncio
import contextlib
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.decision import Decision
from tierwise.server.run import Server, listen
from tierwise.server.settings import ServerSettings

NEWEST = 40


def told(decision: Decision) -> dict[str, Any]:
    """Return what the test compares of a record."""
    return {
        "id": decision.id,
        "outcome": decision.outcome,
        "cost": str(decision.charged_usd or 0),
        "attempts": len(decision.attempts),
        "models": [attempt.model for attempt in decision.attempts],
        "tokens": [
            (attempt.usage.input, attempt.usage.output) if attempt.usage and not attempt.usage.estimated else None
            for attempt in decision.attempts
        ],
    }


async def standing(wired: bootstrap.Wired, server: Server) -> dict[str, Any]:
    """Return how the gateway stands."""
    accounts = wired.gateway.facts.accounts
    return {
        "under_way": len(server.server_state.tasks) + len(wired.gateway._settling) + wired.ledger.pending_rows,
        "reserved": str(sum((account.reserved for account in accounts), Decimal(0))),
        "spent": {account.budget.scope: str(account.spent) for account in accounts},
        "records": [told(decision) for decision in await wired.ledger.latest(NEWEST)],
    }


async def main(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    async with bootstrap.opened(settings) as wired:
        with contextlib.closing(listen(ServerSettings(port=0), keyed=False)) as listener:
            ready = asyncio.Event()
            server = Server(bootstrap.application(wired), settings.document.server, ready.set)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            await ready.wait()
            print(listener.getsockname()[1], flush=True)
            while await loop.run_in_executor(None, sys.stdin.readline):
                print(json.dumps(await standing(wired, server)), flush=True)
            server.stop()
            await serving


if __name__ == "__main__":
    read = msgspec.json.decode(Path(sys.argv[2]).read_bytes(), type=Document)
    uvloop.run(main(Settings(document=read, home=Path(sys.argv[1]), environ=os.environ)))
