"""What are comparisons and certificates worth? Measures anew, and writes docs/reference/evidence.md.

Run: scripts/bench evidence [--only evaluation]. Each proof is a command of its own that can be run alone; seeds are
fixed. Ends with 1 where one of them misses a goal.
"""

import argparse
import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.documents.evidence import FIGURES, PAGE, PROOFS, page, stored  # noqa: E402


def done(name: str) -> dict[str, Any]:
    """Run a proof, and return what the page needs."""
    words = PROOFS[name].command.split()[1:]
    command = [sys.executable, f"benchmarks/{words[0]}.py", *words[1:]]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    lines = ended.stdout.strip().splitlines()
    if not lines:
        raise SystemExit(f"{name} measured nothing")
    return {"command": PROOFS[name].command, "held": ended.returncode == 0, "measured": json.loads(lines[-1])}


def write(runs: dict[str, Any]) -> None:
    """Store the figures, and write the page from them."""
    versions = f"Python {platform.python_version()}, NumPy {version('numpy')}, SciPy {version('scipy')}"
    figures = {"date": datetime.now(UTC).date().isoformat(), "versions": versions, "runs": runs}
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(figures), encoding="utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PROOFS), help="leave the other proofs as they were measured")
    options = parser.parse_args()
    runs, wanted = (stored()["runs"] if FIGURES.exists() else {}), options.only or list(PROOFS)
    for name in wanted:
        print(f"{name}: {PROOFS[name].command}", flush=True)
        runs[name] = done(name)
        print("  held" if runs[name]["held"] else f"  MISSED: {runs[name]['measured'].get('missed')}", flush=True)
        write(runs)
    return 0 if all(runs[name]["held"] for name in wanted) else 1


if __name__ == "__main__":
    sys.exit(main())
