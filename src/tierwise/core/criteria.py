"""When is a candidate good enough for a workflow, and when is the search to end? The table `criteria` of a workflow.

Criteria are sealed before results exist; what changes afterwards shows. Scores lie between 0 and 1, so a `margin` of
0.02 is two points. Unset limits bind nothing.
"""

from decimal import Decimal
from typing import Annotated, Literal

import msgspec

Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Inside = Annotated[float, msgspec.Meta(gt=0, lt=1)]
MOST_USD = Decimal(10**12)
Guarantee = Literal["wrong_given_accepted", "wrong_and_accepted"]


class Criteria(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a candidate, in comparison with the baseline.

    `margin`: how much less good than the baseline it may be. `confidence` is that of every claim, `power` the chance
    of showing what is so that plans reckon with. `max_wrong` is the share that a certificate promises not to exceed,
    of accepted answers or of all (`guarantee`). An answer counts as right from a score of `right_from` on.
    `stop_after_items`: with so many and no candidate proven, the verdict is to stop. Latency is that at `concurrency`
    calls at once. `error_cost_usd` is what a wrong answer that was accepted costs; `volume_per_month` is in tasks.
    """

    margin: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.02
    confidence: Annotated[float, msgspec.Meta(ge=0.5, lt=1)] = 0.95
    power: Inside = 0.8
    right_from: Share = 1.0
    max_wrong: Inside = 0.05
    guarantee: Guarantee = "wrong_given_accepted"
    min_items: Annotated[int, msgspec.Meta(ge=1)] = 100
    stop_after_items: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_missing: Share = 0.05
    max_latency_ms_p95: Annotated[float, msgspec.Meta(gt=0)] | None = None
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=256)] = 2
    max_cost_per_accepted_usd: Decimal | None = None
    max_review_minutes_per_100: Annotated[float, msgspec.Meta(ge=0)] | None = None
    error_cost_usd: Decimal = Decimal(0)
    review_usd_per_hour: Decimal = Decimal(0)
    volume_per_month: Annotated[int, msgspec.Meta(ge=1)] | None = None
    expires_days: Annotated[int, msgspec.Meta(ge=1, le=36_500)] = 90

    def __post_init__(self) -> None:
        for name in ("max_cost_per_accepted_usd", "error_cost_usd", "review_usd_per_hour"):
            value = getattr(self, name)
            if value is not None and (not value.is_finite() or not 0 <= value <= MOST_USD):
                raise ValueError(f"{name} is an amount of money, 0 or more and at most {MOST_USD}")
