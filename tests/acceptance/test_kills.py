"""A gateway that is killed under load loses no answered call: a short round of `benchmarks/kills.py`."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_answered_request_is_in_the_ledger_exactly_once() -> None:
    script = ROOT / "benchmarks" / "kills.py"
    command = [sys.executable, str(script), "--kills", "3", "--longest-s", "0.8", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["answered"] > 0
