"""A program: let every write of a ledger fail at some size of its files, lift the limit, and count what is there.

`python -m tests.integration.ledger.no_room PATH` prints one JSON object. The limit is RLIMIT_FSIZE, which fails a
write as a full disk or a quota does.
"""

import asyncio
import json
import resource
import sqlite3
import sys
from pathlib import Path

from tests.unit.ledger.samples import a_decision, an_id, an_intent
from tierwise.core.errors import StoreError
from tierwise.ledger.store import Ledger

STEP_BYTES = 1500
LIMITS = 80  # every room twice; beyond 4 MiB, where the log begins anew, the file doubles with each
CALLS = 40


def limit_files(size: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


async def main(path: Path) -> dict[str, object]:
    number = failed = 0
    acknowledged: set[str] = set()

    async def call(number: int) -> bool:
        try:
            await ledger.intent(an_intent(number))
            await ledger.outcome(a_decision(number, requested_model="x" * 500))
        except StoreError:
            return False
        acknowledged.add(an_id(number))
        return True

    async with await Ledger.open(path) as ledger:
        wal = path.with_name(path.name + "-wal")
        for step in range(LIMITS):
            room = step * STEP_BYTES % (STEP_BYTES * 40)
            limit_files(max(size(path), size(wal)) + room)
            while True:
                done = await asyncio.gather(*(call(number + place) for place in range(CALLS)))
                number += CALLS
                failed += done.count(False)
                if not all(done):
                    break
            limit_files(resource.RLIM_INFINITY)
            assert await call(number), "it heals with the next call"
            number += 1
    async with await Ledger.open(path) as ledger:
        ids = [decision.id async for decision in ledger.iterate()]
        assert [decision.seq async for decision in ledger.iterate()] == list(range(1, len(ids) + 1))
    db = sqlite3.connect(path)
    integrity = db.execute("PRAGMA integrity_check").fetchone()[0]
    db.close()
    return {
        "limits": LIMITS,
        "calls": number,
        "failed": failed,
        "acknowledged": len(acknowledged),
        "lost": sorted(acknowledged - set(ids)),
        "twice": sorted({found for found in ids if ids.count(found) > 1}) if len(set(ids)) < len(ids) else [],
        "integrity": integrity,
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(Path(sys.argv[1])))))
