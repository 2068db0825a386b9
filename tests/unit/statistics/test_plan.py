"""Do plans give the numbers that are known, and enough items for what they promise?"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from tierwise.statistics.interval import upper_bound
from tierwise.statistics.plan import (
    certified_items,
    design_effect,
    paired_items,
    sequential_items,
    unpaired_items,
)
from tierwise.statistics.sequence import UNSEEN

MARGINS = (0.01, 0.02, 0.03, 0.05)


@pytest.mark.parametrize(("discordance", "items"), [(0.1, (6183, 1546, 687, 248)), (0.2, (12366, 3092, 1374, 495))])
def test_pairs_for_a_proof_within_a_margin(discordance: float, items: tuple[int, ...]) -> None:
    assert tuple(paired_items(margin, discordance) for margin in MARGINS) == items


def test_items_of_each_arm_without_pairs() -> None:
    assert tuple(unpaired_items(margin, 0.8) for margin in MARGINS) == (19785, 4947, 2199, 792)


@pytest.mark.parametrize(
    ("wrong", "items"), [(0, (299, 149, 59, 29)), (1, (473, 236, 93, 46)), (3, (773, 386, 153, 76))]
)
def test_accepted_items_for_a_certificate(wrong: int, items: tuple[int, ...]) -> None:
    assert tuple(certified_items(risk, wrong) for risk in (0.01, 0.02, 0.05, 0.1)) == items


@given(st.floats(0.001, 0.5), st.integers(0, 200), st.sampled_from([0.8, 0.95, 0.99]))
def test_so_many_certify_and_one_fewer_does_not(risk: float, wrong: int, confidence: float) -> None:
    n = certified_items(risk, wrong, confidence)
    assert upper_bound(wrong, n, confidence) <= risk + 1e-9
    assert n == wrong + 1 or upper_bound(wrong, n - 1, confidence) > risk - 1e-9


@pytest.mark.parametrize("risk", [0, 1, -0.1])
def test_no_plan_for_a_certificate_without_risk_or_of_nothing(risk: float) -> None:
    with pytest.raises(ValueError, match="nothing to plan"):
        certified_items(risk)


def test_a_candidate_that_is_worse_by_the_margin_is_never_proven_to_be_within_it() -> None:
    assert paired_items(0.02, 0.1, difference=-0.02) is None
    assert sequential_items(0.02, 0.1, difference=-0.03) is None
    assert unpaired_items(0.0, 0.8) is None
    assert (paired_items(0.02, 0.1, difference=0.02) or 0) < (paired_items(0.02, 0.1) or 0) / 3


@given(st.floats(0.01, 0.1), st.floats(0.02, 0.5), st.sampled_from([0.7, 0.8, 0.95]))
def test_looking_all_the_time_costs_at_the_most_a_third_more_and_some_for_the_unseen(
    margin: float, discordance: float, power: float
) -> None:
    fixed, looked = paired_items(margin, discordance, power=power), sequential_items(margin, discordance, power=power)
    assert fixed is not None and looked is not None
    assert fixed <= looked <= math.ceil(1.34 * fixed + UNSEEN / discordance)


def test_planned_items_have_the_power_that_was_asked_for() -> None:
    """Binomial, without the normal approximation: losses only where candidate and baseline differ by chance alone."""
    n, psi = paired_items(0.05, 0.1) or 0, 0.1
    counts = np.arange(n + 1)
    shown = 0.0
    for wins in range(60):
        losses = counts[: n - wins + 1]
        mean = (wins - losses) / n
        lower = mean - 1.6449 * np.sqrt(np.maximum((wins + losses) / n - mean**2, 0) / n)
        chance = binom.pmf(wins, n, psi / 2) * binom.pmf(losses, n - wins, psi / 2 / (1 - psi / 2))
        shown += float(chance[lower > -0.05].sum())
    assert shown == pytest.approx(0.8, abs=0.02)


def test_clusters_of_copies_need_as_many_times_more_items() -> None:
    values = np.random.default_rng(2).choice([-1.0, 0.0, 1.0], 500).tolist()
    copied = [value for value in values for _ in range(4)]
    assert design_effect(copied, [at // 4 for at in range(2000)]) == pytest.approx(4, rel=0.01)
    assert design_effect(values, range(500)) == pytest.approx(1)
    assert design_effect([0.0] * 9, range(9)) == design_effect([], []) == 1
