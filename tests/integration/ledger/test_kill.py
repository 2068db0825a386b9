"""SIGKILL at random instants: what was acknowledged is there, exactly once, and the ledger is sound."""

import os
import random
import sys
from pathlib import Path

import pytest

from tests.integration.ledger.crowd import PASSWORD
from tests.integration.ledger.killed import kill
from tests.postgres.server import Server


@pytest.mark.skipif(sys.platform == "win32", reason="waits for the child's pipe with select, which Windows cannot")
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_what_was_acknowledged_is_there(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    where = str(tmp_path / "ledger.sqlite")
    if kind == "postgres":
        server: Server = request.getfixturevalue("postgres")
        os.environ[PASSWORD] = server.password
        where = str(server.database())
    found = kill(where, 10 if kind == "sqlite" else 5, seed=random.randrange(1 << 32))
    assert found["wrong"] == [], found
    assert int(str(found["outcomes_promised"])) > 100, found
    assert int(str(found["interrupted"])) > 0, found
