"""The form of break-even: what is left as it was keeps its source, what is set is assumed, what is unknown stays so."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.usage import Usage
from tierwise.economics.buckets import BUCKETS
from tierwise.economics.compare import CostPlan
from tierwise.economics.given import Given
from tierwise.economics.own import Machine, Power, Served
from tierwise.economics.question import read, written
from tierwise.web import sliders
from tierwise.web.sliders import Asked, Row

MIX = Usage(input=3_000, output=1_000)


def sure(value: str, low: str | None = None, high: str | None = None) -> Given:
    ends = {"low": low and Decimal(low), "high": high and Decimal(high)}
    return Given(value=Decimal(value), provenance="measured", source="a meter", **ends)  # type: ignore[arg-type]


RACK = Machine(
    name="rack", endpoint="box", busy_share=sure("0.5"), usd_once=sure("9000", "8000", "9500"), residual=sure("0.2"),
    power=Power(idle_watts=sure("90"), busy_watts=sure("500"), usd_per_kwh=sure("0.24")),
    serves=(Served(model="near", output_tokens_per_s=sure("145")), Served(model="far", output_tokens_per_s=sure("20"))),
)  # fmt: skip
KNOWN = sliders.machines((RACK,))
BEGIN = sliders.start(KNOWN, "rack: near", MIX, 50_000_000)
NOTHING = sliders.start({}, "", Usage(), None)


def rows(asked: Asked) -> dict[str, Row]:
    groups = (*asked.groups.values(), *asked.buckets.values())
    return {row.slider.name: row for group in groups for row in group}


def planned(asked: Asked) -> CostPlan:
    assert asked.plan is not None, asked.problem
    return asked.plan


def test_each_machine_with_each_model_can_be_chosen() -> None:
    assert list(KNOWN) == ["rack: near", "rack: far"]
    near, far = (sliders.start(KNOWN, name, MIX, None).plan.own.steps[0].tokens.value for name in KNOWN)
    assert near > far


def test_what_is_left_as_it_was_keeps_its_range_and_source() -> None:
    found = rows(sliders.asked(BEGIN, {}))
    assert found["machine.usd_once"].text == "9000"
    assert found["machine.usd_once"].said == "measured, 8000 to 9500: a meter"
    sent = {name: row.text for name, row in found.items()} | {sliders.VOLUME.name: "50000000"}
    assert planned(sliders.asked(BEGIN, sent)) == BEGIN.plan


def test_a_number_that_is_set_is_assumed_and_off_by_as_much_as_is_said() -> None:
    asked = sliders.asked(BEGIN, {"machine.usd_once": "12,000", "sure": "10"})
    given = planned(asked).own.steps[0].usd_once
    assert (given.value, given.least, given.most, given.provenance) == (12000, 10800, 13200, "assumed")
    assert rows(asked)["machine.usd_once"].said == "assumed: set on this page"
    assert planned(asked).own.residual == BEGIN.plan.own.residual


def test_a_bucket_that_nobody_filled_in_is_unknown_and_one_that_is_cleared_too() -> None:
    asked = sliders.asked(BEGIN, {"buckets.people.month_per_workflow_usd": "300", "workflows": "2"})
    assert planned(asked).buckets.missing == tuple(name for name in BUCKETS if name != "people")
    assert planned(asked).whole().base_usd_per_month.value == 600
    found = rows(asked)
    assert (found["buckets.platform.month_usd"].text, found["buckets.platform.month_usd"].said) == (
        "", "unknown: counted as nothing",
    )  # fmt: skip
    cleared = sliders.asked(BEGIN, {"machine.usd_once": ""})
    assert planned(cleared).own.steps[0].usd_once.most == 0
    assert rows(cleared)["machine.usd_once"].said == "unknown: counted as nothing"


def test_without_a_machine_nothing_is_answered_before_enough_is_said() -> None:
    assert NOTHING.volume_said == "assumed: no traffic is on record"
    asked = sliders.asked(NOTHING, {})
    assert asked.plan is None and "how many tokens a month" in asked.problem
    assert rows(asked)["machine.tokens"].text == ""
    assert sliders.asked(NOTHING, {"machine.tokens": "1000000"}).plan is None
    asked = sliders.asked(NOTHING, {"machine.tokens": "1000000", "machine.usd_per_month": "100"})
    assert planned(asked).own.steps[0].tokens.value == 1_000_000


def test_another_api_can_be_compared_with() -> None:
    (api,) = planned(sliders.asked(BEGIN, {"api": "3"})).api
    assert (api.name, api.usd_per_mtok.value, api.usd_per_mtok.provenance) == ("another API", 3, "assumed")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("machine.usd_once", "dear"), ("machine.usd_once", "-1"), ("machine.usd_once", "NaN"), ("own.residual", "1.5"),
        ("own.months", "0"), ("plan.months", "100000"), ("plan.api_decline", "1"), ("machine.tokens", "1e40"),
        ("sure", "much"), ("api", "<b>"), ("machine.usd_once", "1e-999999"), ("api", "1e-40"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_told_and_stays_as_it_was_typed(name: str, text: str) -> None:
    asked = sliders.asked(BEGIN, {name: text})
    assert asked.plan is None and asked.problem
    if name in rows(asked):
        assert rows(asked)[name].text == text


NAMES = [sliders.VOLUME.name, "api", "sure", *rows(sliders.asked(BEGIN, {}))]
TEXTS = st.text(max_size=12) | st.decimals(allow_nan=True).map(str) | st.integers(-5, 10**14).map(str)


@given(st.dictionaries(st.sampled_from([*NAMES, "elsewhere", "own.steps.rack.name"]), TEXTS, max_size=8))
def test_whatever_is_sent_is_a_plan_that_can_be_saved_or_a_problem(query: dict[str, str]) -> None:
    for begin in (BEGIN, NOTHING):
        asked = sliders.asked(begin, query)
        assert (asked.plan is None) == bool(asked.problem)
        if asked.plan is not None:
            assert read(written(asked.plan)) == asked.plan


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0", "0"),
        ("9000", "9000"),
        ("73600000", "73,600,000"),
        ("0.0474237411", "0.0474237"),
        ("1E+10", "10,000,000,000"),
    ],
)
def test_numbers_are_written_without_digits_that_do_not_count(value: str, text: str) -> None:
    assert sliders.written(Decimal(value)) == text
