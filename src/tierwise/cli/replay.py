"""The command `tierwise replay`: recorded traffic under other rules."""

import time
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from tierwise import bootstrap, config
from tierwise.cli.options import Json, Since, print_json, say, since_ts, table
from tierwise.gateway.flips import KINDS, Tally
from tierwise.gateway.replay import against_record
from tierwise.gateway.replaying import Build, Compare, replayed

QUIET_S = 2.0
SAID = {
    "refused": "would be refused",
    "served": "would be served instead of refused",
    "first": "would go elsewhere first",
    "allowed": "would have other models to choose from",
    "duties": "would be served under other duties",
    "wider": "could go where they could not go before",
    "farther": "could go to a tier farther out",
}
HEAD = ("workflow", "label", "decisions", "differ", *KINDS)


def replay(
    new: Annotated[Path, typer.Option("--config", help="The other rules.")],
    since: Since = "7d",
    ledger_of: Annotated[Path | None, typer.Option("--ledger-of", help="Whose ledger: a configuration file.")] = None,
    as_json: Json = False,
) -> None:
    """Decide recorded calls anew and say what would move; nothing is sent and nothing is written.

    Labels stay as they were recorded, since content is not stored; limits and
    budgets are not reckoned, so what they refused counts as served. A change of
    policy alone is compared, with the labels that it sets otherwise, by
    `tierwise policy diff`.

    Example:
      tierwise replay --config stricter.toml --since 30d
    """
    other = config.load(new)
    bootstrap.rules_from(other)
    found = counted(config.load(ledger_of), partial(_build, other), since_ts(since))
    report = told(found) | {
        "moved": found.kinds.get("first", 0),
        "cost_before_usd": found.cost_before_usd,
        "cost_after_usd": found.cost_after_usd,
    }
    if as_json:
        print_json(report)
        return
    print(f"{found.decisions} decisions, {report['moved']} would go elsewhere first")
    print(in_words(found), end="")
    print(f"expected cost of first choices: ${found.cost_before_usd:f} before, ${found.cost_after_usd:f} after")


def counted(settings: config.Settings, build: Build, since: float) -> Tally:
    """Compare the recorded decisions since then, and say how far it is where that takes longer."""
    if settings.ledger_place is None and not settings.ledger_path.exists():
        return Tally()
    begun, last = time.monotonic(), 0.0

    def progress(done: int, count: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - begun > QUIET_S and now - last > QUIET_S:
            last = now
            say(f"  {done:,} of {count:,} decisions, {now - begun:.0f} s")

    return replayed(build, partial(bootstrap.records, settings, since), progress)


def told(found: Tally) -> dict[str, Any]:
    """Return a tally as JSON holds it."""
    groups = sorted(found.groups.items(), key=lambda item: (-item[1].get("flipped", 0), item[0]))
    return {
        "decisions": found.decisions,
        "flipped": found.flipped,
        "kinds": {kind: found.kinds.get(kind, 0) for kind in KINDS},
        "by": [
            {"workflow": workflow or None, "label": label}
            | {name: counts.get(name, 0) for name in ("decisions", "flipped", *KINDS)}
            for (workflow, label), counts in groups
        ],
        "moves": [
            {"from": before, "to": after, "count": count}
            for (before, after), count in sorted(found.moves.items(), key=lambda item: -item[1])
        ],
        "examples": found.examples,
    }


def in_words(found: Tally) -> str:
    """Tell a tally to people: what flips, where, from whom to whom, and which decisions show it."""
    lines = [f"  {found.kinds[kind]:>9,} {SAID[kind]}" for kind in KINDS if found.kinds.get(kind)]
    report = told(found)
    rows = [
        (row["workflow"] or "–", row["label"].value, *(str(row[name]) for name in ("decisions", "flipped", *KINDS)))
        for row in report["by"]
        if row["flipped"]
    ]
    lines += [table(HEAD, rows[:20])] if rows else []
    moves = [(move["from"], move["to"], str(move["count"])) for move in report["moves"][:20]]
    lines += [table(("from", "to", "count"), moves)] if moves else []
    shown = [
        (e.id, e.label.value, " ".join(e.kinds), e.before, e.after + (f": {e.error}" if e.error else ""))
        for e in found.examples
    ]
    lines += [table(("for example", "label", "differs in", "from", "to"), shown)] if shown else []
    return "".join(line + "\n" for line in lines)


def _build(settings: config.Settings) -> Compare:
    return partial(against_record, bootstrap.rules_from(settings))
