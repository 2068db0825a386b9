"""Which ways are there to place the work, what does each cost, and which may be taken? Every one of them, none sampled.

A plan says which server does which work, and which central machine stands in for the edge. Its month costs a base,
a price for each token, and whole machines: `Bill` keeps these apart by input, so that plans that share an input can
be compared where it lies anywhere in its range.
Invariant: a plan is permitted only where every gate of every work and of the whole is passed.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from tierwise.core.usage import TOKENS_PER_MTOK
from tierwise.economics.advice import gates
from tierwise.economics.advice.gates import Finding, State
from tierwise.economics.advice.organisation import (
    Organisation,
    Place,
    Quote,
    Site,
    base_usd,
    place,
    usd_of,
    usd_per_work,
)
from tierwise.economics.given import NOTHING, Corner, Given, total

Topology = Literal["outside", "team_local", "central_private", "edge_and_central"]
Strategy = Literal["frontier", "open", "open_for_volume", "frontier_for_development"]


NEITHER: Mapping[str, Fraction] = MappingProxyType({})


class Answer(NamedTuple):
    """What is advised, without the names of servers."""

    topology: Topology
    strategy: Strategy


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """Machines of one kind in a plan. `tokens` is what one in each place carries, `share` what all of them must carry.

    `spare` are those that are there besides. `once_usd` is what one in each place is bought for.
    """

    name: str
    tokens: Given
    usd_per_month: Given
    once_usd: Given
    share: Fraction
    spare: int

    def step(self, corner: Corner, usd: Given) -> "Bought":
        """Return it at a corner."""
        each = self.share / Fraction(self.tokens.as_gain(corner))
        return Bought(self.name, each, Fraction(usd.as_cost(corner)), self.spare)

    def bought(self, volume: Fraction, tokens: Fraction) -> int:
        """Return how many are needed in each place."""
        return math.ceil(volume * self.share / tokens) + self.spare


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What a month costs, by input: how often each amount is paid, how much of the volume each price is paid for."""

    base: dict[str, tuple[Given, Fraction]]
    prices: dict[str, tuple[Given, Fraction]]
    wholes: dict[str, Whole]
    set_up_usd: Given
    hours: Given

    def month(self, corner: Corner = "value") -> "Sum":
        """Add up a month, at the values or where everything is dearest or cheapest."""
        base = sum((Fraction(one.as_cost(corner)) * times for one, times in self.base.values()), Fraction(0))
        rate = sum((Fraction(one.as_cost(corner)) * share for one, share in self.prices.values()), Fraction(0))
        return Sum(base, rate / TOKENS_PER_MTOK, tuple(one.step(corner, one.usd_per_month) for one in self._wholes()))

    def capital(self, corner: Corner = "value") -> "Sum":
        """Add up what is paid before the first token of such a month."""
        steps = tuple(one.step(corner, one.once_usd) for one in self._wholes())
        return Sum(Fraction(self.set_up_usd.as_cost(corner)), Fraction(0), steps)

    def _wholes(self) -> list[Whole]:
        return list(self.wholes.values())


class Bought(NamedTuple):
    """Machines of one kind: how many each token needs, what one costs, how many are there besides."""

    name: str
    each: Fraction
    usd: Fraction
    spare: int


class Sum(NamedTuple):
    """A cost by volume: a base, a price of each token, and machines that are bought whole."""

    base: Fraction
    rate: Fraction
    steps: tuple[Bought, ...]

    def at(self, volume: Fraction, carries: Mapping[str, Fraction] = NEITHER) -> Fraction:
        """Return it at a volume; `carries` is how many times as much machines of a name do."""
        cost = self.base + self.rate * volume
        for name, each, usd, spare in self.steps:
            load = volume * each / carries[name] if name in carries else volume * each
            cost += (-(-load.numerator // load.denominator) + spare) * usd
        return cost

    def bounds(self, volume: Fraction, carries: Mapping[str, Fraction] = NEITHER) -> tuple[Fraction, Fraction]:
        """Return straight lines that it never leaves: parts of machines could be bought, or one more of each is."""
        low = self.base + self.rate * volume
        more = Fraction(0)
        for name, each, usd, spare in self.steps:
            load = volume * each / carries[name] if name in carries else volume * each
            low += (load + spare) * usd
            more += usd if each else 0
        return low, low + more


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Who does which work (in the order of the work), and who stands in for the edge."""

    serves: tuple[Site | Quote, ...]
    standby: Site | None
    answer: Answer
    bill: Bill
    state: State
    """What the gates of its servers say; those of the whole are `whole`."""

    @property
    def servers(self) -> tuple[Site | Quote, ...]:
        """All that it needs."""
        return _unique((*self.serves, self.standby))

    @property
    def named(self) -> tuple[str, ...]:
        """The same by names, whatever is known of whom they name."""
        return (*(server.name for server in self.serves), self.standby.name if self.standby else "")


def plans(organisation: Organisation) -> tuple[Layout, ...]:
    """Return every plan that no gate of a server surely forbids, the simplest first."""
    states = {
        (work.name, server.name): gates.state_of(gates.findings(organisation, work, server))
        for work in organisation.work
        for server in organisation.servers
    }
    able = [
        [server for server in organisation.servers if states[work.name, server.name] != "failed"]
        for work in organisation.work
    ]
    return tuple(_made(organisation, able, states))


def _made(
    organisation: Organisation, able: list[list[Site | Quote]], states: dict[tuple[str, str], State]
) -> Iterator[Layout]:
    for serves in itertools.product(*able):
        open_ = any(
            states[work.name, server.name] == "open" for work, server in zip(organisation.work, serves, strict=True)
        )
        used = _unique(serves)
        names = {one.name for one in used}
        at_risk = [
            (work, server)
            for work, server in zip(organisation.work, serves, strict=True)
            if work.must_go_on and place(server) == "edge"
        ]
        others = [one for one in organisation.machine if at_risk and one.place == "central" and one.name not in names]
        for standby in (None, *others):
            stand_in = [one for one in (*used, standby) if isinstance(one, Site) and one.place == "central"]
            covered = {
                work.name for work, _ in at_risk if any(states[work.name, one.name] == "passed" for one in stand_in)
            }
            if standby is not None and not covered:
                continue
            yield Layout(
                serves=serves,
                standby=standby,
                answer=Answer(_topology(serves, standby), _strategy(organisation, serves)),
                bill=_bill(organisation, serves, standby, frozenset(covered)),
                state="open" if open_ else "passed",
            )


def _bill(
    organisation: Organisation, serves: tuple[Site | Quote, ...], standby: Site | None, covered: frozenset[str]
) -> Bill:
    base: dict[str, tuple[Given, Fraction]] = {}
    prices: dict[str, tuple[Given, Fraction]] = {}
    wholes: dict[str, Whole] = {}
    servers = _unique((*serves, standby))
    for server in servers:
        works = [work for work, one in zip(organisation.work, serves, strict=True) if one is server]
        base[f"{server.name}: base"] = base_usd(organisation, server), Fraction(1)
        base[f"{server.name}: each work"] = usd_per_work(organisation, server), Fraction(len(works))
        share = sum((Fraction(work.share) for work in works), Fraction(0))
        if isinstance(server, Quote):
            written = sum((Fraction(work.share) * Fraction(work.output_share) for work in works), Fraction(0))
            prices[f"{server.name}: input"] = server.input_usd_per_mtok, share - written
            prices[f"{server.name}: output"] = server.output_usd_per_mtok, written
            continue
        prices[f"{server.name}: tokens"] = server.usd_per_mtok, share
        fleets = organisation.fleets(server)
        stands_in = server.place == "central" and bool(covered)
        alone = any(work.must_go_on and work.name not in covered for work in works)
        wholes[server.name] = Whole(
            name=server.name,
            tokens=server.tokens.times(fleets),
            usd_per_month=usd_of(organisation, server),
            once_usd=server.usd_once.times(fleets),
            share=share,
            spare=int(alone or stands_in),
        )
    machines = [server for server in servers if isinstance(server, Site)]
    return Bill(
        base=base, prices=prices, wholes=wholes,
        set_up_usd=total(one for server in servers for one in (server.set_up_usd, _buckets_usd(server, serves))),
        hours=total(one.hours_per_month.times(organisation.fleets(one)) for one in machines) if machines else NOTHING,
    )  # fmt: skip


def _unique(servers: Iterable[Site | Quote | None]) -> tuple[Site | Quote, ...]:
    return tuple({server.name: server for server in servers if server is not None}.values())


def _buckets_usd(server: Site | Quote, serves: tuple[Site | Quote, ...]) -> Given:
    return server.buckets.once_usd(workflows=sum(one is server for one in serves), models=1)


def whole(organisation: Organisation, bill: Bill) -> tuple[Finding, ...]:
    """Ask the gates of a plan as a whole: what it costs to buy, and the people that it takes."""
    found: list[Finding] = []
    if (limit := organisation.capital_usd) is not None:
        needed = capital(organisation, bill)
        told = (
            f"at most ${limit:,.0f} at once; needs ${needed.value:,.0f} (${needed.least:,.0f} to ${needed.most:,.0f})"
        )
        found.append(Finding(gate="capital", state=gates.at_most(organisation, needed, limit), told=told))
    if (have := organisation.hours_per_month) is not None:
        hours = bill.hours
        told = f"{have} hours a month are there; needs {hours.value} ({hours.least} to {hours.most})"
        found.append(Finding(gate="people", state=gates.at_most(organisation, hours, have), told=told))
    return tuple(found)


def capital(organisation: Organisation, bill: Bill) -> Given:
    """Return what a plan needs before its first token: at the least and the most that volume and machines allow."""
    volume = organisation.tokens_per_month
    value = bill.capital().at(Fraction(volume.value))
    least, most = bill.capital("cheapest").at(Fraction(volume.least)), bill.capital("dearest").at(Fraction(volume.most))
    return Given(value=decimal(value), low=decimal(least), high=decimal(most))


def state(organisation: Organisation, plan: Layout) -> State:
    """Say whether a plan may be taken."""
    if plan.state == "failed":
        return "failed"
    of_whole = gates.state_of(whole(organisation, plan.bill))
    return of_whole if of_whole != "passed" else plan.state


def decimal(number: Fraction) -> Decimal:
    """Return a rational number as a decimal one."""
    return Decimal(number.numerator) / number.denominator


def _topology(serves: tuple[Site | Quote, ...], standby: Site | None) -> Topology:
    places: set[Place] = {place(server) for server in serves} | ({"central"} if standby else set())
    if "edge" in places:
        return "edge_and_central" if "central" in places else "team_local"
    return "central_private" if "central" in places else "outside"


def _strategy(organisation: Organisation, serves: tuple[Site | Quote, ...]) -> Strategy:
    frontier = [work.stage for work, server in zip(organisation.work, serves, strict=True) if not server.open_weights]
    if len(frontier) == len(serves):
        return "frontier"
    if not frontier:
        return "open"
    both = {work.stage for work in organisation.work} == {"production", "development"}
    return "frontier_for_development" if both and set(frontier) == {"development"} else "open_for_volume"
