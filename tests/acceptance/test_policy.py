"""Releases of the policy as an operator makes them, beside a running gateway and without one."""

import json
import sqlite3
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import COMMAND, Installed
from tests.acceptance.test_keys import asked
from tierwise.testing import ScriptedUpstream

MODELS = """
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
id = "small"
endpoint = "up"
served_name = "scripted-1"

[[model]]
id = "large"
endpoint = "out"
served_name = "scripted-1"
price = {{ input_usd_per_mtok = "1", output_usd_per_mtok = "2" }}
"""
INSIDE = '[[rule]]\nname = "inside"\nwhen.tier = "frontier"\nthen.deny = true\nreason = "nothing goes out"\n'


class Desk:
    """An operator's files: the configuration in use, and policies beside it."""

    def __init__(self, installed: Installed, folder: Path, models: str) -> None:
        self.installed, self.folder, self.models = installed, folder, models
        self.own = self.file("tierwise", "")
        installed.environment["TIERWISE_CONFIG"] = str(self.own)

    def file(self, name: str, policy: str) -> Path:
        path = self.folder / f"{name}.toml"
        path.write_text(policy + self.models)
        return path

    def policy(self, *arguments: str, code: int = 0) -> Any:
        return self.installed.json("policy", *arguments, code=code)

    def release_in_force(self) -> int | None:
        found = self.policy("show")["release"]
        return None if found is None else int(found["number"])

    def damage(self, number: int) -> None:
        with sqlite3.connect(self.installed.home / "ledger.sqlite") as db:
            db.execute("UPDATE releases SET body = x'7b7d' WHERE number = ?", (number,))
        db.close()


@pytest.fixture
def desk(installed: Installed, tmp_path: Path) -> Iterator[Desk]:
    with ScriptedUpstream.in_thread() as upstream:
        yield Desk(installed, tmp_path, MODELS.format(url=upstream.url))


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not wanted():
        assert time.monotonic() < deadline


def test_a_policys_whole_life_beside_a_running_gateway(desk: Desk, serve: Callable[..., str]) -> None:
    address = serve()
    assert asked(address, None, "large")[0] == 200
    strict = desk.file("strict", INSIDE)

    shown = desk.policy("diff", str(strict))
    assert (shown["widens"], shown["decisions"], shown["kinds"]["refused"]) == (False, 1, 1)
    assert [change["text"] for change in shown["changes"]] == ["rule inside is new: tier frontier → deny"]
    assert asked(address, None, "large")[0] == 200, "comparing releases nothing"

    made = desk.policy("apply", str(strict), "--why", "nothing goes out", "--by", "the board")["release"]
    assert (made["number"], made["why"], made["replaces"]) == (1, "nothing goes out", None)
    assert made["who"].startswith("the board, by ")
    until(lambda: asked(address, None, "large")[0] == 403)
    status, body = asked(address, None, "large")
    assert (status, "nothing goes out" in body["error"]["message"]) == (403, True)
    assert asked(address, None, "small")[0] == 200

    refused = desk.installed.run("policy", "rollback", "--why", "it is needed", code=1)
    assert "--widen" in refused.stderr
    assert "large (frontier), a tier farther out" in refused.stdout
    assert asked(address, None, "large")[0] == 403, "nothing widens unasked"
    back = desk.policy("rollback", "--why", "it is needed", "--widen")
    assert (back["release"]["number"], back["release"]["detached"]) == (2, True)
    until(lambda: asked(address, None, "large")[0] == 200)

    again = desk.policy("rollback", "1", "--why", "as before")["release"]
    assert (again["digest"], again["replaces"]) == (made["digest"], 2)
    until(lambda: asked(address, None, "large")[0] == 403)
    assert [row["number"] for row in desk.policy("list")] == [3, 2, 1]
    assert "as before" in desk.installed.run("policy", "list").stdout


def test_a_release_wins_over_the_file_until_it_is_detached_and_every_command_says_so(
    desk: Desk, serve: Callable[..., str]
) -> None:
    desk.policy("apply", str(desk.file("strict", INSIDE)), "--why", "inside")
    run = desk.installed.run
    for arguments in (("config", "show"), ("doctor",)):
        said = " ".join(run(*arguments).stdout.split())
        assert "release 1 of the policy is in force, not [labels] and [[rule]] of" in said
        assert "policy detach" in said
    assert (
        desk.installed.json("route", "hi", "--model", "large", code=3)["candidates"][0]["excluded_by"] == "rule:inside"
    )
    rows = {row["key"]: row["source"] for row in desk.installed.json("config", "show")}
    assert rows["rule.inside.then.deny"] == "release 1"
    address = serve()
    assert asked(address, None, "large")[0] == 403, "a restart keeps the release"
    desk.policy("detach", "--why", "the file is enough", "--widen")
    until(lambda: asked(address, None, "large")[0] == 200)
    assert "in force, not" not in run("config", "show").stdout
    shown = desk.policy("show")
    assert (shown["source"], shown["differs_from_file"]) == (str(desk.own), False)


def test_the_start_says_that_the_file_is_not_in_force(desk: Desk) -> None:
    desk.policy("apply", str(desk.file("strict", INSIDE)), "--why", "inside")
    process = subprocess.Popen(
        [str(COMMAND), "serve", "--port", "0"], stderr=subprocess.PIPE, text=True, env=desk.installed.environment
    )
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if "Stop with" in line:
            break
    process.terminate()
    process.stderr.close()
    assert process.wait(20) == 0
    assert "release 1 of the policy is in force, not [labels] and [[rule]]" in "".join(said)


def test_a_release_that_widens_needs_to_be_meant(desk: Desk) -> None:
    loose = desk.file("loose", '[labels]\nceilings = { confidential = "frontier" }\ndetectors = { card = "off" }\n')
    shown = desk.policy("diff", str(loose), code=1)
    assert shown["widens"]
    assert {opening["text"] for opening in shown["openings"]} == {
        "confidential data may go to large (frontier), a tier farther out than before"
    }
    assert [change["loosens"] for change in shown["changes"]] == [False, True]
    assert desk.policy("apply", str(loose), "--why", "x", code=1)["refused"] is True
    assert desk.policy("list") == []
    assert desk.policy("apply", str(loose), "--why", "x", "--widen")["release"]["number"] == 1
    assert desk.policy("apply", str(loose), "--why", "x")["unchanged"] is True, "what is in force is not released again"
    assert desk.policy("diff", "1", "--against", "1")["changes"] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("diff", "nowhere.toml"), "no configuration file"),
        (("diff", "7"), "no release 7"),
        (("diff", "{own}", "--against", "7"), "no release 7"),
        (("diff", "{own}", "--since", "often"), "12h"),
        (("apply", "{own}"), "--why"),
        (("apply", "{own}", "--why", " "), "--why"),
        (("apply", "{broken}", "--why", "x"), "less sensitive"),
        (("apply", "{unknown}", "--why", "x"), "unknown key"),
        (("apply", "{pattern}", "--why", "x"), "odd"),
        (("rollback", "--why", "x"), "no release"),
        (("rollback", "7", "--why", "x"), "policy list"),
        (("show", "7"), "policy list"),
        (("show", "last"), "[N]"),
    ],
)
def test_what_is_wrong_is_said_and_releases_nothing(desk: Desk, arguments: tuple[str, ...], told: str) -> None:
    files = {
        "own": desk.own,
        "broken": desk.file("broken", '[labels]\nceilings = { public = "local" }\n'),
        "unknown": desk.file("unknown", "[labels]\nceiling = 1\n"),
        "pattern": desk.file("pattern", '[labels.patterns.odd]\npattern = "("\n'),
    }
    said = desk.installed.run("policy", *(one.format(**files) for one in arguments), code=2)
    assert told in said.stderr
    assert not (desk.installed.home / "ledger.sqlite").exists()


def test_a_damaged_release_stops_a_start_and_another_one_mends_it(desk: Desk, serve: Callable[..., str]) -> None:
    strict = desk.file("strict", INSIDE)
    desk.policy("apply", str(strict), "--why", "first")
    desk.policy("rollback", "--why", "second", "--widen")
    desk.policy("rollback", "1", "--why", "third")
    desk.damage(3)
    assert "DAMAGED" in desk.installed.run("policy", "list").stdout
    found = {row["what"]: row for row in desk.installed.json("doctor", code=1)}
    assert not found["policy"]["well"]
    assert "policy rollback" in found["policy"]["mend"]
    assert "release 3 of the policy is damaged" in desk.installed.run("serve", "--port", "0", code=2).stderr
    assert "damaged" in desk.installed.run("policy", "rollback", "3", "--why", "x", code=2).stderr
    made = desk.policy("rollback", "1", "--why", "mended", "--widen")["release"]
    assert (made["number"], desk.release_in_force()) == (4, 4)
    assert asked(serve(), None, "large")[0] == 403


def test_a_gateway_says_that_it_does_not_have_the_newest(desk: Desk, serve: Callable[..., str]) -> None:
    address = serve()
    with sqlite3.connect(desk.installed.home / "ledger.sqlite") as db:
        db.execute("INSERT INTO releases VALUES ('policy', 1, 'sha256:0', x'7b7d', 'w', 'y', 0.0, NULL)")
    db.close()
    until(lambda: "not in force" in ready(address).get("warning", ""))
    assert asked(address, None, "large")[0] == 200
    desk.policy("detach", "--why", "mend")
    until(lambda: "warning" not in ready(address))


def test_a_variable_that_overrides_labels_here_is_not_released(desk: Desk) -> None:
    desk.installed.environment["TIERWISE_LABELS_DEFAULT"] = "restricted"
    desk.policy("apply", str(desk.file("strict", INSIDE)), "--why", "x", "--widen")
    assert desk.policy("show")["policy"]["labels"]["default"] == "internal"


def ready(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(address + "/readyz", timeout=5) as answer:
        return json.loads(answer.read())  # type: ignore[no-any-return]
