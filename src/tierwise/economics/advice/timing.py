"""Buy now, or begin outside and move later? Month by month, while volume grows and prices outside fall.

Only what moves is looked at: the work on machines of the plan, against the cheapest offers that may do it meanwhile.
Invariant: where some of that work may not go outside, there is nothing to wait for, and the answer is now.
"""

import msgspec

from tierwise.economics.advice import gates
from tierwise.economics.advice.organisation import Organisation, Quote, Site, Work, usd_per_mtok
from tierwise.economics.advice.plans import Layout, decimal
from tierwise.economics.breakeven import Api, Own, Step
from tierwise.economics.compare import Range
from tierwise.economics.given import Given, total
from tierwise.economics.payback import Plan, payback

LATEST_MONTHS = 24


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """When machines should take over. `against` are the offers that serve until then.

    `gains_usd` is what that is worth today, more than buying now; payback and worth today are of buying then.
    """

    starts_after_months: int
    against: tuple[str, ...]
    gains_usd: Given | None
    payback_months: Range
    npv_usd: Range


def timing(organisation: Organisation, plan: Layout) -> Timing | None:
    """Return the best time at the values; None where nothing moves, or something may not go outside."""
    moving = [
        (work, server) for work, server in zip(organisation.work, plan.serves, strict=True) if isinstance(server, Site)
    ]
    if not moving:
        return None
    outside = [_cheapest(organisation, work) for work, _ in moving]
    offers = [one for one in outside if one is not None]
    if len(offers) < len(moving):
        return None
    api = Api(
        name=", ".join(dict.fromkeys(one.name for one in offers)),
        usd_per_mtok=total(
            usd_per_mtok(work, one).times(work.share) for (work, _), one in zip(moving, offers, strict=True)
        ),
    )
    own = _own(organisation, plan)
    course = Plan(
        tokens_per_month=int(organisation.tokens_per_month.value),
        months=organisation.months,
        ramp_months=organisation.ramp_months,
        discount=organisation.discount,
        api_decline=organisation.api_decline,
    )
    later = [
        msgspec.structs.replace(course, starts_after_months=start)
        for start in range(min(LATEST_MONTHS, organisation.months) + 1)
    ]
    worth = [payback(own, api, one).npv_usd for one in later]
    best = max(range(len(worth)), key=lambda start: (worth[start], -start))
    value, worst, most = (payback(own, api, later[best], corner) for corner in ("value", "dearest", "cheapest"))
    return Timing(
        starts_after_months=best,
        against=tuple(dict.fromkeys(one.name for one in offers)),
        gains_usd=None if not best else Given(value=worth[best] - worth[0], source="worth today, against buying now"),
        payback_months=Range(value=value.months, worst=worst.months, best=most.months),
        npv_usd=Range(value=value.npv_usd, worst=worst.npv_usd, best=most.npv_usd),
    )


def _cheapest(organisation: Organisation, work: Work) -> Quote | None:
    able = [one for one in organisation.offer if gates.state_of(gates.findings(organisation, work, one)) == "passed"]
    return min(able, key=lambda one: usd_per_mtok(work, one).value, default=None)


def _own(organisation: Organisation, plan: Layout) -> Own:
    """Return the machines of a plan, as what they cost by the volume of the whole organisation."""
    machines = [server for server in plan.servers if isinstance(server, Site)]
    steps, once, base = [], [], []
    for machine in machines:
        whole, runs = plan.bill.wholes[machine.name], machine.usd_per_month.times(organisation.fleets(machine))
        works = sum(one is machine for one in plan.serves)
        once += [machine.set_up_usd, machine.buckets.once_usd(workflows=works, models=1)]
        base += [machine.base_usd_per_month, machine.buckets.monthly_usd(workflows=works, models=1)]
        if whole.share:
            tokens = whole.tokens.times(decimal(1 / whole.share))
            steps.append(
                Step(name=whole.name, tokens=tokens, usd_per_month=runs, usd_once=whole.once_usd, spare=whole.spare)
            )
        else:  # it only stands by
            once.append(whole.once_usd.times(whole.spare))
            base.append(runs.times(whole.spare))
    rates = [
        server.usd_per_mtok.times(work.share)
        for work, server in zip(organisation.work, plan.serves, strict=True)
        if isinstance(server, Site)
    ]
    return Own(
        once_usd=total(once), base_usd_per_month=total(base), steps=tuple(steps), usd_per_mtok=total(rates),
        months=organisation.months, residual=Given(value=organisation.residual),
    )  # fmt: skip
