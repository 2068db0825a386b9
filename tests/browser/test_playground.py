"""The playground as people use it: ask side by side, stop, read the why, vote blind, attach, keep a test case."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import sites
from tests.browser.chromium import Visit
from tests.browser.conftest import Opens
from tests.browser.sites import Site
from tests.browser.test_pages import serious
from tests.integration.server.conftest import opened_door
from tierwise.evals.data.read import read
from tierwise.testing import ScriptedUpstream

MORE = """
[[model]]
id = "slow-8b"
endpoint = "laptop"
served_name = "m?fault=slow_chunks&delay_ms=300"

[[model]]
id = "seeing-8b"
endpoint = "laptop"
served_name = "m"
capabilities = ["stream", "images"]

[[workflow]]
name = "sorting"
data = "sorting.jsonl"
"""
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("playground")


@pytest.fixture(scope="module")
def played(browser: Browser, upstream: ScriptedUpstream, home: Path) -> Iterator[Site]:
    with opened_door(sites.settings(home, upstream.url, MORE), upstream) as door:
        yield Site(door, None)


def opened(visit: Opens, site: Site, *asked: str) -> Visit:
    """Open the playground with these columns."""
    tab = visit(site)
    assert tab.go("/ui/playground?" + "&".join(f"with={one}" for one in asked)) == 200
    expect(tab.page.locator(".play-column")).to_have_count(len(asked))
    return tab


def ask(tab: Visit, text: str) -> None:
    tab.page.fill("#prompt", text)
    tab.page.locator("#prompt").press("Control+Enter")


def test_answers_come_side_by_side_with_who_what_it_cost_and_why(visit: Opens, played: Site, pictures: Path) -> None:
    tab = opened(visit, played, "auto:tickets", "frontier-1")
    ask(tab, "**one** [two](http://elsewhere.example/x)")
    facts = tab.page.locator(".play-facts")
    expect(facts).to_have_count(2)
    expect(facts.nth(0)).to_contain_text("small-8b (local)")
    expect(facts.nth(1)).to_contain_text("frontier-1 (frontier)")
    expect(facts.nth(1)).to_contain_text("$0.0000")
    expect(tab.page.locator(".play-answer strong").nth(1)).to_have_text("one")
    expect(tab.page.locator(".play-after").nth(1)).to_contain_text("Why: named by the caller")
    tab.page.check("#raw")
    expect(tab.page.locator(".play-answer .play-raw").nth(0)).to_have_text("**one** [two](http://elsewhere.example/x)")
    assert not serious(tab)
    tab.page.screenshot(path=pictures / "playground-answers.png", full_page=True)
    assert not tab.complaints
    with tab.page.expect_navigation():
        tab.page.locator(".play-after a").nth(1).click()
    assert tab.page.inner_text("h1").startswith("Decision")


def test_an_address_is_shown_before_it_is_followed(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "small-8b")
    ask(tab, "[text](http://elsewhere.example/x) [bad](javascript:alert(1))")
    expect(tab.page.locator(".play-answer a")).to_have_count(0)
    tab.page.click(".md-address")
    link = tab.page.locator(".play-answer a")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    expect(link).to_have_text("Open http://elsewhere.example/x in a new tab")
    expect(link).to_be_focused()
    expect(tab.page.locator(".play-answer")).to_contain_text("bad (javascript:alert(1))")
    assert not tab.complaints


def test_an_escalation_tells_each_model_that_was_asked(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "auto:search")
    tab.page.click("text=System text and settings")
    tab.page.fill("#tokens", "50")
    ask(tab, "where is it?")
    tab.page.click("text=2 models were asked")
    expect(tab.page.locator(".play-after ol")).to_contain_text("mute-8b")
    expect(tab.page.locator(".play-facts")).to_contain_text("frontier-1")


def test_an_error_is_the_gateways_own_with_what_to_do(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "down-8b", "small-8b")
    ask(tab, "one two")
    box = tab.page.locator(".play-turns .notice")
    expect(box).to_contain_text("tierwise doctor")
    expect(box.locator("a")).to_have_text("The whole decision")
    expect(tab.page.locator(".play-facts").nth(1)).to_contain_text("small-8b")


def test_a_column_can_be_stopped_and_the_other_goes_on(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "slow-8b", "small-8b")
    ask(tab, " ".join(f"word{number}" for number in range(200)))
    expect(tab.page.locator(".play-answer").nth(0)).to_contain_text("word1 word2")
    tab.page.locator('[data-do="stop"]').nth(0).click()
    expect(tab.page.locator(".play-turns .notice")).to_contain_text("Stopped.")
    expect(tab.page.locator("#send")).to_be_enabled()
    expect(tab.page.locator(".play-answer").nth(1)).to_contain_text("word198 word199")


def test_a_conversation_goes_on_in_each_column(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "small-8b")
    ask(tab, "first")
    expect(tab.page.locator(".play-facts")).to_contain_text("1 in")
    tab.page.check("#on")
    ask(tab, "second")
    expect(tab.page.locator(".play-asked")).to_have_count(2)
    expect(tab.page.locator(".play-facts")).to_contain_text("3 in")


def test_why_is_known_before_anybody_is_asked(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "auto:tickets")
    tab.page.fill("#prompt", "one two")
    tab.page.click("#before")
    expect(tab.page.locator(".play-before tr.chosen th")).to_have_text("small-8b")
    expect(tab.page.locator(".play-before tbody tr")).not_to_have_count(1)
    assert not any("chat/completions" in one for one in tab.requests)


def test_a_blind_vote_hides_who_answered_until_it_is_given_and_then_counts(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "small-8b", "frontier-1")
    tab.page.check("#blind")
    ask(tab, "which is better?")
    expect(tab.page.locator("#votes button")).to_have_count(5)
    for name in ("#send", "#before", "#add"):
        expect(tab.page.locator(name)).to_be_disabled()
    for name in ("select", ".play-facts", '[data-do="remove"]'):
        expect(tab.page.locator(f".play-column {name}").locator("visible=true")).to_have_count(0)
    assert not serious(tab)
    tab.page.locator("#votes button").nth(1).click()
    expect(tab.page.locator("#vote")).to_contain_text("Kept in the ledger as feedback on A: 0, B: 1")
    won = "frontier-1" in tab.page.locator(".play-facts").nth(1).inner_text()
    row = tab.page.locator("#tally tbody tr").first
    expect(row).to_contain_text("frontier-1")
    assert row.locator("td").nth(1).inner_text() == ("1" if won else "0")
    assert not tab.complaints


def test_who_wants_no_vote_is_shown_who_they_are_and_nothing_is_kept(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "small-8b", "down-8b", "slow-8b")
    tab.page.check("#blind")
    ask(tab, "which is better?")
    tab.page.locator("#votes button").last.click()
    expect(tab.page.locator("#told")).to_have_text("Nothing was kept.")
    expect(tab.page.locator(".play-column select").locator("visible=true")).to_have_count(3)
    expect(tab.page.locator(".play-turns .notice")).to_contain_text("tierwise doctor")
    assert not any("feedback" in one for one in tab.requests)


def test_who_cannot_see_a_picture_is_told_before_sending(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "small-8b", "seeing-8b", "auto")
    tab.page.set_input_files("#attach", {"name": "a.txt", "mimeType": "image/png", "buffer": PNG})
    notes = tab.page.locator(".play-note")
    expect(notes.nth(0)).to_have_text("small-8b cannot see pictures; the gateway will refuse.")
    expect(notes.nth(1)).to_be_hidden()
    expect(notes.nth(2)).to_be_hidden()
    expect(tab.page.locator("#files")).to_contain_text("a.txt, image/png, 72 bytes")
    tab.page.set_input_files("#attach", {"name": "b.png", "mimeType": "image/png", "buffer": b"\xff\x00\xfe"})
    expect(tab.page.locator("#told")).to_contain_text("b.png is no PNG, JPEG, WebP or GIF picture")
    ask(tab, "what is this?")
    expect(tab.page.locator(".play-turns .notice")).to_contain_text("unsupported_capability")
    expect(tab.page.locator(".play-facts").nth(0)).to_contain_text("seeing-8b")


def test_a_text_goes_along_with_its_name(visit: Opens, played: Site) -> None:
    tab = opened(visit, played, "small-8b")
    tab.page.set_input_files("#attach", {"name": "notes.md", "mimeType": "", "buffer": "grüße".encode()})
    expect(tab.page.locator("#files li")).to_have_count(1)
    ask(tab, "what is this?")
    expect(tab.page.locator(".play-answer")).to_contain_text("grüße")
    expect(tab.page.locator(".play-asked")).to_contain_text("File notes.md:")


def test_an_answer_is_mended_and_kept_as_a_test_case(visit: Opens, played: Site, home: Path) -> None:
    tab = opened(visit, played, "small-8b")
    ask(tab, "my card was swallowed")
    tab.page.locator(".play-after button").click()
    tab.page.select_option("#keep-workflow", "sorting")
    expect(tab.page.locator("#keep-line")).to_have_text("tierwise dataset add --item - -- sorting")
    tab.page.fill("#keep-answer", "card_swallowed")
    expect(tab.page.locator("#keep-item")).to_contain_text('"reference": "card_swallowed"')
    tab.page.click("text=Keep it")
    expect(tab.page.locator("#kept")).to_contain_text("sorting.jsonl")
    (item,) = read(home / "sorting.jsonl").items
    assert (item.fields, item.reference) == ({"text": "my card was swallowed"}, "card_swallowed")
    assert not serious(tab)
    assert not tab.complaints
