"""A migration that is interrupted, at any call to the disk: the next start finishes it or begins it anew."""

import asyncio
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.figures import note
from tests.integration.nth.migrating import RECORDS, make_old, opened, version
from tests.integration.nth.shim import FOR_EVER, KILLED, NAMES, STEP, page, possible
from tierwise.core.errors import StoreError
from tierwise.ledger import tables
from tierwise.sqlite.connect import connect_writer
from tierwise.sqlite.migrate import migrate

pytestmark = possible
ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("how", "many"), [(KILLED, 1), (errno.EIO, 1), (errno.EIO, FOR_EVER), (errno.ENOSPC, FOR_EVER)],
    ids=lambda value: NAMES.get(value, "on") if value != 1 else "once",
)  # fmt: skip
def test_an_interrupted_migration_is_finished_or_begun_anew(tmp_path: Path, how: int, many: int) -> None:
    with page(tmp_path) as control:
        call, interrupted, versions = 1 + how % STEP, 0, set()
        while True:
            path = tmp_path / str(call) / "ledger.sqlite"
            make_old(path)
            control.fail("disk", call, many, how)
            done = subprocess.run(
                [sys.executable, "-m", "tests.integration.nth.migrating", str(path)],
                cwd=ROOT, env=os.environ | control.environment, capture_output=True, text=True, check=False, timeout=60,
            )  # fmt: skip
            assert done.returncode in (0, -signal.SIGKILL), done.stderr
            interrupted += version(path) == 1
            versions.add(version(path))
            assert asyncio.run(opened(path)) == RECORDS + 1, "nothing is lost, and the open intent is closed once"
            with closing(sqlite3.connect(path)) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert version(path) == len(tables.MIGRATIONS)
            if control.calls()["disk"] < call:
                assert done.stdout.split() == [str(RECORDS + 1)]
                break
            shutil.rmtree(path.parent)
            call += STEP
    note("nth_migration", failed=call // STEP, step=STEP, interrupted=interrupted, how=NAMES[how])
    assert interrupted or STEP > 20, "a migration was interrupted"
    assert versions <= set(range(1, len(tables.MIGRATIONS) + 1)), "a version is there whole or not at all"


def test_an_old_program_refuses_a_newer_ledger_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    make_old(path)
    assert asyncio.run(opened(path)) == RECORDS + 1
    with closing(connect_writer(path)) as old, pytest.raises(StoreError, match="upgrade Tierwise or name another path"):
        migrate(old, path, tables.MIGRATIONS[:1], application_id=tables.APPLICATION_ID)
    assert asyncio.run(opened(path)) == RECORDS + 1
