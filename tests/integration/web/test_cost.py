"""The pages of cost and of the machine, at a running gateway: they say what the commands say."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.browser.sites import Site as Served
from tests.browser.sites import settings, speak
from tests.integration.server.conftest import Door, opened_door, until
from tests.integration.web.test_pages import Browser
from tierwise.testing import ScriptedUpstream
from tierwise.web import words
from tierwise.web.commands import Commands

MACHINE = """
[[machine]]
name = "rack"
endpoint = "cluster"
usd_once = { value = "900", provenance = "contract", source = "offer 12" }
busy_share = { value = "0.25" }
[[machine.serves]]
model = "down-8b"
output_tokens_per_s = { value = "145", low = "130", high = "150", provenance = "measured" }

[[workflow]]
name = "judged"
trusted = ["large-70b"]
candidates = ["large-70b"]
criteria = { error_cost_usd = "0.5", review_usd_per_hour = "36" }
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cost")


@pytest.fixture(scope="module")
def door(home: Path, upstream: ScriptedUpstream) -> Iterator[Door]:
    with opened_door(settings(home, upstream.url, MACHINE), upstream) as door:
        site = Served(door, None)
        speak(site)
        asked = {"model": "auto:judged", "messages": [{"role": "user", "content": "three words here"}]}
        ident, *_ = [site.ask(asked)[1] for _ in range(3)]
        browser = Browser(door)
        said = json.dumps({"decision": ident, "score": 0.0})
        assert browser.ask("POST", "/v1/feedback", said, content_type="application/json")[0] in (200, 201)
        assert until(lambda: "1 of 1 judged wrong" in browser.get("/ui/cost")[2], 60)
        yield door


@pytest.fixture
def browser(door: Door) -> Browser:
    return Browser(door)


@pytest.fixture
def commands(home: Path) -> Commands:
    environ = {"TIERWISE_HOME": str(home), "PATH": os.environ["PATH"], "HOME": str(home)}
    return Commands(environ, home / "tierwise.toml")


def answer(commands: Commands, *said: str) -> Any:
    return asyncio.run(commands.answer(said))


def line_of(page: str) -> tuple[str, ...]:
    """Return the command whose figures a page shows, as its words."""
    found = re.search(r"<code>tierwise (cost --since [^<]+)</code>", page)
    assert found
    return tuple(found[1].split())


def money(amount: Any) -> str:
    return words.money(None if amount is None else Decimal(str(amount)))


@pytest.mark.parametrize("query", ["", "?period=7&workflow=judged", "?period=all", "?period=90&workflow=search"])
def test_the_page_says_what_the_command_says(browser: Browser, commands: Commands, query: str) -> None:
    status, _, page = browser.get(f"/ui/cost{query}")
    assert status == 200
    told = answer(commands, *line_of(page))
    assert told["whole"]["calls"] > 0 and told["baselines"]
    assert f"<dd>{money(told['whole']['cost_usd'])}</dd>" in page
    assert f"<dd>{money(told['accepted_usd'])}</dd>" in page
    for one in told["baselines"]:
        assert f"<dt>{one['role'].capitalize()}</dt><dd>{money(one['usd'])}</dd>" in page
    for view in ("workflow", "tier", "key", "day"):
        part = page.partition(f">By {view}</h2>")[2].partition("</section>")[0]
        rows = re.findall(r'<tr><th scope="row">(?:<a [^>]*>)?([^<]*).*?</tr>', part, re.DOTALL)
        names = [words.TIERS.get(line["name"], line["name"]) for line in told["views"][view]]
        assert sorted(rows) == sorted(names), view
        for line in told["views"][view]:
            known = any(line[name] for name in ("cost_usd", "own_usd", "unknown_usd")) or not line["unmetered"]
            cost = money(line["cost_usd"]) if known else "–"
            assert f'<td class="n">{line["calls"]:,}</td><td class="n">{cost}</td>' in part


def test_the_plan_that_is_saved_gives_the_same_answer(browser: Browser, commands: Commands, tmp_path: Path) -> None:
    query = {"plan.tokens_per_month": "100000000", "buckets.people.month_usd": "20", "api": "2.5", "sure": "10"}
    status, _, part = browser.get(f"/ui/cost/plan?{urlencode(query)}")
    assert status == 200 and "<svg" in part and "offer 12" in part
    codes = [re.sub(r"&#34;|&quot;", '"', one) for one in re.findall(r"<pre><code>(.*?)</code></pre>", part, re.DOTALL)]
    file = tmp_path / "plan.toml"
    file.write_text(codes[0].replace("&#39;", "'"), encoding="utf-8")
    said = codes[1].split()[1:]
    told = answer(commands, *said[:-1], str(file))
    assert [one["api"]["name"] for one in told["comparisons"]] == [
        "another API", "all-frontier: frontier-1", "all-cheapest: large-70b",
    ]  # fmt: skip
    for one in told["comparisons"]:
        assert money(one["api_usd_per_month"]) in part and money(one["own_usd_per_month"]) in part
        for at in one["crossings"]["stretches"][1:]:
            assert words.count(at["first"]) in part
    assert told["missing_buckets"] == ["compute", "platform", "governance", "evaluation"]


def test_a_form_without_a_script_shows_the_same_answer(browser: Browser) -> None:
    query = urlencode({"period": "30", "plan.tokens_per_month": "90,000,000", "machine.usd_once": "1,234"})
    page, part = (browser.get(f"/ui/cost{end}?{query}")[2] for end in ("", "/plan"))
    assert part.split("<details>")[0].strip() in page
    assert 'value="1,234"' in page and "assumed: set on this page" in page


def test_what_cannot_be_is_told_in_its_place(browser: Browser) -> None:
    for path in ("/ui/cost", "/ui/cost/plan"):
        status, _, page = browser.get(f"{path}?{urlencode({'machine.usd_once': '<b>much'})}")
        assert status == 200 and 'role="alert"' in page and "is no number" in page and "<b>much" not in page
    assert browser.get("/ui/cost?period=nonsense&machine=nobody&workflow=nothing")[0] == 200


def test_budgets_are_told_with_what_is_left(browser: Browser) -> None:
    _, _, page = browser.get("/ui/cost")
    assert "workflow:search" in page and "percent used" in page and "tierwise budget" in page
    assert "Budgets" not in browser.get("/ui/models")[2]


def test_models_say_where_each_value_is_from(browser: Browser) -> None:
    _, _, page = browser.get("/ui/models")
    for told in (
        "own machine, no bill: the machine rack",
        "the configuration",
        "never probed",
        "its maker&#39;s terms",
    ):
        assert told in page
    assert 'data-part="/ui/models/machine"' in page


def test_the_machine_is_what_the_command_finds(browser: Browser, commands: Commands) -> None:
    status, _, part = browser.get("/ui/models/machine")
    assert status == 200
    told = answer(commands, "fit")
    assert f"{told['machine']['cores']} cores" in part
    for one in told["catalogue"]:
        assert f">{one['model']}<" in part


def test_nothing_is_fetched_without_consent(browser: Browser) -> None:
    status, _, page = browser.get("/ui/models/pull?model=gemma-4-e2b:Q4_K_M")
    assert status == 200 and "Apache-2.0" in page and "hub:ggml-org/" in page
    assert browser.get("/ui/models/pull?model=--yes")[0] == 404
    wanted = {"token": browser.token(), "model": "gemma-4-e2b"}
    assert browser.post("/ui/models/pull", wanted)[0] == 400
    assert browser.post("/ui/models/pull", {**wanted, "consent": "yes", "token": "0"})[0] == 403
    assert browser.post("/ui/models/pull", {**wanted, "consent": "yes", "model": "../x"})[0] == 404
    assert "tierwise pull" not in browser.get("/ui/runs")[2]


def test_no_number_however_fine_or_large_breaks_the_page(browser: Browser) -> None:
    usual = {"plan.tokens_per_month": "1e8", "machine.tokens": "1e9", "machine.usd_once": "2000", "own.months": "36"}
    for text in ("1e-999999", "1e999999", "1e-30", "0e-999999", "1e30"):
        for name in ("machine.usd_once", "own.usd_per_mtok", "api", "plan.discount", "buckets.serving.month_usd"):
            assert browser.get(f"/ui/cost?{urlencode({**usual, name: text})}")[0] == 200, (name, text)
