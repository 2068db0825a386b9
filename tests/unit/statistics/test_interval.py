"""Do the intervals agree with published values and other libraries, keep their bounds, and cover?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm
from statsmodels.stats.proportion import proportion_confint

from tierwise.statistics.interval import clopper_pearson, quantile_interval, upper_bound, wilson

counts = st.tuples(st.integers(0, 2000), st.integers(0, 2000)).map(lambda both: (both[0], sum(both)))


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (1, 29, 0.0061, 0.1718)],
)
def test_agrees_with_published_values(k: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998 for the last two."""
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-4)


@given(counts, st.floats(0.01, 0.999))
def test_encloses_the_share(counted: tuple[int, int], confidence: float) -> None:
    k, n = counted
    for low, high in (wilson(k, n, confidence), clopper_pearson(k, n, confidence)):
        assert 0 <= low <= high <= 1
        if n:
            assert low - 1e-12 <= k / n <= high + 1e-12


@given(counts.filter(lambda both: both[1] > 0), st.sampled_from([0.8, 0.95, 0.99]))
def test_agrees_with_statsmodels(counted: tuple[int, int], confidence: float) -> None:
    k, n = counted
    exact = proportion_confint(k, n, 1 - confidence, "beta")
    assert clopper_pearson(k, n, confidence) == pytest.approx(exact, abs=1e-9)
    assert wilson(k, n, confidence) == pytest.approx(proportion_confint(k, n, 1 - confidence, "wilson"), abs=1e-9)


@given(counts.filter(lambda both: both[0] < both[1]))
def test_at_the_upper_bound_so_few_are_just_as_unlikely_as_allowed(counted: tuple[int, int]) -> None:
    assert binom.cdf(*counted, upper_bound(*counted)) == pytest.approx(0.05)


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.95, 0.98])
def test_the_exact_interval_covers_where_walds_does_not(rate: float) -> None:
    n = 20
    covered = sum(
        binom.pmf(k, n, rate) for k in range(n + 1) if clopper_pearson(k, n)[0] <= rate <= clopper_pearson(k, n)[1]
    )
    assert covered >= 0.95


def test_nothing_counted_is_nothing_known() -> None:
    assert wilson(0, 0) == clopper_pearson(0, 0) == (0.0, 1.0)
    assert upper_bound(0, 0) == 1.0
    assert quantile_interval([], 0.5) == (None, None)


@pytest.mark.parametrize(("k", "n", "confidence"), [(2, 1, 0.95), (-1, 1, 0.95), (1, 2, 0), (1, 2, 1)])
def test_refuses_what_is_no_share(k: int, n: int, confidence: float) -> None:
    for bound in (wilson, upper_bound):
        with pytest.raises(ValueError, match=r"share|confidence"):
            bound(k, n, confidence)


def test_a_quantile_lies_between_values_that_enclose_it_often_enough() -> None:
    values = [float(norm.ppf((at + 0.5) / 200)) for at in range(200)]
    low, high = quantile_interval(values, 0.95)
    assert low is not None and high is not None and low < norm.ppf(0.95) < high
    below = sum(value < low for value in values)
    inside = sum(low <= value <= high for value in values)
    assert binom.cdf(below + inside - 1, 200, 0.95) - binom.cdf(below, 200, 0.95) >= 0.94


@given(st.lists(st.floats(-1e6, 1e6), max_size=80), st.floats(0.01, 0.99), st.sampled_from([0.8, 0.95]))
def test_the_bounds_of_a_quantile_cover_it(values: list[float], q: float, confidence: float) -> None:
    """The k-th smallest of n lies below the quantile as often as k or more values do."""
    low, high = quantile_interval(values, q, confidence)
    ordered, n = sorted(values), len(values)
    tail = (1 - confidence) / 2 + 1e-9
    if low is not None:
        assert binom.cdf(ordered.index(low), n, q) <= 0.5
        assert low in ordered and (high is None or low <= high)
    else:
        assert binom.cdf(0, n, q) >= tail - 2e-9
    if high is None:
        assert n == 0 or binom.sf(n - 1, n, q) >= tail - 2e-9


def test_few_values_do_not_bound_a_far_quantile() -> None:
    low, high = quantile_interval([1.0, 2.0, 3.0, 4.0, 5.0], 0.95)
    assert low is not None
    assert high is None
