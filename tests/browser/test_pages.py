"""Each page, over each ledger, in both themes: it is there, calm, readable by everyone, and asks nobody but the gateway."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.chromium import NARROW, THEMES, WIDE, Visit
from tests.browser.conftest import Opens
from tests.browser.pages import PAGES, Shown
from tests.browser.sites import LEDGERS, Site

MOST_BYTES = 120_000
"""No page is larger, however large the ledger is; the record of a long decision aside."""
SERIOUS = ("serious", "critical")
EVERYWHERE = [
    pytest.param(shown, kind, id=f"{shown.name}-{kind}")
    for kind in LEDGERS
    for shown in PAGES
    if kind != "empty" or "{decision}" not in shown.path
]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("shown", "site"), EVERYWHERE, indirect=["site"])
def test_a_page_can_be_shown_to_a_guest(
    shown: Shown, site: Site, theme: str, visit: Opens, pictures: Path, request: pytest.FixtureRequest
) -> None:
    tab = visit(site, theme)
    assert tab.go(shown.path.format(decision=site.decision)) == 200
    assert tab.page.inner_text("h1").startswith(shown.heading)
    tab.settle()
    assert len(tab.page.content()) < MOST_BYTES
    assert not serious(tab)
    for width in (WIDE, NARROW):
        tab.page.set_viewport_size({"width": width, "height": 900})
        kind = request.node.callspec.params["site"]
        tab.page.screenshot(path=pictures / f"{shown.name}-{kind}-{theme}-{width}.png", full_page=True)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width, "nobody has to scroll sideways"
    assert not tab.complaints


@pytest.mark.parametrize("theme", THEMES)
def test_the_sign_in_is_one_of_them(small: Site, theme: str, visit: Opens) -> None:
    tab = visit(small, theme)
    assert tab.go("/ui/login") == 200
    assert not serious(tab)
    assert not tab.complaints


def serious(tab: Visit) -> list[str]:
    """Return what keeps somebody from reading the page. The browser's protocol runs axe: the page's policy stays."""
    return [
        f"{one['id']}: {node['target']} {node['any'][0]['message'] if node['any'] else one['help']}"
        for one in Axe().run(tab.page).response["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


def test_what_keeps_somebody_from_reading_is_noticed(small: Site, visit: Opens) -> None:
    tab = visit(small)
    tab.go("/ui/decisions")
    tab.page.evaluate(
        "document.querySelector('label select').parentElement.replaceWith(document.querySelector('select'))"
    )
    assert any("select-name" in one for one in serious(tab))


def test_what_a_page_must_not_do_is_noticed(small: Site, visit: Opens) -> None:
    tab = visit(small)
    tab.go("/ui/")
    with tab.page.expect_event("dialog"):
        tab.page.evaluate("""() => {
            document.body.append(Object.assign(document.createElement("img"), {src: "http://elsewhere.example/x.png"}));
            document.body.append(Object.assign(document.createElement("script"), {textContent: "window.ran = true"}));
            setTimeout(() => alert("hello"));
        }""")
    tab.page.wait_for_function("window.stopped.length === 2")
    assert tab.page.evaluate("window.ran") is None
    assert any("img-src" in one for one in tab.complaints) and any("script-src" in one for one in tab.complaints)
    assert tab.dialogs == ["alert: hello"]


def test_what_is_not_there_says_so(small: Site, visit: Opens) -> None:
    tab = visit(small)
    assert tab.go("/ui/nowhere") == 404
    assert "nothing here" in tab.page.inner_text("h1")
    assert not tab.foreign
