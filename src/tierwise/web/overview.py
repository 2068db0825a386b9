"""What does the overview show? Counts, shares, spending and latency over a period, as charts and tables.

Reads the index only. Invariant: what was not measured is a dash, never a zero.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence

import msgspec
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tierwise.economics.baselines import strongest_first
from tierwise.web import charts, first_visit, quality, words
from tierwise.web.charts import Span
from tierwise.web.cost import strengths
from tierwise.web.index import Index, Sums, quantile_ms
from tierwise.web.site import Site


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """How far back is looked, in steps of so many seconds."""

    name: str
    title: str
    seconds: int
    step_s: int


PERIODS = {
    one.name: one
    for one in (
        Period(name="hour", title="Last hour", seconds=3600, step_s=300),
        Period(name="day", title="Last day", seconds=86_400, step_s=3600),
        Period(name="week", title="Last week", seconds=7 * 86_400, step_s=6 * 3600),
        Period(name="month", title="Last 30 days", seconds=30 * 86_400, step_s=86_400),
    )
}


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What the same tokens would have cost all at one model, of which every answered call could be reckoned."""

    title: str
    model: str
    picousd: int


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen in a period."""

    period: Period
    workflow: str
    workflows: list[str]
    whole: Sums
    tiers: list[Sums]
    by_workflow: list[Sums]
    by_model: list[Sums]
    p50_ms: float | None
    p95_ms: float | None
    requests: Markup
    spending: Markup
    baselines: list[Baseline]
    latency: Markup
    recorded: int


def routes(site: Site) -> list[Route]:
    """Return the overview."""

    async def page(request: Request) -> Response:
        period = PERIODS.get(request.query_params.get("period", ""), PERIODS["day"])
        workflow = request.query_params.get("workflow", "")
        status = await site.gateway(request).status()
        outside = strongest_first(strengths(status or {}))
        found = await asyncio.to_thread(seen, site.index, period, workflow, time.time(), outside)
        start = first_visit.told(request.headers, status) if not found.recorded else None
        return site.page(
            request, "overview", seen=found, status=status, periods=PERIODS, start=start,
            quality=quality.asked(period.seconds, workflow),
        )  # fmt: skip

    return [Route("/ui/", page)]


def seen(index: Index, period: Period, workflow: str, now: float, outside: Sequence[str] = ()) -> Seen:
    """Look at a period that ends now; `outside` are the models of the frontier, the strongest first."""
    steps = period.seconds // period.step_s
    span = Span(begin=(now // period.step_s - steps + 1) * period.step_s, step_s=period.step_s, steps=steps)
    since = span.begin
    whole = next(iter(index.sums("all", since, workflow, period.step_s)), Sums(name=""))
    times = {int(one.name): one for one in index.sums("time", since, workflow, period.step_s)}
    shares = index.shares(since, workflow, period.step_s)
    buckets = index.latencies(since, workflow, period.step_s)
    elsewhere = index.elsewhere(since, workflow, period.step_s)
    baselines = _baselines(elsewhere, outside)
    every = [(bucket, calls) for step in buckets.values() for bucket, calls in step.items()]
    return Seen(
        period=period,
        workflow=workflow,
        workflows=index.values("workflow"),
        whole=whole,
        tiers=index.sums("tier", since, workflow, period.step_s),
        by_workflow=index.sums("workflow", since, workflow, period.step_s),
        by_model=index.sums("model", since, workflow, period.step_s),
        p50_ms=quantile_ms(every, 0.5),
        p95_ms=quantile_ms(every, 0.95),
        requests=_requests(span, shares, whole),
        spending=_spending(span, times, whole, {one.title: elsewhere[one.model] for one in baselines}),
        baselines=baselines,
        latency=_latency(span, buckets),
        recorded=index.count(),
    )


def _requests(span: Span, shares: dict[int, dict[str, int]], whole: Sums) -> Markup:
    parts = {
        title: {step: float(tiers[name]) for step, tiers in shares.items() if name in tiers}
        for name, title in words.TIERS.items()
    }
    return charts.stacked("Requests", f"{whole.calls} requests, by tier", span, parts, words.count)


def _baselines(elsewhere: Mapping[str, Mapping[int, tuple[int, int]]], outside: Sequence[str]) -> list[Baseline]:
    """Return all-frontier (the first of `outside`) and all-cheapest, of the models with a price for every call."""
    calls = {model: sum(n for n, _ in steps.values()) for model, steps in elsewhere.items()}
    costs = {
        model: sum(cost for _, cost in steps.values())
        for model, steps in elsewhere.items() if calls[model] == max(calls.values())
    }  # fmt: skip
    strongest = next((model for model in outside if model in costs), None)
    cheapest = min(costs, key=costs.__getitem__, default=None)
    chosen = (("all-frontier", strongest), ("all-cheapest", None if cheapest == strongest else cheapest))
    return [Baseline(title=title, model=model, picousd=costs[model]) for title, model in chosen if model is not None]


def _spending(
    span: Span, times: dict[int, Sums], whole: Sums, baselines: Mapping[str, Mapping[int, tuple[int, int]]]
) -> Markup:
    parts = {"spent": {step: float(one.cost_picousd) for step, one in times.items()}}
    parts |= {title: {step: float(cost) for step, (_, cost) in steps.items()} for title, steps in baselines.items()}
    summed: dict[str, dict[int, float]] = {}
    for name, steps in parts.items():
        total, summed[name] = 0.0, {}
        for step in span.times():
            total += steps.get(step, 0.0) * 1e-12
            summed[name][step] = total
    return charts.lines("Spending", f"{words.usd(whole.cost_picousd)} in all", span, summed, words.dollars)


def _latency(span: Span, buckets: dict[int, dict[int, int]]) -> Markup:
    parts: dict[str, dict[int, float]] = {"95 of 100": {}, "half": {}}
    for step, counted in buckets.items():
        for name, part in (("95 of 100", 0.95), ("half", 0.5)):
            found = quantile_ms(counted.items(), part)
            if found is not None:
                parts[name][step] = found
    return charts.lines("Latency", "what half and 95 of 100 answers took", span, parts, words.duration)
