"""One browser and three gateways for all tests of this folder; each test has a tab of its own.

The browser's event loop runs in the tests' own thread: what needs another one here runs in a thread of its own.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import chromium, sites
from tests.browser.chromium import Visit
from tests.browser.sites import Site
from tierwise.testing import ScriptedUpstream

# Where screenshots go, and how many calls the large ledger holds.
PICTURES = os.environ.get("TIERWISE_PICTURES", "")
CALLS = int(os.environ.get("TIERWISE_LARGE", "100000"))

Opens = Callable[..., Visit]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Chromium for the whole folder; skips, saying why, where there is none."""
    why = chromium.missing()
    if why is not None:
        pytest.skip(why)
    with chromium.opened() as browser:
        yield browser


@pytest.fixture(scope="package")
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(models=("m",)) as upstream:
        yield upstream


@pytest.fixture(scope="package")
def empty(browser: Browser, upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites.opened("empty", tmp_path_factory.mktemp("empty"), upstream) as site:
        yield site


@pytest.fixture(scope="package")
def small(browser: Browser, upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites.opened("small", tmp_path_factory.mktemp("small"), upstream) as site:
        yield site


@pytest.fixture(scope="package")
def large(browser: Browser, upstream: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with sites.opened("large", tmp_path_factory.mktemp("large"), upstream, CALLS) as site:
        yield site


@pytest.fixture
def site(request: pytest.FixtureRequest) -> Site:
    """The gateway over the ledger that the test's parameter names."""
    found: Site = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def visit(browser: Browser) -> Iterator[Opens]:
    """Open a tab at a gateway: `visit(site, theme, width)`."""
    opened = []

    def open_tab(site: Site, theme: str = "light", width: int = chromium.WIDE) -> Visit:
        opened.append(chromium.context(browser, theme, width))
        return Visit(opened[-1], site.origin)

    yield open_tab
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go."""
    folder = Path(PICTURES) if PICTURES else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
