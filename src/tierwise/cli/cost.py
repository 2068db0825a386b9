"""The command `tierwise cost`: what was spent, what it would have cost elsewhere, and whether own machines would pay.

Reads the ledger and the prices; what it says of machines is made of a plan that the reader wrote.
Invariant: nothing is priced that has no price, and what is not known is said beside the sum.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.cost_found import Cost
from tierwise.cli.cost_page import page
from tierwise.cli.cost_told import told
from tierwise.cli.options import ConfigFile, Json, Since, print_json, say, since_ts
from tierwise.core.errors import ConfigError, InvalidCall
from tierwise.core.label import Tier
from tierwise.core.usage import Price, Usage
from tierwise.economics import question
from tierwise.economics.baselines import Baseline, api_of, baselines
from tierwise.economics.compare import CostPlan, answers, inputs
from tierwise.economics.spend import VIEWS, Spending, View, forecast, whole_days
from tierwise.ledger.protocol import Reader
from tierwise.ledger.queries import Filter
from tierwise.ledger.remarks import Remark, joined
from tierwise.registry.catalog import Catalog
from tierwise.registry.load import nearest


def cost(
    since: Since = "30d",
    by: Annotated[list[str] | None, typer.Option(help=f"Views: {', '.join(VIEWS)}; all of them by default.")] = None,
    workflow: Annotated[str | None, typer.Option(help="Of this workflow only.")] = None,
    frontier: Annotated[str | None, typer.Option(help="The model of all-frontier; by default the strongest.")] = None,
    plan: Annotated[Path | None, typer.Option(help="A plan of own machines (TOML): does it pay?")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page to this file, whole in itself.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Write plots (SVG and PNG) to this folder.")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell what calls cost, what they would have cost all at the frontier or all at the cheapest, and a forecast.

    With --plan, where machines of your own would be cheaper: every crossing, payback, worth today,
    and the range that the inputs leave open. How a plan is written: docs/reference/economics.md.

    Examples:
      tierwise cost --since 7d
      tierwise cost --by workflow --json
      tierwise cost --plan machines.toml --html cost.html
      tierwise cost --since 90d --plots plots
    """
    views = tuple(_view(one) for one in by) if by else VIEWS
    settings = config.load(file)
    catalog = bootstrap.promised(settings)
    if frontier is not None and frontier not in catalog.models:
        raise InvalidCall(f"--frontier {frontier!r} is no model{nearest(frontier, catalog.models)}", param="--frontier")
    at = bootstrap.prices_at(settings)
    criteria = {one.name: one.criteria for one in settings.document.workflow if one.criteria is not None}
    wanted_calls = Filter(since_ts=since_ts(since), workflow=workflow)
    spending = asyncio.run(_read(settings, wanted_calls, Spending(at, criteria)))
    whole = spending.whole()
    now = time.time()

    def price_of(model: str) -> Price | None:
        return at[model](now)

    compared = baselines(whole.elsewhere_usd, _strengths(catalog), price_of, frontier)
    wanted = None if plan is None else _compared(_plan(plan), spending.mix, compared, price_of)
    found = Cost(
        whole=whole,
        views={view: spending.lines(view) for view in views},
        baselines=compared,
        accepted_usd=whole.accepted_usd,
        forecast=forecast(whole_days(spending.lines("day"))),
        comparisons=answers(wanted) if wanted else (),
        inputs=inputs(wanted) if wanted else (),
        missing_buckets=wanted.buckets.missing if wanted else (),
    )
    if html is not None:
        html.write_bytes(page(found, wanted))
        say(f"wrote {html}")
    if plots is not None:
        from tierwise.cli.cost_plots import draw

        say(f"wrote {len(draw(found, wanted, plots))} files to {plots}")
    if as_json:
        print_json(found)
    else:
        print("\n".join(told(found)))


def _view(name: str) -> View:
    for view in VIEWS:
        if view == name:
            return view
    raise InvalidCall(f"--by {name!r}: one of {', '.join(VIEWS)}", param="--by")


async def _read(settings: config.Settings, which: Filter, spending: Spending) -> Spending:
    async with bootstrap.reading(settings) as history:
        if history is not None:
            said = await _said(history, which.since_ts or 0.0)
            async for decision in history.iterate(which):
                spending.add(joined(decision, said.get(decision.id, ())))
    return spending


async def _said(history: Reader, since_ts: float) -> dict[str, list[Remark]]:
    """Return what was said since then, by decision: nobody judges a call before it was made."""
    found: dict[str, list[Remark]] = {}
    seq = 0
    while remarks := await history.remarks_after(seq, since_ts):
        for one in remarks:
            found.setdefault(one.decision, []).append(one)
        seq = remarks[-1].seq
    return found


def _strengths(catalog: Catalog) -> dict[str, float | None]:
    """Return how strong each model of the frontier is said to be."""
    return {
        one.id: one.strength for one in catalog.models.values() if catalog.endpoints[one.endpoint].tier is Tier.FRONTIER
    }


def _plan(file: Path) -> CostPlan:
    try:
        return question.read(file.read_text("utf-8"))
    except (InvalidCall, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: {error}", file=str(file)) from error


def _compared(
    plan: CostPlan, mix: Usage, found: tuple[Baseline, ...], price_of: Callable[[str], Price | None]
) -> CostPlan:
    """Add both baselines of the ledger to the APIs of a plan, at the ledger's mix of tokens."""
    added = (api_of(one, price_of(one.model), mix) for one in found)
    apis = (*plan.api, *(one for one in added if one is not None))
    if not apis:
        raise ConfigError("nothing to compare with: no traffic is on record, and the plan has no [[api]]", key="api")
    return msgspec.structs.replace(plan, api=apis)
