"""Fuzz with atheris, which sees what code an input reaches: `python -m tests.fuzz.guided --target NAME --seconds 60`.

Without a name every target, one after the other, each in a process of its own. Needs atheris, which `scripts/fuzz`
installs. Inputs that reached something new are kept in `--corpus`, those that fail beside them, and printed in base64.
Prints one JSON object; exit 1 where anything failed.
"""

import argparse
import base64
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

MAX_BYTES = 16 * 1024
# Instrumented code is several times slower, so that the promise of 2 s is kept where a run takes less than this.
HANG_S = 10
MEMORY_MIB = 2048
TRACED_EVERY = 64
"""So many runs to each whose memory is counted."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.guided", description=__doc__)
    parser.add_argument("--target", action="append", help="may be given more than once")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--corpus", type=Path, default=Path("work/fuzz"))
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        fuzz(options.target[0], options.seconds, options.corpus)
    from tests.fuzz.targets import TARGETS

    unknown = set(options.target or ()) - set(TARGETS)
    if unknown:
        parser.error(f"no target is called {', '.join(sorted(unknown))}; there are: {', '.join(TARGETS)}")
    names = options.target or list(TARGETS)
    executions, failures = 0, list[str]()
    for place, name in enumerate(names):
        print(f"[{place + 1}/{len(names)}] {name}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "tests.fuzz.guided", "--inside", "--target", name]
        command += ["--seconds", str(options.seconds), "--corpus", str(options.corpus)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        executions += sum(map(int, re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)))
        if done.returncode != 0:
            told = "\n".join(
                line for line in done.stderr.splitlines() if not line.startswith(("#", "INFO", "\tNEW_FUNC"))
            )
            failures.append(name)
            print(told[-6000:], file=sys.stderr)
            for path in found(options.corpus / name):
                print(f"{path}: {base64.b64encode(path.read_bytes()[:2000]).decode()}", file=sys.stderr)
    print(json.dumps({"targets": len(names), "executions": executions, "failures": len(failures), "failed": failures}))
    return 1 if failures else 0


def found(folder: Path) -> Iterator[Path]:
    """Yield the inputs that failed."""
    return (path for kind in ("crash", "timeout", "oom") for path in folder.glob(f"failed-{kind}-*"))


def fuzz(name: str, seconds: int, corpus: Path) -> None:
    """Fuzz one target until the time is up or it fails; does not return."""
    import atheris

    with atheris.instrument_imports(include=["tierwise"]):
        from tests.fuzz import limits
        from tests.fuzz.mutate import mutated
        from tests.fuzz.past import PAST
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    seeds = [*target.seeds(), *(data for of, data in PAST if of == name)]
    runs = 0

    def once(data: bytes) -> None:
        nonlocal runs
        runs += 1
        if runs % TRACED_EVERY:
            limits.run(target, data)
        else:
            limits.weighed(target, data)

    def changed(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        return mutated(data, random, seeds)[:most] if random.random() < 0.5 else bytes(atheris.Mutate(data, most))

    folder = corpus / name
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tierwise-fuzz-") as good:
        for place, seed in enumerate(seeds):
            (Path(good) / str(place)).write_bytes(seed[:MAX_BYTES])
        options = [f"-max_total_time={seconds}", f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MIB}", "-verbosity=0"]
        options += [f"-max_len={MAX_BYTES}", f"-artifact_prefix={folder}/failed-", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *options, str(folder), good], once, custom_mutator=changed)
        atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
