"""Who is tried, in which order, and why not the others?

Pure: the same candidates, need and draw give the same choice.
Invariant: every candidate appears once, either in the order or among the excluded with its reason.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from tierwise.router.candidate import Candidate, Need
from tierwise.router.eligible import Exclusion, exclusion
from tierwise.router.stay import stay
from tierwise.router.strategies import STRATEGIES, Order, frugal, led

Strategy = Literal["cheapest_sufficient", "best", "fastest", "cascade", "weighted"]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The order of trial, and the excluded with their reasons by model id."""

    order: Order
    excluded: dict[str, Exclusion]


def choose(
    strategy: Strategy, candidates: Sequence[Candidate], need: Need, draw: float, first: str | None = None
) -> Choice:
    """Filter, order, then stay where the session is. An empty order is normal: every candidate then has its reason.

    `first` is a model that comes before what the strategy says, where it is eligible.
    """
    excluded: dict[str, Exclusion] = {}
    eligible = []
    for candidate in candidates:
        why = exclusion(candidate, need)
        if why is None:
            eligible.append(candidate)
        else:
            excluded[candidate.model] = why
    if not eligible:
        return Choice(order=Order(candidates=(), probabilities=(), reason="nothing is eligible"), excluded=excluded)
    ordered = frugal(eligible, need) if need.frugal else STRATEGIES[strategy](eligible, need, draw)
    leading = None if first is None or need.frugal else next((one for one in eligible if one.model == first), None)
    if leading is not None:
        ordered = led(ordered, leading, "a release says that it is first", 1.0)
    order = stay(ordered, need, drawn=strategy == "weighted" and not need.frugal)
    return Choice(order=order, excluded=excluded)
