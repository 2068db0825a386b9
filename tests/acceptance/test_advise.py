"""Advice from the installed command: from a file, from questions on a real terminal, and again from what they wrote."""

import os
import pty
import select
import subprocess
import time
from pathlib import Path

from tests.acceptance.conftest import COMMAND, Installed

FILE = """
tokens_per_month = { value = 40e6, provenance = "measured", source = "our ledger" }
teams = 2

[[work]]
name = "letters"
label = "confidential"
needs = 0.8

[[machine]]
name = "rack"
place = "central"
tokens = { value = 100e6 }
usd_once = { value = 3600 }
quality = { letters = { value = 0.9, low = 0.85, high = 0.95, provenance = "measured" } }

[[offer]]
name = "outside"
input_usd_per_mtok = { value = 0.01 }
output_usd_per_mtok = { value = 0.01 }
quality = { letters = { value = 0.99 } }
"""
LIMIT_S = 60


def test_a_file_is_answered_from_and_the_gate_goes_before_the_price(installed: Installed, tmp_path: Path) -> None:
    file = tmp_path / "organisation.toml"
    file.write_text(FILE)
    found = installed.json("advise", str(file))
    assert found["verdict"] == "firm"
    assert found["plan"]["serves"] == [{"work": "letters", "server": "rack", "place": "central", "stage": "production"}]
    assert [one["gate"] for one in found["forced"]] == ["data"]
    assert installed.run("advise", str(file)).stdout == installed.run("advise", str(file)).stdout
    assert "our ledger" in installed.run("advise", str(file)).stdout


def test_nothing_permitted_is_a_negative_verdict(installed: Installed, tmp_path: Path) -> None:
    file = tmp_path / "organisation.toml"
    file.write_text(FILE.replace('"confidential"', '"restricted"'))
    assert installed.json("advise", str(file), code=1)["verdict"] == "nothing_permitted"


def test_defaults_make_a_file_to_begin_with_that_is_firm_about_nothing(installed: Installed, tmp_path: Path) -> None:
    file = tmp_path / "start.toml"
    first = installed.run("advise", "--defaults", "--write", str(file), code=1)
    assert first.stdout.startswith("Not enough evidence")
    assert installed.run("advise", str(file), code=1).stdout == first.stdout
    again = installed.run("advise", "--defaults", "--write", str(file), code=2)
    assert "is there already" in again.stderr


def test_without_a_terminal_it_asks_for_a_file(installed: Installed, tmp_path: Path) -> None:
    assert "--defaults" in installed.run("advise", "--write", str(tmp_path / "x.toml"), code=2).stderr
    assert "none.toml" in installed.run("advise", str(tmp_path / "none.toml"), code=2).stderr
    assert not (tmp_path / "x.toml").exists()


def test_on_a_terminal_it_asks_and_what_was_said_stands_in_the_file(installed: Installed, tmp_path: Path) -> None:
    file = tmp_path / "asked.toml"
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [str(COMMAND), "advise", "--write", str(file)],
        stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=installed.environment,
    )  # fmt: skip
    os.close(theirs)
    assert process.stderr is not None
    said, answers, deadline = "", ["lots", "200M..300M..500M measured our own count", ""], time.monotonic() + LIMIT_S
    while process.poll() is None and time.monotonic() < deadline:
        if not select.select([process.stderr], [], [], 1)[0]:
            continue
        said += os.read(process.stderr.fileno(), 65_536).decode()
        if said.endswith("] "):
            os.write(ours, (answers.pop(0) if answers else "").encode() + b"\n")
    stdout, rest = process.communicate(timeout=LIMIT_S)
    os.close(ours)
    assert process.returncode == 1, said + rest.decode()
    assert "'lots' is no number" in said
    assert 'source = "our own count"' in file.read_text("utf-8")
    assert "our own count" in stdout.decode()
    assert installed.run("advise", str(file), code=1).stdout == stdout.decode()
