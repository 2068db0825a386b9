"""Spending stands beside two baselines, of models that have a price for every call."""

from decimal import Decimal

from tierwise.core.usage import Price, Usage
from tierwise.economics.baselines import api_of, baselines, strongest_first

COSTS = {"big": Decimal(9), "other": Decimal(12), "small": Decimal(1)}
PRICE = Price(input_usd_per_mtok=Decimal(2), output_usd_per_mtok=Decimal(10), source="a list")


def prices(model: str) -> Price | None:
    return PRICE if model != "small" else None


def test_the_strongest_goes_before_the_dearest_and_both_before_who_says_nothing() -> None:
    strengths = {"mute": None, "weak": 10.0, "other": 90.0, "big": 90.0, "none": 0.0}
    assert strongest_first(strengths, COSTS) == ["other", "big", "weak", "none", "mute"]
    assert strongest_first({"a": 5.0, "b": 5.0}) == ["a", "b"]


def test_both_baselines_are_of_what_has_a_cost() -> None:
    found = baselines(COSTS, {"unpriced": 99.0, "big": 50.0, "other": 40.0}, prices)
    assert [(one.role, one.model, one.usd) for one in found] == [
        ("all-frontier", "big", Decimal(9)),
        ("all-cheapest", "small", Decimal(1)),
    ]
    assert [one.source for one in found] == ["a list", ""]


def test_the_reader_may_name_the_frontier_model() -> None:
    assert baselines(COSTS, {"big": 50.0}, prices, "other")[0].model == "other"
    assert [one.role for one in baselines(COSTS, {}, prices, "unpriced")] == ["all-cheapest"]
    assert baselines({}, {"big": 1.0}, prices) == ()


def test_a_baseline_is_compared_at_the_mix_of_tokens_on_record() -> None:
    (first, _) = baselines(COSTS, {"big": 50.0}, prices)
    api = api_of(first, PRICE, Usage(input=300, output=100))
    assert api is not None and api.usd_per_mtok.value == 4 and api.name == "all-frontier: big"
    assert api_of(first, None, Usage(input=1)) is None
    assert api_of(first, PRICE, Usage()) is None
