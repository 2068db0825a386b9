"""Do machines of one's own pay, against each API that could serve the same traffic? One answer for each comparison.

Joins buckets, break-even and payback over one plan, which is a file that anybody can run again.
Invariant: every number of an answer is made of the plan's inputs alone, and these can be listed, with their sources.
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from tierwise.economics.breakeven import Api, BreakEven, Cheaper, Own, api_usd, break_even, break_even_region, own_usd
from tierwise.economics.buckets import BucketRow, Buckets, bucket_rows
from tierwise.economics.given import Corner, Given, total
from tierwise.economics.payback import Plan, payback, worth_of_waiting_usd

HORIZON = 4
"""How many times the plan's volume the crossings are looked for."""


class CostPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody thinks of buying: the machines, what they need besides, the plan, and what it is compared with."""

    own: Own
    plan: Plan
    buckets: Buckets = Buckets()
    workflows: int = 1
    models: int = 1
    api: tuple[Api, ...] = ()

    def whole(self) -> Own:
        """Return the machines with the buckets that they need."""
        sizes = {"workflows": self.workflows, "models": self.models}
        return msgspec.structs.replace(
            self.own,
            once_usd=total((self.own.once_usd, self.buckets.once_usd(**sizes))),
            base_usd_per_month=total((self.own.base_usd_per_month, self.buckets.monthly_usd(**sizes))),
        )

    def bucket_rows(self) -> tuple[BucketRow, ...]:
        """Return what each of the five buckets comes to, at these workflows and models."""
        return bucket_rows(self.buckets, workflows=self.workflows, models=self.models)


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A result at the values, and at the ends of all ranges that are worst and best for own machines; None: never."""

    value: Decimal | None
    worst: Decimal | None
    best: Decimal | None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One comparison. `cheaper` is at the plan's volume; `open` where the inputs' ranges allow both."""

    api: Api
    cheaper: Cheaper
    own_usd_per_month: Decimal
    api_usd_per_month: Decimal
    crossings: BreakEven
    region: BreakEven
    payback_months: Range
    npv_usd: Range
    waiting_a_quarter_usd: Decimal


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One number that went in, by its place in the plan."""

    name: str
    given: Given


def answers(plan: CostPlan) -> tuple[Answer, ...]:
    """Compare the machines with each API of the plan."""
    return tuple(_answer(plan.whole(), api, plan.plan) for api in plan.api)


def _answer(own: Own, api: Api, plan: Plan) -> Answer:
    region = break_even_region(own, api, HORIZON * max(1, plan.tokens_per_month))
    corners: tuple[Corner, ...] = ("value", "dearest", "cheapest")
    value, worst, best = (payback(own, api, plan, corner) for corner in corners)
    return Answer(
        api=api,
        cheaper=region.at(max(1, plan.tokens_per_month)),
        own_usd_per_month=own_usd(own, plan.tokens_per_month),
        api_usd_per_month=api_usd(api, plan.tokens_per_month),
        crossings=break_even(own, api, HORIZON * max(1, plan.tokens_per_month)),
        region=region,
        payback_months=Range(value=value.months, worst=worst.months, best=best.months),
        npv_usd=Range(value=value.npv_usd, worst=worst.npv_usd, best=best.npv_usd),
        waiting_a_quarter_usd=worth_of_waiting_usd(own, api, plan),
    )


def inputs(plan: msgspec.Struct) -> tuple[Input, ...]:
    """Return every number that went in and is not nothing, with where it comes from."""
    return tuple(_inputs(plan, ""))


def _inputs(value: object, name: str) -> Iterator[Input]:
    if isinstance(value, Given):
        if value.most > 0:
            yield Input(name=name, given=value)
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            yield from _inputs(getattr(value, field), f"{name}.{field}".strip("."))
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _inputs(one, f"{name}.{key}")
    elif isinstance(value, tuple):
        for at, one in enumerate(value):
            yield from _inputs(one, f"{name}.{getattr(one, 'name', at)}")
