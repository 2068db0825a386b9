"""The demo from outside: whom it contacts, what its rows say, and what it does with wrong data and a sudden end."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, Installed

Z = 1.959964
HOOK = """
import os, sys
def note(event, args):
    if event in ("socket.connect", "socket.sendto") and isinstance(args[1], tuple):
        with open(os.environ["CONNECTS"], "a") as file:
            file.write(args[1][0] + "\\n")
sys.addaudithook(note)
"""


@pytest.fixture
def contacts(installed: Installed, tmp_path: Path) -> Path:
    """The file where each address stands that the command connects to."""
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(HOOK)
    places = tmp_path / "contacts"
    places.touch()
    installed.environment |= {"PYTHONPATH": str(tmp_path / "hook"), "CONNECTS": str(places)}
    return places


def interval(right: int, n: int) -> tuple[float, float]:
    """Wilson's interval, written down from its definition."""
    p, z2 = right / n, Z * Z
    middle, reach = p + z2 / (2 * n), Z * ((p * (1 - p) + z2 / (4 * n)) / n) ** 0.5
    return (middle - reach) / (1 + z2 / n), (middle + reach) / (1 + z2 / n)


def children(pid: int) -> set[int]:
    """The processes that `pid` started."""
    table = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return {int(child) for child, parent in (line.split() for line in table.splitlines()) if int(parent) == pid}


def alive(pids: set[int]) -> set[int]:
    """Those that still run; one that waits to be collected has ended."""
    wanted = ",".join(map(str, pids))
    table = subprocess.run(["ps", "-o", "pid=,stat=", "-p", wanted], capture_output=True, text=True, check=False).stdout
    return {int(pid) for pid, state in (line.split() for line in table.splitlines()) if not state.startswith("Z")}


def test_nothing_but_this_machine_is_contacted(installed: Installed, contacts: Path) -> None:
    installed.environment["OPENAI_API_KEY"] = "sk-canary-never-sent"
    done = installed.run("demo", "--limit", "12")
    assert set(contacts.read_text().split()) == {"127.0.0.1"}
    assert "canary" not in done.stdout + done.stderr
    assert b"canary" not in b"".join(p.read_bytes() for p in installed.home.rglob("*") if p.is_file())


def test_the_rows_and_the_figures_follow_from_the_thresholds(installed: Installed, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    figures = installed.json("demo", "--out", str(out))
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    least = figures["thresholds"]
    for row in rows:
        passes = [name for name in ("small", "larger") if row[name]["logprob"] >= least[name]]
        assert row["kept_by"] == (passes or ["left"])[0]
        assert 0 <= row["small"]["confidence"] <= 1
    for name in ("small", "larger"):
        right = sum(row[name]["answer"] == row["label"] for row in rows)
        assert figures[name]["interval"] == pytest.approx(interval(right, len(rows)), abs=1e-4)
        times = figures["latency_ms"][name]
        assert 0 < times["p50"] <= times["p95"]
    kept = [row for row in rows if row["kept_by"] != "left"]
    right = sum(row[row["kept_by"]]["answer"] == row["label"] for row in kept)
    assert figures["cascade"]["kept_n"] == len(kept)
    assert figures["cascade"]["kept_interval"] == pytest.approx(interval(right, len(kept)), abs=1e-4)
    assert figures["latency_ms"]["small"]["n"] == len(rows)
    assert 0 < figures["cost"]["per_1000_left_frontier_usd"] < figures["cost"]["per_1000_all_frontier_usd"]
    assert (figures["frontier"], figures["cost"]["paid_usd"]) == ("not configured", None)
    card, key = figures["policy"]
    assert card["excluded"] == {figures["cost"]["price_of"]: "ceiling:confidential"}
    assert set(key["excluded"].values()) == {"ceiling:restricted"}
    assert key["answered_by"] == "small"
    for decision in (*figures["decisions"], card["decision"]):
        assert installed.json("show", decision, "--config", figures["config"])["id"] == decision


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("missing.csv", None, "cannot be read: No such file"),
        ("latin.csv", b"text,label\ncaf\xe9,card_arrival\n", "not UTF-8"),
        ("quote.csv", b'text,label\n"' + b"x" * 200_000, "a quotation mark that is never closed"),
        ("other.csv", b"text,label\na,haiku\nb,sonnet\nc,haiku\n", "'haiku' (2), 'sonnet' (1)"),
        ("a.jsonl", b'{"text": "a"}\n', "line 1: needs the columns text and label"),
        ("b.jsonl", b'{"text": 1, "label": "card_arrival"}\n', "non-empty text"),
        ("c.jsonl", b"[1]\n", "line 1: not a JSON object"),
    ],
)
def test_wrong_data_is_refused_before_anything_starts(
    installed: Installed, contacts: Path, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert told in installed.run("demo", "--data", str(tmp_path / name), code=2).stderr
    assert not contacts.read_text()
    assert not installed.home.exists()


def test_json_lines_with_categories_are_read(installed: Installed, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    rows = [("Where is my card?", "card_arrival"), ("The ATM kept my card", "card_swallowed")]
    data.write_text("".join(json.dumps({"text": text, "category": label}) + "\n" for text, label in rows))
    assert installed.json("demo", "--data", str(data))["data"]["rows"] == 2


def test_an_outside_model_without_a_yes_is_never_contacted(installed: Installed, contacts: Path) -> None:
    installed.run("demo", "--frontier", code=2)
    installed.environment["OPENAI_API_KEY"] = "sk-canary-never-sent"
    assert "--yes" in installed.run("demo", "--frontier", code=2, stdin="y\n").stderr
    assert not contacts.read_text()


def test_a_place_that_cannot_be_written_is_said_beforehand(installed: Installed, tmp_path: Path) -> None:
    assert "Is a directory" in installed.run("demo", "--out", str(tmp_path), code=2).stderr
    (tmp_path / "file").touch()
    installed.environment["TIERWISE_HOME"] = str(tmp_path / "file" / "home")
    assert "TIERWISE_HOME" in installed.run("demo", code=2).stderr


def test_a_reader_who_leaves_early_is_no_error(installed: Installed) -> None:
    line = f"'{COMMAND}' demo --limit 4 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], env=installed.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_ctrl_c_ends_it_and_its_engines(installed: Installed) -> None:
    process = subprocess.Popen(
        [str(COMMAND), "demo"], env=installed.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    # Both engines run: the demo is in the middle of its work.
    while len(started := children(process.pid)) < 2:
        assert process.poll() is None, "the demo ended before its engines ran"
        assert time.monotonic() < deadline
    os.kill(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in said
    while alive(started):
        assert time.monotonic() < deadline + 10, "an engine is left behind"
