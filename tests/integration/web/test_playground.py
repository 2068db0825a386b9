"""The playground of a running gateway: who can be asked, votes in the ledger, test cases in a workflow's data."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import opened_door, until
from tests.integration.web.test_pages import Browser
from tierwise import config
from tierwise.evals.data.read import read
from tierwise.testing import ScriptedUpstream
from tierwise.web.votes import VOTE

WRITTEN = """
[[endpoint]]
name = "here"
kind = "scripted"
url = "{url}"

[[model]]
id = "small"
endpoint = "here"
served_name = "m"

[[model]]
id = "large"
endpoint = "here"
served_name = "m"

[[workflow]]
name = "sorting"
data = "sorting.jsonl"
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("playground")


@pytest.fixture(scope="module")
def play(home: Path, upstream: ScriptedUpstream) -> Iterator[Browser]:
    (home / "tierwise.toml").write_text(WRITTEN.format(url=upstream.url))
    with opened_door(config.load(home / "tierwise.toml", environ={"TIERWISE_HOME": str(home)}), upstream) as door:
        yield Browser(door)


def asked(play: Browser, model: str) -> str:
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "one two"}]})
    head = {"content_type": "application/json", "x_tierwise_token": play.token()}
    status, answered, _ = play.ask("POST", "/ui/v1/chat/completions", body, **head)
    assert status == 200
    return answered["x-tierwise-decision"]


def vote(play: Browser, ident: str, others: list[str], score: float) -> None:
    body = json.dumps({"decision": ident, "score": score, "who": f"{VOTE} {' '.join(others)}"})
    head = {"content_type": "application/json", "x_tierwise_token": play.token()}
    assert until(lambda: play.ask("POST", "/ui/v1/feedback", body, **head)[0] == 200)


def test_everybody_who_can_be_asked_can_be_chosen(play: Browser) -> None:
    status, _, page = play.get("/ui/playground?with=large&with=small")
    assert status == 200
    for name in ("auto", "auto:sorting", "tier:local", "small", "large"):
        assert f'<option value="{name}">' in page
    assert '"columns": ["large", "small"]' in page and "No model can be asked yet" not in page


def test_a_vote_is_feedback_on_each_decision_and_is_counted_for_who_answered(play: Browser) -> None:
    assert "Nobody voted" in play.get("/ui/playground/votes")[2]
    one, other = asked(play, "large"), asked(play, "small")
    vote(play, one, [other], 1)
    assert "Nobody voted" in play.get("/ui/playground/votes")[2], "half a vote is none"
    vote(play, other, [one], 0)
    told = " ".join(play.get("/ui/playground/votes")[2].split())
    assert "1 vote of" in told and '<th scope="row">large</th><td>small</td><td class="n">1</td>' in told
    record = json.loads(play.get(f"/ui/v1/decisions/{one}")[2])
    assert record["feedback"]["score"] == 1


def test_a_test_case_goes_into_the_data_of_its_workflow_once(play: Browser, home: Path) -> None:
    item = json.dumps({"input": "--config /etc/passwd <b>", "reference": "it's\nright"})
    fields = {"workflow": "sorting", "item": item, "token": play.token()}
    status, _, told = play.post("/ui/playground/keep", fields)
    assert status == 200 and "sorting.jsonl" in told and "tierwise dataset add --item - -- sorting" in told
    assert "<b>" not in told
    (kept,) = read(home / "sorting.jsonl").items
    assert (kept.fields, kept.reference) == ({"text": "--config /etc/passwd <b>"}, "it's\nright")
    assert "asks the same" in play.post("/ui/playground/keep", fields)[2]
    assert "no workflow" in play.post("/ui/playground/keep", {**fields, "workflow": "elsewhere"})[2]
    assert len(read(home / "sorting.jsonl").items) == 1


def test_a_test_case_is_kept_for_nobody_without_the_pages_token(play: Browser, home: Path) -> None:
    fields = {"workflow": "sorting", "item": json.dumps({"input": "another one", "reference": "x"})}
    assert play.post("/ui/playground/keep", fields)[0] == 403
    assert play.post("/ui/playground/keep", {**fields, "token": "0" * 64})[0] == 403
    assert play.post("/ui/playground/keep", {**fields, "token": play.token()}, origin="http://evil.example")[0] == 403
    assert play.ask("POST", "/ui/playground/keep", json.dumps(fields), content_type="application/json")[0] == 415


def test_a_module_that_another_imports_is_asked_for_again_after_an_update(play: Browser) -> None:
    status, head, text = play.get("/ui/static/markdown.js")
    assert status == 200 and head["cache-control"] == "no-cache" and head["content-type"].startswith("text/javascript")
    assert "export function render" in text
    assert "immutable" in play.get("/ui/static/playground.js?v=1")[1]["cache-control"]


def test_an_empty_installation_says_what_makes_it_come_alive(tmp_path: Path, upstream: ScriptedUpstream) -> None:
    (tmp_path / "tierwise.toml").write_text("")
    with opened_door(
        config.load(tmp_path / "tierwise.toml", environ={"TIERWISE_HOME": str(tmp_path)}), upstream
    ) as door:
        status, _, page = Browser(door).get("/ui/playground")
        assert status == 200 and "No model can be asked yet" in page and "There is no workflow yet" in page
        assert "Nobody voted" in Browser(door).get("/ui/playground/votes")[2]


def test_a_test_case_goes_into_no_file_but_that_of_a_workflow(play: Browser, tmp_path: Path) -> None:
    for name in (str(tmp_path / "made.jsonl"), "~/made.jsonl", "made.jsonl"):
        fields = {"workflow": name, "item": json.dumps({"input": "x", "reference": "y"}), "token": play.token()}
        assert "there is no workflow" in play.post("/ui/playground/keep", fields)[2]
    assert not (tmp_path / "made.jsonl").exists() and not Path("made.jsonl").exists()
