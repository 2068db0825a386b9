"""Does the interval agree with published values and keep its bounds?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.statistics.interval import wilson


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (1, 29, 0.0061, 0.1718)],
)
def test_agrees_with_published_values(k: int, n: int, low: float, high: float) -> None:
    """Newcombe 1998 for the last two."""
    assert wilson(k, n) == pytest.approx((low, high), abs=1e-4)


@given(st.integers(0, 5000), st.integers(0, 5000), st.floats(0.01, 0.999))
def test_encloses_the_share(k: int, more: int, confidence: float) -> None:
    low, high = wilson(k, k + more, confidence)
    assert 0 <= low <= high <= 1
    if k + more:
        assert low <= k / (k + more) <= high


def test_nothing_counted_is_nothing_known() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("k", "n", "confidence"), [(2, 1, 0.95), (-1, 1, 0.95), (1, 2, 0), (1, 2, 1)])
def test_refuses_what_is_no_share(k: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"share|confidence"):
        wilson(k, n, confidence)
