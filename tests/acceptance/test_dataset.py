"""Data sets as a user meets them: a report before money is spent, traffic as items, others' results as a run."""

import csv
import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise.cli.imports import results
from tierwise.evals import evidence
from tierwise.evals.data.read import read
from tierwise.testing import ScriptedUpstream

FILE = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{url}"

[[endpoint]]
name = "out"
kind = "openai"
key = "env:NOBODYS_KEY"

[[model]]
id = "small"
endpoint = "up"
served_name = "scripted-1"

[[model]]
id = "large"
endpoint = "out"
served_name = "gpt-large"
price = {{ input_usd_per_mtok = 2, output_usd_per_mtok = 10 }}

[[workflow]]
name = "support"
candidates = ["small"]
baseline = "large"
data = "messages.csv"

[workflow.criteria]
margin = 0.05

[ledger]
store_content = "full"
store_content_by_label = {{ restricted = "none" }}
"""
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def message(n: int) -> str:
    """Return a message that no other is like."""
    return " ".join(
        LETTERS[(n * k + k) % 26] * (3 + (n + k) % 5) + LETTERS[(n // 26 + k) % 26] * 4 for k in range(1, 9)
    )


@pytest.fixture
def configured(installed: Installed, tmp_path: Path) -> Installed:
    """A workflow with two models and 400 messages."""
    file = tmp_path / "tierwise.toml"
    file.write_text(FILE.format(url="http://127.0.0.1:9/v1"))
    installed.environment["TIERWISE_CONFIG"] = str(file)
    with (tmp_path / "messages.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("text", "category"))
        rows.writerows((message(n), f"class {n % 3}") for n in range(398))
        rows.writerow(("my card is 4539 1488 0343 6467 please help me with it", "class 1"))
        rows.writerow(("my card is 4539 1488 0343 6467  please help me with it!", "class 2"))
    return installed


def test_what_is_only_learned_from_is_not_among_the_calls(configured: Installed, tmp_path: Path) -> None:
    with (tmp_path / "messages.csv").open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(("text", "category", "split"))
        rows.writerows((message(n), f"class {n % 3}", ("train", "train", "tune", "prove")[n % 4]) for n in range(200))
    assert {one["calls"] for one in configured.json("dataset", "report", "support")["models"]} == {100}
    assert "the 100 items of train are not asked" in configured.run("dataset", "report", "support").stdout


def test_a_report_says_what_the_data_hold_what_they_cost_and_whether_they_will_do(configured: Installed) -> None:
    found = configured.json("dataset", "report", "support")
    data = found["data"]
    assert (data["rows"], data["reference"], data["classes"]["count"], data["clusters"]) == (400, "category", 3, 399)
    assert {name: one["items"] for name, one in data["personal"].items()} == {"card": 2}
    small, large = found["models"]
    assert (small["calls"], small["expected_usd"], small["denied"]) == (400, 0, 0)
    assert (large["calls"], large["denied"]) == (398, 2), "what detectors find may not go outside"
    assert 0 < large["expected_usd"] < large["worst_usd"]
    assert large["expected_usd"] == pytest.approx(large["input_tokens"] * 2e-6 + 398 * 256 * 10e-6)
    assert found["context"]["parts"] == [
        {"part": "fields", "tokens": found["context"]["parts"][0]["tokens"], "share": 1}
    ]
    assert [(one["needed"], one["enough"]) for one in found["needs"]][:2] == [(248, True), (495, False)]
    told = configured.run("dataset", "report", "support").stdout
    assert "400 items" in told and "card in 2 (confidential)" in told and "too few" in told
    assert "6467" not in told + json.dumps(found)


def test_data_that_would_prove_nothing_are_an_error_with_its_mend(installed: Installed, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"{message(n)},yes\n" for n in range(100)))
    told = installed.run("dataset", "report", str(path), code=1).stdout
    assert "ERROR: every reference is 'yes'" in told
    assert "two or more classes" in told
    for text, why in (("", "holds no rows"), ("text,label\nx,a,b\n", "line 2: 3 cells")):
        path.write_text(text)
        assert why in installed.run("dataset", "report", str(path), code=2).stderr
    assert "no file and no workflow 'suport'" in installed.run("dataset", "report", "suport", code=2).stderr


def test_an_item_is_added_from_words_or_standard_input_and_once(configured: Installed, tmp_path: Path) -> None:
    told = configured.run("dataset", "add", "support", "--input", "where is it?", "--expected", "class 1").stdout
    assert "one of 401 items" in told
    item = json.dumps({"input": "-- it's\n here", "reference": "class 2"})
    made = json.loads(configured.run("dataset", "add", "--item", "-", "--json", "--", "support", stdin=item).stdout)
    items = read(tmp_path / "messages.csv").items
    assert made["item"]["id"] == items[-1].id and items[-1].fields == {"text": "-- it's\n here"}
    again = configured.run("dataset", "add", "--item", "-", "support", stdin=item, code=2).stderr
    assert "asks the same, with the same answer" in again
    assert "no item" in configured.run("dataset", "add", "--item", "-", "support", stdin="{}x", code=2).stderr
    assert "--input or --item" in configured.run("dataset", "add", "support", code=2).stderr


@pytest.fixture
def recorded(installed: Installed, tmp_path: Path, serve: Callable[..., str]) -> Iterator[Installed]:
    """A gateway that has answered eight calls of three labels, in two sessions, on two wires."""
    with ScriptedUpstream.in_thread(models=("scripted-1",)) as upstream:
        file = tmp_path / "tierwise.toml"
        file.write_text(FILE.format(url=upstream.url))
        installed.environment["TIERWISE_CONFIG"] = str(file)
        address = serve()
        for n in range(6):
            label = "confidential" if n == 5 else "restricted" if n == 4 else "internal"
            body = {"model": "small", "messages": [{"role": "user", "content": f"wombat {n}"}], "max_tokens": 9}
            post(f"{address}/v1/chat/completions", body, f"s{n % 2}", label)
        said = {
            "model": "small",
            "max_tokens": 9,
            "system": "Be kind.",
            "messages": [{"role": "user", "content": "koala"}],
        }
        post(f"{address}/v1/messages", said, "s7", "internal")
        post(
            f"{address}/v1/chat/completions",
            {"model": "small", "messages": said["messages"]},
            "compare:r:1",
            "internal",
        )
        yield installed


def post(url: str, body: dict[str, Any], session: str, label: str) -> None:
    head = {
        "content-type": "application/json", "x-tierwise-session": session, "x-tierwise-label": label,
        "x-tierwise-workflow": "support", "anthropic-version": "2023-06-01",
    }  # fmt: skip
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), head), timeout=30) as answer:
        assert answer.status == 200


def test_traffic_becomes_items_within_the_label_and_what_is_left_out_is_said(
    recorded: Installed, tmp_path: Path
) -> None:
    out = tmp_path / "items.jsonl"
    told = recorded.json("dataset", "from-log", "support", "--out", str(out))
    assert (told["items"], told["calls"]) == (5, 8)
    assert told["left_out"] == {
        "its content was not kept": 1,
        "labelled confidential, which is above internal": 1,
        "asked by a comparison": 1,
    }
    assert out.stat().st_mode & 0o077 == 0
    assert "wombat 4" not in out.read_text() and "wombat 5" not in out.read_text()
    found = read(out)
    by_text = {one.fields["messages"][-1]["content"]: one for one in found.items}
    assert by_text["wombat 0"].fields == {"messages": [{"role": "user", "content": "wombat 0"}], "max_tokens": 9}
    assert by_text["wombat 0"].cluster == by_text["wombat 2"].cluster == "session:s0"
    assert by_text["wombat 0"].label == "internal"
    koala = by_text["koala"].fields["messages"]
    assert [one["role"] for one in koala] == ["system", "user"], "another wire is told in the words of this one"
    assert "--force" in recorded.run("dataset", "from-log", "support", "--out", str(out), code=2).stderr
    more = recorded.json("dataset", "from-log", "support", "--label", "restricted", "--out", str(out), "--force")
    assert more["items"] == 6, "what was not to be kept is not there at any label"


def test_a_workflow_without_kept_content_says_how_to_keep_it(recorded: Installed, tmp_path: Path) -> None:
    out = tmp_path / "items.jsonl"
    asked = ("dataset", "from-log", "support", "--label", "public", "--out", str(out))
    assert "store_content" in recorded.run(*asked, code=2).stderr
    assert not out.exists()


def promptfoo(tmp_path: Path) -> Path:
    rows = []
    for n in range(30):
        for name in ("small", "big"):
            right = name == "big" or n % 3 > 0
            row: dict[str, Any] = {
                "vars": {"text": message(n)}, "testIdx": n, "promptIdx": 0, "provider": {"id": f"openai:{name}", "label": name},
                "testCase": {"vars": {"text": message(n)}, "assert": [{"type": "equals", "value": f"class {n % 3}"}]},
                "response": {"output": "x", "tokenUsage": {"prompt": 10, "completion": 3}}, "latencyMs": 50 + n,
                "success": right, "score": 1 if right else 0, "namedScores": {"kind": 0.5}, "cost": 0.0001, "failureReason": 0,
            }  # fmt: skip
            if n == 0 and name == "small":
                row |= {"error": "Request timed out after 300s", "failureReason": 2, "response": {}, "score": 0}
            rows.append(row)
    path = tmp_path / "results.json"
    path.write_text(json.dumps({"evalId": "e", "results": {"version": 3, "results": rows, "stats": {}}}))
    return path


def inspect(tmp_path: Path, model: str) -> Path:
    samples = [
        {
            "id": n, "epoch": epoch, "input": message(n), "target": ["yes"], "total_time": 0.5,
            "scores": {"match": {"value": "C" if (n + epoch) % 4 else "I", "answer": "yes"}},
            "output": {"model": f"{model}-1", "choices": [{"stop_reason": "max_tokens" if n == 3 else "stop"}]},
            "model_usage": {model: {"input_tokens": 7, "output_tokens": 2}},
        }
        for n in range(20) for epoch in (1, 2)
    ]  # fmt: skip
    path = tmp_path / f"{model}.json"
    path.write_text(
        json.dumps({"version": 2, "status": "success", "eval": {"task": "t", "model": model}, "samples": samples})
    )
    return path


def lm_eval(tmp_path: Path, model: str) -> Path:
    path = tmp_path / f"org__{model}" / "samples_cards_2026-11-20T10-00-00.123456.jsonl"
    path.parent.mkdir()
    lines = [
        {
            "doc_id": n, "doc": {"q": n}, "target": str(n % 2), "filter": kind, "metrics": ["acc"], "acc": float(n % 4 > 0),
            "arguments": {"gen_args_0": {"arg_0": message(n), "arg_1": " no"}, "gen_args_1": {"arg_0": message(n), "arg_1": " yes"}},
            "resps": [], "filtered_resps": [],
        }
        for kind in ("none", "strict") for n in range(20)
    ]  # fmt: skip
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def imported(configured: Installed, tmp_path: Path, *files: Path, baseline: str) -> tuple[Any, evidence.Evidence]:
    out = tmp_path / "items.jsonl"
    told = configured.json(
        "dataset", "import", *map(str, files), "--out", str(out), "--workflow", "support", "--baseline", baseline
    )  # fmt: skip
    found = evidence.read(Path(told["run"]) / "evidence.jsonl")
    items = read(out)
    assert found.header.dataset == items.digest
    assert {one.item for one in found.observations} == {one.id for one in items.items}
    assert found.header.subjects[-1].name == found.header.baseline == baseline
    return told, found


def test_results_of_promptfoo_become_items_and_a_run(configured: Installed, tmp_path: Path) -> None:
    told, found = imported(configured, tmp_path, promptfoo(tmp_path), baseline="big")
    assert (told["items"], told["subjects"], told["results"]) == (30, ["small", "big"], 60)
    late = [one for one in found.observations if one.outcome != "answered"]
    assert [(one.subject, one.outcome, one.score) for one in late] == [("small", "timeout", None)]
    small = [one.score for one in found.observations if one.subject == "small" and one.score is not None]
    assert (len(small), sum(small)) == (29, 20)
    one = found.observations[-1]
    assert (one.duration_ms, one.input_tokens, str(one.cost_usd), one.scores) == (79, 10, "0.0001", {"kind": 0.5})
    assert found.header.seal.ts >= found.header.began, "no seal says that the criteria came first"


def test_logs_of_inspect_become_items_and_a_run_with_repeats(configured: Installed, tmp_path: Path) -> None:
    logs = (inspect(tmp_path, "small"), inspect(tmp_path, "big"))
    told, found = imported(configured, tmp_path, *logs, baseline="big")
    assert (told["items"], told["results"], found.header.repeats, found.header.metric) == (20, 80, 2, "match")
    cut = {one.item for one in found.observations if one.outcome == "truncated"}
    assert cut == {"3"}
    assert read(tmp_path / "items.jsonl").items[0].reference == "yes"


def test_samples_of_the_harness_become_items_and_a_run(configured: Installed, tmp_path: Path) -> None:
    told, found = imported(configured, tmp_path, lm_eval(tmp_path, "a"), lm_eval(tmp_path, "b"), baseline="org/b")
    assert (told["items"], told["subjects"], found.header.metric) == (20, ["org/a", "org/b"], "acc")
    item = read(tmp_path / "items.jsonl").items[0]
    assert (item.id, item.reference, item.fields["choices"]) == ("cards:0", "no", [" no", " yes"])
    assert any("strict" in note for note in told["notes"])


def test_what_is_no_results_file_is_refused(configured: Installed, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"a": 1}')
    out = str(tmp_path / "items.jsonl")
    refused = configured.run("dataset", "import", str(other), "--out", out, code=2).stderr
    assert all(tool in refused for tool in results.TOOLS.values())
    both = configured.run(
        "dataset", "import", str(promptfoo(tmp_path)), str(inspect(tmp_path, "m")), "--out", out, code=2
    )
    assert "one tool at a time" in both.stderr
    alone = ("dataset", "import", str(promptfoo(tmp_path)), "--out", out, "--workflow", "support")
    assert "--baseline" in configured.run(*alone, code=2).stderr
    assert not Path(out).exists()
