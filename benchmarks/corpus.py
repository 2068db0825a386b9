"""How well are throughputs predicted between the rates that were measured? Run: scripts/bench corpus [--json]

Reads the 140 published runs in ../shared/data/serving-cost, fits each configuration on 1, 5, 10 and 100 requests a
second, and predicts 25 and 50. Exit 1 where the median error of either is 10 % or more, or the runs are not there.
"""

import argparse
import csv
import json
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from tierwise.economics.serving import Run, fitted

RUNS = Path(__file__).parents[2] / "shared" / "data" / "serving-cost" / "vllm_sglang_runs.csv"
MEASURED, HELD_OUT = (1.0, 5.0, 10.0, 100.0), (25.0, 50.0)
GOAL = 0.10


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--json", action="store_true")
    wanted = asked.parse_args()
    if not RUNS.is_file():
        sys.exit(f"the measured runs are not there: {RUNS.parent.name}")
    configs: dict[str, dict[float, Run]] = defaultdict(dict)
    with RUNS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            rate = float(row["rps"])
            configs[row["config"]][rate] = Run(requests_per_s=rate, tokens_per_s=float(row["tps_output"]))
    errors: dict[float, list[float]] = {rate: [] for rate in HELD_OUT}
    for runs in configs.values():
        curve = fitted([runs[rate] for rate in MEASURED])
        for rate in HELD_OUT:
            errors[rate].append(abs(curve.tokens_per_s(rate) / runs[rate].tokens_per_s - 1))
    said: dict[str, float | int] = {"runs": sum(map(len, configs.values())), "configurations": len(configs)}
    for rate, found in errors.items():
        said |= {f"median_{rate:.0f}": round(statistics.median(found), 4), f"worst_{rate:.0f}": round(max(found), 4)}
    print(json.dumps(said) if wanted.json else "\n".join(f"{name:16} {value}" for name, value in said.items()))
    return 0 if all(statistics.median(found) < GOAL for found in errors.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
