"""The difference of two arms is bounded at every look, and more sharply than by an interval for each."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.statistics.sequence import Mean
from tierwise.statistics.two import apart

COUNTS = st.tuples(st.integers(1, 3000), st.floats(0, 1)).map(lambda c: Mean(n=c[0], total=round(c[0] * c[1], 3)))


@given(COUNTS, COUNTS)
def test_the_bounds_hold_what_was_seen_and_turn_round_with_the_arms(one: Mean, other: Mean) -> None:
    low, high = apart(one, other)
    assert -1 <= low <= one.total / one.n - other.total / other.n <= high <= 1
    assert apart(other, one) == pytest.approx((-high, -low))


@given(COUNTS, COUNTS)
def test_more_confidence_bounds_less(one: Mean, other: Mean) -> None:
    low, high = apart(one, other, 0.9)
    wider = apart(one, other, 0.99)
    assert wider[0] <= low + 1e-6 and high <= wider[1] + 1e-6


def test_with_nothing_seen_nothing_is_known() -> None:
    assert apart(Mean(), Mean(n=9, total=0.0)) == apart(Mean(n=9, total=9.0), Mean()) == (-1.0, 1.0)


@pytest.mark.parametrize(("n", "bad", "others", "other_bad"), [(500, 60, 2000, 100), (1000, 150, 1000, 50)])
def test_it_is_sharper_than_two_intervals(n: int, bad: float, others: int, other_bad: float) -> None:
    arms = Mean(n=n, total=bad), Mean(n=others, total=other_bad)
    (low, high), (mine, his) = apart(*arms), (arm.interval(0.975) for arm in arms)
    least, most = mine[0] - his[1], mine[1] - his[0]
    assert high - low < most - least
    assert low > least, "harm is shown sooner"


def test_looked_at_again_and_again_it_is_wrong_at_most_as_often_as_it_says() -> None:
    draw, wrong, runs = random.Random(3), 0, 150
    for _ in range(runs):
        one, other, crossed = Mean(), Mean(), False
        for number in range(1, 401):
            if draw.random() < 0.25:
                one = one.add(float(draw.random() < 0.12))
            else:
                other = other.add(float(draw.random() < 0.10))
            if number % 10 == 0:
                low, high = apart(one, other, 0.8)
                crossed = crossed or not low <= 0.02 <= high
        wrong += crossed
    assert wrong <= 0.2 * runs
