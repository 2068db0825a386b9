"""Is the truth found behind a judge that errs, and is it said when it cannot be?"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.statistics.judge import as_judged, corrected, predicted, rescaled, sharpness
from tierwise.statistics.paired import difference

SENSITIVITY, SPECIFICITY = (90, 100), (70, 100)


def test_a_real_gap_reads_as_less_and_is_made_whole_again() -> None:
    """With 0.9 and 0.7 a judge shrinks every difference to 0.6 of it."""
    assert sharpness(SENSITIVITY, SPECIFICITY) == (pytest.approx(0.6), pytest.approx(0.055, abs=0.002))
    better, worse = (
        corrected(int(1000 * (0.3 + 0.6 * share)), 1000, SENSITIVITY, SPECIFICITY) for share in (0.8, 0.75)
    )
    assert better is not None and worse is not None
    assert better.value - worse.value == pytest.approx(0.05)


def test_the_error_is_that_of_the_paper() -> None:
    found = corrected(780, 1000, SENSITIVITY, SPECIFICITY)
    assert found is not None and found.value == pytest.approx(0.8)
    variance = 0.78 * 0.22 / 1000 + 0.2**2 * 0.7 * 0.3 / 100 + 0.8**2 * 0.9 * 0.1 / 100
    assert found.se == pytest.approx(variance**0.5 / 0.6)


@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
def test_the_corrected_interval_covers(share: float) -> None:
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(1000):
        positives = int(rng.binomial(400, share * 0.93 + (1 - share) * 0.1))
        found = corrected(positives, 400, (int(rng.binomial(80, 0.93)), 80), (int(rng.binomial(80, 0.9)), 80))
        covered += found is not None and found.low <= share <= found.high
    assert 0.93 <= covered / 1000 <= 0.99


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_judge_no_better_than_a_coin_has_no_answer(right: int, wrong: int, positives: int) -> None:
    found = corrected(positives, 50, (right, 50), (wrong, 50))
    if right + wrong <= 50:
        assert found is None
        assert sharpness((right, 50), (wrong, 50)) is None
        assert as_judged(0.02, (right, 50), (wrong, 50)) is None
    elif found is not None:
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_a_judge_that_nobody_checked_has_no_answer() -> None:
    assert corrected(5, 10, (0, 0), (5, 5)) is None
    assert corrected(0, 0, SENSITIVITY, SPECIFICITY) is None
    assert sharpness((5, 5), (0, 0)) is None


def test_a_judge_without_a_fault_among_few_is_not_taken_for_faultless() -> None:
    found = corrected(95, 100, (10, 10), (10, 10))
    assert found is not None and found.value == pytest.approx(0.95)
    assert found.high - found.low > 0.15
    margin, error = as_judged(0.05, (10, 10), (10, 10)) or (0.0, 0.0)
    assert margin == pytest.approx(0.05) and error > 0


def test_a_difference_that_a_judge_sees_is_rescaled_with_both_errors() -> None:
    values = [1.0] * 12 + [-1.0] * 6 + [0.0] * 282
    seen = difference(values, range(300))
    assert seen is not None
    found = rescaled(seen, SENSITIVITY, SPECIFICITY)
    assert found is not None and found.value == pytest.approx(0.02 / 0.6)
    assert found.se > (seen.se or 0) / 0.6
    assert rescaled(seen, (50, 100), (50, 100)) is None
    alone = difference([0.5], ["one"])
    assert alone is not None and rescaled(alone, SENSITIVITY, SPECIFICITY) is None


Drawn = tuple[list[float], list[float | None], list[int]]


def simulated(rng: np.random.Generator, agreement: float, per_cluster: int = 1) -> Drawn:
    """Draw 1,000 items of which people are right about 80 %; they label the first 100."""
    clusters = np.arange(1000) // per_cluster
    truth = (rng.random(1000)[clusters * per_cluster] < 0.8).astype(float)
    judged = np.where(rng.random(1000) < agreement, truth, 1 - truth)
    return judged.tolist(), [*truth[:100].tolist(), *[None] * 900], clusters.tolist()


@pytest.mark.parametrize("per_cluster", [1, 4])
@pytest.mark.parametrize("agreement", [0.5, 0.7, 0.95])
def test_predictions_cover_and_a_good_judge_makes_them_sharper(agreement: float, per_cluster: int) -> None:
    rng = np.random.default_rng(2)
    covered, errors = 0, []
    for _ in range(600):
        found = predicted(*simulated(rng, agreement, per_cluster))
        assert found is not None
        covered += found.low <= 0.8 <= found.high
        errors.append(found.se)
    plain = (0.8 * 0.2 / 100 * per_cluster) ** 0.5
    most = 0.98 if per_cluster == 1 else 1.0  # few clusters with labels are not believed more than they can show
    assert 0.91 <= covered / 600 <= most, "what a cluster repeats is no second opinion"
    assert np.mean(errors) < (0.75 if agreement > 0.9 else 1.02) * plain


def test_a_judge_who_errs_to_one_side_is_set_right() -> None:
    found = predicted([1.0] * 1000, [1.0] * 60 + [0.0] * 40 + [None] * 900, range(1000))
    assert found is not None and found.value == pytest.approx(0.6)


def test_where_everything_is_labelled_the_labels_are_the_answer() -> None:
    human = [1.0, 0.0, 1.0, 1.0]
    found, plain = predicted([1.0, 1.0, 0.0, 1.0], human, range(4)), difference(human, range(4))
    assert found is not None and plain is not None
    assert (found.value, found.se) == (pytest.approx(0.75), pytest.approx(plain.se))


def test_few_labels_that_all_agree_do_not_make_it_certain() -> None:
    found = predicted([0.0] * 1000, [*[0.0] * 20, *[None] * 980], range(1000))
    assert found is not None and found.se == 0
    assert found.high == pytest.approx(1 - 0.025 ** (1 / 20)), "so much may hide where twenty agree"


def test_two_clusters_with_labels_are_the_least_and_rows_must_fit_each_other() -> None:
    assert predicted([1.0, 0.0], [1.0, None], range(2)) is None
    assert predicted([1.0, 0.0, 1.0], [1.0, 0.0, None], "aab") is None
    with pytest.raises(ValueError, match="one judgement"):
        predicted([1.0, 0.0], [1.0], range(2))
