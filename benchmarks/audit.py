"""Is every tampering found in a log of 10^6 records, how fast, and what does signing cost?

Writes records through the ledger's own writer while a notary signs them, and as many without, in turns, for the cost
in seconds of CPU. Then copies the ledger again and again, tampers with one thing at a random place of the copy, and has
the one-file verifier read all of it as an auditor would. Prints one JSON object; `missed` are tamperings not found.
"""

import argparse
import asyncio
import json
import os
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.unit.ledger.samples import a_decision

from tierwise.audit.notes import Signer
from tierwise.audit.tree import leaf_hash
from tierwise.ledger.ids import IdSource
from tierwise.ledger.notary import Notary
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options

VERIFIER = Path(__file__).resolve().parents[1] / "src/tierwise/verifier.py"
SIGNER = Signer("ledger.example", bytes(range(32)))
AT_ONCE = 512
SIGN_EVERY_S = 1.0


async def fill(path: Path, count: int, *, signed: bool) -> float:
    """Write so many records, each awaited until it is durable against a crash; return the seconds of CPU."""
    ids, known = IdSource(time.time_ns, os.urandom), [a_decision(number) for number in range(AT_ONCE)]
    before = cpu_s()
    async with await Ledger.open(path, options=Options(durability="normal", signer=SIGNER)) as ledger:
        notary = Notary(ledger, SIGNER, SIGN_EVERY_S)
        if signed:
            notary.begin()
        for begin in range(0, count, AT_ONCE):
            made = [msgspec.structs.replace(one, id=ids.next()) for one in known[: count - begin]]
            await asyncio.gather(*map(ledger.outcome, made))
        if signed:
            await notary.look()
            await notary.close()
            assert notary.problem is None, notary.problem
    return cpu_s() - before


def cpu_s() -> float:
    """Return the seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def tamperings(draw: random.Random, size: int) -> Iterator[tuple[str, list[str]]]:
    """Give what somebody could do to the tables, at random places, in turns."""
    while True:
        one, other = draw.sample(range(1, size + 1), 2)
        cut, where = draw.randrange(size // 2, size), draw.random()
        bent = f"UPDATE records SET record = flipped(record, {where}) WHERE seq = {one}"
        yield "one bit", [bent]
        yield "one record gone", [f"DELETE FROM records WHERE seq = {one}"]
        yield "one gone with its leaf", [f"DELETE FROM {table} WHERE seq = {one}" for table in ("records", "leaves")]
        yield "two changed places", [
            f"UPDATE records SET seq = {to} WHERE seq = {from_}" for from_, to in ((one, -1), (other, one), (-1, other))
        ]  # fmt: skip
        yield "the end cut off", [f"DELETE FROM {table} WHERE seq > {cut}" for table in ("records", "leaves")]
        leaf = f"leaf({one}, (SELECT record FROM records WHERE seq = {one}))"
        yield "written anew from there on", [bent, f"UPDATE leaves SET hash = {leaf} WHERE seq = {one}"]


def flipped(record: bytes, where: float) -> bytes:
    """Return the record with one bit changed."""
    bent, place = bytearray(record), int(where * len(record) * 8)
    bent[place // 8] ^= 1 << place % 8
    return bytes(bent)


def tampered(path: Path, statements: list[str]) -> None:
    """Change the tables past everything that guards them."""
    db = sqlite3.connect(path, isolation_level=None)
    db.create_function("flipped", 2, flipped)
    db.create_function("leaf", 2, leaf_hash)
    for statement in statements:
        db.execute(statement)
    db.close()


def verified(path: Path) -> tuple[bool, float, str]:
    """Return whether the log is whole as the verifier sees it, how long that took, and its first line."""
    begin = time.perf_counter()
    command = [sys.executable, "-I", str(VERIFIER), str(path), "--key", str(SIGNER.key)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        sys.exit(done.stderr)
    return done.returncode == 0, time.perf_counter() - begin, done.stdout.splitlines()[0]


def cost(folder: Path, records: int, rounds: int) -> list[float]:
    """Return how much more CPU writing took with signing than without, in each round."""
    found = []
    for number in range(rounds):
        with_, without = (
            uvloop.run(fill(folder / f"{number}{signed}.sqlite", records, signed=signed)) for signed in (True, False)
        )
        found.append(with_ / without)
    return found


def main() -> None:
    """Fill, tamper, print. Exit 1 where anything was missed, or an untouched log was not whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=5, help="how often writing is measured with signing and without")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    options = parser.parse_args()
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        more = cost(folder, min(50_000, options.records), options.rounds)
        path, copy = folder / "ledger.sqlite", folder / "copy.sqlite"
        uvloop.run(fill(path, options.records, signed=True))
        whole, reading_s, _ = verified(path)
        longest_s = reading_s
        found = tamperings(random.Random(options.seed), options.records)
        for number in range(options.trials):
            what, statements = next(found)
            shutil.copyfile(path, copy)
            tampered(copy, statements)
            unseen, took_s, first = verified(copy)
            longest_s = max(longest_s, took_s)
            missed += [what] * unseen
            print(f"{number + 1} of {options.trials}: {what}: {first}", file=sys.stderr)
        told = {
            "records": options.records,
            "bytes_per_record": round(path.stat().st_size / options.records),
            "verified_s": round(reading_s, 2),
            "longest_s": round(longest_s, 2),
            "tamperings": options.trials,
            "missed": missed,
            "not_whole_untouched": 0 if whole else 1,
            "cpu_of_writing_with_signing": round(statistics.median(more), 3),
            "seed": options.seed,
        }
    print(json.dumps(told))
    sys.exit(1 if missed or not whole else 0)


if __name__ == "__main__":
    main()
