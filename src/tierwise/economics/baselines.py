"""With what is spending compared? Always with two: all at the strongest frontier model, all at the cheapest model.

Knows no catalogue: what would have cost how much, and how strong each frontier model is said to be, is handed in.
Invariant: a model without a price for every call is no baseline, so that both are of the same traffic.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from tierwise.core.usage import Price, Usage
from tierwise.economics.breakeven import Api
from tierwise.economics.given import ZERO, Given, Provenance
from tierwise.economics.price import blended_usd_per_mtok

UNRATED = -1.0


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What all of the traffic would have cost at one model, for the same number of tokens."""

    role: str
    model: str
    usd: Decimal
    source: str


def strongest_first(strengths: Mapping[str, float | None], costs: Mapping[str, Decimal] = {}) -> list[str]:
    """Order frontier models by their declared strength, then by what they cost, the dearest first; then as given."""

    def rank(model: str) -> tuple[float, Decimal]:
        strength = strengths[model]
        return (UNRATED if strength is None else strength, costs.get(model, ZERO))

    return sorted(strengths, key=rank, reverse=True)


def baselines(
    costs: Mapping[str, Decimal],
    strengths: Mapping[str, float | None],
    price_of: Callable[[str], Price | None],
    frontier: str | None = None,
) -> tuple[Baseline, ...]:
    """Return all-frontier (`frontier`, or the strongest of `strengths`) and all-cheapest, of what has a cost."""
    strongest = next((one for one in strongest_first(strengths, costs) if one in costs), None)
    chosen = (
        ("all-frontier", strongest if frontier is None else frontier),
        ("all-cheapest", min(costs, key=costs.__getitem__, default=None)),
    )
    return tuple(
        Baseline(role=role, model=model, usd=costs[model], source=price.source if (price := price_of(model)) else "")
        for role, model in chosen
        if model is not None and model in costs
    )


def api_of(baseline: Baseline, price: Price | None, mix: Usage) -> Api | None:
    """Return a baseline as something to compare machines with, at this mix of tokens; None where nothing is known."""
    if price is None or not mix.read + mix.written:
        return None
    origin: Provenance = getattr(price, "origin", "contract")
    said = f"{price.source or 'the configuration'}, at the mix of tokens on record"
    given = Given(value=blended_usd_per_mtok(price, mix), provenance=origin, source=said)
    return Api(name=f"{baseline.role}: {baseline.model}", usd_per_mtok=given)
