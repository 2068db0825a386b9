"""A thousand texts that want to be run, through every door by which text gets onto a page: all of it stays text."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from playwright.sync_api import Browser

from tests.browser import hostile, sites
from tests.browser.chromium import Visit
from tests.browser.conftest import Opens
from tests.browser.ledgers import written
from tests.browser.pages import PAGES
from tests.browser.sites import Site
from tests.integration.server.conftest import opened_door, until

COUNT = 1000
NAMED, LIVE, IN_AN_ADDRESS, ASKED = 64, 40, 720, 8
NAMES = (
    "workflow",
    "tier",
    "outcome",
    "model",
    "key_id",
    "text",
    "before",
    "period",
    "label",
    "release",
    "query",
    "name",
)
ROUNDS = 3
TEXTS = hostile.texts(COUNT)
NOT_THERE = "Failed to load resource: the server responded with a status of 4"
pytestmark = pytest.mark.timeout(600)  # hundreds of pages, each opened


def aside(work: Coroutine[Any, Any, Any]) -> None:
    """Run this in a thread of its own: the browser's loop runs in this one."""
    thread = threading.Thread(target=asyncio.run, args=(work,))
    thread.start()
    thread.join()


@pytest.fixture(scope="module")
def hostile_site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway whose configuration, whose upstream and whose ledger say nothing but such texts."""
    with hostile.mirror() as url:
        settings = sites.settings(tmp_path_factory.mktemp("hostile"), url, hostile.configuration(TEXTS[:NAMED], url))
        aside(written(settings.ledger_path, hostile.records(TEXTS, time.time(), ROUNDS)))
        with opened_door(settings, None) as door:
            site = Site(door, None)
            assert site.caught_up() and until(lambda: "/ui/decisions/0" in site.page("/ui/decisions"), 20)
            yield Site(door, sites.newest(site))


def done(tab: Visit) -> list[str]:
    """Return what a text did on the page that is shown, nothing if it stayed text.

    The browser's own word on a page that is not there comes when it likes, and is nobody's doing.
    """
    found = [*tab.complaints, *tab.page.evaluate(hostile.RAN)]
    return [one for one in found if not one.startswith(NOT_THERE)]


def shown(tab: Visit, number: int) -> bool:
    return bool(tab.page.evaluate("mark => document.documentElement.textContent.includes(mark)", hostile.mark(number)))


def test_the_thousand_are_a_thousand() -> None:
    assert len(set(TEXTS)) == COUNT
    assert all(hostile.mark(number) in text or len(text) < 200 for number, text in enumerate(TEXTS))


def test_what_ran_would_be_noticed(hostile_site: Site, visit: Opens) -> None:
    tab = visit(hostile_site)
    tab.go("/ui/runs")
    assert not done(tab)
    told = []
    for text in ("<planted-x>", "<img src=x onerror=alert(1)>", "<a href='javascript:1'>x</a>", "<style></style>"):
        tab.page.evaluate("text => { document.querySelector('main').innerHTML = text; }", text)
        told.append(bool(tab.page.evaluate(hostile.RAN)))
    assert told == [True] * 4
    tab.page.evaluate("window.planted = 1")
    assert "ran: 1" in done(tab)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_on_every_page_such_names_stay_names(page: Any, hostile_site: Site, visit: Opens) -> None:
    tab = visit(hostile_site)
    if tab.go(page.path.format(decision=hostile_site.decision)) == 200:
        assert tab.page.inner_text("h1").startswith(page.heading)
    else:  # a record of models that were never there cannot be replayed
        assert page.name == "replay"
    assert not done(tab)


def test_whatever_a_record_holds_stays_text(hostile_site: Site, visit: Opens) -> None:
    tab, seen = visit(hostile_site), set[str]()
    tab.go("/ui/decisions")
    while True:
        assert not done(tab)
        seen |= set(tab.page.eval_on_selector_all("#rows a", "all => all.map((one) => one.pathname)"))
        older = tab.page.get_by_role("link", name="Older")
        if not older.count():
            break
        older.click()
    marks = set(range(COUNT))
    for path in sorted(seen):
        assert tab.go(path) == 200
        assert not done(tab), path
        text = tab.page.evaluate("document.documentElement.textContent")
        marks -= {
            number for number in marks if hostile.mark(number) in text or hostile.mark(number) not in TEXTS[number]
        }
    assert len(seen) == len(list(hostile.records(TEXTS, 0.0, ROUNDS)))
    assert not marks, "each of them was shown somewhere"


def test_what_callers_and_upstreams_say_stays_text_while_it_arrives(hostile_site: Site, visit: Opens) -> None:
    tab = visit(hostile_site)
    tab.go("/ui/decisions")
    tab.page.get_by_text("Live; newest first").wait_for()
    known = {}
    for number in range(LIVE):
        text = TEXTS[-number - 1]
        body = {"model": TEXTS[number], text: 1, "messages": [{"role": "user", "content": "no" * (number % 2) + text}]}
        _, ident = hostile_site.ask(body)
        if ident:  # else its name was refused at the door, as it cannot be printed
            known[ident] = number
    assert len(known) > 0.8 * LIVE
    tab.page.wait_for_function("count => document.querySelectorAll('#rows tr.new').length >= count", arg=len(known))
    assert not done(tab)
    for ident, number in known.items():
        tab.go(f"/ui/decisions/{ident}")
        assert not done(tab), TEXTS[number]
        assert shown(tab, number) or hostile.mark(number) not in TEXTS[number]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_is_asked_for_stays_text(page: Any, hostile_site: Site, visit: Opens) -> None:
    tab, path = visit(hostile_site), page.path.partition("?")[0].format(decision=hostile_site.decision)
    begin, some = PAGES.index(page) * ASKED * len(NAMES), ASKED * len(NAMES)
    for at in range(begin, begin + some, len(NAMES)):
        query = urlencode({name: TEXTS[(at + place) % COUNT][:500] for place, name in enumerate(NAMES)})
        assert tab.go(f"{path}?{query}") in (200, 400, 404)
        assert not done(tab), query


def test_a_workflow_of_such_a_name_has_a_page_like_any_other(hostile_site: Site, visit: Opens) -> None:
    tab = visit(hostile_site)
    for number in range(0, NAMED, 2):
        assert tab.go(f"/ui/workflows/{quote(TEXTS[number], safe='')}") in (200, 404, 414)
        assert not done(tab), TEXTS[number]


def test_what_stands_in_an_address_stays_text(hostile_site: Site, visit: Opens) -> None:
    tab = visit(hostile_site)
    for text in TEXTS[IN_AN_ADDRESS::5]:
        inside = quote(text[:700], safe="")
        for path in (f"/ui/decisions/{inside}", f"/ui/{inside}", f"/ui/login?next={inside}"):
            assert tab.go(path) in (200, 400, 404)
            assert not done(tab), path
