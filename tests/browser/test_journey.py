"""The way of somebody new: from an empty page to a call, its why, and what it came to. One step each, in order.

A step gets the tab, the gateway and what the steps before it found; a page that joins the journey adds a step.
"""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.acceptance.evaluation import write_items
from tests.browser import sites
from tests.browser.chromium import Visit
from tests.browser.conftest import Opens
from tests.browser.sites import Site
from tierwise.testing import ScriptedUpstream

Found = dict[str, Any]
RUN_MS = 60_000
ITEMS = 6
ECHO = """
[[workflow]]
name = "echo"
candidates = ["large-70b"]
baseline = "frontier-1"
data = "items.jsonl"
"""
ASKED = {"model": "auto:tickets", "messages": [{"role": "user", "content": "Where is my parcel?"}]}


def finds_three_steps(tab: Visit, site: Site, found: Found) -> None:
    tab.go("/")
    for step in ("1. Try", "2. Connect a client", "3. Choose a workflow"):
        expect(tab.page.get_by_role("heading", name=step)).to_be_visible()
    expect(tab.page.get_by_text(f"OPENAI_BASE_URL={site.origin}/v1").first).to_be_visible()


def sees_a_call_arrive(tab: Visit, site: Site, found: Found) -> None:
    tab.page.get_by_role("link", name="Decisions").click()
    expect(tab.page.get_by_text("appears here by itself")).to_be_visible()
    expect(tab.page.locator("#live")).to_contain_text("Live")
    _, found["call"] = site.ask(ASKED)
    row = tab.page.locator("#rows tr", has_text="tickets")
    expect(row).to_contain_text("answered")
    expect(row).to_contain_text("small-8b")
    expect(tab.page.get_by_text("appears here by itself")).to_have_count(0)


def opens_the_why(tab: Visit, site: Site, found: Found) -> None:
    tab.page.get_by_role("link", name=found["call"][-8:]).click()
    expect(tab.page.get_by_role("heading", level=1)).to_contain_text(found["call"])
    expect(tab.page.get_by_role("img", name="The way of the call")).to_be_visible()
    tab.page.get_by_text("The same in words").click()
    expect(tab.page.locator("ol.path li")).to_have_count(6)
    expect(tab.page.locator("ol.path")).to_contain_text("auto:tickets")
    expect(tab.page.get_by_role("region", name="Candidates")).to_contain_text("frontier-1")


def replays_it(tab: Visit, site: Site, found: Found) -> None:
    tab.page.get_by_role("button", name="Replay under the current rules").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("By the rules in force now")
    tab.page.get_by_role("link", name=found["call"]).first.click()


def reads_the_record(tab: Visit, site: Site, found: Found) -> None:
    tab.page.get_by_text("The record as JSON").click()
    expect(tab.page.locator("pre.record")).to_contain_text(f'"id": "{found["call"]}"')


def finds_it_in_the_overview(tab: Visit, site: Site, found: Found) -> None:
    tab.page.get_by_role("link", name="Overview").click()
    expect(tab.page.get_by_text("100 % answered")).to_be_visible()
    tab.page.get_by_text("Last hour").click()
    expect(tab.page.get_by_role("region", name="Workflows")).to_contain_text("tickets")
    tab.page.get_by_role("link", name="tickets").click()
    expect(tab.page.locator("#rows tr")).to_have_count(1)


def goes_it_by_keyboard(tab: Visit, site: Site, found: Found) -> None:
    tab.page.reload()
    tab.page.keyboard.press("Tab")
    expect(tab.page.get_by_text("Skip to content")).to_be_focused()
    tab.page.keyboard.press("Enter")
    for _ in range(30):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("document.activeElement.matches('#rows a')"):
            break
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("heading", level=1)).to_contain_text(found["call"])


def compares_two_models(tab: Visit, site: Site, found: Found) -> None:
    tab.page.get_by_role("link", name="Workflows").click()
    tab.page.get_by_role("link", name="echo").click()
    expect(tab.page.get_by_text("Nothing is measured yet")).to_be_visible()
    tab.page.locator("summary", has_text="Compare").click()
    form = tab.page.locator("form[data-line$='/act/compare/line']")
    form.get_by_label("Agree to the estimated cost").check()
    expect(form.get_by_text("tierwise compare --yes -- echo")).to_be_visible()
    form.get_by_role("button", name="Compare").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Done", timeout=RUN_MS)
    tab.page.get_by_role("link", name="Back").click()


def reads_the_verdict(tab: Visit, site: Site, found: Found) -> None:
    tab.page.locator("summary", has_text="Decide").click()
    form = tab.page.locator("form[data-line$='/act/decide/line']")
    form.get_by_role("button", name="Decide").click()
    expect(tab.page.get_by_text("Done: the verdict is no")).to_be_visible(timeout=RUN_MS)
    tab.page.get_by_role("link", name="Back").click()
    expect(tab.page.locator(".verdict", has_text="not enough evidence").first).to_be_visible()
    expect(tab.page.get_by_role("img", name="points to the baseline")).to_be_visible()


def asks_two_side_by_side(tab: Visit, site: Site, found: Found) -> None:
    tab.page.get_by_role("link", name="Playground").click()
    tab.page.get_by_label("Prompt").fill("Where is my parcel?")
    tab.page.get_by_role("button", name="Send").click()
    expect(tab.page.locator(".play-facts")).to_have_count(2, timeout=RUN_MS)
    expect(tab.page.locator(".play-after").first).to_contain_text("Why:")


STEPS: tuple[Callable[[Visit, Site, Found], None], ...] = (
    finds_three_steps,
    sees_a_call_arrive,
    opens_the_why,
    replays_it,
    reads_the_record,
    finds_it_in_the_overview,
    goes_it_by_keyboard,
    compares_two_models,
    reads_the_verdict,
    asks_two_side_by_side,
)


def test_somebody_new_sends_a_call_and_reads_what_became_of_it(
    visit: Opens, upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("new")
    write_items(home / "items.jsonl", ITEMS)
    with sites.opened("empty", home, upstream, more=ECHO) as site:
        tab, found = visit(site), Found()
        for step in STEPS:
            step(tab, site, found)
            assert not tab.complaints, step.__name__
