"""`tierwise measure` times a real server on loopback, and gives what a machine's row needs."""

import tomllib
from pathlib import Path

import msgspec

from tests.acceptance.conftest import Installed
from tierwise.economics.own import Served
from tierwise.testing import ScriptedUpstream

FILE = """
[[endpoint]]
name = "box"
kind = "scripted"
tier = "{tier}"
url = "{url}"
wires = ["chat"]

[[model]]
id = "near"
endpoint = "box"
served_name = "scripted-1?fault={fault}&delay_ms=20"
price = {{ input_usd_per_mtok = "1", output_usd_per_mtok = "1" }}
"""
SHORT = ("--words", "20", "--write", "4", "--most-at-once", "2")


def write(
    installed: Installed, folder: Path, upstream: ScriptedUpstream, fault: str = "none", tier: str = "self_hosted"
) -> None:
    file = folder / "tierwise.toml"
    file.write_text(FILE.format(url=upstream.url, fault=fault, tier=tier))
    installed.environment["TIERWISE_CONFIG"] = str(file)


def test_the_rows_of_a_machine_are_measured_within_the_target(installed: Installed, tmp_path: Path) -> None:
    with ScriptedUpstream.in_thread() as upstream:
        write(installed, tmp_path, upstream, "slow_chunks")
        found = installed.json("measure", "near", *SHORT)
        told = installed.run("measure", "near", *SHORT).stdout
        (one,) = found["found"]
        assert one["loads"][0]["at_once"] == 1 and one["busy"] is None, "the machine is another"
        # Four tokens come with a pause of 20 ms between each: one call cannot have more than 50 of them a second.
        assert 0 < one["loads"][0]["written_per_s"] <= 4 / 0.06 and one["loads"][0]["context_tokens"] >= 20
        prompts = [request.body for request in upstream.asked if b"story" in request.body]
        assert len(set(prompts)) == len(prompts) > 10, "no cache can serve them"
    if one["speeds"] is not None and "[[machine.serves]]" in told:
        (row,) = tomllib.loads(told[told.index("[[machine.serves]]") :])["machine"]["serves"]
        served = msgspec.convert(row, Served)
        assert served.model == "near" and served.output_tokens_per_s.provenance == "measured"


def test_a_target_that_nothing_holds_is_a_negative_answer(installed: Installed, tmp_path: Path) -> None:
    with ScriptedUpstream.in_thread() as upstream:
        write(installed, tmp_path, upstream, "slow_first")
        told = installed.run("measure", "near", *SHORT, "--first-token-ms", "5", code=1).stdout
    assert "No load held 5 ms" in told and "(late)" in told


def test_what_cannot_be_measured_says_why(installed: Installed, tmp_path: Path) -> None:
    with ScriptedUpstream.in_thread() as upstream:
        write(installed, tmp_path, upstream, "no_usage")
        assert "cannot be measured" in installed.run("measure", "near", *SHORT, code=4).stderr
        assert "did you mean 'near'" in installed.run("measure", "nearer", code=2).stderr
        write(installed, tmp_path, upstream, tier="frontier")
        assert "only machines of your own" in installed.run("measure", "near", code=2).stderr
        assert not any(b"story" in request.body for request in upstream.asked[1:]), "nothing outside was asked"
