"""A drill by the installed command, over the ledger that a running gateway wrote; made again elsewhere by its file."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from tests.acceptance.conftest import Installed
from tests.acceptance.test_cost import FILE, Seen, ask
from tests.postgres.server import Server
from tierwise.testing import Script, ScriptedUpstream

TWO = """
[[endpoint]]
name = "ours"
kind = "scripted"
tier = "self_hosted"
url = "{url}"
wires = ["chat"]

[[model]]
id = "own"
endpoint = "ours"
served_name = "scripted-1"

[[workflow]]
name = "letters"
candidates = ["big", "own"]
trusted = ["own"]
strategy = "best"
"""


@pytest.fixture
def recorded(installed: Installed, tmp_path: Path) -> Iterator[Installed]:
    """A ledger with calls of a workflow, calls for one model, and one that was tried again."""
    with lived_in(installed, tmp_path) as found:
        yield found


@contextmanager
def lived_in(installed: Installed, tmp_path: Path, more: str = "") -> Iterator[Installed]:
    with ScriptedUpstream.in_thread() as upstream:
        file = tmp_path / "tierwise.toml"
        file.write_text((FILE + TWO).format(url=upstream.url) + more)
        installed.environment["TIERWISE_CONFIG"] = str(file)
        process, address = installed.start()
        try:
            for number in range(3):
                ask(address, upstream, "auto:letters", "dear reader " * (number + 1), stream=bool(number % 2))
            ask(address, upstream, "big", "a few words more")
            ask(address, upstream, "big", "again", script=Script(fault="error", status=503))
            yield installed
        finally:
            process.terminate()
            process.wait(20)
            assert process.stderr is not None
            process.stderr.close()


def test_an_exit_is_told_with_what_is_lost_and_what_it_saves(recorded: Installed) -> None:
    spent = Decimal(str(recorded.json("cost")["whole"]["cost_usd"]))
    found = recorded.json("drill", "--without", "outside", code=1)["findings"]
    assert (found["wanted"], found["survives"]) == (5, 3)
    today, drill = (Decimal(str(found["whole"][side]["cost_usd"])) for side in ("today", "drill"))
    assert today == spent > drill > 0, "the list prices what is served, wherever that is"
    (loss,) = found["losses"]
    assert loss["calls"] == 2 and "gone in this drill" in loss["reason"]
    for ident in loss["ids"]:
        assert recorded.json("show", ident)["requested_model"] == "big"
    assert found["moves"] == [{"before": "big", "after": "own", "calls": 3}]
    told = recorded.run("drill", "--without", "outside", code=1).stdout
    assert "3 of 5 calls that are answered today" in told and "What is lost, and why" in told
    assert "nobody has timed" in told and "declared sufficient by you" in told


def test_nothing_lost_is_exit_0_and_the_record_is_met_exactly(recorded: Installed) -> None:
    found = recorded.json("drill")["findings"]
    assert (found["check"]["calls"], found["check"]["alike"], found["check"]["error_p95"]) == (5, 5, 0)
    dearer = recorded.json("drill", "--price", "frontier=3x", "--growth", "2x", "--slots", "ours=4")["findings"]
    costs = [Decimal(str(dearer["whole"][side]["cost_usd"])) for side in ("today", "drill")]
    assert costs[1] == 6 * costs[0]
    timed = recorded.json("drill", "--without", "outside", "--takes", "own=2.5", code=1)["findings"]
    assert timed["whole"]["drill"]["took"]["p50_ms"] == 2500


def test_an_auditor_without_the_ledger_makes_it_again_to_the_byte(recorded: Installed, tmp_path: Path) -> None:
    kept = tmp_path / "exit.jsonl"
    first = recorded.json("drill", "--without", "outside", "--keep", str(kept), code=1)
    elsewhere = Installed(tmp_path / "nothing")
    for seed in ("1", "2"):
        elsewhere.environment |= {"PYTHONHASHSEED": seed}
        again = elsewhere.json("drill", "--again", str(kept))
        assert again["same"] and again["findings"] == first["findings"]
    assert "the same, byte for byte" in elsewhere.run("drill", "--again", str(kept)).stdout
    assert recorded.json("drill", "--again", str(kept), "--ledger")["same"]

    lines = kept.read_bytes().splitlines(keepends=True)
    last = json.loads(lines[-1])
    last["findings"]["survives"] = 5
    better = tmp_path / "better.jsonl"
    better.write_bytes(b"".join(lines[:-1]) + json.dumps(last).encode() + b"\n")
    told = elsewhere.run("drill", "--again", str(better), code=1).stdout
    assert "NOT THE SAME" in told


def test_calls_that_the_ledger_does_not_have_are_found_out(recorded: Installed, tmp_path: Path) -> None:
    kept, other = tmp_path / "exit.jsonl", tmp_path / "other.jsonl"
    recorded.run("drill", "--keep", str(kept))
    recorded.run("drill", "--since", "1h", "--keep", str(other))
    head, *rest = other.read_bytes().splitlines(keepends=True)
    said = json.loads(head)
    said["source"]["last"] -= 1
    other.write_bytes(json.dumps(said).encode() + b"\n" + b"".join(rest))
    found = recorded.json("drill", "--again", str(other), "--ledger", code=1)
    assert any("the ledger's records" in one for one in found["problems"])
    assert recorded.json("drill", "--again", str(kept), "--ledger")["same"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--without", "outsid"), "did you mean 'outside'"),
        (("--price", "big"), "NAME=VALUE"),
        (("--price", "big=-3x"), "factor"),
        (("--capacity", "ours=-1"), "--slots ours=N"),
        (("--growth", "0x"), "more than 0x"),
        (("--growth", "9999x"), "factor"),
        (("--ledger",), "--again"),
        (("--again", "nowhere.jsonl"), "cannot be read"),
        (("--again", "x", "--without", "outside"), "as it was written"),
    ],
)
def test_wrong_use_says_what_is_right(recorded: Installed, wrong: tuple[str, ...], said: str) -> None:
    assert said in recorded.run("drill", *wrong, code=2).stderr


def test_with_nothing_on_record_there_is_no_drill(installed: Installed, tmp_path: Path) -> None:
    assert "nothing is on record" in installed.run("drill", code=2).stderr
    odd = tmp_path / "odd.jsonl"
    odd.write_bytes(os.urandom(1000))
    assert "no drill" in installed.run("drill", "--again", str(odd), code=2).stderr


def test_a_drill_of_a_shared_ledger_is_made_again_without_it(
    installed: Installed, tmp_path: Path, postgres: Server
) -> None:
    place = postgres.database()
    installed.environment["LEDGER_PASSWORD"] = postgres.password
    ledger = f'\n[ledger]\nurl = "{place}"\npassword = "env:LEDGER_PASSWORD"\n'
    kept = tmp_path / "exit.jsonl"
    with lived_in(installed, tmp_path, ledger) as gateway:
        found = gateway.json("drill", "--without", "outside", "--keep", str(kept), code=1)["findings"]
        assert (found["wanted"], found["survives"], found["check"]["alike"]) == (5, 3, 5)
        assert gateway.json("drill", "--again", str(kept), "--ledger")["same"]
    assert postgres.password not in kept.read_text()
    assert Installed(tmp_path / "nothing").json("drill", "--again", str(kept))["same"]


def test_a_drill_is_a_page_that_asks_nobody_and_is_the_same_from_its_file(recorded: Installed, tmp_path: Path) -> None:
    kept, first, second = (tmp_path / name for name in ("exit.jsonl", "first.html", "second.html"))
    said = ("--without", "outside", "--takes", "own=2.5", "--keep", str(kept), "--html", str(first))
    recorded.run("drill", *said, code=1)
    Installed(tmp_path / "nothing").run("drill", "--again", str(kept), "--html", str(second))
    assert first.read_bytes() == second.read_bytes()
    text, seen = first.read_text("utf-8"), Seen()
    seen.feed(text)
    assert seen.pictures == 4 and not seen.open and not seen.outside and "style=" not in text
    assert "2 calls are lost" in text and "of 5 that are answered today" in text and "gone in this drill" in text
    assert "sha256:" in text and "2.500 s" in text
    recorded.run("drill", "--without", "outside", "--html", str(first), code=1)
    untimed = Seen()
    untimed.feed(first.read_text("utf-8"))
    assert untimed.pictures == 3 and "Not timed" in first.read_text("utf-8"), "what nobody timed is not drawn"
