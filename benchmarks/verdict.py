"""How long does a verdict take to follow from its evidence, and is it the same to the byte? Run: scripts/bench verdict

Evidence of so many items, three candidates and a baseline is made with a seed, then decided in new processes: their
time includes starting Python, every import, reading, flip points, and writing the card.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.unit.evals.world import BASELINE, Rates, frontier, lines  # noqa: E402

from tierwise.core.criteria import Criteria  # noqa: E402

LIMIT_S = 2.0
DECIDE = """
import sys
from pathlib import Path
from tierwise.evals.card import to_json
from tierwise.evals.evidence import read
from tierwise.evals.verdict import decide
sys.stdout.buffer.write(to_json(decide(read(Path(sys.argv[1])))))
"""


def main() -> int:
    """Measure, print, and say by the exit code whether the aims were reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = world(Path(folder) / "evidence.jsonl", options.items)
        size = path.stat().st_size
        took, digests = [], set()
        for _ in range(options.rounds):
            start = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", DECIDE, str(path)], capture_output=True, check=True)
            took.append(time.perf_counter() - start)
            digests.add(hashlib.sha256(done.stdout).hexdigest())
            verdict = json.loads(done.stdout)["verdict"]
    found = {
        "items": options.items, "evidence_mb": round(size / 1e6, 1), "rounds": options.rounds, "verdict": verdict,
        "fastest_ms": round(min(took) * 1000), "median_ms": round(median(took) * 1000),
        "slowest_ms": round(max(took) * 1000), "different_cards": len(digests),
    }  # fmt: skip
    print(json.dumps(found) if options.json else "\n".join(f"{name:12} {value}" for name, value in found.items()))
    return 0 if median(took) < LIMIT_S and len(digests) == 1 else 1


def world(path: Path, items: int) -> Path:
    """Write evidence in which everything is to be reckoned: gates, a cascade, reviews, missing answers."""
    ways = {
        BASELINE: frontier(missing=0.003),
        "large": Rates(0.9, sure=0.8, ms=240, missing=0.01),
        "small": Rates(0.85, sure=0.9, ms=90, missing=0.02),
        "linear": Rates(0.92, ms=2, language_model=False),
    }
    criteria = Criteria(
        error_cost_usd=Decimal("0.01"), review_usd_per_hour=Decimal(40), volume_per_month=100_000,
        max_latency_ms_p95=2500.0, max_review_minutes_per_100=10.0, max_cost_per_accepted_usd=Decimal("0.05"),
    )  # fmt: skip
    tune = items // 5
    return lines(path, ways, items=items - tune, tune=tune, per_cluster=2, reviews=100, criteria=criteria)


if __name__ == "__main__":
    sys.exit(main())
