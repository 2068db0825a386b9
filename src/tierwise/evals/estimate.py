"""What will a comparison ask, and about what will it cost? Routes every call without sending any.

Invariant: an unknown price is no price: it is told as unknown, never counted as 0.
"""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal

import msgspec

from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.evals.answers import Key
from tierwise.evals.judging import request
from tierwise.evals.run import Plan

ORDERS = 2
ASSUMED_WORD, ASSUMED_WORDS = "word ", 300
Route = Callable[[bytes, Hints], Decision]


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one subject has before it. `denied`: so many calls go to nobody, for the reason `why`."""

    subject: str
    calls: int = 0
    cost_usd: Decimal = Decimal(0)
    denied: int = 0
    why: str = ""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What all subjects have before them, and who judges their answers."""

    items: int
    repeats: int
    shares: tuple[Share, ...]
    judge: Share | None = None

    @property
    def calls(self) -> int:
        """How many calls to the subjects are left to make."""
        return sum(one.calls for one in self.shares)

    @property
    def cost_usd(self) -> Decimal:
        """What the calls cost about, whichever of a route's models answers, and judging what they say."""
        judging = Decimal(0) if self.judge is None else self.judge.cost_usd
        return sum((one.cost_usd for one in self.shares), judging)


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


def judged(plan: Plan, left: Sequence[Key], judge: str, route: Route) -> Share:
    """Estimate what a judge has before it: each of these answers beside the baseline's, in both orders.

    Answers are not there yet: they are taken to be of a length that few exceed.
    """
    calls, cost, why, denied = 0, Decimal(0), "", 0
    seen: dict[str, Decision] = {}
    for item, subject, _ in left:
        if item not in seen:
            asked = plan.items[item]
            candidate = next(one for one in plan.header.subjects if one.name == subject)
            text = ASSUMED_WORD * ASSUMED_WORDS
            body = request(judge, json.loads(plan.body(asked, candidate)), asked, text, text)
            seen[item] = route(body, Hints(workflow=plan.header.workflow, label=asked.label))
        refused = seen[item].error
        calls, denied, why = calls + ORDERS, denied + ORDERS * (refused is not None), why or refused or ""
        cost += ORDERS * _cost(seen[item])
    return Share(subject=judge, calls=calls, cost_usd=cost, denied=denied, why=why)


def _routed(plan: Plan, key: Key, route: Route) -> Share:
    call = plan.call(key)
    decision = route(call.body(), Hints(workflow=call.workflow, label=call.item.label))
    refused = decision.error is not None
    return Share(subject=key[1], cost_usd=_cost(decision), denied=int(refused), why=decision.error or "")


def _cost(decision: Decision) -> Decimal:
    return sum((one.expected_cost_usd or Decimal(0) for one in decision.candidates if one.allowed), Decimal(0))
