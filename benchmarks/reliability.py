"""Does Tierwise keep its promises? Runs every proof in the sizes given and writes docs/reference/reliability.md.

The figures go into docs/reference/reliability.json, from which the page is made; a proof that is left out keeps those
of the run before. Exit 0: every promise held.
"""

import argparse
import json
import os
import platform
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.documents.reliability import FIGURES, PAGE, PROOFS, page, stored
from tests.postgres.server import missing

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
NTH = "tests/integration/nth/"
WITHOUT_LIMIT = ("-q", "-p", "no:cacheprovider", "-o", "timeout=0")


class Run(NamedTuple):
    """One proof over one store: what is run, and how it is told to people."""

    proof: str
    store: str
    command: list[str]
    environ: dict[str, str]
    told: str


def runs(options: argparse.Namespace) -> Iterator[Run]:
    """Give everything that is to be run."""
    stores = ["sqlite", "postgres"] if options.store == "both" else [options.store]
    kills, seed = options.kills, options.seed
    for store in stores:
        yield _program("kills", store, "kills", "--kills", kills, "--seed", seed, "--json")
        yield _module("writer", store, "killed", "--kills", kills, "--seed", seed)
        asked = ("--admissions", options.admissions, "--rounds", options.rounds)
        yield _program("crowd", store, "crowd", "--processes", options.processes, *asked)
        processes = options.processes if store == "postgres" else 1
        yield _module("admissions", store, "crowd", "--processes", processes, *asked, "--seed", seed)
        step = {"TIERWISE_NTH_STEP": options.nth_step}
        yield _tests("nth_socket", store, NTH + "test_sockets.py", step | {"TIERWISE_STORE": store})
    yield _script("audit", "sqlite", "audit", "--records", options.logged, "--seed", seed)
    yield _tests("nth_disk", "sqlite", NTH + "test_disk.py", step)
    yield _tests("nth_migration", "sqlite", NTH + "test_migration.py", step)
    yield _tests("machine", "sqlite", NTH + "test_machine.py", {})
    yield _tests(
        "perimeter", "sqlite", "tests/integration/gateway/test_perimeter.py", {"TIERWISE_WORLDS": options.worlds}
    )
    yield _fuzz(options.executions, seed)
    judged = {"TIERWISE_JUDGED": options.judged, "TIERWISE_SEED": seed}
    yield _tests("judge", "sqlite", "tests/unit/policy/test_judge_reference.py", judged)
    planting = [PYTHON, "-m", "tests.mutants", "--all", "--json"]
    yield Run("mutants", "sqlite", planting, {}, "scripts/mutants --all --json")
    yield _load("lies", "--step", options.lies_step, "--stalls", options.stalls, "--seed", seed)
    yield _load("peers", "--peers", options.peers, "--rounds", options.peers_rounds)
    yield _load("soak", "--requests", options.soak_requests, "--hours", options.soak_hours, "--seed", seed)


def _fuzz(executions: int, seed: int) -> Run:
    words = ["-m", "tests.fuzz", "--executions", str(executions), "--seed", str(seed)]
    return Run("fuzz", "sqlite", [PYTHON, *words], {}, f"python {' '.join(words)}")


def _program(proof: str, store: str, name: str, *arguments: object) -> Run:
    return _script(proof, store, name, *arguments, "--store", store)


def _script(proof: str, store: str, name: str, *arguments: object) -> Run:
    words = [*map(str, arguments)]
    return Run(proof, store, [PYTHON, f"benchmarks/{name}.py", *words], {}, f"scripts/bench {name} {' '.join(words)}")


def _load(name: str, *arguments: object) -> Run:
    words = [*map(str, arguments)]
    return Run(name, "sqlite", [PYTHON, f"benchmarks/{name}.py", *words], {}, f"scripts/bench {name} {' '.join(words)}")


def _module(proof: str, store: str, name: str, *arguments: object) -> Run:
    words = ["-m", f"tests.integration.ledger.{name}", *map(str, arguments), "--store", store]
    return Run(proof, store, [PYTHON, *words], {}, f"python {' '.join(words)}")


def _tests(proof: str, store: str, file: str, environ: dict[str, object]) -> Run:
    values = {name: str(value) for name, value in environ.items()}
    command = [PYTHON, "-m", "pytest", *WITHOUT_LIMIT, file]
    told = " ".join([*(f"{name}={value}" for name, value in values.items()), "scripts/test -o timeout=0", file])
    return Run(proof, store, command, values, told)


def done(run: Run, folder: Path) -> dict[str, Any]:
    """Run it, and return what the page needs."""
    notes = folder / f"{run.proof}-{run.store}.jsonl"
    environ = os.environ | run.environ | {"TIERWISE_FIGURES": str(notes)}
    began = time.monotonic()
    ended = subprocess.run(run.command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    seconds = round(time.monotonic() - began, 1)
    measured = _measured(run, ended.stdout, notes)
    held = ended.returncode == 0 and not any(measured.get(name) for name in PROOFS[run.proof].never)
    if not held:
        print(ended.stdout[-4000:], file=sys.stderr)
    return {
        "proof": run.proof, "store": run.store, "command": run.told, "seconds": seconds, "held": held,
        "measured": measured,
    }  # fmt: skip


def _measured(run: Run, said: str, notes: Path) -> dict[str, Any]:
    """Return the figures: what tests noted, added up; how many passed; else what the program printed."""
    told = {**PROOFS[run.proof].told, **PROOFS[run.proof].never, "seed": ""}
    if "pytest" not in run.command:
        found = json.loads(said.strip().splitlines()[-1]) if said.strip() else {}
        return {name: found[name] for name in told if name in found}
    if not notes.exists():
        return {"passed": said.count("."), "failed": said.count("FAILED")}
    total: dict[str, Any] = {}
    for line in notes.read_text(encoding="utf-8").splitlines():
        for name, value in json.loads(line).items():
            fold: Callable[[Any, Any], Any] = max if name in ("step", "seed") else lambda one, other: one + other
            if name in told:
                total[name] = fold(total[name], value) if name in total else value
    return total


def machine() -> str:
    """Name the class of this machine, and nothing that would tell which one it is."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB"


def versions() -> str:
    from importlib.metadata import version

    return f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, uvloop {version('uvloop')}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--admissions", type=int, default=10_000, help="of each process in each round")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--worlds", type=int, default=400)
    parser.add_argument("--judged", type=int, default=1_000_000)
    parser.add_argument("--logged", type=int, default=1_000_000, help="records of the log that is tampered with")
    parser.add_argument("--executions", type=int, default=200_000, help="of the fuzzer, over all of its targets")
    parser.add_argument("--nth-step", type=int, default=1)
    parser.add_argument("--lies-step", type=int, default=1)
    parser.add_argument("--stalls", type=int, default=40, help="of each stream")
    parser.add_argument("--peers", type=int, default=5000)
    parser.add_argument("--peers-rounds", type=int, default=5)
    parser.add_argument("--soak-requests", type=int, default=500_000)
    parser.add_argument("--soak-hours", type=float, default=1.0)
    parser.add_argument("--store", choices=["sqlite", "postgres", "both"], default="sqlite" if missing() else "both")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    parser.add_argument("--only", nargs="+", choices=list(PROOFS), help="leave the other proofs as they were measured")
    options = parser.parse_args()
    wanted = [run for run in runs(options) if not options.only or run.proof in options.only]
    before = stored()["runs"] if FIGURES.exists() else []
    took = {(run["proof"], run["store"]): run["seconds"] for run in before}
    results, broken = {(run["proof"], run["store"]): run for run in before}, 0
    with tempfile.TemporaryDirectory(prefix="tierwise-reliability-") as folder:
        for place, run in enumerate(wanted):
            left_s = sum(took.get((one.proof, one.store), 60) for one in wanted[place:])
            print(f"[{place + 1}/{len(wanted)}] {run.told} ({run.store}); about {left_s / 60:.0f} min left", flush=True)
            result = results[run.proof, run.store] = done(run, Path(folder))
            broken += not result["held"]
            verdict = "held" if result["held"] else "BROKEN"
            print(f"    {verdict} in {result['seconds']} s: {result['measured']}", flush=True)
            write(list(results.values()))
    return 1 if broken else 0


def write(results: list[dict[str, Any]]) -> None:
    """Store the figures, and write the page from them."""
    order = list(PROOFS)
    results.sort(key=lambda run: (order.index(run["proof"]), run["store"] != "sqlite"))
    figures = {
        "date": datetime.now(UTC).date().isoformat(), "machine": machine(), "versions": versions(), "runs": results,
    }  # fmt: skip
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
