"""What somebody does with the policy and at the first visit: in a browser, by the page's own buttons."""

from tests.browser.conftest import Opens
from tests.browser.sites import Site

FOCUSED = "document.activeElement.getAttribute('href')"
ABOVE = "document.activeElement.closest('tr').previousElementSibling.querySelector('a').getAttribute('href')"


def test_a_text_is_judged_in_place_and_stands_in_no_address(small: Site, visit: Opens) -> None:
    tab = visit(small)
    tab.go("/ui/policy")
    tab.page.get_by_label("Text", exact=True).fill("card 4539 5781 4433 6481")
    tab.page.get_by_role("button", name="Decide").click()
    tab.page.get_by_text("the detector card").wait_for()
    assert tab.page.url.endswith("/ui/policy")
    assert "4539" not in tab.page.inner_text("#tested")
    assert not any("4539" in url for url in tab.requests) and not tab.complaints


def test_a_first_call_leads_to_its_decision(small: Site, visit: Opens) -> None:
    tab = visit(small)
    tab.go("/ui/start")
    assert small.origin in tab.page.inner_text("#clients"), "the settings have the address that the browser sees"
    tab.page.get_by_label("Prompt").fill("one two three")
    tab.page.get_by_role("button", name="Ask").click()
    tab.page.get_by_text("one two three", exact=True).wait_for()
    tab.page.get_by_role("link", name="Why it went there").click()
    tab.page.get_by_role("heading", name="Decision").wait_for()
    assert not tab.complaints


def test_the_list_is_gone_through_by_keys(small: Site, visit: Opens) -> None:
    tab = visit(small)
    tab.go("/ui/decisions")
    links = tab.page.locator("#rows a")
    links.first.focus()
    first = tab.page.evaluate(FOCUSED)  # another call may arrive above it meanwhile
    tab.page.keyboard.press("ArrowDown")
    assert tab.page.evaluate(ABOVE) == first
    second = tab.page.evaluate(FOCUSED)
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url(f"**{second}")
    assert not tab.complaints
