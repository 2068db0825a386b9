"""A break-even question is a value: it is read, changed one input at a time, made of a machine, and written back."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.economics.test_compare import PLAN, number
from tierwise.core.errors import InvalidCall
from tierwise.core.usage import Usage
from tierwise.economics.buckets import BUCKETS, TITLES
from tierwise.economics.compare import answers, inputs
from tierwise.economics.own import Machine, Served, own_cost
from tierwise.economics.price import cost_usd
from tierwise.economics.question import changed, plan_of, read, written
from tierwise.economics.serving import HOURS_PER_MONTH, Power


def test_a_plan_that_is_written_reads_back() -> None:
    assert read(written(PLAN)) == PLAN


def test_every_input_can_be_set_by_the_name_that_it_is_listed_under() -> None:
    assert changed(PLAN, {one.name: one.given for one in inputs(PLAN)}) == PLAN
    for one in inputs(PLAN):
        dearer = changed(PLAN, {one.name: one.given.times(2)})
        assert {other.name for other in inputs(dearer) if other not in inputs(PLAN)} == {one.name}


def test_a_slider_fills_in_a_bucket_that_was_missing() -> None:
    assert [row.name for row in PLAN.bucket_rows() if not row.filled] == [
        "compute",
        "platform",
        "governance",
        "evaluation",
    ]
    found = changed(PLAN, {"buckets.platform.month_usd": number(40, 20, 90), "workflows": 4})
    rows = {row.name: row for row in found.bucket_rows()}
    assert rows["platform"].filled and rows["platform"].monthly_usd.most == 90
    assert rows["people"].once_usd.value == 4 * 60 and rows["people"].monthly_usd.value == 3 * 5
    assert [row.title for row in found.bucket_rows()] == [TITLES[name] for name in BUCKETS]
    assert answers(found)[0].own_usd_per_month == answers(PLAN)[0].own_usd_per_month + 40 + Decimal(2 * 60) / 12


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("buckets.marketing.month_usd", number(1)),
        ("own.steps.crane.tokens", number(1)),
        ("own.steps", number(1)),
        ("workflows.of.mine", 1),
        ("", 1),
        ("own.steps.machine.tokens", number(0)),
        ("own.months", 0),
        ("plan.tokens_per_month", -1),
        ("workflows", number(2)),
    ],
)
def test_what_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidCall):
        changed(PLAN, {name: value})  # type: ignore[dict-item]


@pytest.mark.parametrize("text", ["[own", "own = 1", "[own]\n[plan]\ntokens_per_month = 1\nhorse = 2", ""])
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(InvalidCall):
        read(text)


POWER = Power(idle_watts=number(100), busy_watts=number(500), usd_per_kwh=number("0.2"))
RACK = Machine(
    name="rack", endpoint="vllm", busy_share=number("0.25"), usd_once=number(7_200), months=36,
    usd_per_month=number(80), power=POWER,
)  # fmt: skip
SERVED = Served(model="llama", output_tokens_per_s=number(1_000, 800, 1_100), input_tokens_per_s=number(20_000))
MIX = Usage(input=600, cache_read=200, output=200)


def test_a_machine_of_the_configuration_becomes_a_step() -> None:
    plan = plan_of(RACK, SERVED, MIX, volume=10**9, peak_to_mean=number(4))
    (step,) = plan.own.steps
    seconds = Decimal(600) / 20_000 + Decimal(200) / 1_000
    assert step.tokens.value == pytest.approx(1_000 / seconds * Decimal("0.8") * HOURS_PER_MONTH * 3_600 / 4)
    assert step.tokens.least < step.tokens.value < step.tokens.most
    assert step.usd_per_month.value == 80 + HOURS_PER_MONTH * Decimal("0.1") * Decimal("0.2")


@settings(max_examples=50)
@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_a_machine_that_works_so_much_costs_as_a_plan_what_its_calls_cost(read_: int, cached: int, wrote: int) -> None:
    """The two ways to count one machine agree: its month divided over its calls, and its calls added up to a month."""
    mix = Usage(input=read_, cache_read=cached, output=wrote)
    tokens = mix.read + mix.written
    seconds = tokens / SERVED.tokens_per_s(mix).value
    calls = Decimal("0.25") * HOURS_PER_MONTH * 3_600 / seconds
    plan = plan_of(RACK, SERVED, mix, volume=int(calls * tokens), peak_to_mean=number(1))
    month = float(plan.own.usd_of(plan.own.steps[0])) + float(plan.own.usd_per_mtok.value * calls * tokens) / 10**6
    assert month == pytest.approx(float(cost_usd(own_cost(RACK, SERVED).full, mix) * calls), rel=1e-6)
