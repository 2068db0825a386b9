"""The answer to a break-even question: every crossing is marked, the range is drawn, and the file gives the same."""

from decimal import Decimal

import msgspec

from tierwise.core.prices import PriceRow
from tierwise.core.usage import Usage
from tierwise.economics.baselines import Baseline
from tierwise.economics.breakeven import Api, Own, Step
from tierwise.economics.compare import CostPlan, answers
from tierwise.economics.given import Given
from tierwise.economics.payback import Plan
from tierwise.economics.question import read
from tierwise.web import pays

MIX = Usage(input=750_000, output=250_000)
HOSTILE = '"><script>alert(1)</script>'


def given(value: str, off: str = "0") -> Given:
    share = Decimal(off)
    number = Decimal(value)
    return Given(value=number, low=number * (1 - share), high=number * (1 + share))


def plan(off: str = "0", name: str = "rack") -> CostPlan:
    step = Step(name=name, tokens=given("50000000", off), usd_once=given("3600", off))
    api = Api(name="api", usd_per_mtok=given("2.5"))
    return CostPlan(own=Own(steps=(step,)), plan=Plan(tokens_per_month=100_000_000), api=(api,))


def test_every_crossing_is_marked_and_told() -> None:
    asked = plan()
    found = pays.told(asked, asked, 40_000_000, "tierwise cost --plan plan.toml")
    crossings = answers(asked)[0].crossings.crossings
    assert len(crossings) > 2
    assert str(found.chart).count("<circle") == len(crossings)
    assert len(found.compared[0].crossings) + found.compared[0].more == len(crossings)
    assert "today: 40M" in str(found.chart) and "this plan: 100M" in str(found.chart)
    assert read(found.toml) == asked


def test_a_range_is_drawn_where_there_is_one() -> None:
    exact, open_ = (pays.told(one, one, None, "") for one in (plan(), plan("0.2")))
    assert 'class="band' not in str(exact.chart)
    assert str(open_.chart).count('class="band l-0"') == 1
    assert "today" not in str(open_.chart)


def test_both_baselines_join_at_the_mix_of_the_ledger() -> None:
    row = PriceRow(
        model="m", input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(6), origin="list", source="a list"
    )
    roles = [Baseline(role=role, model="m", usd=Decimal(1), source="") for role in ("all-frontier", "all-cheapest")]
    asked = pays.compared(msgspec.structs.replace(plan(), api=()), tuple(roles), {"m": row}, MIX)
    assert [(one.name, one.usd_per_mtok.value, one.usd_per_mtok.provenance) for one in asked.api] == [
        ("all-frontier: m", 3, "list"), ("all-cheapest: m", 3, "list"),
    ]  # fmt: skip
    assert [one.kind for one in pays.told(asked, asked, None, "").compared] == ["l-2", "l-1"]
    assert pays.compared(plan(), tuple(roles), {"m": row}, Usage()) == plan()


def test_nothing_to_compare_with_is_no_picture() -> None:
    asked = msgspec.structs.replace(plan(), api=())
    found = pays.told(asked, asked, None, "")
    assert found.chart is None and found.compared == [] and found.own_usd == 200


def test_names_from_outside_are_text() -> None:
    asked = msgspec.structs.replace(plan(name=HOSTILE), api=(Api(name=HOSTILE, usd_per_mtok=given("2.5")),))
    assert "<script" not in str(pays.told(asked, asked, None, "").chart)


def test_odd_sizes_are_drawn_too() -> None:
    for volume, tokens, price in ((0, "1", "0"), (10**13, "1000000", "100"), (1, "1E30", "0.000001")):
        step = Step(name="s", tokens=given(tokens), usd_per_month=given("1"))
        api = Api(name="a", usd_per_mtok=given(price))
        asked = CostPlan(own=Own(steps=(step,)), plan=Plan(tokens_per_month=volume), api=(api,))
        assert "nan" not in str(pays.told(asked, asked, None, "").chart).replace("inance", "")
