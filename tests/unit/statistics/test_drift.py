"""Is a change noticed soon, and nothing taken for one that is none, however long one looks?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Generator, default_rng

from tierwise.statistics.drift import drifted


def values(rng: Generator, n: int, power: float = 1.0) -> list[float]:
    return (rng.random(n) ** power).tolist()


@pytest.mark.parametrize("digits", [None, 1])
def test_without_a_change_there_is_hardly_ever_an_alarm(digits: int | None) -> None:
    """Also with many ties, at a level of one in ten to see any."""
    rng = default_rng(1)
    runs, alarms = 200, 0
    for _ in range(runs):
        reference, seen = values(rng, 200), values(rng, 800)
        if digits is not None:
            reference, seen = ([round(one, digits) for one in part] for part in (reference, seen))
        alarms += drifted(reference, seen, level=0.1).alarm
    assert alarms / runs <= 0.1 + 3 * (0.1 * 0.9 / runs) ** 0.5


@pytest.mark.parametrize("change", ["lower", "higher", "wider", "narrower"])
def test_a_change_is_noticed(change: str) -> None:
    rng = default_rng(2)
    seen = values(rng, 300)
    changed = {
        "lower": [one**2 for one in seen],
        "higher": [one**0.5 for one in seen],
        "wider": [one * 0.25 if one < 0.5 else 1 - (1 - one) * 0.25 for one in seen],
        "narrower": [0.25 + one / 2 for one in seen],
    }[change]
    assert not drifted(values(rng, 200), seen).alarm
    found = drifted(values(rng, 200), changed)
    assert found.alarm and found.strength >= 2 and found.n == 300


def test_a_late_change_is_noticed_too() -> None:
    rng = default_rng(3)
    assert drifted(values(rng, 200), values(rng, 1000) + values(rng, 300, 2.0)).alarm


def test_it_is_the_same_whoever_asks() -> None:
    rng = default_rng(4)
    reference, seen = values(rng, 50), [0.5] * 40
    assert drifted(reference, seen) == drifted(list(reversed(reference)), seen)


@given(st.lists(st.floats(-20, 0), max_size=40), st.lists(st.floats(-20, 0), max_size=40), st.floats(-20, 0))
def test_evidence_once_seen_is_not_lost(reference: list[float], seen: list[float], more: float) -> None:
    before, after = drifted(reference, seen), drifted(reference, [*seen, more])
    assert 0 <= before.strength <= after.strength


def test_nothing_seen_is_no_change() -> None:
    found = drifted([], [])
    assert (found.alarm, found.strength, found.n) == (False, 0.0, 0)
