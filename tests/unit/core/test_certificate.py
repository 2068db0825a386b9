"""What was proven of a bundle? A certificate's name, and the quality that it lets the router reckon with."""

import msgspec
import pytest

from tierwise.core.bundle import Bundle
from tierwise.core.certificate import Certificate, Quality


@pytest.mark.parametrize(
    ("baseline", "low", "expected"), [(0.8, -0.04, 0.95), (0.8, 0.1, 1.0), (0.5, -0.9, 0.0), (0.0, 0.0, None)]
)
def test_the_quality_is_the_least_that_the_interval_allows(baseline: float, low: float, expected: float | None) -> None:
    found = Quality(model="m", score=0.8, baseline_score=baseline, difference=0.0, low=low, high=0.1, n=100).relative
    assert found == (None if expected is None else pytest.approx(expected))


def test_a_whole_number_in_the_place_of_a_float_makes_no_other_digest() -> None:
    one = Certificate(
        workflow="bank", bundle=Bundle(workflow="bank", models=()), guarantee="wrong_given_accepted", max_wrong=0.05,
        confidence=0.95, accepts=(), quality=(), issued=1.0, expires=2.0, evidence="e", dataset="d", clusters=3,
    )  # fmt: skip
    assert msgspec.structs.replace(one, issued=1, expires=2).digest == one.digest
    assert msgspec.json.decode(msgspec.json.encode(one), type=Certificate).digest == one.digest
    assert msgspec.structs.replace(one, clusters=4).digest != one.digest
