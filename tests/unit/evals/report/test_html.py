"""How does a comparison look as a page? Whole, inert whatever is in it, and the same each time."""

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from tests.unit.evals.world import BASELINE, Rates, evidence, frontier
from tierwise.core.criteria import Criteria
from tierwise.evals.evidence import Evidence
from tierwise.evals.report.html import render
from tierwise.evals.verdict import decide

HOSTILE = (
    '"><script>alert(1)</script>',
    "</title></svg><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "javascript:alert(1)//]]>&lt;b&gt;",
    "\u202egnp.exe\x00\ud800",
    "x" * 5000,
)
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "section", "figure", "figcaption", "footer", "div",
    "h1", "h2", "h3", "p", "span", "small", "strong", "code", "br", "ul", "li", "dl", "dt", "dd", "table", "thead", "tbody",
    "tr", "th", "td", "details", "summary", "svg", "desc", "line", "polyline", "polygon", "rect", "circle", "text",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "charset", "http-equiv", "content", "name", "class", "aria-label", "aria-labelledby", "role", "id", "scope",
    "title", "data-name", "viewbox", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "points",
    "text-anchor", "fill-opacity",
}  # fmt: skip


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def of(known: Evidence) -> str:
    return render(known, decide(known)).decode()


def whole(tmp_path: Path) -> Evidence:
    ways = {BASELINE: frontier(missing=0.01), "small": Rates(0.85, sure=0.9, missing=0.02), "linear": Rates(0.92, ms=2)}
    rule = Criteria(max_latency_ms_p95=3000.0, volume_per_month=1000)
    return evidence(tmp_path, ways, items=400, tune=200, reviews=30, criteria=rule)


def test_every_question_has_its_plot_and_its_numbers(tmp_path: Path) -> None:
    text = of(whole(tmp_path))
    for title in (
        "Expand", "Quality against cost", "What an accepted task costs", "How long answers take", "As items came in: linear",
        "What confidence is worth", "What accepting more costs in errors", "Who agrees with whom", "What became of the calls",
        "Quality by the length of the input", "What would turn it", "Every gate, with records",
    ):  # fmt: skip
        assert title in text, title
    page = Page(text)
    assert page.open == [] and "svg" in page.tags
    assert text.count("<svg") == text.count("<desc id=") == len(re.findall(r'<svg [^>]*role="img"', text))
    idents = re.findall(r' id="([^"]+)"', text)
    assert len(idents) == len(set(idents)), "a name that stands twice names nothing"


def test_it_needs_nothing_else_and_asks_for_nothing(tmp_path: Path) -> None:
    text = of(whole(tmp_path))
    assert "default-src 'none'" in text and len(text) < 500_000
    assert not re.search(r"https?://|url\(|@import|<script|<link|\bsrc=|\bhref=|\bstyle=|\bon\w+=", text)


def test_the_sheet_is_the_one_that_the_policy_lets_in(tmp_path: Path) -> None:
    import base64
    import hashlib

    text = of(whole(tmp_path))
    sheet = text.split("<style>")[1].split("</style>")[0]
    assert f"'sha256-{base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()}'" in text


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_names_from_outside_do_nothing(tmp_path: Path, hostile: str) -> None:
    known = whole(tmp_path)
    names = {BASELINE: BASELINE + hostile, "small": hostile, "linear": "linear"}
    header = known.header
    subjects = tuple(
        msgspec.structs.replace(one, name=names[one.name], model=names[one.name]) for one in header.subjects
    )
    header = msgspec.structs.replace(
        header, subjects=subjects, baseline=names[BASELINE], workflow=hostile, run=hostile, scorer=hostile, metric=hostile,
        dataset=hostile,
    )  # fmt: skip
    rows = tuple(
        msgspec.structs.replace(
            row, subject=names[row.subject], reached=names[row.subject], decision=hostile, detail=hostile
        )
        for row in known.observations
    )
    text = of(msgspec.structs.replace(known, header=header, observations=rows, reviews=()))
    page = Page(text)
    assert page.tags <= ALLOWED, page.tags - ALLOWED
    assert page.attributes <= ATTRIBUTES, page.attributes - ATTRIBUTES
    assert page.open == []


def test_the_same_evidence_gives_the_same_page(tmp_path: Path) -> None:
    known = whole(tmp_path)
    assert of(known) == of(known)


@pytest.mark.parametrize("items", [0, 1, 2, 30])
def test_little_or_nothing_is_drawn_without_an_error(tmp_path: Path, items: int) -> None:
    ways = {BASELINE: frontier(), "small": Rates(0.9, sure=0.5), "lost": Rates(missing=1.0)}
    text = of(evidence(tmp_path, ways, items=items, planned=100))
    assert "Not enough evidence" in text and Page(text).open == []
