"""A plan is compared with each API, and every input of an answer can be named."""

import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec

from tierwise.economics.breakeven import Api, Own, Step
from tierwise.economics.buckets import Bucket, Buckets
from tierwise.economics.compare import CostPlan, answers, inputs
from tierwise.economics.given import Given
from tierwise.economics.payback import Plan


def number(value: object, low: object = None, high: object = None) -> Given:
    ends = {name: Decimal(str(end)) for name, end in (("low", low), ("high", high)) if end is not None}
    return Given(value=Decimal(str(value)), **ends)


MACHINE = Step(name="machine", tokens=number(10**6), usd_once=number(1_200), usd_per_month=number(10))
PLAN = CostPlan(
    own=Own(steps=(MACHINE,), months=12),
    plan=Plan(tokens_per_month=10**6, months=24),
    buckets=Buckets(people=Bucket(set_up_per_workflow_usd=number(60), month_per_model_usd=number(5, 1, 40))),
    workflows=2,
    models=3,
    api=(Api(name="dear", usd_per_mtok=number(300)), Api(name="fair", usd_per_mtok=number(140, 100, 180))),
)


def test_buckets_are_part_of_what_own_machines_cost() -> None:
    dear, _ = answers(PLAN)
    # 10 running, 15 for models, and 1,200 + 120 written off over twelve months.
    assert dear.own_usd_per_month == 10 + 15 + 110
    assert dear.api_usd_per_month == 300
    assert dear.payback_months.value == Decimal(1_320) / (300 - 25)


def test_an_answer_is_open_where_the_ranges_allow_both() -> None:
    dear, fair = answers(PLAN)
    assert (dear.cheaper, fair.cheaper) == ("own", "open")
    assert fair.payback_months.best is not None and fair.payback_months.value is not None
    assert fair.payback_months.worst is None
    assert fair.npv_usd.worst is not None and fair.npv_usd.best is not None
    assert fair.npv_usd.worst < fair.npv_usd.value < fair.npv_usd.best  # type: ignore[operator]


def test_every_input_is_named_once() -> None:
    names = [one.name for one in inputs(PLAN)]
    assert len(names) == len(set(names)) == 7
    assert {"own.steps.machine.tokens", "buckets.people.month_per_model_usd", "api.fair.usd_per_mtok"} <= set(names)


def test_the_plan_on_the_page_is_one_that_can_be_read() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "economics.md"
    block = page.read_text("utf-8").rpartition("```text\n")[2].partition("```")[0]
    plan = msgspec.convert(tomllib.loads(block), CostPlan)
    assert plan.buckets.missing == ("compute", "platform", "governance", "evaluation")
    assert [answer.api.name for answer in answers(plan)] == ["an offer"]
