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


def test_a_scorer_that_fails_is_told_before_and_after_with_its_reason(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    write_items(tmp_path / "items.jsonl", 3)
    (tmp_path / "mine.py").write_text("def score(text, reference, item):\n    raise ValueError('my mistake')\n")
    config = write_config(tmp_path, up, {"one": "bad", "two": "good"}, workflow='scorer = "python:mine.py:score"')
    done = installed.run("compare", "echo", "--config", str(config))
    assert "Warning: the scorer fails even on the reference" in done.stderr
    assert "my mistake" in done.stderr
    assert "The scorer failed 6 times" in done.stdout
    assert "my mistake" in done.stdout
    assert "--rescore" in done.stdout.splitlines()[-1]


def test_that_all_references_are_one_class_is_told_before_anybody_is_asked(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    rows = [{"text": f"word {n}", "reference": "same"} for n in range(4)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    config = write_config(tmp_path, up, {"one": "bad", "two": "good"})
    assert "Warning: every reference is 'same'" in installed.run("compare", "echo", "--config", str(config)).stderr


def test_repeats_resume_judge_review_and_rescore_are_one_story(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    write_items(tmp_path / "items.jsonl", 5)
    models = {"small": "bad?text=Word 3", "large": "good"}
    more = (
        '[[model]]\nid = "judge"\nendpoint = "up"\nfamily = "umpire"\n'
        'served_name = "slow?text={\\"better\\": \\"second\\"}"'
    )
    config = str(write_config(tmp_path, up, models, more=more, workflow='judge = "judge"'))
    told = installed.json("compare", "echo", "--config", config)
    small, large = told["subjects"]
    assert (small["quality"]["mean"], large["quality"]["mean"]) == (0.0, 1.0)
    assert small["difference"]["mean"] == -1.0
    # Who always prefers what it reads last has no word that counts.
    assert small["judged"] == {"wins": 0, "losses": 0, "ties": 0, "unsure": 5, "unread": 0}
    asked = len(up.asked)

    again = installed.json("compare", "echo", "--config", config, "--rescore", "--scorer", "normalised")
    assert again["run"] != told["run"]
    assert again["subjects"][0]["quality"]["mean"] == 0.2
    assert again["subjects"][0]["judged"] == small["judged"]
    assert len(up.asked) == asked
    assert evidence.read(Path(again["evidence"])).header.rescored == told["run"]

    said = installed.run("review", "echo", "--config", config, "--json", stdin="right\ns\nwrong\nr\nq\n")
    assert json.loads(said.stdout) == {"run": again["run"], "reviewed": 3, "waiting": 7}
    shown = [json.loads(line) for line in said.stderr.splitlines()]
    assert len(shown) == 5
    assert all(set(one) == {"item", "asked", "answer"} for one in shown)
    found = evidence.read(Path(again["evidence"]))
    assert [one.right for one in found.reviews] == [True, False, True]
    assert all(one.seconds >= 0 and one.who for one in found.reviews)
    left = installed.run("review", "--config", config, "--json", "--limit", "20", stdin="w\n" * 20)
    assert json.loads(left.stdout) == {"run": again["run"], "reviewed": 7, "waiting": 0}
    assert "Next: tierwise decide echo" in installed.run("compare", "echo", "--config", config, "--resume").stdout


def test_a_running_server_is_asked_where_it_holds_the_ledger(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    write_items(tmp_path / "items.jsonl", 4)
    config = str(write_config(tmp_path, up, {"small": "bad?fault=truncation", "large": "good"}))
    process, address = installed.start("--config", config)
    try:
        installed.environment["TIERWISE_SERVER_PORT"] = address.rpartition(":")[2]
        told = installed.json("compare", "echo", "--config", config)
    finally:
        process.terminate()
        process.wait(20)
        assert process.stderr is not None
        process.stderr.close()
    small, large = told["subjects"]
    assert small["outcomes"] == {"truncated": 4}
    assert small["quality"] is None
    assert large["quality"]["mean"] == 1.0


def test_a_baseline_that_refuses_half_is_half_missing(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    write_items(tmp_path / "items.jsonl", 6)
    config = str(write_config(tmp_path, up, {"small": "good", "large": "bad?fault=refusal&times=3"}))
    told = installed.run("compare", "echo", "--config", config).stdout
    assert "3 refusal" in told
    found = installed.json("compare", "echo", "--config", config, "--resume")
    assert found["subjects"][1]["outcomes"] == {"answered": 3, "refusal": 3}
    assert found["subjects"][1]["quality"]["mean"] == 1.0
    assert found["subjects"][0]["difference"]["items"] == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nothing"], "there is no workflow 'nothing'"),
        (["echo", "--candidates", "smal"], "did you mean 'small'"),
        (["echo", "--baseline", "none"], "there is no model 'none'"),
        (["echo", "--scorer", "exactly"], "there is no scorer 'exactly'"),
        (["echo", "--data", "no-such-file.jsonl"], "no-such-file.jsonl"),
        (["echo", "--resume"], "`tierwise compare echo` does"),
        (["echo", "--run", "x"], "has no run 'x'"),
        (["echo", "--rescore"], "`tierwise compare echo` does"),
        (["echo", "--judge", "small"], "cannot judge 'small'"),
        (["echo", "--judge", "nobody"], "no model 'nobody' to judge"),
        (["echo", "--limit", "0"], "--limit"),
    ],
)
def test_wrong_use_is_told_before_anybody_is_asked(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path, arguments: list[str], told: str
) -> None:
    write_items(tmp_path / "items.jsonl", 2)
    config = str(write_config(tmp_path, up, {"small": "bad", "large": "good"}))
    assert told in installed.run("compare", *arguments, "--config", config, code=2).stderr
    assert not up.asked


def test_items_without_a_reference_are_left_out_and_none_left_is_told(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    config = str(write_config(tmp_path, up, {"small": "bad", "large": "good"}))
    rows = [{"id": "1", "text": "a", "reference": "a", "split": "prove"}, {"id": "2", "text": "b", "split": "prove"}]
    (tmp_path / "items.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert installed.json("compare", "echo", "--config", config)["items"] == 1
    (tmp_path / "items.jsonl").write_text(json.dumps(rows[1]))
    assert "has a reference" in installed.run("compare", "echo", "--config", config, code=2).stderr
    assert installed.json("compare", "echo", "--config", config, "--scorer", "regex:b")["items"] == 1


def test_a_run_goes_on_only_with_what_it_began_with(installed: Installed, up: ScriptedUpstream, tmp_path: Path) -> None:
    items = write_items(tmp_path / "items.jsonl", 2)
    config = str(write_config(tmp_path, up, {"small": "bad", "large": "good"}))
    run = installed.json("compare", "echo", "--config", config)["run"]
    resume = ("compare", "echo", "--config", config, "--run", run)
    assert "needs --rescore" in installed.run(*resume, "--scorer", "normalised", code=2).stderr
    write_config(tmp_path, up, {"small": "slow", "large": "good"})
    assert "small is not what it was (models (small))" in installed.run(*resume, code=2).stderr
    write_config(tmp_path, up, {"small": "bad", "large": "good"}, workflow="[workflow.criteria]\nmargin = 0.1")
    evidence_file = Path(installed.json(*resume)["evidence"])
    assert [one.criteria.margin for one in evidence.read(evidence_file).resealed] == [0.1]
    write_items(items, 3)
    assert "the data are not what they were" in installed.run(*resume, code=2).stderr


def test_what_costs_is_agreed_to_first(installed: Installed, up: ScriptedUpstream, tmp_path: Path) -> None:
    write_items(tmp_path / "items.jsonl", 4)
    price = 'price = { input_usd_per_mtok = "2000", output_usd_per_mtok = "10000" }'
    config = str(write_config(tmp_path, up, {"small": "bad", "large": f'good"\n{price}\nstrength = 1\nfamily = "x'}))
    told = installed.run("compare", "echo", "--config", config, code=2).stderr
    assert "large: 4 calls, about $" in told
    assert "nobody was asked: agree at the prompt, or say --yes" in told
    assert not up.asked
    assert installed.json("compare", "echo", "--config", config, "--yes")["subjects"][1]["cost_usd"] > 0


def test_who_may_answer_nothing_is_told_before_anybody_is_asked(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    write_items(tmp_path / "items.jsonl", 2)
    more = '[[rule]]\nname = "not-small"\nwhen = { model = ["small"] }\nthen = { deny = true }'
    config = str(write_config(tmp_path, up, {"small": "bad", "large": "good"}, more=more))
    assert "small may answer none of the items" in installed.run("compare", "echo", "--config", config, code=2).stderr
    assert not up.asked


def test_a_scorer_that_needs_no_reference_scores_the_same_items_and_a_repetition_is_told(
    installed: Installed, up: ScriptedUpstream, tmp_path: Path
) -> None:
    rows = [{"id": f"i{n}", "text": f"word {n}"} | ({"reference": f"word {n}"} if n % 2 else {}) for n in range(40)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    config = str(write_config(tmp_path, up, {"small": "bad?text=no", "large": "good"}))
    told = installed.json("compare", "echo", "--config", config)
    run = Path(told["evidence"])
    (run.parent / "looked").touch()
    again = installed.json("compare", "echo", "--config", config, "--rescore", "--scorer", "regex:word")
    assert (again["items"], again["subjects"][1]["quality"]["mean"]) == (told["items"], 1.0)
    assert Path(again["evidence"]).with_name("looked").exists(), "who has looked has looked"
    third = installed.json("compare", "echo", "--config", config)
    assert [evidence.read(Path(one["evidence"])).header.earlier for one in (told, again, third)] == [0, 0, 1]


def test_what_a_judge_costs_is_agreed_to_before(installed: Installed, up: ScriptedUpstream, tmp_path: Path) -> None:
    write_items(tmp_path / "items.jsonl", 40)
    price = "price = {input_usd_per_mtok = 2000, output_usd_per_mtok = 2000}"
    more = f'[[model]]\nid = "judge"\nendpoint = "up"\nfamily = "umpire"\nserved_name = "good"\n{price}'
    config = str(write_config(tmp_path, up, {"small": "bad?text=no", "large": "good"}, more=more))
    refused = installed.run("compare", "echo", "--config", config, "--judge", "judge", code=2)
    assert "judge, judging: 80 calls, about $" in refused.stderr and "--yes" in refused.stderr
    assert not up.asked
    installed.run("compare", "echo", "--config", config)
    asked = len(up.asked)
    refused = installed.run("compare", "echo", "--config", config, "--judge", "judge", "--resume", code=2)
    assert "80 calls" in refused.stderr
    assert len(up.asked) == asked
