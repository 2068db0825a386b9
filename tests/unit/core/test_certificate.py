"""What was proven of a bundle? A certificate's name, and the quality that it lets the router reckon with."""

import pytest

from tierwise.core.certificate import Quality


@pytest.mark.parametrize(
    ("baseline", "low", "expected"), [(0.8, -0.04, 0.95), (0.8, 0.1, 1.0), (0.5, -0.9, 0.0), (0.0, 0.0, None)]
)
def test_the_quality_is_the_least_that_the_interval_allows(baseline: float, low: float, expected: float | None) -> None:
    found = Quality(model="m", score=0.8, baseline_score=baseline, difference=0.0, low=low, high=0.1, n=100).relative
    assert found == (None if expected is None else pytest.approx(expected))
