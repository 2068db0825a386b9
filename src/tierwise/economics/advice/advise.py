"""What fits this organisation? Gates, then the cheapest of what they leave, then how sure that is and what turns it.

The answer is firm where, wherever in their ranges the inputs lie, no other plan is cheaper by more than the share that
the organisation calls indifferent. Else it is not enough evidence, and the input that would narrow it most is named.
Invariant: a plan that is advised passed every gate; the same organisation gives the same advice, byte by byte.
"""

import hashlib
from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import msgspec
from msgspec.structs import replace

from tierwise.core.label import Label, Tier
from tierwise.economics.advice import gates
from tierwise.economics.advice.flips import Flip, flips
from tierwise.economics.advice.gates import Finding, Gate
from tierwise.economics.advice.organisation import Organisation, Place, place
from tierwise.economics.advice.plans import Bill, Layout, Strategy, Topology, capital, decimal, plans, state, whole
from tierwise.economics.advice.regret import most_over
from tierwise.economics.advice.timing import Timing, timing
from tierwise.economics.compare import Input, inputs
from tierwise.economics.given import Given, least_sure

Verdict = Literal["firm", "not_enough_evidence", "nothing_permitted"]
NEXT = 3


class Serves(msgspec.Struct, frozen=True, kw_only=True):
    """Who does one kind of work, and where."""

    work: str
    server: str
    place: Place
    stage: str


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """One plan as it is told."""

    topology: Topology
    strategy: Strategy
    serves: tuple[Serves, ...]
    stands_in: str | None
    machines: dict[str, int]
    usd_per_month: Given
    capital_usd: Given
    gates: tuple[Finding, ...]


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """An input to find out more about: how much dearer than the best the plan could still be if its value held."""

    input: str
    given: Given | None
    left_usd_per_month: Decimal


class Forced(msgspec.Struct, frozen=True, kw_only=True):
    """What one gate costs: what a month would be without it. None: nothing would be permitted even then."""

    gate: Gate
    usd_per_month: Decimal


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `at_worst_usd_per_month` is by how much the plan may be dearer than the best, `rival` what would be.

    `otherwise` is the best plan of every other answer, `meanwhile` what may be done until there is enough evidence.
    """

    verdict: Verdict
    why: str
    plan: Placed | None
    strategy: Strategy | Literal["gradual_migration"] | None
    timing: Timing | None
    at_worst_usd_per_month: Decimal | None
    rival: Placed | None
    otherwise: tuple[Placed, ...]
    meanwhile: Placed | None
    forced: tuple[Forced, ...]
    measure: tuple[Measure, ...]
    flips: tuple[Flip, ...]
    findings: tuple[Finding, ...]
    inputs: tuple[Input, ...]
    missing_buckets: dict[str, tuple[str, ...]]
    organisation: str


def advise(organisation: Organisation) -> Advice:
    """Answer for one organisation."""
    volume = Fraction(organisation.tokens_per_month.value)
    ranked = [(state(organisation, plan), plan) for plan in plans(organisation)]
    ranked.sort(key=lambda one: one[1].bill.month().at(volume))
    permitted = [plan for found, plan in ranked if found == "passed"]
    possible = [plan for found, plan in ranked if found != "failed"]
    best = permitted[0] if permitted else None
    rivals = _rivals(organisation, best, possible) if best else possible
    verdict: Verdict = "not_enough_evidence" if rivals else "firm" if best else "nothing_permitted"
    when = timing(organisation, best) if best else None
    over, rival = _at_worst(best.bill, possible, organisation.tokens_per_month, Fraction(1)) if best else (None, None)
    later = when is not None and when.starts_after_months > 0
    return Advice(
        verdict=verdict,
        why=_why(organisation, verdict, best),
        plan=_placed(organisation, best) if best else None,
        strategy="gradual_migration" if later else best.answer.strategy if best else None,
        timing=when,
        at_worst_usd_per_month=None if over is None else decimal(max(Fraction(0), over)),
        rival=_placed(organisation, rival) if rival and rivals else None,
        otherwise=tuple(_placed(organisation, plan) for plan in _otherwise(permitted)),
        meanwhile=_meanwhile(organisation, verdict, permitted),
        forced=tuple(_forced(organisation, best)) if best else (),
        measure=tuple(_measures(organisation, best, rivals)) if best and rivals else (),
        flips=flips(organisation, best.answer if best else None),
        findings=tuple(_findings(organisation)),
        inputs=inputs(organisation),
        missing_buckets={one.name: one.buckets.missing for one in organisation.machine if one.buckets.missing},
        organisation=digest(organisation),
    )


def digest(organisation: Organisation) -> str:
    """Name an organisation by what is known of it."""
    return "sha256:" + hashlib.sha256(msgspec.json.encode(organisation, order="sorted")).hexdigest()


def _at_worst(best: Bill, others: Sequence[Layout], volume: Given, times: Fraction) -> tuple[Fraction, Layout | None]:
    """Return by how much a plan may exceed so many times any other, and which."""
    found = [(most_over(best, one.bill, volume, times), one) for one in others if one.bill is not best]
    return max(found, key=lambda pair: pair[0], default=(Fraction(-1), None))


def _rivals(organisation: Organisation, best: Layout, others: Sequence[Layout]) -> list[Layout]:
    """Return the plans that somewhere in the ranges are cheaper by more than what is indifferent."""
    times, volume = 1 + Fraction(organisation.indifference), organisation.tokens_per_month
    return [one for one in others if one is not best and most_over(best.bill, one.bill, volume, times) > 0]


def _placed(organisation: Organisation, plan: Layout) -> Placed:
    works = zip(organisation.work, plan.serves, strict=True)
    volume = Fraction(organisation.tokens_per_month.value)
    fleets = {one.name: organisation.fleets(one) for one in organisation.machine}
    return Placed(
        topology=plan.answer.topology,
        strategy=plan.answer.strategy,
        serves=tuple(
            Serves(work=work.name, server=one.name, place=place(one), stage=work.stage) for work, one in works
        ),
        stands_in=plan.standby.name if plan.standby else None,
        machines={
            one.name: one.bought(volume, Fraction(one.tokens.value)) * fleets[one.name]
            for one in plan.bill.wholes.values()
        },
        usd_per_month=_usd(organisation, plan.bill),
        capital_usd=capital(organisation, plan.bill),
        gates=(*_own_findings(organisation, plan), *whole(organisation, plan.bill)),
    )


def _own_findings(organisation: Organisation, plan: Layout) -> Iterator[Finding]:
    for work, server in zip(organisation.work, plan.serves, strict=True):
        yield from gates.findings(organisation, work, server)


def _usd(organisation: Organisation, bill: Bill) -> Given:
    """Return what a month costs, as sure as the least sure of what it is made of."""
    volume = organisation.tokens_per_month
    made_of = [one for one, times in (*bill.base.values(), *bill.prices.values()) if times and one.most]
    made_of += [given for one in bill.wholes.values() for given in (one.usd_per_month, one.tokens)]
    return Given(
        value=decimal(bill.month().at(Fraction(volume.value))),
        low=decimal(bill.month("cheapest").at(Fraction(volume.least))),
        high=decimal(bill.month("dearest").at(Fraction(volume.most))),
        provenance=least_sure((*made_of, volume)),
        source="; ".join(dict.fromkeys(one.source for one in (*made_of, volume) if one.source)),
    )


def _otherwise(permitted: Sequence[Layout]) -> Iterator[Layout]:
    seen = {permitted[0].answer} if permitted else set()
    for plan in permitted:
        if plan.answer not in seen:
            seen.add(plan.answer)
            yield plan


def _meanwhile(organisation: Organisation, verdict: Verdict, permitted: Sequence[Layout]) -> Placed | None:
    """Return the cheapest plan that buys nothing, while it is not clear what to buy: it can be left again."""
    free = next((plan for plan in permitted if not plan.bill.wholes), None)
    if verdict != "not_enough_evidence" or free is None:
        return None
    return _placed(organisation, free)


def _forced(organisation: Organisation, best: Layout) -> Iterator[Forced]:
    """Lift each gate by itself: what is cheaper then is what the gate costs."""
    volume = Fraction(organisation.tokens_per_month.value)
    now = best.bill.month().at(volume)
    for gate, changed in _lifted(organisation):
        allowed = (plan.bill.month().at(volume) for plan in plans(changed) if state(changed, plan) == "passed")
        cheapest = min(allowed, default=now)
        if cheapest < now:
            yield Forced(gate=gate, usd_per_month=decimal(now - cheapest))


def _lifted(organisation: Organisation) -> Iterator[tuple[Gate, Organisation]]:
    anywhere = dict.fromkeys(Label, Tier.FRONTIER)
    without: dict[Gate, dict[str, object]] = {
        "region": {"regions": ()}, "offline": {"offline": False}, "quality": {"needs": Decimal(0)},
        "latency": {"latency_ms": None},
    }  # fmt: skip
    yield "data", replace(organisation, reach=anywhere)
    for gate, fields in without.items():
        works = tuple(replace(work, **fields) for work in organisation.work)
        if works != organisation.work:
            yield gate, replace(organisation, work=works)
    if organisation.capital_usd is not None:
        yield "capital", replace(organisation, capital_usd=None)
    if organisation.hours_per_month is not None:
        yield "people", replace(organisation, hours_per_month=None)


def _measures(organisation: Organisation, best: Layout, rivals: Sequence[Layout]) -> Iterator[Measure]:
    """Return the inputs that would narrow it most if they were known, the best first."""
    found = [
        Measure(input=one.name, given=one.given, left_usd_per_month=_left(known(organisation, one.name), best, rivals))
        for one in inputs(organisation)
        if one.given.least < one.given.most
    ]
    yield from sorted(found, key=lambda one: (one.left_usd_per_month, one.input))[:NEXT]


def _left(organisation: Organisation, best: Layout, rivals: Sequence[Layout]) -> Decimal:
    """Return by how much the same plan may still exceed any of these."""
    every = {plan.named: plan for plan in plans(organisation)}
    same = every[best.named].bill
    left = [every[one.named] for one in rivals if one.named in every]
    left = [one for one in left if state(organisation, one) != "failed"]
    worst, _ = _at_worst(same, left, organisation.tokens_per_month, Fraction(1))
    return decimal(max(Fraction(0), worst))


def known(value: Organisation, name: str, exactly: Decimal | None = None) -> Organisation:
    """Return the same with one input taken as exact, by the name that `inputs` gives it: at its value or another."""
    found: Organisation = _known(value, name, "", exactly)
    return found


def _known(value: Any, name: str, here: str, exactly: Decimal | None) -> Any:
    if isinstance(value, Given):
        at = value.value if exactly is None else exactly
        return replace(value, value=at, low=None, high=None) if here == name else value
    if here and not name.startswith(f"{here}."):
        return value
    if isinstance(value, msgspec.Struct):
        fields = {field: getattr(value, field) for field in value.__struct_fields__}
        return replace(
            value, **{field: _known(one, name, f"{here}.{field}".strip("."), exactly) for field, one in fields.items()}
        )
    if isinstance(value, dict):
        return {key: _known(one, name, f"{here}.{key}", exactly) for key, one in value.items()}
    if isinstance(value, tuple):
        return tuple(_known(one, name, f"{here}.{getattr(one, 'name', at)}", exactly) for at, one in enumerate(value))
    return value


def _findings(organisation: Organisation) -> Iterator[Finding]:
    for work in organisation.work:
        for server in organisation.servers:
            yield from gates.findings(organisation, work, server)


def _why(organisation: Organisation, verdict: Verdict, best: Layout | None) -> str:
    share = f"{organisation.indifference:.0%}"
    if verdict == "firm":
        return f"wherever in their ranges the inputs lie, no other plan that may be permitted is {share} cheaper"
    if best is None and verdict == "not_enough_evidence":
        return "no plan surely passes every gate, and some may"
    if verdict == "not_enough_evidence":
        return f"at the values this plan is cheapest, but within the ranges another may be more than {share} cheaper"
    stuck = [
        work.name
        for work in organisation.work
        if all(gates.state_of(gates.findings(organisation, work, one)) == "failed" for one in organisation.servers)
    ]
    return f"nothing may do {', '.join(stuck)}" if stuck else "no plan stays within the limits of capital and people"
