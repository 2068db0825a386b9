"""Does what is quoted stand there? `citations`, or `citations:FIELD` where the item's documents are called otherwise.

The field is a text, or a list of texts, or of objects with `text` and perhaps `page`. A quotation is what quotation
marks hold, of three words or more; a page that is named behind it is where it must stand. Any other page that is named
must be there. The score is the share of citations that hold, 0 for an answer that cites nothing.
"""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tierwise.evals.item import Item
from tierwise.evals.scorers.score import Score, Scorer, Simple, valued

FIELD = "documents"
LEAST_WORDS = 3
NEAR_CHARS = 40
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”“]+)”|„([^“”„]+)[“”]|«([^»«]+)»|»([^«»]+)«")
_PAGE = re.compile(r"\b(?:p|pp|page|pages|s|seite|seiten|página|pagina|str)\.?\s?(\d{1,6})\b", re.IGNORECASE)
_SPACE = re.compile(r"\s+")


def citations(spec: str, rest: str, _base: Path) -> Scorer:
    """Make the scorer."""
    field = rest or FIELD

    def function(text: str, _reference: Any, item: Item) -> Score:
        pages = list(_documents(item.fields.get(field)))
        if not pages:
            raise ValueError(f"the item has no documents in its field {field}")
        held = [_holds(quote, page, pages) for quote, page in cited(text)]
        return valued(sum(held) / len(held) if held else 0.0)

    return Simple(spec, "citations that hold", function, needs_reference=False)


def cited(text: str) -> list[tuple[str | None, str | None]]:
    """Return what a text cites: a quotation, a page, or both."""
    found: list[tuple[str | None, str | None]] = []
    used: set[int] = set()
    for match in _QUOTED.finditer(text):
        quote = next(filter(None, match.groups()))
        if len(quote.split()) < LEAST_WORDS:
            continue
        page = _PAGE.search(text, match.end(), match.end() + NEAR_CHARS)
        # A page behind the next quotation is that one's.
        if page is not None and _QUOTED.search(text, match.end(), page.start()):
            page = None
        found.append((quote, None if page is None else page[1]))
        used.update(() if page is None else (page.start(),))
    found += [(None, page[1]) for page in _PAGE.finditer(text) if page.start() not in used]
    return found


def _holds(quote: str | None, page: str | None, pages: list[tuple[str | None, str]]) -> bool:
    there = [text for number, text in pages if page is None or number is None or number == str(int(page))]
    if page is not None and not any(number == str(int(page)) for number, _ in pages):
        return False
    return quote is None or any(_plain(quote) in text for text in there)


def _documents(value: Any) -> Iterator[tuple[str | None, str]]:
    """Give each page's number, where it has one, and its plain text."""
    for one in value if isinstance(value, list) else [] if value is None else [value]:
        if isinstance(one, dict):
            number = one.get("page")
            yield None if number is None else str(number), _plain(str(one.get("text", "")))
        else:
            yield None, _plain(str(one))


def _plain(text: str) -> str:
    """Return text as it is compared: one case, single spaces, one kind of marks, no ellipsis or point at its ends."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = text.translate({0x2019: "'", 0x2018: "'", 0x201C: '"', 0x201D: '"', 0x2013: "-", 0x2014: "-", 0xAD: None})
    return _SPACE.sub(" ", text).strip(" .,;:…")
