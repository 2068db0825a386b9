"""The commands `tierwise log` and `tierwise show`: what was decided, and what came of it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, get_args

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.finding import found_in
from tierwise.cli.options import ConfigFile, Json, Since, print_json, since_ts, table
from tierwise.core.decision import Decision, Outcome
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Tier
from tierwise.ledger.contents import Contents
from tierwise.ledger.encode import encode_with_content
from tierwise.ledger.queries import Filter
from tierwise.ledger.remarks import Remark, joined


def log(
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 20,
    workflow: Annotated[str | None, typer.Option(help="Of this workflow only.")] = None,
    tier: Annotated[Tier | None, typer.Option(help="Whose last attempt was on this tier.")] = None,
    outcome: Annotated[str | None, typer.Option(help="answered, flagged, review, refused, failed, broken, …")] = None,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """List decisions, newest first; also beside a running server.

    Examples:
      tierwise log --since 1h
      tierwise log --outcome refused --json
    """
    if outcome is not None and outcome not in get_args(Outcome):
        raise InvalidCall(f"--outcome {outcome!r}: one of {', '.join(get_args(Outcome))}", param="--outcome")
    which = Filter(since_ts=since_ts(since), workflow=workflow, tier=tier, outcome=outcome)  # type: ignore[arg-type]
    found = asyncio.run(_latest(config.load(file), limit, which))
    if as_json:
        print_json(found)
    elif not found:
        filtered = any((since, workflow, tier, outcome))
        print("No decision matches." if filtered else "\n".join(_none(config.load(file))))
    else:
        print(
            table(("decision", "when (UTC)", "label", "outcome", "tier", "judged", "model"), [_row(d) for d in found])
        )


def show(
    ident: Annotated[
        str, typer.Argument(metavar="ID", help="The decision's id, or its beginning; without, the latest.")
    ] = "",
    content: Annotated[
        bool, typer.Option("--content", help="With what is kept of the request and the answer.")
    ] = False,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Tell one decision whole: label, candidates, attempts, gates, cost.

    Examples:
      tierwise show
      tierwise show 01m7y10kz5d0 --content
    """
    from tierwise.cli import telling
    from tierwise.cli.content import shown

    settings = config.load(file)
    decision, contents = asyncio.run(_get(settings, ident, content=content))
    if as_json:
        print_json(msgspec.Raw(encode_with_content(decision, contents)) if content else decision)
        return
    print(telling.wrapped(telling.whole(decision)))
    if content:
        print("\n".join(shown(decision, contents)))


def _row(decision: Decision) -> tuple[str, ...]:
    last = decision.attempts[-1] if decision.attempts else None
    when = datetime.fromtimestamp(decision.ts, UTC).strftime("%m-%d %H:%M:%S")
    tier, model = (last.tier.value, last.model) if last else ("–", decision.requested_model)
    said = decision.feedback or (decision.review if decision.review and "score" in decision.review else None)
    judged = "" if said is None else f"{said['score']:g}"
    return (decision.id, when, decision.label.value, decision.outcome, tier, judged, model)


def _none(settings: config.Settings) -> Iterator[str]:
    """Say that there are no decisions yet, and where the demo's are: it keeps a ledger of its own."""
    yield f"No decisions are recorded yet in {settings.ledger_path}."
    demo = settings.home / "demo" / "tierwise.toml"
    if demo.exists():
        yield f"Those of the demo: tierwise log --config {demo}"
    else:
        yield "Make some: tierwise demo"


async def _latest(settings: config.Settings, limit: int, which: Filter) -> list[Decision]:
    async with bootstrap.reading(settings) as history:
        if history is None:
            return []
        found = await history.latest(limit, which)
        said: dict[str, list[Remark]] = {}
        for remark in await history.remarks(*(one.id for one in found)):
            said.setdefault(remark.decision, []).append(remark)
        return [joined(one, said[one.id]) if one.id in said else one for one in found]


async def _get(settings: config.Settings, ident: str, *, content: bool) -> tuple[Decision, Contents | None]:
    async with bootstrap.reading(settings) as history:
        if ident:
            found = await found_in(history, ident)
        else:
            newest = [] if history is None else await history.latest(1)
            if not newest:
                raise InvalidCall(" ".join(_none(settings)), param="ID")
            (found,) = newest
        if history is None:
            return found, None
        found = joined(found, await history.remarks(found.id))
        return found, await history.content(found.id) if content else None
