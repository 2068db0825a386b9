"""How is a result written as one HTML file that asks nobody for anything? The frame of the commands' pages.

Invariant: the page's own policy refuses script, requests and any style but its one sheet; what stands in it is whole.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib import resources


def html_page(title: str, body: str) -> bytes:
    """Return the page; `body` is markup in which everything from outside is escaped."""
    sheet = resources.files("tierwise.evals.report").joinpath("page.css").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{sheet}</style></head>"
        f"<body><header><h1>{escape(title)}</h1></header><main>{body}</main></body></html>\n"
    ).encode("utf-8", "backslashreplace")


def facts(rows: Iterable[tuple[str, str, str]]) -> str:
    """Return what a card names: a word, what it comes to, and a remark."""
    told = "".join(f"<div><dt>{escape(a)}</dt><dd>{escape(b)}<small>{escape(c)}</small></dd></div>" for a, b, c in rows)
    return f'<dl class="facts">{told}</dl>'


def grid(heads: Sequence[str], rows: Sequence[Sequence[str]], kind: str, numbers: Sequence[int] = ()) -> str:
    """Return a table that scrolls by itself; a narrow one of the kind `ways` names each cell in place of its head."""
    marked = [' class="n"' if at in numbers else "" for at in range(len(heads))]
    top = "".join(f"<th{mark}>{escape(name)}</th>" for name, mark in zip(heads, marked, strict=True))
    body = "".join(f"<tr>{''.join(_cells(heads, row, marked))}</tr>" for row in rows)
    return f'<div class="scroll"><table class="{kind}"><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(name: str, drawn: str) -> str:
    """Return a picture with its name."""
    return f"<figure><figcaption>{escape(name)}</figcaption>{drawn}</figure>"


def _cells(heads: Sequence[str], row: Sequence[str], marked: Sequence[str]) -> Iterator[str]:
    for name, cell, mark in zip(heads, row, marked, strict=True):
        yield f'<td{mark} data-name="{escape(name)}">{escape(cell)}</td>'
