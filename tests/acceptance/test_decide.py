"""`tierwise decide` and `tierwise report`, as a user runs them, on evidence of a known kind."""

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installed
from tests.unit.evals.world import BASELINE, Rates, frontier, lines
from tierwise.core.criteria import Criteria
from tierwise.evals.seal import seal

GOOD = {BASELINE: frontier(), "small": Rates(0.92), "linear": Rates(0.92, ms=2, language_model=False)}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "tierwise.toml"
    path.write_text('[[workflow]]\nname = "inbox"\n[workflow.criteria]\nmargin = 0.05\n', "utf-8")
    return path


def place(installed: Installed, run: str = "20261121-180000-1a2b") -> Path:
    return Path(installed.environment["TIERWISE_HOME"]) / "evals" / "inbox" / run / "evidence.jsonl"


def test_a_page_tells_the_verdict_and_the_exit_code_agrees(installed: Installed, tmp_path: Path) -> None:
    path = lines(tmp_path / "evidence.jsonl", GOOD, items=300)
    done = installed.run("decide", "--evidence", str(path))
    assert "EXPAND Let linear answer everything, no language model needed" in " ".join(done.stdout.split())
    worse = lines(tmp_path / "worse.jsonl", {BASELINE: frontier(), "small": Rates(0.5)}, items=300)
    assert "STOP" in installed.run("decide", "--evidence", str(worse), code=1).stdout


def test_the_machine_twin_is_the_same_each_time_and_in_a_file(installed: Installed, tmp_path: Path) -> None:
    path = lines(tmp_path / "evidence.jsonl", GOOD, items=300)
    words = ("decide", "--evidence", str(path), "--json")
    first = installed.run(*words, "--out", str(tmp_path / "card.json"), "--html", str(tmp_path / "r.html")).stdout
    assert first == installed.run(*words).stdout
    assert first.strip() == (tmp_path / "card.json").read_text("utf-8").strip()
    card = json.loads(first)
    assert (card["verdict"], card["choice"], card["language_model"]) == ("expand", "linear", False)
    assert (tmp_path / "r.html").read_text("utf-8").startswith("<!doctype html>")


def test_the_newest_run_is_meant_and_a_look_before_its_end_is_marked(
    installed: Installed, tmp_path: Path, config: Path
) -> None:
    run = place(installed)
    lines(run, GOOD, items=300, planned=600)
    lines(place(installed, "20261120-180000-1a2b"), {BASELINE: frontier(), "small": Rates(0.5)}, items=300)
    asked = ("decide", "inbox", "--config", str(config))
    early = json.loads(installed.run(*asked, "--json").stdout)
    assert early["bound"] == "always_valid" and (run.parent / "looked").exists()
    assert json.loads((run.parent / "card.json").read_text("utf-8")) == early, "kept where a server shows it"
    (run.parent / "looked").unlink()
    installed.run("decide", "--evidence", str(run), "--json")
    assert (run.parent / "looked").exists(), "the file itself is no way round"
    run.unlink()
    lines(run, GOOD, items=600)
    whole = json.loads(installed.run(*asked, "--json").stdout)
    assert whole["bound"] == "always_valid", "who has looked goes on with bounds that allow for it"
    older = installed.run(*asked, "--run", "20261120-180000-1a2b", code=1)
    assert "STOP" in older.stdout


def test_a_configuration_that_asks_otherwise_by_now_is_told(installed: Installed, tmp_path: Path, config: Path) -> None:
    run = place(installed)
    lines(run, GOOD, items=300)
    seal(run.parent.parent, Criteria(margin=0.05), 1_800_000_000.0)
    done = installed.run("decide", "inbox", "--config", str(config))
    assert "margin: 0.02 → 0.05" in done.stderr
    assert "margin: 0.02 → 0.05" in " ".join(done.stdout.split()), "a later seal stands on the card"


def test_a_report_is_one_file_for_its_owner(installed: Installed, tmp_path: Path, config: Path) -> None:
    run = place(installed)
    lines(run, GOOD, items=300)
    told = installed.json("report", "inbox", "--config", str(config))
    made = Path(told["file"])
    assert made == run.parent / "report.html" and made.stat().st_size == told["bytes"]
    assert made.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("decide",), "name a workflow"),
        (("decide", "inbox"), "tierwise compare inbox"),
        (("decide", "--evidence", "nowhere.jsonl"), "cannot be read"),
        (("report", "inbox", "--run", "r", "--evidence", "x"), "not both"),
    ],
)
def test_wrong_use_is_told_with_its_mend(installed: Installed, words: tuple[str, ...], said: str) -> None:
    assert said in installed.run(*words, code=2).stderr


def test_evidence_of_another_workflow_or_of_none_is_refused(installed: Installed, tmp_path: Path) -> None:
    path = lines(tmp_path / "evidence.jsonl", GOOD, items=20)
    assert "is of workflow" in installed.run("decide", "other", "--evidence", str(path), code=2).stderr
    path.write_text("{}\n")
    assert "not evidence" in installed.run("decide", "--evidence", str(path), code=2).stderr
