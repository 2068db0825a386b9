"""How is advice told to a person? The answer, what it rests on, what would turn it, and where each number is from.

Pure: takes advice, gives lines. Invariant: a number that is a guess is called one wherever it stands.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tierwise.cli.cost_found import round_usd
from tierwise.cli.options import table
from tierwise.economics.advice.advise import Advice, Placed
from tierwise.economics.advice.flips import Flip
from tierwise.economics.compare import Range
from tierwise.economics.given import Given

VERDICTS = {
    "firm": "Firm",
    "not_enough_evidence": "Not enough evidence",
    "nothing_permitted": "Nothing is permitted",
}
TOPOLOGIES = {
    "outside": "no machines of your own",
    "team_local": "a machine in each team",
    "central_private": "one central place of your own",
    "edge_and_central": "machines at the edge, a central place behind them",
}
STRATEGIES = {
    "frontier": "frontier models for everything",
    "open": "open models for everything",
    "open_for_volume": "open models for the volume, frontier for the rest",
    "frontier_for_development": "frontier for development, open models in production",
    "gradual_migration": "begin outside, and move step by step",
}
NEAREST = 6
OTHERS = 4


def told(advice: Advice) -> Iterator[str]:
    """Tell all of it."""
    yield f"{VERDICTS[advice.verdict]}: {advice.why}."
    if (plan := advice.plan) is not None:
        yield ""
        yield from _plan(advice, plan)
    if advice.rival is not None:
        yield ""
        yield f"What may be cheaper instead: {_name(advice.rival)}, {_who(advice.rival)}"
    if advice.measure:
        yield ""
        yield "Find out first (what could then still be lost by this plan, at the value):"
        yield from (f"  {one.input}: at worst {round_usd(one.left_usd_per_month)} a month" for one in advice.measure)
    if advice.meanwhile is not None and advice.meanwhile != advice.plan:
        yield f"Until then, without buying anything: {_who(advice.meanwhile)}, {_range(advice.meanwhile.usd_per_month)}"
    yield from _around(advice)
    yield from _gates(advice)
    yield ""
    yield "Where the numbers come from:"
    yield from _indented(
        table(
            ("input", "value", "range", "how sure", "source"),
            [
                (one.name, _figure(one.given.value), _ends(one.given), one.given.provenance, one.given.source or "–")
                for one in advice.inputs
            ],
        )
    )
    guessed = [one for one in advice.inputs if one.given.provenance == "assumed" and one.given.least == one.given.most]
    if guessed:
        yield f"  {len(guessed)} are assumed and have no range: taken as exact, they make the answer surer than it is"
    for name, missing in advice.missing_buckets.items():
        yield f"  {name}: costs at least this; nobody filled in {', '.join(missing)}"
    yield ""
    yield f"Made of {advice.organisation}"


def _plan(advice: Advice, plan: Placed) -> Iterator[str]:
    yield f"  Where      {TOPOLOGIES[plan.topology]}"
    yield f"  How        {STRATEGIES[advice.strategy or plan.strategy]}"
    if advice.strategy != plan.strategy:
        yield f"             towards {STRATEGIES[plan.strategy]}"
    yield from (f"  {one.work:10} {one.server} ({one.place})" for one in plan.serves)
    if plan.stands_in:
        yield f"  stands in  {plan.stands_in}, where a machine at the edge fails"
    if plan.machines:
        yield f"  machines   {', '.join(f'{count} x {name}' for name, count in plan.machines.items())}"
    yield f"  a month    {_range(plan.usd_per_month)}"
    yield f"  at once    {_range(plan.capital_usd)}"
    if advice.at_worst_usd_per_month:
        most = round_usd(advice.at_worst_usd_per_month)
        yield f"  at worst   {most} a month more than the best, wherever the inputs lie"
    if (when := advice.timing) is not None:
        start = when.starts_after_months
        gain = f", worth {round_usd(when.gains_usd.value)} more than now" if when.gains_usd else ""
        yield f"  machines   {f'after {start} months' if start else 'now'}{gain}; until then {', '.join(when.against)}"
        yield f"  paid back  {_results(when.payback_months, lambda one: f'{one:.1f} months')}"
        yield f"  worth now  {_results(when.npv_usd, round_usd)}"


def _around(advice: Advice) -> Iterator[str]:
    """Tell what gates cost, what comes next, and what would turn the answer."""
    if advice.forced:
        yield ""
        yield "Forced, not chosen: what a month costs more because of each gate alone"
        yield from (f"  {one.gate:9} {round_usd(one.usd_per_month)}" for one in advice.forced)
    if advice.otherwise:
        yield ""
        yield "The best of every other answer that is permitted:"
        yield from (f"  {_range(one.usd_per_month)}: {_name(one)}" for one in advice.otherwise[:OTHERS])
    if advice.flips:
        yield ""
        yield "What would turn it (the nearest, all else as it is):"
        yield from (f"  {_flip(one)}" for one in advice.flips[:NEAREST])


def _gates(advice: Advice) -> Iterator[str]:
    yield ""
    shut = [one for one in advice.findings if one.state != "passed"]
    yield "Gates that keep something out:" if shut else "No gate keeps anything out."
    for one in shut:
        yield f"  {one.server} for {one.work}: {one.gate} {'unknown' if one.state == 'open' else 'no'}: {one.told}"
    if advice.plan is not None:
        yield from (f"  {one.gate} passed: {one.told}" for one in advice.plan.gates if not one.server)


def _flip(flip: Flip) -> str:
    beyond = "nothing permitted" if flip.answer is None else (
        f"{TOPOLOGIES[flip.answer.topology]}; {STRATEGIES[flip.answer.strategy]}"
    )  # fmt: skip
    side = "above" if flip.above else "below"
    return f"{flip.knob} {side} {_figure(flip.at)} {flip.unit} (now {_figure(flip.now)}): {beyond}"


def _name(plan: Placed) -> str:
    return f"{TOPOLOGIES[plan.topology]}; {STRATEGIES[plan.strategy]}"


def _who(plan: Placed) -> str:
    return ", ".join(f"{one.work} on {one.server}" for one in plan.serves)


def _range(given: Given) -> str:
    ends = "" if given.least == given.most else f" ({round_usd(given.least)} to {round_usd(given.most)})"
    return f"{round_usd(given.value)}{ends}, {given.provenance}"


def _results(found: Range, write: Callable[[Any], str]) -> str:
    value, worst, best = ("never" if one is None else write(one) for one in (found.value, found.worst, found.best))
    return value if value == worst == best else f"{value} (worst {worst}, best {best})"


def _figure(number: Decimal) -> str:
    """Write a number with the digits that count."""
    for size, letter in ((10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= 10 * size or (number >= size > 10**3):
            return f"{number / size:.4g}{letter}"
    return f"{number:.4g}"


def _ends(given: Given) -> str:
    return "exact" if given.least == given.most else f"{_figure(given.least)} to {_figure(given.most)}"


def _indented(text: str) -> Iterator[str]:
    return (f"  {line}" for line in text.split("\n"))
