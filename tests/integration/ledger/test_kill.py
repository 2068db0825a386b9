"""SIGKILL at random instants: what was acknowledged is there, exactly once, and the file is sound."""

import random
import sys
from pathlib import Path

import pytest

from tests.integration.ledger.killed import kill


@pytest.mark.skipif(sys.platform == "win32", reason="waits for the child's pipe with select, which Windows cannot")
def test_what_was_acknowledged_is_there(tmp_path: Path) -> None:
    found = kill(tmp_path / "ledger.sqlite", 20, seed=random.randrange(1 << 32))
    assert found["wrong"] == [], found
    assert int(str(found["outcomes_promised"])) > 100, found
    assert int(str(found["interrupted"])) > 0, found
