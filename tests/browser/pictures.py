"""Which pictures do the documents show, and how are they taken? `python -m tests.browser.pictures` takes them anew.

Small enough to live beside the text: the colours of a page are few, so each picture gets a palette of its own.
"""

import io
import tempfile
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

from PIL import Image

from tests.browser import chromium, sites
from tests.browser.chromium import NARROW, WIDE, Visit
from tests.browser.pages import PAGES
from tierwise.testing import ScriptedUpstream
from tierwise.web.cost import EXAMPLE

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "pictures"
CALLS = 40_000
COLOURS = 256


class Picture(NamedTuple):
    """A page's name, over which ledger, and how it is looked at."""

    page: str
    ledger: str
    theme: str
    width: int
    query: str = ""

    @property
    def file(self) -> Path:
        """Return where it lies."""
        return FOLDER / f"{self.page}-{self.theme}-{self.width}.png"


PICTURES = (
    Picture("overview", "large", "light", WIDE),
    Picture("overview", "large", "dark", NARROW),
    Picture("decisions", "large", "dark", WIDE),
    Picture("decision", "small", "light", WIDE),
    Picture("workflow", "small", "light", WIDE),
    Picture("models", "small", "dark", WIDE),
    Picture("cost", "large", "light", WIDE, f"?{urlencode(EXAMPLE)}"),
    Picture("policy", "small", "dark", WIDE),
)


def small(taken: bytes) -> bytes:
    """Return a picture with a palette, as PNG."""
    found = io.BytesIO()
    with Image.open(io.BytesIO(taken)) as picture:
        few = picture.convert("RGB").quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        few.save(found, "PNG", optimize=True)
    return found.getvalue()


def main() -> None:
    """Take them all."""
    if why := chromium.missing():
        raise SystemExit(why)
    FOLDER.mkdir(parents=True, exist_ok=True)
    paths = {shown.name: shown.path for shown in PAGES}
    with (
        tempfile.TemporaryDirectory() as folder, chromium.opened() as browser,
        ScriptedUpstream.in_thread(models=("m",)) as upstream,
        sites.opened("small", Path(folder) / "small", upstream) as some,
        sites.opened("large", Path(folder) / "large", upstream, CALLS) as many,
    ):  # fmt: skip
        for one in PICTURES:
            site = {"small": some, "large": many}[one.ledger]
            context = chromium.context(browser, one.theme, one.width)
            tab = Visit(context, site.origin)
            tab.go(paths[one.page].format(decision=site.decision) + one.query)
            tab.settle()
            one.file.write_bytes(small(tab.page.screenshot(full_page=one.width == WIDE and one.page != "decisions")))
            context.close()
            print(f"{one.file.name}: {one.file.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
