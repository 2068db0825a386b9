"""How is what calls cost told on a terminal? Tables by view, baselines beside the sum, and each comparison of a plan.

A pure function of what `tierwise cost` found. Invariant: what is not known is said beside the sum.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tierwise.cli.cost_found import Cost, usd
from tierwise.cli.options import table
from tierwise.core.usage import TOKENS_PER_MTOK
from tierwise.economics.compare import Answer, Range
from tierwise.economics.spend import Forecast, Line

ROWS = 20
SIDES = {"own": "own machines", "api": "the API", "open": "open: the inputs' ranges allow both"}


def told(found: Cost) -> Iterator[str]:
    """Give the lines."""
    whole = found.whole
    if not whole.calls:
        yield "No call is on record in this time."
    else:
        yield headline(whole)
        yield from _besides(whole)
        if whole.unknown_usd:
            yield f"  and at most {usd(whole.unknown_usd)} more, for attempts that never said what they used"
        if whole.unmetered:
            yield f"  and {whole.unmetered:,} attempts with neither a price nor a [[machine]] that says what it costs"
        for one in found.baselines:
            saved = one.usd - whole.cost_usd
            beside = f" ({usd(abs(saved))} {'more' if saved > 0 else 'less'})" if whole.priced else ""
            yield f"  {one.role:14}{usd(one.usd)} at {one.model}{beside}"
        if found.baselines:
            yield "  for the same number of tokens; other models split text otherwise, and think longer or shorter"
        yield from _coming(found.forecast)
        for view, lines in found.views.items():
            yield ""
            yield from _table(view, lines)
    for answer in found.comparisons:
        yield ""
        yield from _comparison(answer)
    if found.missing_buckets:
        yield ""
        yield f"Not in it, so that own machines cost at least this: {', '.join(found.missing_buckets)}"


def headline(whole: Line) -> str:
    """Say what the calls cost; where nobody knows what any of it costs, that no cost is known."""
    calls = f"{whole.calls:,} call{'s' if whole.calls != 1 else ''}"
    if not whole.priced:
        return f"{calls}, of which no cost is known"
    return f"{calls} cost {usd(whole.cost_usd)}; {usd(whole.accepted_usd)} for each that was accepted"


def _besides(whole: Line) -> Iterator[str]:
    """Say what an accepted call costs beside what was sent for it."""
    if whole.own_usd:
        yield f"  {usd(whole.own_usd)} of machines of your own, which is no money that was sent, is in the latter"
    if whole.review_usd or whole.untimed:
        lacks = f" ({whole.untimed:,} reviews never said how long they took)" if whole.untimed else ""
        yield f"  {usd(whole.review_usd)} of people's time for reviews is in the latter{lacks}"
    if whole.judged:
        each = whole.wrong_usd / whole.judged
        told = f"{whole.wrong:,} of {whole.judged:,} accepted ones that somebody judged were wrong"
        yield f"  {told}: {usd(each)} for each, as if those judged were like the others"


def _coming(found: Forecast | None) -> Iterator[str]:
    if found is None:
        yield "  forecast      too few whole days on record for one (7 are needed)"
    else:
        low, high = usd(found.low_usd), usd(found.high_usd)
        yield f"  forecast      {usd(found.usd)} for {found.ahead} days like the last {found.days} ({low} to {high})"


def _table(view: str, lines: tuple[Line, ...]) -> Iterator[str]:
    rows = [_row(line) for line in (lines[-ROWS:] if view == "day" else lines[:ROWS])]
    yield table((view, "calls", "cost", "for each accepted", "tokens in", "out"), rows)
    if len(lines) > ROWS:
        yield f"  and {len(lines) - ROWS} more; --json has all"


def _row(line: Line) -> tuple[str, ...]:
    costs = usd(line.cost_usd if line.priced else None), usd(line.accepted_usd)
    return (line.name, f"{line.calls:,}", *costs, f"{line.read:,}", f"{line.written:,}")


def _comparison(found: Answer) -> Iterator[str]:
    yield f"Own machines against {found.api.name}: cheaper is {SIDES[found.cheaper]}"
    yield f"  a month      {usd(found.own_usd_per_month)} own, {usd(found.api_usd_per_month)} API"
    crossings = [f"{Decimal(at) / TOKENS_PER_MTOK:,.2f} M" for at in found.crossings.crossings[:ROWS]]
    yield f"  crossings    {', '.join(crossings) or 'none'} (tokens a month)"
    yield f"  payback      {_range(found.payback_months, lambda months: f'{months:.1f} months')}"
    yield f"  worth today  {_range(found.npv_usd, usd)}"
    waiting = found.waiting_a_quarter_usd
    yield f"  waiting      a quarter {'gains' if waiting > 0 else 'costs'} {usd(abs(waiting))}"


def _range(found: Range, write: Callable[[Any], str]) -> str:
    value, worst, best = ("never" if one is None else write(one) for one in (found.value, found.worst, found.best))
    return value if value == worst == best else f"{value} (worst {worst}, best {best})"
