"""A workflow as a person works with it: the line follows the form, what changes traffic is agreed to, the report opens."""

from tests.browser.conftest import Opens
from tests.browser.sites import Site
from tests.browser.test_pages import serious
from tests.integration.server.conftest import until

RUN_MS = 60_000


def test_a_model_is_put_on_trial_and_the_trial_is_ended(small: Site, visit: Opens) -> None:
    tab = visit(small)
    tab.go("/ui/workflows/tickets")
    tab.page.locator("summary", has_text="Put a model on trial").click()
    form = tab.page.locator("form[data-line$='/act/start/line']")
    form.get_by_label("Model").select_option("large-70b")
    form.get_by_label("Share of the calls").fill("7")
    form.get_by_text("more than 0 and at most 1").wait_for()
    form.get_by_label("Share of the calls").fill("0.2")
    form.get_by_label("Why").fill("a look; $HOME")
    line = "tierwise rollout start --share=0.2 '--why=a look; $HOME' -- tickets large-70b"
    form.get_by_text(line, exact=True).wait_for()
    assert not serious(tab), "an open form is readable too"
    form.get_by_role("button", name="Put a model on trial").click()
    tab.page.get_by_text("Within a second this share").wait_for()
    tab.page.get_by_text(line, exact=True).wait_for()
    assert not serious(tab)
    tab.page.get_by_role("button", name="Put a model on trial").click()
    tab.page.get_by_text("release 1 of the workflow 'tickets' is in force").wait_for(timeout=RUN_MS)
    tab.page.get_by_role("link", name="Back").click()
    assert until(lambda: tab.page.reload() is not None and tab.page.get_by_text("canary large-70b").is_visible())
    tab.page.get_by_text("Canary large-70b, a share of 0.2").wait_for(timeout=RUN_MS)
    assert not serious(tab)
    tab.page.locator("summary", has_text="End the trial").click()
    tab.page.locator("form[data-line$='/act/stop/line']").get_by_role("button", name="End the trial").click()
    tab.page.get_by_role("button", name="End the trial").click()
    tab.page.get_by_text("release 2 of the workflow 'tickets' is in force").wait_for(timeout=RUN_MS)
    assert not tab.complaints


def test_the_report_opens_in_a_tab_of_its_own_with_its_style(small: Site, visit: Opens) -> None:
    tab = visit(small)
    tab.go("/ui/workflows/tickets")
    with tab.page.expect_popup() as opened:
        tab.page.get_by_role("link", name="The whole report").click()
    report = opened.value
    report.get_by_role("heading", name="tickets").wait_for()
    assert report.evaluate("getComputedStyle(document.querySelector('.word')).fontWeight") != "400", "its style holds"
    assert report.evaluate("self.origin") == "null", "nothing in it is of the pages"
