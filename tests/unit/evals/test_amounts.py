"""Are amounts written with the digits that count, and so that anybody can read them?"""

import pytest

from tierwise.evals.amounts import usd


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "$0"), (2.39e-05, "$0.0000239"), (0.00968, "$0.00968"), (0.1, "$0.1"), (12.345, "$12.3"), (20, "$20"),
     (-65.31, "-$65.3"), (99.99, "$100"), (1234.5, "$1,234.50"), (-0.5, "-$0.5")],
)  # fmt: skip
def test_an_amount_is_no_power_of_ten(value: float, told: str) -> None:
    assert usd(value) == told
