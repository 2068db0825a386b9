"""What does the page of cost show? What was spent beside both baselines, whether machines would pay, and budgets.

The sums are those of `tierwise cost`, read from the index; a question of break-even is a form, and its answer a part
that can be fetched alone. Invariant: what is not known is said beside the sum, and never in it.
"""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.core.usage import Price
from tierwise.economics.baselines import Baseline, baselines
from tierwise.economics.own import Machine
from tierwise.economics.spend import Forecast, Line, forecast, whole_days
from tierwise.web import charts, pays, sliders, words
from tierwise.web.charts import Span
from tierwise.web.commands import shown
from tierwise.web.index import Index
from tierwise.web.meters import meters
from tierwise.web.site import Site
from tierwise.web.sliders import Asked, Row, Start
from tierwise.web.spent import DAY_S, Spent

PERIODS = {"7": "7 days", "30": "30 days", "90": "90 days", "all": "all"}
USUAL = "30"
MONTH_DAYS = Decimal(365) / 12
LONGEST = 200
MOST_ROWS = 50
EXAMPLE = {
    "machine.tokens": "1000000000", "machine.usd_once": "9000", "machine.usd_per_month": "200",
    "own.usd_per_mtok": "0.05", "own.residual": "0.2", "plan.tokens_per_month": "900000000",
    "buckets.people.month_usd": "1000", "api": "3",
}  # fmt: skip
"""What docs/reference/economics.md asks with, to try the form; every number of it stands there as assumed."""


class Viewed(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent, as it is told."""

    period: str
    since: str
    workflow: str
    workflows: list[str]
    spent: Spent
    baselines: tuple[Baseline, ...]
    forecast: Forecast | None
    days: Markup | None
    command: str
    monthly_tokens: int | None


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The form of break-even and its answer."""

    machines: list[str]
    machine: str
    start: Start
    asked: Asked
    volume: Row
    api: Row
    sure: Row
    told: pays.Told | None


def routes(site: Site) -> list[Route]:
    """Return the page, and the answer to a question of break-even alone."""

    async def page(request: Request) -> Response:
        status = await site.gateway(request).status() or {}
        view, question = await asyncio.to_thread(_both, site, request.query_params, status)
        rows = meters(status.get("budgets", ()), time.time())
        return site.page(
            request, "cost", view=view, question=question, meters=rows, periods=PERIODS, example=EXAMPLE,
            sliders=sliders, most=MOST_ROWS,
        )  # fmt: skip

    async def plan(request: Request) -> Response:
        status = await site.gateway(request).status() or {}
        _, question = await asyncio.to_thread(_both, site, request.query_params, status)
        return site.part("pays", question=question)

    return [Route("/ui/cost", page), Route("/ui/cost/plan", plan)]


def _both(site: Site, query: Mapping[str, str], status: Mapping[str, Any]) -> tuple[Viewed, Question]:
    now = time.time()
    prices = {name: price for name, at in site.prices.items() if (price := at(now)) is not None}
    view = viewed(site.index, query, prices, strengths(status), now)
    return view, questioned(site.configured.machines, query, view, prices)


def strengths(status: Mapping[str, Any]) -> dict[str, float | None]:
    """Return how strong each model of the frontier is said to be, as the gateway knows it."""
    return {one["id"]: one["strength"] for one in status.get("models", ()) if one["tier"] == "frontier"}


def viewed(
    index: Index, query: Mapping[str, str], prices: Mapping[str, Price], strong: Mapping[str, float | None], now: float
) -> Viewed:
    """Add up what was spent in the time that a query names, until `now`."""
    period = query.get("period", "") if query.get("period", "") in PERIODS else USUAL
    workflow = query.get("workflow", "")[:LONGEST]
    first = 0 if period == "all" else int(now // DAY_S) - int(period) + 1
    spent = index.spent(first * DAY_S, workflow)
    since = datetime.fromtimestamp(first * DAY_S, UTC).date().isoformat()
    words_ = ("cost", "--since", since, *((f"--workflow={workflow}",) if workflow else ()))
    return Viewed(
        period=period,
        since=since,
        workflow=workflow,
        workflows=index.values("workflow"),
        spent=spent,
        baselines=baselines(spent.whole.elsewhere_usd, strong, prices.get),
        forecast=forecast(whole_days(spent.views["day"])),
        days=_days(spent.views["day"], spent.whole) if spent.views["day"] else None,
        command=shown(words_),
        monthly_tokens=_monthly(spent, now),
    )


def _monthly(spent: Spent, now: float) -> int | None:
    """Return the tokens of the answers as those of a month, to three digits; None where there are none."""
    tokens = spent.mix.read + spent.mix.written
    if not tokens or spent.first_day is None:
        return None
    days = max(Decimal(1), Decimal(now) / DAY_S - spent.first_day)
    return int(Decimal(f"{tokens / days * MONTH_DAYS:.3g}"))


def _days(lines: tuple[Line, ...], whole: Line) -> Markup:
    """Draw what each day cost: what was sent, and what machines of one's own come to."""
    numbers = {int(datetime.fromisoformat(f"{line.name}T00:00+00:00").timestamp()) // DAY_S: line for line in lines}
    first, last = min(numbers), max(numbers)
    span = Span(begin=first * DAY_S, step_s=DAY_S, steps=last - first + 1)
    parts = {
        "sent": {at: float(line.cost_usd) for at, line in numbers.items() if line.cost_usd},
        "own machines": {at: float(line.own_usd) for at, line in numbers.items() if line.own_usd},
    }
    return charts.stacked("Cost by day", f"{words.money(whole.cost_usd)} in all", span, parts, words.dollars)


def questioned(
    machines: tuple[Machine, ...], query: Mapping[str, str], view: Viewed, prices: Mapping[str, Price]
) -> Question:
    """Read the form of break-even, and answer it where enough is known."""
    known = sliders.machines(machines)
    chosen = query.get("machine", "") if query.get("machine", "") in known else next(iter(known), "")
    begin = sliders.start(known, chosen, view.spent.mix, view.monthly_tokens)
    asked = sliders.asked(begin, query)
    told = None
    if asked.plan is not None:
        plan, compared = asked.plan, pays.compared(asked.plan, view.baselines, prices, view.spent.mix)
        told = pays.told(plan, compared, view.monthly_tokens, f"{view.command} --plan plan.toml")
    return Question(
        machines=list(known), machine=chosen, start=begin, asked=asked, told=told,
        volume=sliders.single(begin, sliders.VOLUME, query),
        api=sliders.single(begin, sliders.API_PRICE, query),
        sure=sliders.single(begin, sliders.SURE, query),
    )  # fmt: skip
