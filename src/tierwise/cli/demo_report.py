"""What does the demo say? The figures of one run, as JSON and as a page of 80 columns.

Invariant: every figure was measured in this run, or is said to be the recipe's, or is a price with its source and date.
"""

import math
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tierwise.cli import telling
from tierwise.cli.demo_run import LARGER, SMALL, Ran
from tierwise.core.decision import Decision
from tierwise.core.usage import Price
from tierwise.economics.price import cost_usd
from tierwise.evals.calibrate import probability
from tierwise.evals.cascade import Share, Worth, worth
from tierwise.registry.demonstration import TASK, demonstration
from tierwise.registry.kinds import priced

WIDTH = 80
THOUSAND = Decimal(1000)


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """Cost for a thousand messages in US dollars at a named price, for the tokens measured here."""

    model: str
    price: Price
    all_usd: Decimal
    left_usd: Decimal


def measured(ran: Ran) -> Worth:
    """Return what the cascade was worth on the reported messages."""
    return worth([message.outcome for message in ran.messages])


def money(ran: Ran) -> Money | None:
    """Price the messages' tokens at the named frontier model; None where its price is not known."""
    known = priced(ran.frontier)
    if known is None:
        return None
    costs = []
    for message in ran.messages:
        usage = message.decision.attempts[-1].usage
        costs.append(cost_usd(known, usage) if usage else Decimal(0))
    left = [c for c, m in zip(costs, ran.messages, strict=True) if m.kept_by in ("left", "frontier")]
    n = len(costs)
    return Money(
        model=ran.frontier,
        price=known,
        all_usd=sum(costs, Decimal(0)) / n * THOUSAND,
        left_usd=sum(left, Decimal(0)) / n * THOUSAND,
    )


def percentile(values: Sequence[float], share_: float) -> float | None:
    """Return the nearest-rank percentile, None for no values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share_ * len(ordered)) - 1)] if ordered else None


def as_json(ran: Ran) -> dict[str, Any]:
    """Return every figure under stable names."""
    w = measured(ran)
    price = money(ran)
    aim = w.kept
    return {
        "data": {"name": ran.dataset.name, "rows": len(ran.dataset.rows), "reported": len(ran.messages),
                 "fitted_on": ran.fitted_on, "duplicates": ran.dataset.duplicates},
        "target": ran.target,
        "thresholds": ran.thresholds,
        "small": _share(w.small),
        "larger": _share(w.larger),
        "cascade": {**_share(w.cascade), "kept_small": w.kept_small, "kept_larger": w.kept_larger, "left": w.left,
                    "kept_accuracy": aim.accuracy, "kept_interval": list(aim.interval), "kept_n": aim.n},
        "random": _share(w.random),
        "latency_ms": {name: {"p50": percentile(v, 0.5), "p95": percentile(v, 0.95), "n": len(v)}
                       for name, v in ran.latency_ms.items()},
        "cost": None if price is None else {
            "price_of": price.model, "source": price.price.source, "as_of": price.price.as_of,
            "per_1000_all_frontier_usd": float(price.all_usd), "per_1000_left_frontier_usd": float(price.left_usd),
            "paid_usd": None if ran.frontier_cost_usd is None else float(ran.frontier_cost_usd)},
        "frontier": "on" if ran.frontier_on else "not configured",
        "config": str(ran.config),
        "decisions": [decision.id for decision in _examples(ran)],
        "policy": [{"message": s.title, "label": s.decision.label.value, "answered_by": _answerer(s.decision),
                    "excluded": {c.model: c.excluded_by for c in s.decision.candidates if not c.allowed},
                    "decision": s.decision.id} for s in ran.stories],
    }  # fmt: skip


def _share(value: Share) -> dict[str, Any]:
    return {"accuracy": value.accuracy, "interval": list(value.interval), "n": value.n}


def write_rows(ran: Ran, path: Path) -> None:
    """Write one JSON line a message, so that anyone can recount."""
    calibrations = {name: model.calibration for name, model in demonstration().models.items()}
    with path.open("wb") as out:
        for message in ran.messages:
            line = {"text": message.row.text, "label": message.row.label, "kept_by": message.kept_by,
                    "decision": message.decision.id}  # fmt: skip
            for name, said in ((SMALL, message.small), (LARGER, message.larger)):
                chance = None if said.logprob is None else probability(calibrations[name], said.logprob)
                line[name] = {"answer": said.intent, "logprob": said.logprob, "confidence": chance}  # type: ignore[assignment]
            out.write(msgspec.json.encode(line) + b"\n")


def show(ran: Ran, console: Console) -> None:
    """Print the page."""
    say = console.print
    w = measured(ran)
    _set_up(ran, console)
    say(f"\n[bold]Aimed at {ran.target:.0%} right, measured {_of(w.kept)}[/bold]")
    say(f"  {w.kept_small:6.1%}  stayed on the small model, on this machine (tier local)")
    say(f"  {w.kept_larger:6.1%}  were answered by the larger model, over HTTP (tier self_hosted)")
    if ran.frontier_on:
        beyond = sum(m.kept_by == "frontier" for m in ran.messages) / len(ran.messages)
        say(f"  {beyond:6.1%}  were answered by {ran.frontier} (tier frontier)")
        say(f"  {w.left - beyond:6.1%}  need review by a person")
    else:
        say(f"  {w.left:6.1%}  need review: frontier is not configured, so nothing was sent there")
    say(_accuracies(w))
    say(
        "[dim]Cascade: a message left over counts with the larger model's withheld answer.\n"
        "Random: the same share passed on blindly, in expectation.[/dim]"
    )
    _latency(ran, console)
    _cost(ran, console)
    say("\n[bold]Three decisions, in words[/bold]")
    texts = {message.decision.id: message.row.text for message in ran.messages}
    for decision in _examples(ran):
        say(f"\n“{escape(texts[decision.id])}”", highlight=False)
        _tell(decision, console)
    say("\n[bold]What may not leave, does not[/bold]")
    for story in ran.stories:
        say(f"\n“{escape(story.text)}”", highlight=False)
        _tell(story.decision, console)
    _next(ran, console)


def _set_up(ran: Ran, console: Console) -> None:
    shipped = demonstration()
    say = console.print
    say("[bold]Tierwise: which model should answer a bank customer's message?[/bold]\n")
    for name, where in (
        (SMALL, "local: embedded in this process's child"),
        (LARGER, "self_hosted: a server of its own"),
    ):
        model = shipped.models[name]
        say(f"  {name:7} {model.parameters / 1e6:.2f} M parameters, {model.bytes / 1e6:.2f} MB · {where}")
    say(f"  frontier {'on: ' + ran.frontier if ran.frontier_on else 'not configured; shown only with its price'}")
    data = ran.dataset
    say(f"\n  Data: {data.name}, {len(data.rows):,} labelled messages, {len(ran.messages):,} reported", highlight=False)
    if data.duplicates:
        say(f"  {data.duplicates} of them repeat an earlier text")
    if ran.fitted_on:
        say(f"  Thresholds: fitted again on {ran.fitted_on:,} of them that are not reported")
    else:
        say("  Thresholds: the recipe's, fitted on its own validation part")
    if len(ran.messages) < 500:
        say("  That is few: read the intervals, not the points. More: --data FILE")


def _of(value: Share) -> str:
    low, high = value.interval
    return f"{value.accuracy:.1%}, interval {low:.1%} to {high:.1%}, n {value.n:,}"


def _accuracies(w: Worth) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2), title_justify="left")
    for name, justify in (
        ("right, over all messages", "left"),
        ("", "right"),
        ("95 % interval", "left"),
        ("n", "right"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, value in (
        ("small alone", w.small),
        ("larger alone", w.larger),
        ("cascade", w.cascade),
        ("random", w.random),
    ):
        low, high = value.interval
        table.add_row(f"  {name}", f"{value.accuracy:.1%}", f"{low:.1%} to {high:.1%}", f"{value.n:,}")
    return table


def _latency(ran: Ran, console: Console) -> None:
    console.print("\n[bold]Time of an answer[/bold], through the gateway, ledger included")
    for name, values in ran.latency_ms.items():
        middle, high = percentile(values, 0.5), percentile(values, 0.95)
        console.print(f"  {name:14} p50 {middle:.1f} ms   p95 {high:.1f} ms   n {len(values):,}")


def _cost(ran: Ran, console: Console) -> None:
    price = money(ran)
    if price is None:
        console.print(f"\nNo price is known for {ran.frontier}, so no cost is shown.")
        return
    console.print(
        f"\n[bold]Cost per 1,000 messages[/bold] at the price of {price.model}:"
        f"\n${price.price.input_usd_per_mtok} in, ${price.price.output_usd_per_mtok} out per million tokens"
        f" ({price.price.as_of}); a price for the same tokens,\nnot a claim of quality"
    )
    console.print(f"  all of them sent there          ${price.all_usd:.4f}")
    console.print(f"  only what is left sent there    ${price.left_usd:.4f}   (local and self_hosted: unmetered)")
    console.print(f"[dim]Price: {price.price.source}.[/dim]")


def _examples(ran: Ran) -> list[Decision]:
    """One message kept by each: the first of its kind in the order of the fixed hash."""
    found = []
    for kept_by in ("small", "larger", "left", "frontier"):
        message = next((m for m in ran.messages if m.kept_by == kept_by), None)
        if message is not None:
            found.append(message.decision)
    return found[:3]


def _tell(decision: Decision, console: Console) -> None:
    console.print(telling.wrapped(telling.short(decision), console.width), highlight=False, markup=False)


def _answerer(decision: Decision) -> str | None:
    return decision.attempts[-1].model if decision.attempts and decision.outcome in ("answered", "flagged") else None


def _command() -> str:
    """Return how this very program can be called again from here."""
    called = Path(sys.argv[0])
    if shutil.which("tierwise") == str(called.absolute()) or called.name != "tierwise":
        return "tierwise"
    return shlex.quote(os.path.relpath(called))


def _next(ran: Ran, console: Console) -> None:
    say = console.print
    config, command = shlex.quote(str(ran.config)), _command()
    example = _examples(ran)[0].id if _examples(ran) else ran.stories[0].decision.id
    say("\n[bold]See a whole decision[/bold]")
    console.print(f"  {command} show {example} --config {config}", soft_wrap=True, highlight=False)
    say("[bold]Point a client here[/bold]: start the gateway, then set two variables")
    console.print(f"  {command} serve --config {config}", soft_wrap=True, highlight=False)
    say("  export OPENAI_BASE_URL=http://127.0.0.1:7373/v1 OPENAI_API_KEY=unused", highlight=False)
    say(f"  and ask for the model auto:{TASK}", highlight=False)
    say(
        "\nThe shipped models know 77 intents of bank customers and cannot chat. For free\n"
        "text this machine needs one of: Ollama or LM Studio running (found by itself),\n"
        "a GGUF file named in tierwise.toml, or a key. `tierwise init` helps.",
        highlight=False,
    )
