"""Ask the table of any gateway: `scripts/faults --target URL`. Without a target ours is started and asked.

Exit code 1 where something that was asked did not hold, 2 where there is nobody to ask.
"""

import argparse
import asyncio
import contextlib
import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults import stage
from tests.faults.ask import Run, Told, ask, written
from tests.faults.table import BY_NUMBER, ROWS
from tests.faults.target import Target

SHOWN = 3


def main() -> int:
    """Read the options, ask, tell."""
    options = _options().parse_args()
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # peers that leave are the point
    if options.litellm_config is not None:
        sys.stdout.write(stage.litellm_config(options.litellm_config))
        return 0
    rows = [BY_NUMBER[number] for number in options.row] if options.row else ROWS
    with _target(options) as given:
        target = given if options.target is None else asyncio.run(given.known())
        if not target.wires:
            sys.stderr.write(f"{options.target} answers no good request: is the key right, and the model's name?\n")
            return 2
        told = asyncio.run(ask(target, rows, _progress))
    name = options.name or options.target or f"Tierwise {version('tierwise')}"
    run = Run(gateway=name, date=datetime.now(UTC).date().isoformat(), rows=tuple(told))
    for row in run.rows:
        print(_line(row))
        for problem in row.problems[: None if options.verbose else SHOWN]:
            print(f"       {problem}")
    if options.json is not None:
        options.json.write_bytes(written(run))
    return 0 if run.holds else 1


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.add_argument("--target", help="the gateway, as http://HOST:PORT; without it ours is started")
    parser.add_argument("--key", help="the key that it wants")
    parser.add_argument("--model", default="ordinary", help="a model that answers")
    parser.add_argument("--name", help="what the gateway is called, with its version, where the result is stored")
    parser.add_argument(
        "--row", type=int, action="append", choices=sorted(BY_NUMBER), metavar="N", help="this row only"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the result")
    parser.add_argument("--verbose", action="store_true", help="tell every problem, not the first few of a row")
    parser.add_argument("--patience", type=float, default=15, metavar="S", help="how long it may wait for a slow peer")
    parser.add_argument("--body-limit", type=int, default=32 << 20, metavar="BYTES", help="how much it reads of a body")
    port = {"type": int, "metavar": "PORT"}
    parser.add_argument("--upstream", **port, help="start the scripted upstream here, to which its models lead")
    parser.add_argument("--litellm-config", **port, help="print LiteLLM's configuration for that upstream, and end")
    return parser


@contextlib.contextmanager
def _target(options: argparse.Namespace) -> Iterator[Target]:
    if options.target is None:
        with tempfile.TemporaryDirectory() as home, stage.opened(Path(home)) as target:
            yield target
        return
    url = urlsplit(options.target)
    target = Target(
        host=url.hostname or "127.0.0.1", port=url.port or 80, key=options.key, models={"ordinary": options.model},
        secrets=(options.key,) if options.key else (), body_limit=options.body_limit, patience_s=options.patience,
    )  # fmt: skip
    if options.upstream is None:
        yield target
        return
    with stage.upstream_at(options.upstream) as upstream:
        yield replace(target, upstream=upstream, secrets=(*target.secrets, stage.UPSTREAM_KEY))


def _progress(told: Told) -> None:
    sys.stderr.write(f"\rrow {told.row} of {ROWS[-1].number}: {told.state}".ljust(60) + "\n"[: not sys.stderr.isatty()])
    sys.stderr.flush()


def _line(told: Told) -> str:
    given = (
        BY_NUMBER[told.row].given
        if told.row
        else "of every answer: its dialect, what it gives away, what comes after it"
    )
    return f"{told.row:3}  {told.state:15} {given}" + (f" ({told.why})" if told.why else "")


if __name__ == "__main__":
    sys.exit(main())
