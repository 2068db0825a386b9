"""Which browser opens the pages, and what does it tell of them? Debian's Chromium, driven by Playwright.

Invariant: the browser speaks to nobody by itself and reaches this machine only; what a page tried, it tried by itself.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Dialog, expect, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
THEMES = ("light", "dark")
WIDE, NARROW = 1440, 390
LIMIT_MS = 20_000
SLOWEST_PART_MS = 120_000
INERT = ("data:", "blob:", "about:")
# Runs before anything of a page does, and is no part of it: what the page's own policy stopped.
LISTEN = """
window.stopped = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.stopped.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""


def program() -> str | None:
    """Return the browser's program, None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def missing() -> str | None:
    """Say why no browser can be started here, None if one can."""
    return None if program() else "no Chromium is installed: on Debian, apt install chromium"


@contextmanager
def opened() -> Iterator[Browser]:
    """Start the browser, until the block ends. In its thread no other event loop can run meanwhile."""
    with sync_playwright() as playwright:
        expect.set_options(timeout=LIMIT_MS)
        browser = playwright.chromium.launch(executable_path=program(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def context(browser: Browser, theme: str = "light", width: int = WIDE, **more: Any) -> BrowserContext:
    """Open what one person with an empty cache and this taste would see."""
    found = browser.new_context(color_scheme=theme, viewport={"width": width, "height": 900}, **more)
    found.set_default_timeout(LIMIT_MS)
    found.add_init_script(LISTEN)
    return found


class Visit:
    """One tab, and everything that happened in it."""

    def __init__(self, opened: BrowserContext, origin: str) -> None:
        self.origin, self.requests, self.said, self.dialogs, self.tabs = origin, [], [], [], -1
        opened.on("request", lambda request: self.requests.append(request.url))
        opened.on("page", self._another)
        self.page = opened.new_page()
        self.page.on("console", lambda told: told.type in ("error", "warning") and self.said.append(told.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", self._asked)

    def go(self, path: str) -> int:
        """Open an address of the gateway; return its status when the page has loaded."""
        answer = self.page.goto(self.origin + path, wait_until="load")
        assert answer is not None
        return answer.status

    def settle(self) -> None:
        """Wait until the parts that come later are there."""
        expect(self.page.locator("[data-part][aria-busy]")).to_have_count(0, timeout=SLOWEST_PART_MS)

    @property
    def foreign(self) -> list[str]:
        """What was asked of anybody but the gateway."""
        return [url for url in self.requests if not url.startswith((f"{self.origin}/", *INERT))]

    @property
    def complaints(self) -> list[str]:
        """Everything that a clean page does not do: errors, dialogs, foreign requests, tabs, what its policy stopped."""
        stopped = self.page.evaluate("window.stopped")
        return [*self.said, *self.dialogs, *self.foreign, *stopped, *["another tab"] * self.tabs]

    def _asked(self, dialog: Dialog) -> None:
        self.dialogs.append(f"{dialog.type}: {dialog.message}")
        dialog.dismiss()

    def _another(self, _page: object) -> None:
        self.tabs += 1


def port(url: str) -> int:
    """Return the port of an address."""
    found = urlsplit(url).port
    assert found is not None
    return found
