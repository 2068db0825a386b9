"""What is known of an organisation before it decides what runs where? Its work, its limits, what could serve.

Values only, as they stand in a file that anybody can run again. Every figure is a `Given`, with range and provenance;
a limit is exact, because it is chosen and not found.
Invariant: names are unique, the shares of the work add up to 1, and what nobody measured is absent, never 0.
"""

import itertools
from collections.abc import Mapping
from decimal import Decimal
from typing import Literal

import msgspec

from tierwise.core.label import Label, Tier
from tierwise.economics.buckets import Buckets
from tierwise.economics.given import NOTHING, Given, total
from tierwise.economics.payback import MOST_MONTHS

Place = Literal["edge", "central", "outside"]
TIERS: Mapping[Place, Tier] = {"edge": Tier.LOCAL, "central": Tier.SELF_HOSTED, "outside": Tier.FRONTIER}
REACH: Mapping[Label, Tier] = {
    Label.PUBLIC: Tier.FRONTIER, Label.INTERNAL: Tier.FRONTIER,
    Label.CONFIDENTIAL: Tier.SELF_HOSTED, Label.RESTRICTED: Tier.LOCAL,
}  # fmt: skip
"""How far from the data a label may go where the organisation says nothing: the built-in ceilings."""
MOST_PLANS = 20_000


class Work(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of work: its share of all tokens, and what it asks of whatever serves it.

    `needs` is the least share of answers that must be right. `offline`: it goes on where no network is. `must_go_on`:
    it survives the loss of a machine. `regions` empty: anywhere that its label may go.
    """

    name: str
    share: Decimal = Decimal(1)
    output_share: Decimal = Decimal("0.25")
    label: Label = Label.INTERNAL
    needs: Decimal = Decimal(0)
    latency_ms: Decimal | None = None
    regions: tuple[str, ...] = ()
    offline: bool = False
    must_go_on: bool = False
    stage: Literal["production", "development"] = "production"

    def __post_init__(self) -> None:
        """Refuse what is no share."""
        if not all(one.is_finite() and 0 <= one <= 1 for one in (self.share, self.output_share, self.needs)):
            raise ValueError(f"share, output_share and needs of {self.name!r} lie between 0 and 1")


class Server(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What could serve: a model somewhere. `quality` is, for each work, the share of answers that are right.

    `open_weights`: anybody may run it. `set_up_usd` and the buckets are paid once it serves anything at all.
    """

    name: str
    open_weights: bool
    quality: dict[str, Given] = {}
    latency_ms: Given | None = None
    region: str | None = None
    set_up_usd: Given = NOTHING
    base_usd_per_month: Given = NOTHING
    buckets: Buckets = Buckets()


class Site(Server, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A machine of one's own with one model on it: at the edge one fleet for each team, in the centre one for all.

    `tokens` is what one carries in a month at the latency target and with its peaks. `hours_per_month` is what it takes
    of people who can run it, for each fleet.
    """

    place: Literal["edge", "central"]
    tokens: Given
    open_weights: bool = True
    usd_once: Given = NOTHING
    usd_per_month: Given = NOTHING
    usd_per_mtok: Given = NOTHING
    hours_per_month: Given = NOTHING

    def __post_init__(self) -> None:
        """Refuse a machine that carries nothing."""
        if self.tokens.least < 1:
            raise ValueError(f"{self.name!r} must carry at least one token a month")


class Quote(Server, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API outside: frontier, or open weights that somebody else runs."""

    open_weights: bool = False
    input_usd_per_mtok: Given
    output_usd_per_mtok: Given


class Organisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that advice is made of.

    `risk` is what holds a gate: `careful` asks that it holds wherever in its range a figure lies, `even` that it holds
    at the value. `indifference` is the share of cost below which two plans are taken as equal. `reach` is how far from
    the data a label may go, where it is not `REACH`. `residual` is the share of its price that a machine
    is worth after `months`.
    """

    tokens_per_month: Given
    work: tuple[Work, ...]
    machine: tuple[Site, ...] = ()
    offer: tuple[Quote, ...] = ()
    teams: int = 1
    capital_usd: Decimal | None = None
    hours_per_month: Decimal | None = None
    reach: dict[Label, Tier] = {}
    risk: Literal["careful", "even"] = "careful"
    indifference: Decimal = Decimal("0.05")
    months: int = 36
    residual: Decimal = Decimal(0)
    ramp_months: int = 0
    discount: Given = NOTHING
    api_decline: Given = NOTHING

    def __post_init__(self) -> None:
        """Refuse what cannot be reckoned with: nothing to do, names twice, shares that do not make a whole."""
        if not self.work or sum(one.share for one in self.work) != 1:
            raise ValueError("the shares of [[work]] must add up to 1")
        names = [one.name for one in self.servers] + [one.name for one in self.work]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"names must be unique: {', '.join(sorted(twice))}")
        if strange := {name for one in self.servers for name in one.quality} - {one.name for one in self.work}:
            raise ValueError(f"quality is given for what is no work: {', '.join(sorted(strange))}")
        if any(one.most > 1 for server in self.servers for one in server.quality.values()):
            raise ValueError("quality is a share between 0 and 1")
        if self.teams < 1 or not 0 < self.months <= MOST_MONTHS or self.ramp_months < 0:
            raise ValueError(f"teams are 1 or more, months 1 to {MOST_MONTHS}, ramp_months 0 or more")
        if not all(one.is_finite() and 0 <= one <= 1 for one in (self.residual, self.indifference)):
            raise ValueError("residual and indifference are shares between 0 and 1")
        if self.api_decline.most >= 1:
            raise ValueError("api_decline is a share of a year, below 1")
        if self.tokens_per_month.least < 1:
            raise ValueError("tokens_per_month must be at least 1: without traffic there is nothing to place")
        limits = (self.capital_usd, self.hours_per_month, *(one.latency_ms for one in self.work))
        if any(limit is not None and not (limit.is_finite() and limit >= 0) for limit in limits):
            raise ValueError("capital_usd, hours_per_month and latency_ms are 0 or more")
        if any(self.reaches(more).rank > self.reaches(less).rank for less, more in itertools.pairwise(Label)):
            raise ValueError("reach must not go farther for a label that is more sensitive")
        if len(self.servers) ** len(self.work) > MOST_PLANS:
            raise ValueError(
                f"more than {MOST_PLANS:,} ways to place the work: join kinds of work, or leave out servers"
            )

    @property
    def servers(self) -> tuple[Site | Quote, ...]:
        """All that could serve, what needs no machine first."""
        return (*self.offer, *self.machine)

    def reaches(self, label: Label) -> Tier:
        """Return how far from the data a label may go."""
        return self.reach.get(label, REACH[label])

    def fleets(self, machine: Site) -> int:
        """Return in how many places the machine stands."""
        return self.teams if machine.place == "edge" else 1


def place(server: Site | Quote) -> Place:
    """Say where something runs."""
    return server.place if isinstance(server, Site) else "outside"


def usd_of(organisation: Organisation, machine: Site) -> Given:
    """Return what one machine in each place costs in a month, its purchase written off."""
    kept = (1 - organisation.residual) / organisation.months
    return total((machine.usd_per_month, machine.usd_once.times(kept))).times(organisation.fleets(machine))


def base_usd(organisation: Organisation, server: Server) -> Given:
    """Return what a server costs in a month however little it does."""
    once = total((server.set_up_usd, server.buckets.once_usd(workflows=0, models=1)))
    monthly = (server.base_usd_per_month, server.buckets.monthly_usd(workflows=0, models=1))
    return total((*monthly, once.times(Decimal(1) / organisation.months)))


def usd_per_work(organisation: Organisation, server: Server) -> Given:
    """Return what each kind of work that a server takes on adds to that."""
    buckets = [bucket for _, bucket in server.buckets.filled()]
    once = total(bucket.set_up_per_workflow_usd for bucket in buckets)
    monthly = (bucket.month_per_workflow_usd for bucket in buckets)
    return total((*monthly, once.times(Decimal(1) / organisation.months)))


def usd_per_mtok(work: Work, server: Site | Quote) -> Given:
    """Return what a million tokens of this work add to the bill."""
    if isinstance(server, Site):
        return server.usd_per_mtok
    read, written = server.input_usd_per_mtok, server.output_usd_per_mtok
    return total((read.times(1 - work.output_share), written.times(work.output_share)))
