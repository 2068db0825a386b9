"""The lines that are drawn are the costs that were computed: steps as steps, and ranges that hold what they are of."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.economics.test_compare import MACHINE, PLAN, number
from tierwise.economics.breakeven import api_usd, own_usd
from tierwise.economics.compare import HORIZON, answers
from tierwise.economics.curve import POINTS, curves
from tierwise.economics.question import changed


def test_a_step_is_two_points_a_token_apart() -> None:
    own, answer = PLAN.whole(), answers(PLAN)[0]
    drawn = curves(own, answer, 10**6)
    usd = {point.tokens: point.usd for point in drawn.own}
    assert usd[2_000_001] - usd[2_000_000] == 110
    assert drawn.most_tokens == HORIZON * 10**6 and drawn.api[-1].usd == 300 * HORIZON
    assert drawn.top_usd == drawn.api[-1].usd


@settings(max_examples=40)
@given(st.integers(1, 5 * 10**6), st.integers(10**4, 10**6), st.integers(10**6, 10**8))
def test_points_are_what_the_lines_cost_and_their_ranges_hold_them(volume: int, low: int, high: int) -> None:
    plan = changed(PLAN, {"own.steps.machine.tokens": number(10**6, low, high), "plan.tokens_per_month": volume})
    own, answer = plan.whole(), answers(plan)[1]
    drawn = curves(own, answer, volume)
    assert all(point.usd == own_usd(own, point.tokens) for point in drawn.own)
    assert all(point.usd == api_usd(answer.api, point.tokens) for point in drawn.api)
    assert all(point.low_usd <= point.usd <= point.high_usd for point in (*drawn.own, *drawn.api))
    assert [point.tokens for point in drawn.own] == sorted({point.tokens for point in drawn.own})
    for one in drawn.open:
        middle = (one.first + (one.last or 0)) // 2
        assert answer.region.at(middle) == "open"
        assert one.first <= (one.last or 0) <= drawn.most_tokens


def test_too_many_steps_to_be_seen_are_drawn_at_even_volumes() -> None:
    small = replace(PLAN.own, steps=(replace(MACHINE, tokens=number(10)),))
    drawn = curves(small, answers(PLAN)[0], 10**6)
    assert len(drawn.own) == POINTS + 2  # and the first token, at which the first machine is bought
    assert drawn.own[0].usd == Decimal(0)
