"""A model on trial as an operator sees it: beside a running gateway, through a kill, to its promotion or its end."""

import json
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise.testing import ScriptedUpstream

CONFIG = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{url}"

[[endpoint]]
name = "out"
kind = "scripted"
tier = "frontier"
url = "{url}"

[[model]]
id = "old"
endpoint = "up"
served_name = "scripted-1"

[[model]]
id = "new"
endpoint = "up"
served_name = "scripted-1?fault={fault}"

[[model]]
id = "outside"
endpoint = "out"
served_name = "scripted-1"
price = {{ input_usd_per_mtok = "1", output_usd_per_mtok = "2" }}

[[workflow]]
name = "w"
candidates = ["old"]
trusted = ["old"]
{more}
"""


class Desk:
    """An operator with one workflow."""

    def __init__(self, installed: Installed, folder: Path, url: str) -> None:
        self.installed, self._folder, self._url = installed, folder, url

    def configure(self, fault: str = "none", more: str = "") -> None:
        path = self._folder / "tierwise.toml"
        path.write_text(CONFIG.format(url=self._url, fault=fault, more=more))
        self.installed.environment["TIERWISE_CONFIG"] = str(path)

    def rollout(self, *arguments: str, code: int = 0) -> Any:
        return self.installed.json("rollout", *arguments, code=code)

    def status(self) -> Any:
        (found,) = self.rollout("status", "w")
        return found


@pytest.fixture
def desk(installed: Installed, tmp_path: Path) -> Iterator[Desk]:
    with ScriptedUpstream.in_thread() as upstream:
        yield Desk(installed, tmp_path, upstream.url)


def ask(address: str, text: str) -> tuple[str, str]:
    """Return the decision and who answered."""
    body = json.dumps({"model": "auto:w", "messages": [{"role": "user", "content": text}]}).encode()
    request = urllib.request.Request(f"{address}/v1/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert json.loads(answer.read())["choices"][0]["message"]["content"]
        return answer.headers["x-tierwise-decision"], answer.headers["x-tierwise-attempts"]


def until(holds: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + 30
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def in_force(address: str, desk: Desk, arm: bool) -> None:
    """Wait until the gateway serves by the newest release."""

    def taken_up() -> bool:
        decision = desk.installed.json("show", ask(address, "hello")[0])
        return ("rollout" in decision) is arm

    until(taken_up)


def test_a_trial_that_is_proven_is_promoted_and_rolled_back_whole(desk: Desk, serve: Callable[..., str]) -> None:
    desk.configure()
    address = serve()
    made = desk.rollout("start", "w", "new", "--share", "0.5", "--margin", "0.3", "--why", "cheaper", "--by", "ann")
    assert (made["number"], made["why"], made["who"].startswith("ann, by ")) == (1, "cheaper", True)
    in_force(address, desk, arm=True)
    refused = desk.installed.run("rollout", "promote", "w", code=1)
    assert "not shown" in refused.stdout
    for number in range(80):
        ask(address, f"question {number}")
    found = desk.status()
    assert found["trial"]["state"] == "proven"
    assert (found["canary"]["share"], found["canary"]["model"]) == (0.5, "new")
    assert "shown to be good enough" in desk.installed.run("rollout", "status").stdout

    wider = desk.rollout("start", "w", "new", "--share", "0.75")
    assert desk.status()["canary"]["salt"] == found["canary"]["salt"], "who was drawn stays drawn"
    assert desk.status()["trial"]["state"] == "open", "a release begins anew"
    promoted = desk.rollout("promote", "w", "--unproven")
    assert (wider["number"], promoted["number"]) == (2, 3)
    bundle = desk.status()["bundle"]
    assert (bundle["first"], bundle["candidates"]) == ("new", ["old", "new"])
    in_force(address, desk, arm=False)
    assert desk.installed.json("show", ask(address, "x")[0])["chosen"] == "new"
    assert desk.installed.json("route", "hello", "--workflow", "w")["chosen"] == "new", "a dry run says it too"

    back = desk.installed.json("rollback", "w", "--why", "wrong language")
    assert (back["number"], back["replaces"]) == (4, 3)
    until(lambda: desk.installed.json("show", ask(address, "x")[0])["chosen"] == "old")
    assert desk.status()["bundle"]["first"] is None
    whole = desk.installed.json("rollback", "w", "3", "--why", "as it was")
    assert desk.status()["bundle"] == bundle
    assert whole["digest"] == promoted["digest"]
    file = desk.installed.json("rollback", "w", "0", "--why", "the file")
    assert file["digest"] is None
    assert [one["number"] for one in desk.status()["releases"]] == [6, 5, 4, 3, 2, 1]


def test_a_gateway_that_is_killed_in_the_middle_goes_on_with_the_trial_and_stops_what_does_harm(desk: Desk) -> None:
    desk.configure(fault="empty_content")
    desk.rollout("start", "w", "new", "--share", "0.5", "--margin", "0.05")
    process, address = desk.installed.start()
    before = [ask(address, f"question {number}")[1] for number in range(10)]
    process.kill()
    process.wait(20)
    assert process.stderr is not None
    process.stderr.close()
    counted = {one["measure"]: one for one in desk.status()["trial"]["compared"]}["failed"]
    assert counted["canary"]["n"] == before.count("2"), "every answer that was given is counted"

    process, address = desk.installed.start()
    try:
        until(lambda: [ask(address, f"question {n}") for n in range(20)] and desk.status()["canary"] is None)
        found = desk.status()
        assert found["releases"][0]["who"] == "Tierwise, by itself"
        (incident,) = desk.installed.json("incidents")
        assert incident["condition"] == "canary"
        assert (
            "was stopped"
            in desk.installed.run("incidents").stdout + desk.installed.run("incidents", "show", incident["id"]).stdout
        )
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()  # type: ignore[union-attr]


def test_what_may_not_be_is_refused_and_says_why(desk: Desk) -> None:
    desk.configure(more='label = "confidential"')
    run = desk.installed.run
    assert (
        "policy keeps outside from every call"
        in run("rollout", "start", "w", "outside", "--share", "0.1", code=2).stderr
    )
    assert (
        "policy keeps outside" in run("rollout", "start", "w", "outside", "--share", "0.1", "--shadow", code=2).stderr
    )
    assert "did you mean" in run("rollout", "start", "w", "nwe", "--share", "0.1", code=2).stderr
    for share in ("0", "1.5", "five", "-0.1", "nan", "inf"):
        assert "--share" in run("rollout", "start", "w", "new", f"--share={share}", code=2).stderr
    assert "nothing is on trial" in run("rollout", "stop", "w", code=2).stderr
    assert "nothing to promote" in run("rollout", "promote", "w", code=2).stderr
    assert "no release" in run("rollback", "w", "--why", "x", code=2).stderr
    assert "no workflow" in run("rollout", "status", "x", code=2).stderr
    assert desk.status()["releases"] == [], "nothing was released by any of this"
    desk.rollout("start", "w", "new", "--share", "0.1")
    desk.installed.run("rollout", "stop", "w")
    assert "compared with itself" in run("rollout", "start", "w", "old", "--share", "0.1", code=2).stderr
    desk.rollout("start", "w", "new", "--share", "0.1")
    assert "on trial in 'w' already" in run("rollout", "start", "w", "old", "--share", "0.1", code=2).stderr
    desk.rollout("stop", "w", "--why", "later")
    assert desk.status()["canary"] is None


def test_a_damaged_release_starts_nothing_and_can_be_rolled_back(desk: Desk) -> None:
    desk.configure()
    desk.rollout("start", "w", "new", "--share", "0.1")
    desk.rollout("start", "w", "new", "--share", "0.2")
    with sqlite3.connect(desk.installed.home / "ledger.sqlite") as db:
        db.execute("UPDATE releases SET body = x'7b7d' WHERE number = 2")
    db.close()
    done = desk.installed.run("serve", "--port", "0", code=2)
    assert "release 2 of the workflow 'w' is damaged" in done.stderr
    desk.installed.json("rollback", "w", "0", "--why", "it is damaged")
    process, address = desk.installed.start()
    try:
        assert ask(address, "hello")[1] == "1"
    finally:
        process.terminate()
        assert process.wait(20) == 0
        process.stderr.close()  # type: ignore[union-attr]


def test_what_is_said_of_an_answer_is_shown_with_it(desk: Desk, serve: Callable[..., str]) -> None:
    desk.configure()
    address = serve()
    ident, _ = ask(address, "hello")
    said = desk.installed.json(
        "feedback", ident[:20], "--wrong", "--seconds", "12", "--note", "in Latin", "--by", "ann"
    )
    assert (said["score"], said["note_kept"], said["who"].startswith("ann, by ")) == (0.0, False, True)
    desk.installed.run("feedback", ident, "--score", "0.75", "--review")
    shown = desk.installed.json("show", ident)
    assert (shown["feedback"]["score"], shown["review"]["state"], shown["review"]["score"]) == (0.0, "done", 0.75)
    assert "Feedback: 0" in desk.installed.run("show", ident).stdout
    assert desk.installed.json("log")[0]["feedback"] == shown["feedback"]
    desk.installed.run("audit", "verify")
    desk.installed.run("feedback", ident, code=2)
    desk.installed.run("feedback", "0" * 26, "--right", code=2)


def test_what_waits_for_a_person_is_reviewed_in_a_row(desk: Desk, serve: Callable[..., str]) -> None:
    more = (
        '[ledger]\nstore_content = "full"\n[[rule]]\nthen = { obligations = ["human_review"] }\nreason = "looked at"\n'
    )
    desk.configure(more=more)
    address = serve()
    idents = [ask(address, text)[0] for text in ("first", "second", "third")]
    done = desk.installed.run("review", "w", "--calls", "--json", stdin="right\ns\nwrong\n")
    shown = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [one["decision"] for one in shown] == idents, "oldest first"
    assert "second" in shown[1]["asked"]["the request"] and shown[1]["answer"]
    assert json.loads(done.stdout) == {"reviewed": 2, "waiting": 1}
    reviews = [desk.installed.json("show", ident)["review"] for ident in idents]
    assert [one["state"] for one in reviews] == ["done", "waiting", "done"]
    assert (reviews[0]["score"], reviews[2]["score"]) == (1.0, 0.0) and reviews[0]["seconds"] >= 0
    left = desk.installed.run("review", "--calls", "--json", "--limit", "5", stdin="")
    assert json.loads(left.stdout) == {"reviewed": 0, "waiting": 1}
    desk.installed.run("audit", "verify")
    desk.installed.run("review", "w", "--calls", "--reference", code=2)
