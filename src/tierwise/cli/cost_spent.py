"""How does what was spent look on the page? The sum beside both baselines, days as bars, and a table for each view.

A pure function. Invariant: everything from outside is escaped; a bar begins at 0, so that lengths compare.
"""

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from tierwise.cli.cost_found import Cost, usd
from tierwise.cli.html_page import facts, figure, grid
from tierwise.economics.spend import Line
from tierwise.evals.report import svg

ROWS = 30
BAR_SHARE = 0.8
MOST_LABELS = 5
ROW_HEIGHT = 24


def spent(found: Cost) -> str:
    """Return the part of the page about the ledger."""
    days = found.views.get("day", ())
    plots = [figure("Spent, and the same tokens elsewhere", _beside(found))] if found.baselines else []
    plots += [figure("Spent by day (UTC)", _days(days))] if days else []
    views = "".join(_view(view, lines) for view, lines in found.views.items() if lines)
    return f'{_card(found)}<div class="plots">{"".join(plots)}</div>{views}'


def _card(found: Cost) -> str:
    whole = found.whole
    rows = [("For an accepted call", usd(found.accepted_usd), f"{whole.accepted:,} of {whole.calls:,}")]
    rows += [(one.role.capitalize(), usd(one.usd), one.model) for one in found.baselines]
    if whole.unknown_usd:
        rows.append(("Not told, at most", usd(whole.unknown_usd), "attempts that never said what they used"))
    if whole.unmetered:
        rows.append(("Not priced", f"{whole.unmetered:,}", "attempts with neither a price nor a [[machine]]"))
    if whole.own_usd:
        rows.append(("Machines of your own", usd(whole.own_usd), "no money that was sent"))
    if whole.review_usd:
        rows.append(("Reviews", usd(whole.review_usd), "people's time"))
    if whole.judged:
        rows.append(("Judged wrong", f"{whole.wrong:,} of {whole.judged:,}", "of the accepted that somebody judged"))
    if found.forecast is not None:
        coming = found.forecast
        told = f"{usd(coming.low_usd)} to {usd(coming.high_usd)}, were days like the last {coming.days}"
        rows.append((f"The next {coming.ahead} days", usd(coming.usd), told))
    return (
        f'<section class="card not_enough_evidence"><p class="word">'
        f"{usd(whole.cost_usd) if whole.priced else 'No cost is known'}</p>"
        f'<p class="headline">for {whole.calls:,} call{"s" if whole.calls != 1 else ""}</p>{facts(rows)}</section>'
    )


def _beside(found: Cost) -> str:
    """Draw what was spent beside what the same tokens would have cost."""
    rows = [("spent", found.whole.cost_usd), *((f"{one.role}: {one.model}", one.usd) for one in found.baselines)]
    most = float(max(amount for _, amount in rows)) or 1.0
    inside = []
    for at, (name, amount) in enumerate(rows):
        y = 12 + at * 2 * ROW_HEIGHT
        inside += [
            svg.text(0, y, name, "label"),
            svg.box(0, y + 6, float(amount) / most * (svg.WIDTH - 90), ROW_HEIGHT - 8, f"hill s{at}", name),
            svg.text(float(amount) / most * (svg.WIDTH - 90) + 6, y + 18, usd(amount), "value"),
        ]
    told = "; ".join(f"{name} {usd(amount)}" for name, amount in rows)
    return svg.picture("beside", "Spent, and the same tokens elsewhere", told, len(rows) * 2 * ROW_HEIGHT, inside)


def _days(days: Sequence[Line]) -> str:
    most = float(max(line.cost_usd for line in days)) or 1.0
    frame = svg.Frame((0.0, float(len(days))), (0.0, most), left=64)
    wide = (frame.right - frame.left) / len(days)
    every = -(-len(days) // MOST_LABELS)
    inside = [
        frame.up(
            svg.ticks(0.0, most), lambda amount: f"${amount:,.2f}" if most > 0.1 else f"${amount:g}", "US dollars"
        ),
        frame.across([at + 0.5 for at in range(0, len(days), every)], lambda at: days[int(at)].name[5:], "day"),
    ]
    for at, line in enumerate(days):
        y, gap = frame.y(float(line.cost_usd)), (1 - BAR_SHARE) / 2 * wide
        told = f"{line.name}: {usd(line.cost_usd)} for {line.calls:,} calls"
        inside.append(svg.box(frame.left + at * wide + gap, y, wide * BAR_SHARE, frame.bottom - y, "hill s0", told))
    return svg.picture(
        "days", "Spent by day", f"{len(days)} days, at most {usd(Decimal(str(most)))}.", frame.height, inside
    )


def _view(view: str, lines: tuple[Line, ...]) -> str:
    heads = (view, "calls", "cost", "own machines", "for each accepted", "tokens in", "out")
    rows = [
        (
            line.name, f"{line.calls:,}", usd(line.cost_usd if line.priced else None),
            usd(line.own_usd or None), usd(line.accepted_usd),
            f"{line.read:,}", f"{line.written:,}",
        )
        for line in (lines[-ROWS:] if view == "day" else lines[:ROWS])
    ]  # fmt: skip
    more = f"<p>and {len(lines) - ROWS:,} more</p>" if len(lines) > ROWS else ""
    shown = grid(heads, rows, "", range(1, len(heads))) + more
    if view == "day":
        shown = f"<details><summary>each day</summary>{shown}</details>"
    return f'<section class="list"><h2>By {escape(view)}</h2>{shown}</section>'
