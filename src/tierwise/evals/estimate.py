"""What will a comparison ask, and about what will it cost? Routes every call without sending any.

Invariant: an unknown price is no price: it is told as unknown, never counted as 0.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.evals.answers import Key
from tierwise.evals.run import Plan

Route = Callable[[bytes, Hints], Decision]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject has before it. `denied`: so many calls go to nobody, for the reason `why`."""

    subject: str
    calls: int
    cost_usd: Decimal
    denied: int = 0
    why: str = ""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What all subjects have before them."""

    items: int
    repeats: int
    shares: tuple[Share, ...]

    @property
    def calls(self) -> int:
        """How many calls are left to make."""
        return sum(one.calls for one in self.shares)

    @property
    def cost_usd(self) -> Decimal:
        """What the calls cost about, whichever of a route's models answers."""
        return sum((one.cost_usd for one in self.shares), Decimal(0))


def estimated(plan: Plan, left: Sequence[Key], route: Route) -> Estimate:
    """Estimate the calls that are left; a repeat costs what the first call does."""
    subjects = {one.name: one for one in plan.header.subjects}
    seen: dict[tuple[str, str], Decision] = {}
    shares = dict.fromkeys(subjects, (0, Decimal(0), 0, ""))
    for item, name, _repeat in left:
        decision = seen.get((item, name))
        if decision is None:
            one = plan.items[item]
            hints = Hints(workflow=plan.header.workflow, label=one.label)
            decision = seen[item, name] = route(plan.body(one, subjects[name]), hints)
        calls, cost, denied, why = shares[name]
        expected = sum((one.expected_cost_usd or Decimal(0) for one in decision.candidates if one.allowed), Decimal(0))
        refused = decision.error is not None
        shares[name] = (calls + 1, cost + expected, denied + refused, (decision.error or why) if refused else why)
    return Estimate(
        items=len(plan.items),
        repeats=plan.header.repeats,
        shares=tuple(
            Share(subject=name, calls=calls, cost_usd=cost, denied=denied, why=why)
            for name, (calls, cost, denied, why) in shares.items()
        ),
    )
