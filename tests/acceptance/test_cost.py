"""What calls cost, elsewhere too, and whether machines would pay: from a ledger that a running gateway wrote.

The scripted upstream counts tokens by itself, so that what the ledger says is held against what was really served.
"""

import json
import urllib.error
import urllib.request
import xml.etree.ElementTree
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tierwise.testing import Script, ScriptedUpstream

FILE = """
[[endpoint]]
name = "outside"
kind = "scripted"
tier = "frontier"
url = "{url}"
wires = ["chat"]

[[model]]
id = "big"
endpoint = "outside"
served_name = "scripted-1"
strength = 90
price = {{ input_usd_per_mtok = "2", output_usd_per_mtok = "10" }}

[[model]]
id = "small"
endpoint = "outside"
served_name = "scripted-1"

[[price]]
model = "scripted-1"
origin = "list"
source = "a list"
input_usd_per_mtok = "1"
output_usd_per_mtok = "1"
"""
OWN = """
[[endpoint]]
name = "box"
kind = "scripted"
tier = "self_hosted"
url = "{url}"
wires = ["chat"]

[[model]]
id = "near"
endpoint = "box"
served_name = "scripted-1"

[[machine]]
name = "rack"
endpoint = "box"
usd_per_month = {{ value = "2628" }}
busy_share = {{ value = "0.5" }}

[[machine.serves]]
model = "near"
output_tokens_per_s = {{ value = "1000" }}

[[workflow]]
name = "mail"
trusted = ["near"]
criteria = {{ review_usd_per_hour = "40", error_cost_usd = "3" }}
"""
PLAN = """
[own]
months = 36
usd_per_mtok = { value = "0.05", provenance = "measured", source = "watts <of> ours" }

[[own.steps]]
name = "one machine"
tokens = { value = "1000000000", low = "700000000", high = "1100000000", provenance = "measured" }
usd_once = { value = "9000", provenance = "contract" }
usd_per_month = { value = "200" }

[plan]
tokens_per_month = 900000000
months = 36
ramp_months = 3
discount = { value = "0.08" }
api_decline = { value = "0.2", low = "0", high = "0.5" }

[buckets.people]
month_per_workflow_usd = { value = "300", low = "100", high = "800" }
"""


@pytest.fixture
def spent(installed: Installed, tmp_path: Path) -> Iterator[tuple[Installed, ScriptedUpstream]]:
    """A ledger with answered calls, a failed one, and one that was tried again."""
    with ScriptedUpstream.in_thread() as upstream:
        file = tmp_path / "tierwise.toml"
        file.write_text(FILE.format(url=upstream.url))
        installed.environment["TIERWISE_CONFIG"] = str(file)
        process, address = installed.start()
        try:
            for number in range(3):
                ask(address, upstream, "small", "one two three " * (number + 1), stream=bool(number % 2))
            ask(address, upstream, "big", "a few words more")
            ask(address, upstream, "big", "again", script=Script(fault="error", status=503))
            yield installed, upstream
        finally:
            process.terminate()
            process.wait(20)
            assert process.stderr is not None
            process.stderr.close()


def ask(
    address: str, upstream: ScriptedUpstream, model: str, text: str, script: Script = Script(), **more: Any
) -> None:
    upstream.script(script)
    asked = {"model": model, "messages": [{"role": "user", "content": text}]} | more
    request = urllib.request.Request(
        f"{address}/v1/chat/completions", json.dumps(asked).encode(), {"content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        error.close()


def test_the_sum_is_that_of_what_was_served_and_each_baseline_that_of_its_price(
    spent: tuple[Installed, ScriptedUpstream],
) -> None:
    installed, upstream = spent
    found = installed.json("cost")
    served = [one for one in upstream.received if one.completion_tokens]
    read, written = sum(one.prompt_tokens for one in served), sum(one.completion_tokens for one in served)
    whole = found["whole"]
    assert (whole["read"], whole["written"]) == (read, written)
    costs = {one["role"]: Decimal(str(one["usd"])) * 10**6 for one in found["baselines"]}
    assert costs == {"all-frontier": 2 * read + 10 * written, "all-cheapest": read + written}
    assert costs["all-cheapest"] < Decimal(str(whole["cost_usd"])) * 10**6 < costs["all-frontier"]
    assert {one["model"] for one in found["baselines"]} == {"big", "small"}
    for lines in found["views"].values():
        assert sum(line["calls"] for line in lines) == whole["calls"]
    assert found["forecast"] is None and found["comparisons"] == []


def test_a_plan_is_compared_with_both_baselines_and_drawn_as_a_page(
    spent: tuple[Installed, ScriptedUpstream], tmp_path: Path
) -> None:
    installed, _ = spent
    plan, page = tmp_path / "machines.toml", tmp_path / "cost.html"
    plan.write_text(PLAN)
    found = installed.json("cost", "--plan", str(plan), "--html", str(page))
    assert [one["api"]["name"] for one in found["comparisons"]] == ["all-frontier: big", "all-cheapest: small"]
    for one in found["comparisons"]:
        starts = [stretch["first"] for stretch in one["crossings"]["stretches"]]
        assert starts == sorted(starts) and starts[0] == 1
    assert found["missing_buckets"] == ["compute", "platform", "governance", "evaluation"]
    named = {one["name"]: one["given"]["provenance"] for one in found["inputs"]}
    assert named["own.steps.one machine.tokens"] == "measured" and named["plan.discount"] == "assumed"
    assert named["api.all-cheapest: small.usd_per_mtok"] == "list"
    text = page.read_text("utf-8")
    assert "watts &lt;of&gt; ours" in text and "<of>" not in text and "style=" not in text
    seen = Seen()
    seen.feed(text)
    assert seen.pictures == 4 and not seen.open and not seen.outside
    told = installed.run("cost", "--plan", str(plan)).stdout
    assert "payback" in told and "worst" in told and "people" not in told.partition("Not in it")[2]


def test_plots_are_files_that_an_image_reader_takes(spent: tuple[Installed, ScriptedUpstream], tmp_path: Path) -> None:
    installed, _ = spent
    plan = tmp_path / "machines.toml"
    plan.write_text(PLAN)
    installed.run("cost", "--plan", str(plan), "--plots", str(tmp_path / "plots"))
    drawn = sorted((tmp_path / "plots").iterdir())
    names = ["break-even-1", "break-even-2", "by-day", "by-key", "by-tier", "by-workflow", "elsewhere"]
    assert [one.name for one in drawn] == [f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    for one in drawn:
        if one.suffix == ".svg":
            assert xml.etree.ElementTree.fromstring(one.read_text("utf-8")).tag.endswith("svg")
        else:
            assert one.read_bytes().startswith(b"\x89PNG") and one.stat().st_size > 5_000


def test_what_people_said_and_what_machines_cost_is_part_of_an_accepted_call(
    installed: Installed, tmp_path: Path
) -> None:
    with ScriptedUpstream.in_thread() as upstream:
        file = tmp_path / "tierwise.toml"
        file.write_text(OWN.format(url=upstream.url))
        installed.environment["TIERWISE_CONFIG"] = str(file)
        process, address = installed.start()
        try:
            for _ in range(2):
                ask(address, upstream, "auto:mail", "how are you", script=Script(text="well"))
        finally:
            process.terminate()
            process.wait(20)
            assert process.stderr is not None
            process.stderr.close()
    first, _ = (one["id"] for one in installed.json("log"))
    installed.run("feedback", first, "--wrong", "--seconds", "90", "--review")
    (line,) = installed.json("cost", "--by", "workflow")["views"]["workflow"]
    written = sum(one.completion_tokens for one in upstream.received)
    assert Decimal(str(line["own_usd"])) == written * Decimal("0.000002")
    assert (Decimal(line["cost_usd"]), Decimal(line["review_usd"]), line["unmetered"]) == (0, 1, 0)
    assert (line["accepted"], line["judged"], line["wrong"], Decimal(line["wrong_usd"])) == (2, 1, 1, 3)
    told = installed.run("cost").stdout
    assert "machines of your own" in told and "1 of 1 accepted ones" in told


class Seen(HTMLParser):
    """What a browser would make of the page: whether each tag is closed, and what it would ask others for."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.pictures = 0
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.pictures += tag == "svg"
        self.outside += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def test_with_nothing_on_record_there_is_nothing_to_tell(installed: Installed, tmp_path: Path) -> None:
    assert "No call is on record" in installed.run("cost").stdout
    plan = tmp_path / "machines.toml"
    plan.write_text(PLAN)
    assert "nothing to compare with" in installed.run("cost", "--plan", str(plan), code=2).stderr
    plan.write_text(PLAN + '[[api]]\nname = "an offer"\nusd_per_mtok = { value = "3", provenance = "contract" }\n')
    found = installed.json("cost", "--plan", str(plan))
    assert [one["api"]["name"] for one in found["comparisons"]] == ["an offer"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--by", "colour"), "workflow, tier, key, day"),
        (("--frontier", "nobody"), "is no model"),
        (("--since", "yesterday"), "--since"),
    ],
)
def test_wrong_use_says_what_is_right(installed: Installed, wrong: tuple[str, ...], said: str) -> None:
    assert said in installed.run("cost", *wrong, code=2).stderr


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('value = "9000"', 'value = "-9000"', "0 or more"),
        ("tokens_per_month = 900000000", "tokens_per_month = -1", "0 or more"),
        (
            'tokens = { value = "1000000000", low = "700000000"',
            'tokens = { value = "1", low = "0"',
            "at least one token",
        ),
        ("[own]", "[owned]", "owned"),
        ("[own]", "[own", "line 2"),
        ('value = "0.08"', 'value = "8 %"', "discount"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_its_place(
    installed: Installed, tmp_path: Path, before: str, after: str, said: str
) -> None:
    plan = tmp_path / "machines.toml"
    assert before in PLAN
    plan.write_text(PLAN.replace(before, after))
    assert said in installed.run("cost", "--plan", str(plan), code=2).stderr
