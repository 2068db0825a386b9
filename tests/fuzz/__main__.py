"""Run every target on inputs made worse at random: `python -m tests.fuzz --executions 100000`; no coverage, no sockets.

Prints one JSON object: targets, executions, how many were refused, and the failures, each with its input in base64 in
`--findings DIR` where that is given. Exit 1 where there is one.
"""

import argparse
import base64
import json
import sys
import zlib
from pathlib import Path
from random import Random

from tests.fuzz import limits
from tests.fuzz.mutate import amplified, mutated
from tests.fuzz.targets import TARGETS

LARGE_EVERY = 200
"""So many inputs of ordinary size to each that is grown."""
LARGE_BYTES = 1 << 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--executions", type=int, default=100_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", choices=sorted(TARGETS), help="may be given more than once")
    parser.add_argument("--findings", type=Path, help="where failing inputs are written")
    options = parser.parse_args()
    names = options.target or list(TARGETS)
    each = -(-options.executions // len(names))
    refused, failures = 0, dict[str, str]()
    for name in names:
        target, seeds = TARGETS[name], list(TARGETS[name].seeds())
        random = Random(zlib.crc32(name.encode()) + options.seed)
        for number in range(each):
            large = number % LARGE_EVERY == LARGE_EVERY - 1
            seed = random.choice(seeds)
            data = amplified(seed, random, LARGE_BYTES) if large else mutated(seed, random, seeds)
            try:
                if large:
                    limits.timed(target, data)
                else:
                    refused += limits.run(target, data)
                if large or number % 10 == 0:
                    limits.weighed(target, data)
            except Exception as error:
                told = f"{name}: {type(error).__name__} {error}"[:300]
                place = _place(error)
                if place not in failures:
                    failures[place] = told
                    print(f"{told}\n    at {place}\n    {base64.b64encode(data[:2000]).decode()}", file=sys.stderr)
                    if options.findings:
                        options.findings.mkdir(parents=True, exist_ok=True)
                        (options.findings / f"{name}-{zlib.crc32(data):08x}").write_bytes(data)
    done = {"targets": len(names), "executions": each * len(names), "refused": refused, "failures": len(failures)}
    print(json.dumps(done | {"seed": options.seed}))
    return 1 if failures else 0


def _place(error: Exception) -> str:
    """Say where it was raised, which tells two failures apart."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = "" if last is None else f"{last.tb_frame.f_code.co_filename.rpartition('tierwise/')[2]}:{last.tb_lineno}"
    return f"{where} {type(error).__name__}"


if __name__ == "__main__":
    sys.exit(main())
