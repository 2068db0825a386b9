"""How does a verdict look in a terminal? One page: the answer, what it rests on, what would turn it, what is next.

Pure: takes a card, gives what `rich` prints. Invariant: names in it came from files and endpoints, and do nothing to a
terminal.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tierwise.cli.options import plain
from tierwise.evals import lines
from tierwise.evals.amounts import UNKNOWN, flip_line, ms, point_estimate, share, usd
from tierwise.evals.card import Card, Estimate, Gate, GateName, Option

STYLES = {"expand": "bold green", "adjust": "bold yellow", "stop": "bold red", "not_enough_evidence": "bold cyan"}
MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "open": ("?", "cyan"), "unset": ("·", "dim")}
GATES = get_args(GateName)


def page(card: Card) -> RenderableType:
    """Return the page."""
    return Group(*_parts(card))


def _parts(card: Card) -> Iterator[RenderableType]:
    yield Text(plain(lines.head(card)), style="dim")
    yield Text()
    word = card.verdict.replace("_", " ").upper()
    yield Text.assemble((f"{word}  ", STYLES[card.verdict]), (plain(card.headline), "bold"))
    needed = f"; about {card.needs:,} more items would tell" if card.needs else ""
    yield Text(plain(f"{card.robustness}: {card.robustness_told}{needed}"))
    yield Text()
    yield _table(card)
    yield from _gates(card)
    yield from _list("To change", card.adjust)
    yield from _list("What would turn it", map(flip_line, card.flips))
    yield from _list("What to measure next", map(lines.following, card.next))
    yield from _list("To use it", lines.use(card))
    yield from _list("To know", [*card.notes, *lines.edits(card)])
    yield Text()
    yield Text(plain(lines.foot(card)), style="dim")


def _table(card: Card) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("way", overflow="fold", min_width=12)
    for name in ("score", "points to\nthe baseline", "accepted\ntask", "p95", "review\nof 100"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("gates", no_wrap=True)
    for option in (*card.options, card.baseline):
        chosen = option.name == card.choice and card.verdict == "expand"
        style = "bold" if chosen else "dim" if option is card.baseline else ""
        table.add_row(*_row(option, option is card.baseline), style=style)
    return table


def _row(option: Option, baseline: bool) -> tuple[Text | str, ...]:
    review = option.review_minutes_per_100.value
    states = {gate.name: gate.state for gate in option.gates}
    return (
        Text(plain(option.name)),
        _short(option.quality.score, share),
        "baseline" if baseline else point_estimate(option.quality.difference),
        _short(option.cost_usd, usd),
        ms(option.latency_p95_ms.value),
        UNKNOWN if review is None else f"{review:.1f} min",
        Text.assemble(*(MARKS[states[name]] if name in states else " " for name in GATES)),
    )


def _short(seen: Estimate, write: Callable[[float], str]) -> str:
    return UNKNOWN if seen.value is None else write(seen.value)


def _gates(card: Card) -> Iterator[RenderableType]:
    yield Text()
    yield Text(f"Gates: {', '.join(GATES)}; ✓ passed, ✗ failed, ? open, · nothing was asked", style="dim")
    for option in card.options:
        telling = [gate for gate in option.gates if _worth_a_line(gate)]
        for at, gate in enumerate(telling):
            mark, colour = MARKS[gate.state]
            records = (
                f" [{', '.join(gate.measured.records[:2])}]" if gate.state == "failed" and gate.measured.records else ""
            )
            line = Text.assemble((f"{mark} ", colour), (f"{gate.name}: ", "bold"), plain(gate.told + records))
            if not at:
                yield Text(plain(option.name))
            yield Padding(line, (0, 0, 0, 2))


def _worth_a_line(gate: Gate) -> bool:
    return gate.state in ("failed", "open") or (gate.name in ("quality", "certificate") and gate.state == "passed")


def _list(title: str, said: Iterable[str]) -> Iterator[RenderableType]:
    told = list(said)
    if told:
        yield Text()
        yield Text(title, style="dim")
        for line in told:
            yield Padding(Text(plain(line)), (0, 0, 0, 2))
