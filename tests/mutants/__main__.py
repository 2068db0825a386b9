"""Plant defects, each in a copy of the sources, and see which tests notice. Without names: list what there is.

Examples:  scripts/mutants --all  ·  scripts/mutants key-by-prefix refund-twice  ·  scripts/mutants --all --json
Exit 0: every one was noticed by a test that fails; 1: one was not, or a test fails without it; 2: there is none such.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.mutants.planting import Defect, copied, defects, planted
from tests.mutants.trial import Trial, imported_from, tried

AT_ONCE = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/mutants", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="of a defect, or of an area: all of its defects")
    parser.add_argument("--all", action="store_true", help="plant every defect")
    parser.add_argument("--json", action="store_true", help="print the result as one line of JSON at the end")
    options = parser.parse_args()
    rows = defects()
    unknown = set(options.names) - {row.name for row in rows} - {row.area for row in rows}
    if unknown:
        print(f"there is no defect {', '.join(sorted(unknown))}; without arguments all are listed", file=sys.stderr)
        return 2
    wanted = [row for row in rows if options.all or {row.name, row.area} & set(options.names)]
    if not wanted:
        for row in rows:
            print(f"{row.area:<12} {row.name:<36} {row.what} [{row.source}]")
        return 0
    told = run(wanted)
    if options.json:
        print(json.dumps(told))
    return 0 if told["survived"] == told["unproven"] == 0 else 1


def run(wanted: list[Defect]) -> dict[str, Any]:
    """Run the tests without any defect, then with each."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tierwise-mutants-") as place:
        folder = Path(place)
        whole = copied(folder / "whole")  # what is changed meanwhile is planted nowhere
        failing = _failing(wanted, whole)
        fit = [row for row in wanted if not _among(row, failing)]
        results = {row.name: Trial(state="untried", seconds=0.0, said="fails without it") for row in wanted}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            trials = pool.map(lambda row: _tried(row, folder / row.name, whole), fit)
            for number, (row, trial) in enumerate(zip(fit, trials, strict=True), 1):
                results[row.name] = trial
                print(f"[{number}/{len(fit)}] {row.name}: {_told(trial)}", flush=True)
    states = [trial.state for trial in results.values()]
    return {
        "planted": len(wanted),
        "caught": states.count("caught") + states.count("timeout"),
        "by_timeout": states.count("timeout"),
        "survived": states.count("survived"),
        "unproven": states.count("untried"),
        "seconds": round(time.monotonic() - began, 1),
        "defects": {name: {"state": one.state, "by": one.by, "seconds": one.seconds} for name, one in results.items()},
    }


def _failing(wanted: list[Defect], sources: Path) -> list[str]:
    """Return which tests fail without any defect: what they say of one would prove nothing."""
    if not imported_from(sources):
        raise SystemExit("the tests would not run on the copy: PYTHONPATH does not come first here")
    tests = sorted({test for row in wanted for test in row.tests})
    trial, failed = tried(tests, sources, first=False)
    print(f"without any defect: {len(tests)} tests and files of tests, {trial.state} in {trial.seconds} s", flush=True)
    if trial.state != "survived":
        print(trial.said or trial.by, file=sys.stderr)
    return failed if failed or trial.state == "survived" else tests


def _among(row: Defect, failing: list[str]) -> bool:
    return any(one.startswith(test) for test in row.tests for one in failing)


def _tried(row: Defect, folder: Path, sources: Path) -> Trial:
    trial, _ = tried(row.tests, planted(row, folder, sources))
    shutil.rmtree(folder, ignore_errors=True)
    return trial


def _told(trial: Trial) -> str:
    match trial.state:
        case "caught":
            return f"caught by {trial.by} in {trial.seconds} s"
        case "timeout":
            return f"caught only by the limit of time: {trial.by} in {trial.seconds} s"
        case "survived":
            return f"SURVIVED its tests ({trial.seconds} s)"
        case "untried":
            return f"UNPROVEN, no test of it ran: {trial.said}"


if __name__ == "__main__":
    sys.exit(main())
