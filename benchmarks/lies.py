"""Does an upstream that lies at some byte of its answer ever fool the gateway? Run: scripts/bench lies

Whole answers of the scripted upstream are played to the gateway, for every wire of callers and every wire of endpoints,
streamed and not, words and a tool's call; at each byte the connection ends, is reset, falls silent, one bit is turned,
the bytes come in two packets, or the body ends as if that were right.
Exit 0: nothing looked finished that was not, nobody read what was not sent, every call is recorded once and as it
ended, no connection was used again that could not be, and no error was the gateway's own.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import uvloop
from tests.integration.lies.proof import NEVER, prove


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", type=int, default=1, help="every so many-th byte")
    parser.add_argument("--stalls", type=int, default=40, help="of each stream; each takes a second")
    parser.add_argument("--lines", type=int, default=64, help="callers at once")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    options = parser.parse_args()
    began = time.monotonic()

    def report(number: int) -> None:
        if number % 5_000 == 0:
            print(f"{number} lies, {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory(prefix="tierwise-lies-") as folder:
        found = uvloop.run(
            prove(
                Path(folder), step=options.step, stalls=options.stalls, lines=options.lines, seed=options.seed,
                report=report,
            )
        )  # fmt: skip
    print(*found.pop("witnesses"), sep="\n", file=sys.stderr)
    held = not any(found[name] for name in NEVER)
    print(json.dumps({**found, "seed": options.seed, "seconds": round(time.monotonic() - began, 1), "held": held}))
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
