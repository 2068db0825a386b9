"""Machines now, or outside first? Month by month, with what grows and what falls."""

from decimal import Decimal
from typing import Any

import msgspec

from tests.unit.economics.advice.scene import HOSTED, MTOK, RACK, TICKETS, number, organisation
from tierwise.economics.advice.plans import plans
from tierwise.economics.advice.timing import Timing, timing

ALONE = msgspec.structs.replace(TICKETS, share=Decimal(1))


def when(**changed: Any) -> Timing | None:
    usual: dict[str, Any] = {"work": (ALONE,), "machine": (RACK,), "offer": (HOSTED,)}
    whole = organisation(**{**usual, "tokens_per_month": number(100 * MTOK), **changed})
    return timing(whole, next(one for one in plans(whole) if one.named[0] == "rack"))


def test_a_full_machine_from_the_first_day_is_bought_now() -> None:
    found = when()
    assert found is not None and found.starts_after_months == 0 and found.gains_usd is None
    # 125 a month outside at 0.75 * 1 + 0.25 * 2; the machine costs 3,600 once.
    assert found.payback_months.value == Decimal(3600) / 125


def test_a_machine_that_stands_empty_at_first_is_bought_later() -> None:
    found = when(ramp_months=30)
    assert found is not None and found.starts_after_months > 0
    assert found.gains_usd is not None and found.gains_usd.value > 0
    assert found.against == ("hosted",)


def test_what_may_not_go_outside_has_nothing_to_wait_for() -> None:
    assert when(offer=(msgspec.structs.replace(HOSTED, quality={"tickets": number("0.1")}),), ramp_months=30) is None


def test_a_plan_without_machines_has_no_time() -> None:
    whole = organisation(work=(ALONE,), machine=(RACK,), offer=(HOSTED,))
    assert timing(whole, next(one for one in plans(whole) if one.named[0] == "hosted")) is None
