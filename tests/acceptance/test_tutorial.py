"""docs/tutorial.md on the real data, as a user runs it: from a copy of Banking77 to a verdict and a certificate in force.

The comparison is killed half-way and resumed. Needs ../shared/data/banking77 beside the repository.
"""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from recipes.banking77.data import DEFAULT_DATA

from tests.acceptance.conftest import COMMAND, Installed
from tests.architecture.tree import ROOT
from tierwise.evals import evidence

ASKED = 1960
SUBJECTS = ("words", "small", "auto:banking77", "larger")
UNSURE = "hm, strange thing with the thing in my app and money"
NEEDS = "needs Banking77's train.csv in ../shared/data/banking77, beside the repository"

pytestmark = [
    pytest.mark.skipif(not (DEFAULT_DATA / "train.csv").is_file(), reason=NEEDS),
    pytest.mark.timeout(600),
]


@pytest.fixture
def tutorial(installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """The folder that the tutorial starts from; the rest happens inside of it."""
    folder = tmp_path / "tutorial"
    words = ["-m", "recipes.banking77.tutorial", "--data", str(DEFAULT_DATA), "--out", str(folder)]
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True)
    monkeypatch.chdir(folder)
    return installed


def kill_half_way(installed: Installed) -> Path:
    """Begin the comparison and kill it once half of its answers are there; return the file of answers."""
    folder = installed.home / "evals" / "banking77"
    words = [str(COMMAND), "compare", "banking77"]
    running = subprocess.Popen(words, env=installed.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 240
    try:
        while lines(answers := next(folder.glob("*/answers.jsonl"), folder)) < ASKED * len(SUBJECTS) // 2:
            assert running.poll() is None, "it ended too soon"
            assert time.monotonic() < deadline, "half of it took too long"
            time.sleep(0.1)
    finally:
        running.kill()
        running.wait()
    return answers


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def test_the_tutorial_goes_from_data_to_a_verdict_and_a_certificate_in_force(tutorial: Installed) -> None:
    looked = tutorial.json("dataset", "report", "banking77")
    assert {one["model"]: one["calls"] for one in looked["models"]} == {"words": ASKED, "small": ASKED, "larger": ASKED}
    assert looked["data"]["leaks"] == 0

    trained = tutorial.json("train", "items.jsonl", "--out", "intents.safetensors", "--field", "intent")
    assert trained["rows"] == looked["data"]["splits"]["train"]["items"], "what is asked was not learned from"

    answers = kill_half_way(tutorial)
    kept = answers.read_bytes().splitlines()[:ASKED]
    told = resumed(tutorial)
    assert Path(told["evidence"]).parent == answers.parent, "the run that was killed went on"
    assert answers.read_bytes().splitlines()[:ASKED] == kept, "what was answered stays as it was"
    found = evidence.read(Path(told["evidence"]))
    calls = Counter((one.item, one.subject, one.repeat) for one in found.observations)
    assert set(calls.values()) == {1}, "nothing twice"
    assert Counter(subject for _, subject, _ in calls) == dict.fromkeys(SUBJECTS, ASKED), "nothing lost"
    assert {one.outcome for one in found.observations} == {"answered"}

    certified = tutorial.json("certify", "banking77")
    (words,) = [one["accepts"] for one in certified["steps"] if one["subject"] == "words"]
    assert words["accepted"] > 500
    assert words["bound"] <= 0.05
    assert certified["candidates"] == ["words", "larger"]

    card = tutorial.json("decide", "banking77")
    assert (card["verdict"], card["choice"], card["language_model"]) == ("expand", "words", False)
    assert card["sealed_before_results"]
    in_force(tutorial, certified["digest"])


def resumed(installed: Installed) -> dict[str, object]:
    """Let the run go on to its end, for which a slow machine may take longer than other commands do."""
    words = [str(COMMAND), "compare", "banking77", "--resume", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, env=installed.environment, timeout=400, check=True)
    found: dict[str, object] = json.loads(done.stdout)
    return found


def in_force(installed: Installed, digest: str) -> None:
    """Enter the certificate: what is sure is answered, what is not waits for a person, or goes on to the baseline."""
    config = Path("tierwise.toml")
    config.write_text(
        config.read_text().replace('scorer = "json:intent"', f'scorer = "json:intent"\ncertificate = "{digest}"')
    )
    (finding,) = [one for one in installed.json("doctor") if one["what"] == "certificate of banking77"]
    assert finding["well"]
    assert "counts until" in finding["detail"]
    sure = installed.json("ask", "I still have not received my new card", "--model", "auto:banking77")
    assert "card_arrival" in sure["answer"]
    assert sure["decision"]["certificate"] == {"digest": digest, "valid": True}

    assert "waits for a person's review" in installed.run("ask", UNSURE, "--model", "auto:banking77", code=4).stderr
    (waits,) = installed.json("log", "--outcome", "review")
    installed.run("feedback", waits["id"], "--wrong", "--review")

    config.write_text(config.read_text().replace('candidates = ["words", "small"]', 'candidates = ["words", "larger"]'))
    passed_on = installed.json("ask", UNSURE, "--model", "auto:banking77")["decision"]
    assert [one["model"] for one in passed_on["attempts"]] == ["words", "larger"]
    assert passed_on["certificate"]["valid"]
