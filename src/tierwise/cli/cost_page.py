"""How does what calls cost look as a page? Spending and baselines; lines that cross, what is open, and every input.

A pure function; drawn with the marks of the evaluation report. Invariant: everything from outside is escaped, and the
page's own policy refuses script, requests and any style but its one sheet.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from html import escape

from tierwise.cli.cost_found import Cost, round_usd
from tierwise.cli.cost_spent import spent
from tierwise.cli.html_page import facts, grid, html_page
from tierwise.core.usage import TOKENS_PER_MTOK as MTOK
from tierwise.economics.breakeven import Own, Stretch
from tierwise.economics.compare import Answer, CostPlan, Input, Range
from tierwise.economics.curve import Point, curves
from tierwise.evals.report import svg

NOTHING_TOLD = '<section class="list"><p>No call is on record in this time.</p></section>'
WORDS = {"own": "Own machines", "api": "The API", "open": "Open"}


def page(found: Cost, plan: CostPlan | None) -> bytes:
    """Return the page: what was spent, and where there is a plan, what machines would cost."""
    body = spent(found) if found.whole.calls else ""
    if plan is not None:
        own, volume = plan.whole(), plan.plan.tokens_per_month
        body += "".join(_section(answer, volume) for answer in found.comparisons)
        drawn = "".join(_figure(own, answer, volume, at) for at, answer in enumerate(found.comparisons))
        body += f'<div class="plots">{drawn}</div>'
        body += _given(found.inputs, found.missing_buckets)
    return html_page("What it costs", body or NOTHING_TOLD)


def _section(answer: Answer, volume: int) -> str:
    tone = {"own": "expand", "api": "stop", "open": "not_enough_evidence"}[answer.cheaper]
    rows = (
        (
            "A month of own machines",
            round_usd(answer.own_usd_per_month),
            f"at {volume / MTOK:,.1f} M tokens",
        ),
        ("A month of the API", round_usd(answer.api_usd_per_month), answer.api.usd_per_mtok.provenance),
        ("Paid back after", _months(answer.payback_months.value), _ends(answer.payback_months)),
        (
            "Worth today",
            round_usd(answer.npv_usd.value),
            f"{round_usd(answer.npv_usd.worst)} to {round_usd(answer.npv_usd.best)}",
        ),
        ("Waiting a quarter", round_usd(answer.waiting_a_quarter_usd), "positive: it gains"),
    )
    crossings = ", ".join(f"{crossing / MTOK:,.2f} M" for crossing in answer.crossings.crossings[:20])
    changes = (
        f"The cheaper side changes at: {crossings} tokens a month."
        if crossings
        else "The cheaper side is the same at every volume up to four times that of the plan."
    )
    return (
        f'<section class="card {tone}"><p class="word">{WORDS[answer.cheaper]}</p>'
        f'<p class="headline">against {escape(answer.api.name)}</p>{facts(rows)}'
        f"<p>{escape(changes)}</p></section>"
    )


def _figure(own: Own, answer: Answer, volume: int, at: int) -> str:
    return (
        f"<figure><figcaption>A month by volume, against {escape(answer.api.name)}</figcaption>"
        f"{_plot(own, answer, volume, at)}"
        '<ul class="key"><li class="s0">own machines</li><li class="s1">the API</li>'
        '<li class="s2">open: the inputs\' ranges allow both</li></ul></figure>'
    )


def _plot(own: Own, answer: Answer, volume: int, at: int) -> str:
    drawn = curves(own, answer, volume)
    top = float(drawn.top_usd) or 1.0
    frame = svg.Frame((0.0, drawn.most_tokens / MTOK), (0.0, top), left=64)
    mine, theirs = ([_place(frame, point) for point in line] for line in (drawn.own, drawn.api))
    middle = frame.x(volume / MTOK)
    inside = [
        *(_shade(frame, one) for one in drawn.open),
        frame.up(svg.ticks(0.0, top), lambda usd: f"${usd:,.0f}", "US dollars a month"),
        frame.across(svg.ticks(0.0, drawn.most_tokens / MTOK), lambda tokens: f"{tokens:,g}", "million tokens a month"),
        svg.line(mine, "path s0"),
        svg.line(theirs, "path s1"),
        svg.rule(middle, frame.top, middle, frame.bottom, "zero"),
        svg.text(middle + 3, frame.top + 9, "the plan's volume", "note"),
        svg.mark(*mine[-1], 0, "own machines"),
        svg.mark(*theirs[-1], 1, answer.api.name),
    ]
    told = f"Own machines and {answer.api.name} by volume; crossings at {len(answer.crossings.crossings)} volumes."
    return svg.picture(f"cost-{at}", "Cost of a month by volume", told, frame.height, inside)


def _place(frame: svg.Frame, point: Point) -> tuple[float, float]:
    return frame.x(point.tokens / MTOK), frame.y(float(point.usd))


def _shade(frame: svg.Frame, one: Stretch) -> str:
    left, right = frame.x(one.first / MTOK), frame.x((one.last or one.first) / MTOK)
    return svg.box(left, frame.top, right - left, frame.bottom - frame.top, "band s2", "open")


def _given(inputs: Sequence[Input], missing: Sequence[str]) -> str:
    shown = grid(("input", "value", "range", "how it is known", "source"), [_cells(one) for one in inputs], "ways")
    lacks = f"Nobody filled in: {', '.join(missing)}. Own machines cost at least this." if missing else ""
    return f'<section class="list"><h2>What went in</h2><p>{escape(lacks)}</p>{shown}</section>'


def _cells(one: Input) -> tuple[str, ...]:
    given = one.given
    return one.name, f"{given.value:,f}", f"{given.least:,f} to {given.most:,f}", given.provenance, given.source


def _months(value: Decimal | None) -> str:
    return "never" if value is None else f"{value:.1f} months"


def _ends(found: Range) -> str:
    return " to ".join(dict.fromkeys(_spoken(found)))


def _spoken(found: Range) -> Iterator[str]:
    yield from (_months(one) for one in (found.best, found.worst))
