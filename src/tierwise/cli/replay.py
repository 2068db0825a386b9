"""The command `tierwise replay`: recorded traffic under other rules."""

import asyncio
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer

from tierwise import bootstrap, config
from tierwise.cli.options import Json, Since, print_json, since_ts, table
from tierwise.gateway.replay import Moved
from tierwise.gateway.replay import replay as decide_again
from tierwise.ledger.queries import Filter

ZERO = Decimal(0)


def replay(
    new: Annotated[Path, typer.Option("--config", help="The other rules.")],
    since: Since = "7d",
    ledger_of: Annotated[Path | None, typer.Option("--ledger-of", help="Whose ledger: a configuration file.")] = None,
    as_json: Json = False,
) -> None:
    """Decide recorded calls anew and say what would move; nothing is sent and nothing is written.

    Labels stay as they were recorded, since content is not stored.

    Example:
      tierwise replay --config stricter.toml --since 30d
    """
    other = config.load(new)
    rules = bootstrap.rules_from(other)
    moved = asyncio.run(_replayed(config.load(ledger_of), rules, since_ts(since)))
    report = _report(moved)
    if as_json:
        print_json(report)
        return
    print(f"{report['decisions']} decisions, {report['moved']} would go elsewhere first")
    rows = [(m["from"], m["to"], str(m["count"])) for m in report["moves"]]
    if rows:
        print(table(("from", "to", "count"), rows))
    print(f"expected cost of first choices: ${report['cost_before_usd']:f} before, ${report['cost_after_usd']:f} after")


async def _replayed(settings: config.Settings, rules: Any, since: float) -> list[Moved]:
    history = bootstrap.reader(settings)
    if history is None:
        return []
    try:
        recorded = [decision async for decision in history.iterate(Filter(since_ts=since))]
    finally:
        await history.close()
    return list(decide_again(rules, recorded))


def _report(moved: list[Moved]) -> dict[str, Any]:
    moves = Counter((_place(m, before=True), _place(m, before=False)) for m in moved if m.moved)
    return {
        "decisions": len(moved),
        "moved": sum(m.moved for m in moved),
        "moves": [{"from": a, "to": b, "count": n} for (a, b), n in moves.most_common()],
        "labels": dict(Counter(m.after.label.value for m in moved)),
        "cost_before_usd": sum((_cost(m, before=True) for m in moved), ZERO),
        "cost_after_usd": sum((_cost(m, before=False) for m in moved), ZERO),
        "changed": [{"id": m.before.id, "to": m.after.chosen, "error": m.after.error} for m in moved if m.moved],
    }


def _first(m: Moved, *, before: bool) -> str | None:
    decision = m.before if before else m.after
    return next((c.model for c in decision.candidates if c.score == 0), None)


def _place(m: Moved, *, before: bool) -> str:
    decision = m.before if before else m.after
    first = next((c for c in decision.candidates if c.score == 0), None)
    return f"{first.model} ({first.tier})" if first else "refused"


def _cost(m: Moved, *, before: bool) -> Decimal:
    decision, first = (m.before if before else m.after), _first(m, before=before)
    return next((c.expected_cost_usd or ZERO for c in decision.candidates if c.model == first), ZERO)
