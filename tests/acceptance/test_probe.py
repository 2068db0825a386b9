"""`tierwise doctor --probe` as a user runs it: what it says, whom it asks, and what every other command then knows."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise.testing import ScriptedUpstream

ROWS = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{url}"

[[endpoint]]
name = "gone"
kind = "scripted"
url = "http://127.0.0.1:9/v1"

[[endpoint]]
name = "outside"
kind = "scripted"
tier = "frontier"
url = "{url}"

[[model]]
id = "good"
endpoint = "up"
served_name = "scripted-1"
context_tokens = 4000

[[model]]
id = "damaged"
endpoint = "up"
served_name = "scripted-1?ignores=tools"
context_tokens = 4000

[[model]]
id = "dead"
endpoint = "gone"

[[model]]
id = "dead-too"
endpoint = "gone"

[[model]]
id = "far"
endpoint = "outside"
served_name = "scripted-1?text=far"
context_tokens = 4000
price = {{ input_usd_per_mtok = "100", output_usd_per_mtok = "200" }}
"""


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread() as running:
        yield running


@pytest.fixture(autouse=True)
def rows(installed: Installed, upstream: ScriptedUpstream, tmp_path: Path) -> None:
    path = tmp_path / "tierwise.toml"
    path.write_text(ROWS.format(url=upstream.url))
    installed.environment["TIERWISE_CONFIG"] = str(path)


def asked(upstream: ScriptedUpstream) -> set[str]:
    return {json.loads(request.body)["model"] for request in upstream.asked}


def findings(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in rows}


def test_it_says_what_it_takes_asks_this_machine_only_and_every_command_knows(
    installed: Installed, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    first = installed.run("doctor", "--probe", "--json", code=1)
    assert "scripted-1?text=far" not in asked(upstream)
    assert "far: skipped: outside this machine" in first.stderr
    assert "$" in next(line for line in first.stderr.splitlines() if line.startswith("far "))
    assert "dead: skipped: Unreachable" in first.stderr
    assert "dead-too: skipped: Unreachable" in first.stderr
    found = findings(json.loads(first.stdout))
    assert found["probe good"]["well"]
    assert not found["probe damaged"]["well"]
    assert "tools ignored on chat" in found["probe damaged"]["detail"]
    assert not found["probe dead-too"]["well"]
    assert "not done: Unreachable" in found["probe dead-too"]["detail"]
    assert found["probes"]["detail"].startswith("1 of 5 models not probed yet")

    models = {row["model"]: row for row in installed.json("models")}
    assert "tools" in models["good"]["capabilities"]
    assert "tools" not in models["damaged"]["capabilities"]
    assert models["damaged"]["probe"]["at"].startswith("20")
    assert models["far"]["probe"] is None
    assert "tools ignored (probe of 20" in installed.run("models").stdout

    body = tmp_path / "body.json"
    tool = {"type": "function", "function": {"name": "look"}}
    body.write_text(json.dumps({"model": "damaged", "messages": [{"role": "user", "content": "x"}], "tools": [tool]}))
    decided = installed.json("route", "--request", str(body), code=3)
    assert "cannot do tools: tools ignored on chat, as the probe of 20" in decided["candidates"][0]["reason"]

    upstream.received.clear()
    again = installed.run("doctor", "--probe", code=1)
    assert not upstream.asked
    assert "good" not in again.stderr
    installed.run("doctor", "--probe", "good", code=1)
    assert asked(upstream) == {"scripted-1"}


def test_what_lies_outside_is_asked_with_leave(installed: Installed, upstream: ScriptedUpstream) -> None:
    refused = installed.run("doctor", "--probe", "far", code=2)
    assert "nothing was sent: agree at the prompt, or say --yes" in refused.stderr
    assert not upstream.asked
    installed.run("doctor", "--probe", "far", "--yes", code=1)
    assert asked(upstream) == {"scripted-1?text=far"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--probe", "goood"), "did you mean 'good'?"),
        (("good",), "for --probe only"),
        (("--probe", "--probe-tokens", "1"), "256"),
    ],
)
def test_wrong_use_is_said_and_nothing_is_sent(
    installed: Installed, upstream: ScriptedUpstream, arguments: tuple[str, ...], says: str
) -> None:
    assert says in installed.run("doctor", *arguments, code=2).stderr
    assert not upstream.asked


def test_a_changed_row_is_shown_as_stale_and_a_broken_file_is_said(installed: Installed) -> None:
    installed.run("doctor", "--probe", "damaged", code=1)
    path = Path(installed.environment["TIERWISE_CONFIG"])
    path.write_text(path.read_text().replace("?ignores=tools", ""))
    found = findings(installed.json("doctor", code=1))
    assert "no longer counts: the endpoint's or the model's row has changed" in found["probe damaged"]["detail"]
    models = {row["model"]: row for row in installed.json("models")}
    assert "tools" in models["damaged"]["capabilities"]
    (installed.home / "probes.json").write_text("{")
    assert "remove it, then probe again" in installed.run("models", code=2).stderr
    assert "remove it, then probe again" in findings(installed.json("doctor", code=1))["configuration"]["detail"]


def test_a_model_that_answers_under_another_name_by_now_is_not_judged_by_the_old_result(installed: Installed) -> None:
    installed.run("doctor", "--probe", "damaged", code=1)
    kept = installed.home / "probes.json"
    installed.run("ask", "hello", "--model", "damaged")
    assert not findings(installed.json("doctor", code=1))["probe damaged"]["well"]
    kept.write_text(kept.read_text().replace('"served_model": "scripted-1"', '"served_model": "scripted-0"'))
    found = findings(installed.json("doctor", code=1))
    assert "its answers came from scripted-0, and come from scripted-1 by now" in found["probe damaged"]["detail"]
    models = {row["model"]: row for row in installed.json("models")}
    assert "tools" in models["damaged"]["capabilities"]
