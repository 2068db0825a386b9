"""Which few questions make an organisation? Asked on a terminal, with defaults, each answer with where it comes from.

What the ledger and the price rows know is offered first. Invariant: a default that nobody confirmed by a figure of
their own is marked as assumed, with a wide range, so that no advice is firm on guesses.
"""

import asyncio
import re
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal, TypeVar, cast, get_args

from tierwise import bootstrap, config
from tierwise.cli.options import say
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.economics.advice.organisation import Organisation, Quote, Site, Work
from tierwise.economics.buckets import Bucket, Buckets
from tierwise.economics.given import Given, Provenance
from tierwise.economics.serving import tokens_per_month
from tierwise.economics.spend import Spending
from tierwise.ledger.queries import Filter
from tierwise.policy.settings import ceilings
from tierwise.registry.kinds import known_prices

Read = TypeVar("Read")
ASSUMED = "a default of the questions"
DAYS = 30
FEWEST_DAYS = 7
SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "b": 10**9}
NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgb%]?)", re.IGNORECASE | re.ASCII)
HOW = """A figure is 300M, or 200M..500M, or 200M..300M..500M; behind it may stand how sure it is and who says so:
12000 contract offer 4711. Enter takes what stands in brackets; - means nobody knows."""


class Asking:
    """Asks on stderr and reads a line; `silent` takes every default. What cannot be read is asked again."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent

    def tell(self, text: str) -> None:
        """Say what goes with the questions."""
        if not self._silent:
            say(text)

    def text(self, question: str, default: str) -> str:
        """Ask for words."""
        if self._silent:
            return default
        sys.stderr.write(f"{question} [{default}] ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            raise InvalidCall("the questions ended early; nothing was written")
        return line.strip() or default

    def read(self, question: str, default: str, reads: Callable[[str], Read]) -> Read:
        """Ask until it can be read."""
        while True:
            try:
                return reads(self.text(question, default))
            except ValueError as error:
                say(f"  {error}")

    def yes(self, question: str, *, default: bool = False) -> bool:
        """Ask yes or no."""
        return self.read(question, "yes" if default else "no", _yes)

    def given(self, question: str, default: str, source: str = ASSUMED) -> Given:
        """Ask for a figure; the default keeps its own source."""
        return self.read(question, default, lambda text: _figure(text, source if text == default else ""))

    def maybe(self, question: str) -> Given | None:
        """Ask for a figure that nobody need know."""
        return self.read(question, "-", lambda text: None if text == "-" else _figure(text, ""))

    def number(self, question: str, default: str) -> Decimal | None:
        """Ask for a limit, or none."""
        return self.read(question, default, lambda text: None if text == "-" else _figure(text, "").value)


def organisation(ask: Asking, settings: config.Settings) -> Organisation:
    """Ask everything."""
    ask.tell(HOW)
    volume, written = _traffic(ask, settings)
    works = _works(ask, written)
    teams = int(cast(Decimal, ask.number("How many teams or places work on their own?", "1")))
    offers = _offers(ask, works)
    machines = _machines(ask, works)
    return Organisation(
        tokens_per_month=volume, work=works, offer=offers, machine=machines, teams=max(1, teams),
        hours_per_month=ask.number("Hours a month of people who can run machines (- for no limit)?", "40"),
        capital_usd=ask.number("US dollars that may be spent at once (- for no limit)?", "-"),
        reach=ceilings(settings.document.labels),
        risk=ask.read("A gate holds wherever a figure may lie (careful), or at its value (even)?", "careful", _risk),
        ramp_months=int(cast(Decimal, ask.number("Months until the volume is reached?", "6"))),
        discount=ask.given("What money costs a year?", "0%..8%..15%"),
        api_decline=ask.given("By how much prices outside fall in a year?", "0%..20%..50%"),
    )  # fmt: skip


def _traffic(ask: Asking, settings: config.Settings) -> tuple[Given, Decimal]:
    """Return the tokens of a month and the share that models write, offered from the ledger where it knows."""
    read, wrote, days = asyncio.run(_recorded(settings))
    volume, share, source = "30M..100M..300M", "25%", ASSUMED
    if days >= FEWEST_DAYS and read + wrote:
        month = (read + wrote) * DAYS // days
        share, source = f"{100 * wrote / (read + wrote):.1f}%", f"the ledger, {days} days"
        volume = f"{month * 7 // 10}..{month}..{month * 3 // 2} measured"
        ask.tell(f"On record in {days} days: {read + wrote:,} tokens; the range around it is assumed.")
    given = ask.given("Tokens a month in all, read and written?", volume, source)
    return given, cast(Decimal, ask.number("Share of them that models write?", share))


async def _recorded(settings: config.Settings) -> tuple[int, int, int]:
    spending = Spending({})
    async with bootstrap.reading(settings) as history:
        if history is not None:
            async for decision in history.iterate(Filter()):
                spending.add(decision)
    whole = spending.whole()
    return whole.read, whole.written, len(spending.lines("day"))


def _works(ask: Asking, written: Decimal) -> tuple[Work, ...]:
    names = ask.read("Kinds of work, by name, with commas between?", "everything", _names)
    works: list[Work] = []
    left = Decimal(1)
    for number, name in enumerate(names):
        ask.tell(f"{name}:")
        last = number == len(names) - 1
        even = f"{float(left / (len(names) - number)):.0%}"
        share = left if last else min(left, cast(Decimal, ask.number("  its share of all tokens?", even)))
        left -= share
        works.append(
            Work(
                name=name,
                share=share,
                output_share=written,
                label=ask.read(f"  how sensitive ({', '.join(Label)})?", "internal", _label),
                needs=ask.number("  least share of answers that must be right (- to ask for none)?", "-") or Decimal(0),
                latency_ms=ask.number("  milliseconds that an answer may take (- for no limit)?", "-"),
                offline=ask.yes("  must it go on without a network?"),
                must_go_on=ask.yes("  must it go on when a machine fails?"),
                stage="development" if ask.yes("  is it development, not production?") else "production",
            )
        )
    return tuple(works)


def _offers(ask: Asking, works: Sequence[Work]) -> tuple[Quote, ...]:
    listed = next((one for one in known_prices() if one.origin == "list"), None)
    offers: list[Quote] = []
    if ask.yes("May a frontier API be used at all?", default=True):
        name = ask.text("  its name?", listed.model if listed else "frontier")
        source = f"{listed.source} ({listed.as_of})" if listed else ASSUMED
        prices = (f"{listed.input_usd_per_mtok} list", f"{listed.output_usd_per_mtok} list") if listed else ("2", "10")
        offers.append(_offer(ask, name, prices, source, works))
    if ask.yes("Open models that somebody else runs, too?", default=True):
        offers.append(_offer(ask, "hosted open model", ("0.1..0.5..1", "0.4..1.5..4"), ASSUMED, works))
    return tuple(offers)


def _offer(ask: Asking, name: str, prices: tuple[str, str], source: str, works: Sequence[Work]) -> Quote:
    return Quote(
        name=name, open_weights=name == "hosted open model",
        input_usd_per_mtok=ask.given("  US dollars for a million tokens read?", prices[0], source),
        output_usd_per_mtok=ask.given("  US dollars for a million tokens written?", prices[1], source),
        quality=_quality(ask, works), latency_ms=_latency(ask, works),
    )  # fmt: skip


def _machines(ask: Asking, works: Sequence[Work]) -> tuple[Site, ...]:
    found: list[Site] = []
    wage = ask.given("What does an hour of people who run machines cost?", "40..80..120")
    if ask.yes("Machines in each team, perhaps?", default=True):
        found.append(
            _machine(ask, "edge", ("2500..4000..8000", "20..50..100", "50..300..1500", "2..5..10"), wage, works)
        )
    if ask.yes("A central place of your own, perhaps?", default=True):
        central = ("20000..40000..80000", "200..500..1500", "500..3000..10000", "10..25..60")
        found.append(_machine(ask, "central", central, wage, works))
    return tuple(found)


def _machine(
    ask: Asking, place: Literal["edge", "central"], usual: tuple[str, str, str, str], wage: Given, works: Sequence[Work]
) -> Site:
    price, runs, speed, hours = usual
    rate = ask.given("  tokens a second of one, read and written, at the latency that you want?", speed)
    busier = ask.given("  how many times busier is the busiest hour than the mean?", "3..6..10")
    needed = ask.given("  hours a month that it takes?" + (" (in each team)" if place == "edge" else ""), hours)
    return Site(
        name=f"{place} machine", place=place, tokens=tokens_per_month(rate, peak_to_mean=busier),
        usd_once=ask.given("  price of one?", price),
        usd_per_month=ask.given("  hosting and power of one, a month?", runs),
        hours_per_month=needed, buckets=Buckets(people=Bucket(month_usd=needed.by(wage))),
        quality=_quality(ask, works), latency_ms=_latency(ask, works),
    )  # fmt: skip


def _quality(ask: Asking, works: Sequence[Work]) -> dict[str, Given]:
    asked = {
        work.name: ask.maybe(f"  share of its answers that are right, for {work.name}?") for work in works if work.needs
    }
    return {name: right for name, right in asked.items() if right is not None}


def _latency(ask: Asking, works: Sequence[Work]) -> Given | None:
    return ask.maybe("  milliseconds that it takes?") if any(work.latency_ms is not None for work in works) else None


# reading answers


def _figure(text: str, source: str) -> Given:
    """Read a figure with its range, how sure it is, and who says so."""
    figures, _, said = text.strip().partition(" ")
    numbers = [_number(one) for one in figures.split("..")]
    sure, _, who = said.strip().partition(" ")
    if len(numbers) > 3 or numbers != sorted(numbers) or (sure and sure not in get_args(Provenance)):
        raise ValueError("write 300M, 200M..500M or 200M..300M..500M, then measured, contract, list or assumed")
    middle = numbers[1] if len(numbers) == 3 else (numbers[0] + numbers[-1]) / 2
    ends = {} if len(numbers) == 1 else {"low": numbers[0], "high": numbers[-1]}
    return Given(
        value=middle, **ends, provenance=cast(Provenance, sure or "assumed"), source=who or source or "an answer"
    )  # fmt: skip


def _number(text: str) -> Decimal:
    found = NUMBER.fullmatch(text.strip().replace(",", "").removeprefix("$"))
    if found is None:
        raise ValueError(f"{text!r} is no number: write 300M, 0.85, 85% or $12,000")
    return Decimal(found[1]) / 100 if found[2] == "%" else Decimal(found[1]) * SIZES[found[2].lower()]


def _yes(text: str) -> bool:
    if text.lower() not in ("y", "yes", "n", "no"):
        raise ValueError("yes or no")
    return text.lower().startswith("y")


def _risk(text: str) -> Literal["careful", "even"]:
    if text not in ("careful", "even"):
        raise ValueError("careful or even")
    return cast(Literal["careful", "even"], text)


def _label(text: str) -> Label:
    if text not in list(Label):
        raise ValueError(f"one of {', '.join(Label)}")
    return Label(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise ValueError("at least one")
    return names
