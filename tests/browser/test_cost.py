"""The break-even form in a browser: a slider moves the answer, an old answer never comes over a new one, and the
address holds what was set. The filter of a table, too."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.chromium import NARROW, THEMES
from tests.browser.conftest import Opens
from tests.browser.sites import Site
from tests.browser.test_pages import serious

EXAMPLE = "begin with example numbers"


def slide(page: Page, bucket: str, label: str, share: float) -> None:
    """Move the slider of a number to a share of its way, as a pointer does."""
    slider = page.get_by_role("group", name=bucket).get_by_label(f"{label}, as a slider", exact=True)
    slider.evaluate(
        "(one, share) => { one.value = 1000 * share; one.dispatchEvent(new Event('input', {bubbles: true})); }", share
    )


def begun(site: Site, visit: Opens, theme: str = "light", width: int = 1440) -> Page:
    tab = visit(site, theme, width)
    assert tab.go("/ui/cost") == 200
    tab.page.get_by_role("link", name=EXAMPLE).click()
    expect(tab.page.locator("#plan svg")).to_be_visible()
    return tab.page


@pytest.mark.parametrize("theme", THEMES)
def test_the_answer_can_be_read_by_everyone(empty: Site, theme: str, visit: Opens) -> None:
    tab = visit(empty, theme, NARROW)
    assert tab.go("/ui/cost") == 200
    tab.page.get_by_role("link", name=EXAMPLE).click()
    expect(tab.page.locator("#plan svg")).to_be_visible()
    tab.page.locator("#break-even details").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    assert not serious(tab)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= NARROW
    assert not tab.complaints


def test_a_slider_moves_the_number_the_answer_and_the_address(empty: Site, visit: Opens) -> None:
    page = begun(empty, visit)
    before = page.locator("#plan svg").inner_html()
    slide(page, "Compute capacity", "A month", 0.8)
    number = page.locator("#buckets-compute-month-usd")
    typed = number.input_value().replace(",", "")
    assert float(typed) > 1000
    expect(page.locator("#buckets-compute-month-usd-said")).to_have_text("assumed: set on this page")
    expect(page.locator("#plan [role=status]")).to_be_visible()
    page.wait_for_function("before => document.querySelector('#plan svg').innerHTML !== before", arg=before)
    page.wait_for_url(re.compile(r"buckets\.compute\.month_usd="))
    assert parse_qs(urlsplit(page.url).query)["buckets.compute.month_usd"][0].replace(",", "") == typed
    shown = page.locator("#plan table").first.inner_text()
    page.reload()
    assert page.locator("#plan table").first.inner_text() == shown
    page.get_by_role("link", name="Reset").click()
    assert "compute" not in page.url


def test_an_old_answer_never_comes_over_a_new_one(empty: Site, visit: Opens) -> None:
    page = begun(empty, visit)
    held: list[Route] = []
    given_up: list[Request] = []

    def delay(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)  # the first question gets no answer for now

    page.route("**/ui/cost/plan?*", delay)
    page.on("requestfailed", lambda request: given_up.append(request))  # noqa: PLW0108
    volume = page.get_by_label("Tokens a month", exact=True)
    with page.expect_request("**/ui/cost/plan?*"):
        volume.fill("111000000")
    volume.fill("222000000")
    expect(page.locator("#plan [role=status]")).to_contain_text("At 222M tokens")
    assert [held[0].request.url] == [one.url for one in given_up]


def test_a_form_works_without_a_script(empty: Site, visit: Opens) -> None:
    page = begun(empty, visit)
    context = page.context.browser.new_context(java_script_enabled=False)  # type: ignore[union-attr]
    try:
        plain = context.new_page()
        plain.goto(page.url)
        plain.get_by_label("Tokens a month", exact=True).fill("333000000")
        plain.get_by_role("button", name="Work it out").click()
        expect(plain.locator("#plan [role=status]")).to_contain_text("At 333M tokens")
        assert plain.locator("input[type=range]:visible").count() == 0
    finally:
        context.close()


def test_a_filter_leaves_the_rows_that_hold_its_words(small: Site, visit: Opens) -> None:
    tab = visit(small)
    assert tab.go("/ui/models") == 200
    tab.page.locator("[data-filters='#models']").fill("local search")
    expect(tab.page.locator("#models tr:visible")).to_have_count(1)
    expect(tab.page.locator("#models-told")).to_have_text("1 of 6")
    fits = tab.page.locator("#fits tr")
    expect(fits.first).to_be_visible(timeout=30_000)
    tab.page.locator("[data-filters='#fits']").fill("gemma")
    expect(tab.page.locator("#fits tr:visible").first).to_contain_text("gemma")
    assert not tab.complaints
