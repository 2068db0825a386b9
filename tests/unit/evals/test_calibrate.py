"""Is the fitted map the likeliest one, and do the two measures agree with their definitions?"""

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.threshold import Calibration
from tierwise.evals.calibrate import auroc, expected_calibration_error, fit, logit, probability

ROWS = st.lists(st.tuples(st.floats(-30, 0), st.booleans()), min_size=1, max_size=60)


@given(st.floats(0.001, 0.999))
def test_logit_inverts_the_logistic(chance: float) -> None:
    assert 1 / (1 + math.exp(-logit(math.log(chance)))) == pytest.approx(chance)


@given(ROWS)
def test_is_finite_for_any_rows(rows: list[tuple[float, bool]]) -> None:
    map_ = fit([row[0] for row in rows], [row[1] for row in rows])
    assert math.isfinite(map_.slope)
    assert math.isfinite(map_.intercept)
    for logprob in (0.0, -1e-12, -1.0, -1000.0, -math.inf):
        assert 0 <= probability(map_, logprob) <= 1


def test_finds_the_parameters_that_made_the_rows() -> None:
    chance = random.Random(1)
    true = Calibration(slope=0.7, intercept=-0.4, n=0)
    logprobs = [math.log(chance.uniform(0.02, 0.999)) for _ in range(20_000)]
    right = [chance.random() < probability(true, logprob) for logprob in logprobs]
    found = fit(logprobs, right)
    assert found.slope == pytest.approx(0.7, abs=0.05)
    assert found.intercept == pytest.approx(-0.4, abs=0.08)
    assert (found.n, found.on) == (20_000, "logit")


def test_fitting_mends_overconfidence() -> None:
    chance = random.Random(2)
    logprobs = [math.log(chance.uniform(0.5, 0.999)) for _ in range(4000)]
    right = [chance.random() < math.exp(logprob) - 0.2 for logprob in logprobs]
    before = expected_calibration_error([math.exp(logprob) for logprob in logprobs], right)
    map_ = fit(logprobs, right)
    after = expected_calibration_error([probability(map_, logprob) for logprob in logprobs], right)
    assert before == pytest.approx(0.2, abs=0.02)
    assert after < 0.05


@pytest.mark.parametrize("right", [True, False])
def test_one_sided_rows_lean_but_do_not_run_away(right: bool) -> None:
    chance = probability(fit([-0.1, -0.5, -2.0], [right] * 3), -0.5)
    assert chance == pytest.approx(0.8 if right else 0.2, abs=0.01)


def test_calibration_error_by_hand() -> None:
    assert expected_calibration_error([0.95, 0.95, 0.05, 1.0], [True, False, False, True]) == pytest.approx(
        (abs(0.95 + 0.95 + 1.0 - 2) + 0.05) / 4
    )


@given(st.lists(st.tuples(st.sampled_from([-3.0, -2.0, -1.0]), st.booleans()), max_size=30))
def test_auroc_is_the_share_of_pairs_in_order(rows: list[tuple[float, bool]]) -> None:
    good = [score for score, right in rows if right]
    bad = [score for score, right in rows if not right]
    found = auroc([row[0] for row in rows], [row[1] for row in rows])
    if not good or not bad:
        assert found is None
    else:
        pairs = [(a > b) + (a == b) / 2 for a, b in itertools.product(good, bad)]
        assert found == pytest.approx(sum(pairs) / len(pairs))


def test_refuses_rows_that_do_not_match() -> None:
    with pytest.raises(ValueError, match="one outcome"):
        fit([-0.1], [])
    with pytest.raises(ValueError, match="one outcome"):
        expected_calibration_error([], [])
