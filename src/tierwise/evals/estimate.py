"""What will a comparison ask, and about what will it cost? Routes every call without sending any.

Invariant: an unknown price is no price: it is told as unknown, never counted as 0.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.evals.answers import Key
from tierwise.evals.item import Item
from tierwise.evals.run import Plan

ORDERS = 2
Route = Callable[[bytes, Hints], Decision]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject has before it. `denied`: so many calls go to nobody, for the reason `why`."""

    subject: str
    calls: int = 0
    cost_usd: Decimal = Decimal(0)
    denied: int = 0
    why: str = ""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What all subjects have before them."""

    items: int
    repeats: int
    shares: tuple[Share, ...]
    judge: Share | None = None

    @property
    def calls(self) -> int:
        """How many calls are left to make."""
        return sum(one.calls for one in self.all)

    @property
    def cost_usd(self) -> Decimal:
        """What the calls cost about, whichever of a route's models answers."""
        return sum((one.cost_usd for one in self.all), Decimal(0))

    @property
    def all(self) -> tuple[Share, ...]:
        """The subjects' shares, and the judge's behind them."""
        return self.shares if self.judge is None else (*self.shares, self.judge)


def estimated(plan: Plan, left: Sequence[Key], route: Route) -> Estimate:
    """Estimate the calls that are left; a repeat costs what the first call does."""
    shares = {one.name: Share(subject=one.name) for one in plan.header.subjects}
    seen: dict[tuple[str, str], Share] = {}
    for key in left:
        one = seen.get(key[:2])
        if one is None:
            one = seen[key[:2]] = _routed(plan, key, route)
        before = shares[key[1]]
        shares[key[1]] = Share(
            subject=key[1],
            calls=before.calls + 1,
            cost_usd=before.cost_usd + one.cost_usd,
            denied=before.denied + one.denied,
            why=before.why or one.why,
        )
    return Estimate(items=len(plan.items), repeats=plan.header.repeats, shares=tuple(shares.values()))


def with_judge(
    expected: Estimate, plan: Plan, judge: str, body: Callable[[Item], bytes], made: int, route: Route
) -> Estimate:
    """Add what a judge has before it: each pair is asked about in both orders, but for those MADE before.

    `body` writes a request about an item, with answers of an assumed length.
    """
    times = ORDERS * (len(plan.header.subjects) - 1) * plan.header.repeats
    found = [route(body(item), Hints(workflow=plan.header.workflow, label=item.label)) for item in plan.items.values()]
    every = times * len(found)
    left = max(0, every - made)
    errors = [one.error for one in found if one.error is not None]
    share = Share(
        subject=f"{judge}, judging",
        calls=left,
        cost_usd=sum(map(_cost, found), Decimal(0)) * times * left / max(1, every),
        denied=times * len(errors) * left // max(1, every),
        why=next(iter(errors), ""),
    )
    return msgspec.structs.replace(expected, judge=share)


def _routed(plan: Plan, key: Key, route: Route) -> Share:
    call = plan.call(key)
    decision = route(call.body(), Hints(workflow=call.workflow, label=call.item.label))
    refused = decision.error is not None
    return Share(subject=key[1], cost_usd=_cost(decision), denied=int(refused), why=decision.error or "")


def _cost(decision: Decision) -> Decimal:
    paid = (one for one in decision.candidates if one.allowed and not one.own)
    return sum((one.expected_cost_usd or Decimal(0) for one in paid), Decimal(0))
