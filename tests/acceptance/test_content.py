"""Kept content as an operator meets it: what is kept, shown on demand, exported, erased; the records stay."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installed
from tierwise.testing import ScriptedUpstream

FILE = """
[[endpoint]]
name = "up"
kind = "scripted"
url = "{url}"

[[model]]
id = "small"
endpoint = "up"
served_name = "scripted-1"

[ledger]
store_content = "full"
content_keep = "30d"
store_content_by_label = {{ restricted = "none" }}
"""


@pytest.fixture
def kept(installed: Installed, tmp_path: Path) -> Iterator[tuple[Installed, list[str]]]:
    """A gateway that keeps content, still running, and the ids of three calls in two sessions."""
    with ScriptedUpstream.in_thread(models=("scripted-1",)) as upstream:
        file = tmp_path / "tierwise.toml"
        file.write_text(FILE.format(url=upstream.url))
        installed.environment["TIERWISE_CONFIG"] = str(file)
        process, address = installed.start()
        idents = []
        for session, text in (("one", "first wombat"), ("one", "second wombat"), ("two", "third wombat")):
            body = json.dumps({"model": "small", "messages": [{"role": "user", "content": text}]}).encode()
            head = {"content-type": "application/json", "x-tierwise-session": session}
            with urllib.request.urlopen(
                urllib.request.Request(f"{address}/v1/chat/completions", body, head), timeout=30
            ) as answer:
                idents.append(answer.headers["x-tierwise-decision"])
        try:
            yield installed, idents
        finally:
            process.terminate()
            process.wait(20)
            assert process.stderr is not None
            process.stderr.close()


def test_content_is_shown_where_it_is_asked_for_and_nowhere_else(kept: tuple[Installed, list[str]]) -> None:
    installed, (ident, *_) = kept
    for command in (
        ("show", ident),
        ("show", ident, "--json"),
        ("log",),
        ("log", "--json"),
        ("export", "--jsonl", "-"),
    ):
        assert "wombat" not in installed.run(*command).stdout
    told = installed.run("show", ident, "--content").stdout
    assert "first wombat" in told
    assert "it is what was recorded" in told
    shown = installed.json("show", ident, "--content")
    assert json.loads(shown["kept_content"]["request"])["messages"][0]["content"] == "first wombat"
    lines = [json.loads(line) for line in installed.run("export", "--jsonl", "-", "--content").stdout.splitlines()]
    assert ["third wombat" in line["kept_content"]["answer"] for line in lines] == [False, False, True]


def test_the_doctor_and_config_show_say_plainly_what_is_kept(kept: tuple[Installed, list[str]]) -> None:
    installed, _ = kept
    told = "public, internal, confidential: requests and answers as they are; restricted: nothing; for 30d"
    assert told in next(f["detail"] for f in installed.json("doctor") if f["what"] == "content")
    assert f"content: {told}" in " ".join(installed.run("config", "show").stdout.split())


def test_content_is_erased_only_when_that_is_agreed_to_and_leaves_its_trace(kept: tuple[Installed, list[str]]) -> None:
    installed, idents = kept
    why = ("--why", "asked for")
    told = installed.run("erase", "--session", "one", "--dry-run").stdout
    assert told == "session one: content of 2 calls would be erased\n"
    assert "--yes" in installed.run("erase", "--session", "one", *why, code=2).stderr
    assert "--why" in installed.run("erase", "--session", "one", "--yes", code=2).stderr
    installed.run("erase", *why, "--yes", code=2)
    installed.run("erase", "01zzzzzzzz", *why, "--yes", code=2)
    assert "first wombat" in installed.run("show", idents[0], "--content").stdout, "nothing was erased so far"
    assert installed.json("erase", "--session", "one", *why, "--yes")["calls"] == 2
    for ident in idents[:2]:
        told = installed.run("show", ident, "--content").stdout
        assert "wombat" not in told
        assert "it was erased, or is too old" in told
    assert "third wombat" in installed.run("show", idents[2], "--content").stdout
    assert installed.json("erase", idents[2][:12], *why, "--yes")["what"] == f"decision {idents[2]}"
    assert len(installed.json("log")) == 3
    assert [(row["what"], row["calls"], row["why"]) for row in installed.json("erase", "--list")] == [
        (f"decision {idents[2]}", 1, "asked for"),
        ("session one", 2, "asked for"),
    ]
    assert b"wombat" not in (installed.home / "ledger.sqlite").read_bytes()
