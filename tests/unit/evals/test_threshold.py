"""Do fitted thresholds keep as much as the aim bears, and never more?"""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.threshold import Threshold
from tierwise.evals.threshold import (
    MARGIN_CONFIDENCE,
    CascadeRow,
    Thresholds,
    apply_thresholds,
    fit_thresholds,
    keeps,
)
from tierwise.statistics.interval import wilson

LOGPROBS = st.sampled_from([-0.01, -0.1, -0.3, -0.7, -1.5, -3.0])
ROWS = st.builds(
    CascadeRow, small_right=st.booleans(), small_logprob=LOGPROBS, larger_right=st.booleans(), larger_logprob=LOGPROBS
)


def judged(small: tuple[bool, float], larger: tuple[bool, float]) -> CascadeRow:
    return CascadeRow(small_right=small[0], small_logprob=small[1], larger_right=larger[0], larger_logprob=larger[1])


def meets(right: int, n: int, target: float) -> bool:
    return n == 0 or wilson(right, n, MARGIN_CONFIDENCE)[0] >= target


@given(st.lists(ROWS, max_size=40), st.sampled_from([0.4, 0.6, 0.8]))
def test_is_the_best_pair_of_all(rows: list[CascadeRow], target: float) -> None:
    """Compare with trying every pair of values."""
    found = apply_thresholds(rows, fit_thresholds(rows, target))
    assert meets(found.small_right, found.small, target)
    assert meets(found.right, found.small + found.larger, target)
    tried = (
        [
            apply_thresholds(
                rows,
                Thresholds(
                    small=Threshold(logprob=small, target=target, n=len(rows)),
                    larger=Threshold(logprob=larger, target=target, n=len(rows)),
                ),
            )
            for small, larger in itertools.product(
                [None, *(row.small_logprob for row in rows)], [None, *(row.larger_logprob for row in rows)]
            )
        ]
        if len(rows) <= 12
        else []
    )
    for other in tried:
        if meets(other.small_right, other.small, target) and meets(other.right, other.small + other.larger, target):
            assert (other.small + other.larger, other.small) <= (found.small + found.larger, found.small)


def test_parts_good_from_bad() -> None:
    sure = [judged((True, -0.01), (True, -0.01))] * 100
    passed = [judged((False, -2.0), (True, -0.05))] * 50
    hopeless = [judged((False, -2.0), (False, -3.0))] * 20
    rows = sure + passed + hopeless
    found = fit_thresholds(rows, 0.97)
    assert (found.small.logprob, found.larger.logprob) == (-0.01, -0.05)
    kept = apply_thresholds(rows, found)
    assert (kept.small, kept.larger, kept.left, kept.right) == (100, 50, 20, 150)
    assert found.small.n == found.larger.n == 170
    assert found.small.target == 0.97


def test_without_good_answers_keeps_nothing() -> None:
    found = fit_thresholds([judged((False, -0.1), (False, -0.1))] * 50, 0.97)
    assert found.small.logprob is None
    assert found.larger.logprob is None
    assert not keeps(found.small, 0.0)


def test_too_few_rows_keep_nothing() -> None:
    """Ten right answers of ten do not show 97 %."""
    found = fit_thresholds([judged((True, -0.1), (True, -0.1))] * 10, 0.97)
    assert found.small.logprob is None
    assert found.larger.logprob is None


def test_no_rows() -> None:
    assert fit_thresholds([], 0.97).small == Threshold(logprob=None, target=0.97, n=0)


def test_larger_alone_when_small_is_useless() -> None:
    rows = [judged((at % 2 == 0, -0.1), (True, -0.2)) for at in range(100)]
    found = fit_thresholds(rows, 0.97)
    assert found.small.logprob is None
    assert found.larger.logprob == -0.2


def test_equal_log_probabilities_are_kept_or_left_together() -> None:
    rows = [judged((at < 60, -0.1), (False, -9.0)) for at in range(100)]
    assert fit_thresholds(rows, 0.97).small.logprob is None


def test_an_unknown_confidence_is_never_kept() -> None:
    found = fit_thresholds([judged((True, -math.inf), (True, -math.inf))] * 200, 0.97)
    assert (found.small.logprob, found.larger.logprob) == (None, None)


@pytest.mark.parametrize("target", [0, 1, -0.5, 2])
def test_refuses_a_target_that_is_no_share(target: float) -> None:
    with pytest.raises(ValueError, match="target"):
        fit_thresholds([], target)
