"""A drill as a page: what survives, beside today; what is lost and why; and what anybody needs to make it again.

A pure function of a drill's head and findings. Invariant: everything from outside is escaped, a bar begins at 0, and
what is not known is named.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from html import escape

from tierwise.cli.cost_found import usd
from tierwise.cli.drill_card import EVIDENCE, changed, how_sure, load_row, seconds
from tierwise.cli.html_page import facts, figure, grid, html_page
from tierwise.cli.options import utc
from tierwise.drill.file import Head
from tierwise.drill.findings import Findings, Group, Loss, Sum
from tierwise.drill.traffic import US_PER_S
from tierwise.evals.report import svg

ROWS = 50
HIGH = 16
"""Of a bar."""
SIDES = ("today", "in the drill")
Pair = tuple[str, float, float]


def page(head: Head, found: Findings) -> bytes:
    """Return the page."""
    whole = found.whole
    plots = [
        _bars("What comes of the calls", _outcomes(whole), lambda calls: f"{calls:,.0f}"),
        _bars("How long answers take", _times(whole), seconds),
        _bars("What it costs, by workflow", _costs(found), lambda amount: usd(Decimal(str(amount)))),
        _bars("How good the answers are known to be", _evidence(whole), lambda calls: f"{calls:,.0f}"),
    ]
    body = _card(head, found) + f'<div class="plots">{"".join(plots)}</div>{_lost(found)}{_rest(found)}{_again(head)}'
    return html_page(f"Drill: {changed(head.scenario)}", body)


def _card(head: Head, found: Findings) -> str:
    today, drill, lost = found.whole.today, found.whole.drill, found.lost
    rows = [
        ("Answered in the drill", f"{found.survives:,}", f"of {found.wanted:,} that are answered today"),
        ("By another model", f"{found.survives - found.same:,}", "of those"),
        ("Cost", usd(drill.cost_usd), f"{usd(today.cost_usd)} today"),
        ("Nineteen of twenty within", seconds(drill.took.p95_ms), f"{seconds(today.took.p95_ms)} today"),
    ]
    rows += [("Not priced", f"{drill.unmetered:,}", "calls that the cost leaves out")] if drill.unmetered else []
    rows += [("Not timed", f"{drill.untimed:,}", "answers that the times leave out")] if drill.untimed else []
    word, tone = ("Nothing is lost", "expand") if not lost else (f"{lost:,} calls are lost", "stop")
    told = f"{head.source.records:,} records from {utc(head.source.since_ts)} UTC on, {head.calls:,} calls of them"
    return (
        f'<section class="card {tone}"><p class="word">{word}</p><p class="headline">{escape(told)}</p>'
        f"{facts(rows)}</section>"
    )


def _outcomes(group: Group) -> Iterator[Pair]:
    for name in dict.fromkeys((*group.today.outcomes, *group.drill.outcomes)):
        yield name, group.today.outcomes.get(name, 0), group.drill.outcomes.get(name, 0)


def _evidence(group: Group) -> Iterator[Pair]:
    for known, said in EVIDENCE.items():
        counts = group.today.evidence.get(known, 0), group.drill.evidence.get(known, 0)
        if any(counts):
            yield said, *counts


def _times(group: Group) -> Iterator[Pair]:
    ranks: tuple[tuple[str, Callable[[Sum], float | None]], ...] = (
        ("half of them within", lambda one: one.took.p50_ms),
        ("nineteen of twenty within", lambda one: one.took.p95_ms),
        ("of it waiting, nineteen of twenty", lambda one: one.waited.p95_ms),
    )
    for name, of in ranks:
        today, drill = of(group.today), of(group.drill)
        if today is not None and drill is not None:
            yield name, today, drill


def _costs(found: Findings) -> Iterator[Pair]:
    for group in found.workflows[:ROWS]:
        yield group.name, float(group.today.cost_usd), float(group.drill.cost_usd)


def _bars(title: str, pairs: Iterator[Pair], write: Callable[[float], str]) -> str:
    """Draw two bars for each name, one under the other; nothing where nothing is known of both sides."""
    rows = list(pairs)
    if not rows:
        return ""
    most = max(max(one, other) for _, one, other in rows) or 1.0
    inside, y = [], 12.0
    for name, *both in rows:
        inside.append(svg.text(0, y, name, "label"))
        for side, value in enumerate(both):
            wide, top = value / most * (svg.WIDTH - 90), y + 5 + side * (HIGH + 2)
            inside.append(svg.box(0, top, wide, HIGH, f"hill s{side}", f"{name}, {SIDES[side]}: {write(value)}"))
            inside.append(svg.text(wide + 6, top + 12, write(value), "value"))
        y += 2 * HIGH + 28
    told = "; ".join(f"{name}: {write(one)} today, {write(other)} in the drill" for name, one, other in rows)
    ident = "".join(character for character in title.lower() if character.isalpha())
    drawn = svg.picture(ident, title, told, y - 8, inside)
    key = "".join(f'<li class="s{side}">{name}</li>' for side, name in enumerate(SIDES))
    return figure(title, f'{drawn}<ul class="key">{key}</ul>')


def _lost(found: Findings) -> str:
    heads = ("calls", "workflow", "label", "outcome", "why", "such as")
    return _list("What is lost, and why", heads, [_loss(one) for one in found.losses[:ROWS]], len(found.losses))


def _loss(one: Loss) -> tuple[str, ...]:
    why = f"{one.cause}: {one.reason}" if one.reason else one.cause
    return f"{one.calls:,}", one.workflow, one.label.value, one.outcome, why, ", ".join(one.ids)


def _rest(found: Findings) -> str:
    moves = [(one.before, one.after, f"{one.calls:,}") for one in found.moves[:ROWS]]
    heads = ("endpoint", "asked", "at once", "busy", "waited", "longest wait")
    sure = "".join(f"<li>{escape(line.strip())}</li>" for line in how_sure(found))
    return (
        _list("Who answers instead", ("today", "in the drill", "calls"), moves, len(found.moves))
        + _list("The endpoints, today → in the drill", heads, [load_row(one) for one in found.loads], 0)
        + f'<section class="list"><h2>How sure this is</h2><ul>{sure}</ul></section>'
    )


def _list(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], all_: int) -> str:
    more = f"<p>and {all_ - ROWS:,} more, in the file</p>" if all_ > ROWS else ""
    shown = f"<h2>{escape(title)}</h2>{grid(heads, rows, 'ways')}{more}"
    return f'<section class="list">{shown}</section>' if rows else ""


def _again(head: Head) -> str:
    rows = [
        ("made", utc(head.made_us / US_PER_S) + " UTC"),
        ("by Tierwise", head.tierwise),
        ("records", f"{head.source.after + 1:,} to {head.source.last:,} of the ledger"),
        ("their digest", f"sha256:{head.source.sha256}"),
        ("to make it again", "tierwise drill --again FILE, of what --keep FILE wrote; --ledger holds it to the ledger"),
    ]
    return f'<section class="list"><h2>The evidence</h2>{grid(("what", "which"), rows, "ways")}</section>'
