"""Whichever call to the disk fails: what was answered is recorded once, and nobody was asked without an intent.

Runs the same few calls again and again, the n-th write, sync, read or cut of the ledger's files failing, for n = 1, 2, …
until a run makes fewer calls than n; or the process being killed there. In CI every so many; all of them with
`TIERWISE_NTH_STEP=1`.
"""

import asyncio
import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.figures import note
from tests.integration.nth.scene import CALLS
from tests.integration.nth.shim import FOR_EVER, KILLED, NAMES, STEP, Page, page, possible
from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.decision import Decision
from tierwise.testing import ScriptedUpstream

pytestmark = possible


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with page(tmp_path_factory.mktemp("nth")) as control:
        yield control


@pytest.fixture(scope="module")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        yield upstream


class Ran:
    """One run: what it acknowledged, what the endpoint was asked, how many calls it made to the disk."""

    def __init__(self, control: Page, upstream: ScriptedUpstream, home: Path, call: int, times: int, how: int) -> None:
        before = len(upstream.asked)
        control.fail("disk", call, times, how)
        done = subprocess.run(
            [sys.executable, "-m", "tests.integration.nth.scene", str(home), upstream.url],
            capture_output=True, text=True, env=os.environ | control.environment, timeout=60, check=False,
        )  # fmt: skip
        self.calls = control.calls()["disk"]
        assert done.returncode in ((0, -signal.SIGKILL) if how == KILLED else (0, 1)), done.stderr
        self.said: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        self.stderr = done.stderr
        self.asked = [json.loads(request.body)["messages"][0]["content"] for request in upstream.asked[before:]]


def recorded(home: Path) -> list[Decision]:
    """Open the ledger as the next process would, on a disk that is well again, and read everything."""

    async def read() -> list[Decision]:
        async with bootstrap.opened(Settings(document=Document(), home=home)) as wired:
            return await wired.ledger.latest(100)

    found = asyncio.run(read())
    with sqlite3.connect(home / "ledger.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    return found


def check(ran: Ran, home: Path) -> None:
    """What must hold, whichever call failed."""
    assert "Traceback" not in ran.stderr, ran.stderr
    if not (home / "ledger.sqlite").exists():
        assert not ran.asked
        return
    decisions = recorded(home)
    by_id = {decision.id: decision for decision in decisions}
    assert len(by_id) == len(decisions), "each stands once"
    answered = [said["answered"] for said in ran.said if "answered" in said]
    for ident in answered:
        assert by_id[ident].outcome == "answered"
    with_intent = [decision for decision in decisions if decision.outcome != "refused"]
    assert len(ran.asked) <= len(with_intent), "nobody was asked without an intent"
    unanswered = [decision for decision in decisions if decision.id not in answered]
    assert all(decision.outcome in ("answered", "interrupted", "failed", "refused") for decision in unanswered)
    for decision in unanswered:
        if decision.outcome == "answered":  # it was durable, although the caller was told that it could not be made so
            assert decision.attempts[0].usage is not None


def runs(control: Page, upstream: ScriptedUpstream, tmp_path: Path, times: int, how: int, first: int) -> int:
    """Fail every so many-th call in turn; return how many runs that took."""
    call, made = first, 0
    while True:
        home = tmp_path / str(call)
        home.mkdir()
        ran = Ran(control, upstream, home, call, times, how)
        made += 1
        check(ran, home)
        if ran.calls < call:
            assert [said["call"] for said in ran.said if "answered" in said] == list(range(CALLS))
            return made
        shutil.rmtree(home)
        call += STEP


@pytest.mark.parametrize(
    ("how", "times"),
    [(errno.EIO, 1), (errno.EIO, FOR_EVER), (errno.ENOSPC, 1), (errno.ENOSPC, FOR_EVER), (errno.EROFS, FOR_EVER),
     (KILLED, 1)],
    ids=lambda value: NAMES.get(value, str(value)) if value != FOR_EVER and value != 1 else "on" if value > 1 else "once",
)  # fmt: skip
def test_the_nth_call_to_the_disk_fails(
    control: Page, upstream: ScriptedUpstream, tmp_path: Path, times: int, how: int
) -> None:
    first = 1 + (how + min(times, 2)) % STEP  # not the same places for each kind of failure
    made = runs(control, upstream, tmp_path, times, how, first)
    assert made >= 3
    note("nth_disk", failed=made - 1, step=STEP, how=NAMES[how])
