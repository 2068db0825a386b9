"""A gateway that is killed under load loses no answered call: a short round of `benchmarks/kills.py`.

`TIERWISE_KILLS` says how often; CI's slow job says 200.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("TIERWISE_KILLS", "3"))


@pytest.mark.timeout(120 + 5 * KILLS)
def test_every_answered_request_is_in_the_ledger_exactly_once() -> None:
    script = ROOT / "benchmarks" / "kills.py"
    command = [sys.executable, str(script), "--kills", str(KILLS), "--longest-s", "0.8", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100 + 5 * KILLS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["answered"] > 0
