"""A machine of one's own has a cost: routes compare it with prices, records hold it, and no budget counts it."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec

from tests.integration.gateway.conftest import Build, House
from tierwise.core.decision import CandidateRecord, Decision
from tierwise.economics.budget import Budget
from tierwise.economics.given import Given
from tierwise.economics.own import Counts, Machine, Served
from tierwise.economics.price import cost_usd
from tierwise.economics.serving import Power
from tierwise.gateway.workflow import Workflow


def amount(number: str) -> Given:
    return Given(value=Decimal(number))


def machine(usd_per_month: str, routes_by: Counts = "full") -> Machine:
    power = Power(idle_watts=amount("50"), busy_watts=amount("250"), usd_per_kwh=amount("0.3"))
    return Machine(
        name="box", endpoint="near-server", busy_share=amount("0.25"), usd_per_month=amount(usd_per_month),
        power=power, routes_by=routes_by,
        serves=(Served(model="near", output_tokens_per_s=amount("100"), input_tokens_per_s=amount("1000")),),
    )  # fmt: skip


FLOW = Workflow(name="mail", trusted=("near", "far"), candidates=("near", "far"))
DEAR, CHEAP = "3000", "0.5"


async def asked(home: House, **more: Any) -> Decision:
    reply = await home.ask(model="auto:mail", **more)
    return await home.recorded(reply.decision.id)


def looked(decision: Decision, model: str) -> CandidateRecord:
    return next(one for one in decision.candidates if one.model == model)


def test_a_machine_that_costs_more_than_an_api_comes_after_it_unless_only_the_margin_counts(house: Build) -> None:
    async def scene() -> None:
        for row, first in ((machine(DEAR), "far"), (machine(CHEAP), "near"), (machine(DEAR, "marginal"), "near")):
            async with house(workflow=(FLOW,), machine=(row,)) as home:
                decision = await asked(home)
                near, far = looked(decision, "near"), looked(decision, "far")
                assert decision.chosen == first
                assert near.expected_cost_usd is not None and far.expected_cost_usd is not None
                assert (near.expected_cost_usd < far.expected_cost_usd) == (first == "near")
                assert near.own is True and far.own is msgspec.UNSET

    asyncio.run(scene())


def test_the_record_holds_what_the_machine_cost_in_full_and_no_money(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,), machine=(machine(DEAR, "marginal"),)) as home:
            decision = await asked(home)
            attempt, own = decision.attempts[0], home.gateway.rules.catalog.models["near"].own
            assert attempt.usage is not None and own is not None
            assert attempt.own_usd == cost_usd(own.full, attempt.usage) > cost_usd(own.routed, attempt.usage)
            assert (attempt.cost_usd, attempt.cost_reason, decision.total_cost_usd) == (None, "unmetered", None)

    asyncio.run(scene())


def test_a_budget_is_about_money_that_leaves(house: Build) -> None:
    async def scene() -> None:
        spent = Budget(scope="all", limit_usd=Decimal("0.000000001"), on_limit="downgrade")
        flow = msgspec.structs.replace(FLOW, max_cost_usd=Decimal("0.000000001"))
        async with house(workflow=(flow,), machine=(machine(DEAR),), budget=(spent,)) as home:
            decision = await asked(home)
            assert decision.chosen == "near" and looked(decision, "far").excluded_by == "budget"

        soft = Budget(scope="all", limit_usd=Decimal(10), soft_limit_usd=Decimal("0.00000001"))
        async with house(workflow=(FLOW,), machine=(machine(DEAR),), budget=(soft,)) as home:
            assert (await asked(home)).chosen == "far"
            assert (await asked(home)).chosen == "near", "after a soft limit what nobody sends a bill for is first"

    asyncio.run(scene())
