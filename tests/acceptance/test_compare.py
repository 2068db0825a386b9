"""`tierwise compare`, as a user runs it, on models whose answers are scripted."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, Installed
from tests.acceptance.evaluation import write_config, write_items
from tierwise.evals import evidence
from tierwise.testing import ScriptedUpstream


@pytest.fixture
def up() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(models=("good", "bad", "slow")) as upstream:
        yield upstream


def test_candidates_are_compared_with_the_baseline(installed: Installed, up: ScriptedUpstream, tmp_path: Path) -> None:
    write_items(tmp_path / "items.jsonl", 6)
    config = write_config(tmp_path, up, {"wrong": "bad?text=no", "right": "good"})
    told = installed.json("compare", "echo", "--config", str(config))
    assert {row["subject"]: row["quality"]["mean"] for row in told["subjects"]} == {"wrong": 0.0, "right": 1.0}
    assert told["baseline"] == "right"
    assert len(up.asked) == 12
    found = evidence.read(Path(told["evidence"]))
    assert {one.outcome for one in found.observations} == {"answered"}
    assert Path(told["evidence"]).with_name("answers.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_run_that_is_killed_goes_on_and_asks_each_item_once(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    write_items(tmp_path / "items.jsonl", 40)
    config = write_config(tmp_path, up, {"one": "slow?fault=slow_first&delay_ms=30", "two": "good"})
    words = [str(COMMAND), "compare", "echo", "--config", str(config), "--repeats", "2"]
    for kill_at in (20, 60, 110):
        running = subprocess.Popen(
            words, env=installed.environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while len(up.asked) < kill_at:
            assert running.poll() is None, "it ended too soon"
            assert time.monotonic() < deadline
            time.sleep(0.002)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        words = [*words[:3], "--config", str(config), "--resume"]
    told = installed.json("compare", "echo", "--config", str(config), "--resume")
    found = evidence.read(Path(told["evidence"]))
    keys = Counter((one.item, one.subject, one.repeat) for one in found.observations)
    assert len(keys) == 160
    assert set(keys.values()) == {1}
    assert all(one.score == 1.0 for one in found.observations)
    # What the upstream got is the calls of the evidence, and those that the kills cut short: two at once, thrice.
    installed.run("export", "--jsonl", str(tmp_path / "records"), "--config", str(config))
    recorded = {json.loads(line)["id"] for line in (tmp_path / "records").read_text().splitlines()}
    used = {one.decision for one in found.observations}
    assert used < recorded
    assert len(up.asked) <= len(recorded) <= 160 + 6
    named = {one.detail.partition("[made again: ")[2][:-1] for one in found.observations if one.detail}
    assert named <= recorded - used
    assert named
