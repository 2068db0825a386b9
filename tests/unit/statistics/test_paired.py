"""Are differences reckoned as the books say, by cluster, and never surer than what was seen?"""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from tierwise.statistics.paired import bounded, difference, gap, holm, mcnemar

scores = st.one_of(st.none(), st.floats(0, 1))
rows = st.lists(st.tuples(st.floats(-1, 1), st.integers(0, 12)), min_size=1, max_size=60)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 200))
def test_of_paired_outcomes_it_is_the_known_formula(wins: int, losses: int, ties: int) -> None:
    """d = (b - c) / n, SE^2 = [(b + c) / n - d^2] / n, times n / (n - 1) for few clusters."""
    values = [1.0] * wins + [-1.0] * losses + [0.0] * ties
    n = len(values)
    found = difference(values, range(n))
    assert found is not None and found.mean == pytest.approx((wins - losses) / n, abs=1e-12)
    if n > 1:
        square = ((wins + losses) / n - found.mean**2) / n
        assert found.se == pytest.approx(math.sqrt(square * n / (n - 1)), abs=1e-9)


@given(rows)
def test_clustered_errors_are_those_of_statsmodels(drawn: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in drawn], [cluster for _, cluster in drawn]
    found, count = difference(values, clusters), len(set(clusters))
    assert found is not None and found.clusters == count and found.n == len(values)
    if count == 1:
        assert found.se is None and (found.low, found.high, found.lower) == (-1, 1, -1)
        return
    groups = np.unique(clusters, return_inverse=True)[1]
    known = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": groups})
    assert found.se == pytest.approx(known.bse[0], abs=1e-9)
    assert found.low <= found.mean <= found.high and found.low <= found.lower
    reach = student.ppf(0.975, count - 1) * (found.se or 0)
    assert found.high == pytest.approx(min(1.0, found.mean + max(reach, 1 - 0.025 ** (1 / count))))


@given(rows)
def test_copies_in_the_same_clusters_make_nothing_surer(drawn: list[tuple[float, int]]) -> None:
    values, clusters = [value for value, _ in drawn], [cluster for _, cluster in drawn]
    once, thrice = difference(values, clusters), difference(values * 3, clusters * 3)
    assert once is not None and thrice is not None
    assert (thrice.se or 0) == pytest.approx(once.se or 0, abs=1e-9)
    assert thrice.low == pytest.approx(once.low, abs=1e-9)


def test_a_hundred_ties_do_not_prove_that_all_are_ties() -> None:
    found = difference([0.0] * 100, range(100))
    assert found is not None and found.se == 0
    assert found.lower == pytest.approx(-0.0295, abs=1e-4)  # the rule of three
    assert (found.low, found.high) == pytest.approx((-0.0362, 0.0362), abs=1e-4)


def test_nothing_measured_is_no_difference() -> None:
    assert difference([], []) is None
    assert bounded([], []) is None


@pytest.mark.parametrize("values", [[math.nan, 0.0], [2.0, 0.0], [math.inf, 0.0]])
def test_refuses_what_is_no_difference_of_scores(values: list[float]) -> None:
    with pytest.raises(ValueError, match="from -1 to 1"):
        difference(values, range(2))


def test_refuses_values_without_clusters() -> None:
    with pytest.raises(ValueError, match="one cluster for each"):
        difference([0.0], [])


def test_other_scales_than_scores_may_be_told() -> None:
    found = difference([10.0, 30.0, 20.0, 20.0], range(4), scale=100)
    assert found is not None and found.mean == 20 and found.high <= 100


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=40), st.data())
def test_whatever_was_missing_the_difference_lies_within_the_bounds(
    pairs: list[tuple[float | None, float | None]], data: st.DataObject
) -> None:
    def filled(score: float | None) -> float:
        return data.draw(st.floats(0, 1)) if score is None else score

    clusters = range(len(pairs))
    found = bounded([gap(candidate, baseline) for candidate, baseline in pairs], clusters)
    truth = difference([filled(candidate) - filled(baseline) for candidate, baseline in pairs], clusters)
    assert found is not None and truth is not None
    assert found.worst.mean - 1e-9 <= truth.mean <= found.best.mean + 1e-9
    assert found.missing == sum(candidate is None or baseline is None for candidate, baseline in pairs)


def test_a_missing_answer_is_not_a_wrong_one() -> None:
    found = bounded([0.0, None, None, 0.0], range(4))
    assert found is not None and (found.worst.mean, found.best.mean, found.missing) == (-0.5, 0.5, 2)
    assert gap(None, 1.0) == (-1.0, 0.0) and gap(0.0, None) == (-1.0, 0.0) and gap(None, None) == (-1.0, 1.0)


@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial_test(b: int, c: int) -> None:
    assert mcnemar(b, c) == pytest.approx(binomtest(b, b + c).pvalue if b + c else 1.0, rel=1e-9)


@pytest.mark.parametrize("ps", [[0.01], [0.04, 0.01, 0.03], [0.5, 0.02, 0.02, 0.9, 0.001], [1.0, 0.0]])
def test_holm_is_that_of_statsmodels(ps: list[float]) -> None:
    assert holm(ps) == pytest.approx(multipletests(ps, method="holm")[1])


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_makes_no_claim_easier_and_keeps_their_order(ps: list[float]) -> None:
    adjusted = holm(ps)
    assert all(p <= after <= 1 for p, after in zip(ps, adjusted, strict=True))
    assert [after for _, after in sorted(zip(ps, adjusted, strict=True))] == sorted(adjusted)
