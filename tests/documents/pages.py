"""The figures of docs/reference/pages.md, from those beside it, which `scripts/bench pages --write` measures.

`python -m tests.documents.pages` writes that part of the page anew. What was not measured is told as not measured.
"""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE, FIGURES = FOLDER / "pages.md", FOLDER / "pages.json"
HEAD = "## How fast they are, and what they cost a call\n"


def page() -> str:
    """Return the page: what is written by hand, then the figures."""
    written, _, _ = PAGE.read_text(encoding="utf-8").partition(HEAD)
    told = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    parts = [_origin(told), _paint(told.get("paint")), _hotpath(told.get("hotpath"))]
    return f"{written}{HEAD}\n" + "\n".join(parts)


def _origin(told: dict[str, Any]) -> str:
    if not told:
        return "Not measured yet; `scripts/bench pages --write` does it, `scripts/docs` then writes it here.\n"
    return f"`scripts/bench pages --write`, {told['date']}: {told['machine']}; {told['versions']}.\n"


def _paint(one: dict[str, Any] | None) -> str:
    if one is None:
        return "How soon pages are painted over a large ledger: not measured.\n"
    rows = [
        "| first contentful paint, empty browser cache | median | longest | while the ledger is first read, longest |",
        "|---|---:|---:|---:|",
    ]
    for name, warm in one["warm"].items():
        cold = one["reading"].get(name)
        told = "–" if cold is None else f"{cold['longest_ms']} ms of {cold['times']}"
        rows.append(f"| {name} | {warm['median_ms']} ms | {warm['longest_ms']} ms | {told} |")
    return (
        f"Over {one['calls']:,} decisions ({one['ledger_mb']:,} MB), {one['rounds']} times each:\n\n"
        + "\n".join(rows)
        + f"\n\nThe first page after a start is painted after {one['first_after_restart_ms']} ms, of which most is the start of the\n"
        f"process that draws. Where there is no index yet it is {one['first_ms']} ms; the index ({one['index_mb']} MB) is made in\n"
        f"{one['read_s']} s, and each page says so until then.\n"
    )


def _hotpath(one: dict[str, Any] | None) -> str:
    if one is None:
        return "What pages cost a call: not measured.\n"
    rows = [
        "| a call, with pages | half within | 99 of 100 within | processor time of the gateway |",
        "|---|---:|---:|---:|",
    ]
    names = {"watched": "open, and a list that is watched", "reloaded": "loaded without pause"}
    for name, words in names.items():
        ratios = (f"× {one[name][f'{key}_ratio']}" for key in ("p50", "p99", "cpu"))
        rows.append(f"| {words} | {' | '.join(ratios)} |")
    return (
        f"Calls one after the other, {one['calls_each']} in a piece, {one['rounds']} rounds of pieces in turns; ratios to the piece of the\n"
        "same round without a process that draws. Gateway, upstream, caller and pages share the processors.\n\n"
        + "\n".join(rows)
        + f"\n\nWhile they were loaded without pause, {one['reloaded']['pages']:.0f} pages went through the gateway in a piece.\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
