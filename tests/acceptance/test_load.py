"""What thousands of slow peers and hours of load may not do: short rounds of `benchmarks/peers.py` and `soak.py`.

CI's slow job takes them in full size and judges the times, which a machine that is shared cannot.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a process is looked at through /proc")


def figures(name: str, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "benchmarks" / name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(220)
def test_slow_peers_are_borne_refused_at_the_cap_and_let_go() -> None:
    found = figures("peers.py", "--peers", "150", "--rounds", "1", "--seconds", "1.5", "--no-times")
    assert found["many_held"] > 100
    assert found["cap_refused_503"] > 50
    assert found["probes_probes"] > 0


@pytest.mark.timeout(220)
def test_a_mixed_load_leaves_nothing_behind() -> None:
    found = figures("soak.py", "--requests", "2000", "--hours", "0", "--sample-s", "1")
    assert found["answered"] > 500
    assert found["cancelled"] > 0
    assert {"400", "401", "403", "404", "429", "502", "503"} <= found["statuses"].keys()
    assert {"answered", "refused", "failed", "broken", "cancelled"} <= found["outcomes"].keys()
