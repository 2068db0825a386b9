"""When is what was bought paid back, and what is it worth today? Month by month, while volume grows and prices fall.

A month's purchases are paid when it begins, what it saves against the API comes in evenly while it lasts.
Knows nothing of quality: both sides serve the same tokens.
Invariant: with a constant volume, no fall of prices and no discount the answer is capital / (API - running cost).
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from tierwise.core.usage import TOKENS_PER_MTOK
from tierwise.economics.breakeven import Api, Own, bought
from tierwise.economics.given import NOTHING, ZERO, Corner, Given

ONE = Decimal(1)
MONTHS_PER_YEAR = 12
MOST_MONTHS = 600


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much is asked of it, from when, and how money and prices move. Rates are shares of a year.

    Volume grows in equal parts to `tokens_per_month` over `ramp_months`. Until it `starts_after_months` the API serves.
    """

    tokens_per_month: int
    months: int = 36
    ramp_months: int = 0
    starts_after_months: int = 0
    discount: Given = NOTHING
    api_decline: Given = NOTHING

    def __post_init__(self) -> None:
        """Refuse a plan without a month, or with prices that fall below nothing."""
        if not 0 < self.months <= MOST_MONTHS or min(self.ramp_months, self.starts_after_months) < 0:
            raise ValueError(f"a plan has 1 to {MOST_MONTHS} months, and its ramp and start are 0 or more")
        if self.tokens_per_month < 0 or self.api_decline.most >= 1:
            raise ValueError("tokens_per_month must be 0 or more, and api_decline a share below 1")

    def tokens(self, month: int) -> int:
        """Return the volume of a month; the first is 1."""
        if month >= self.ramp_months:
            return self.tokens_per_month
        return self.tokens_per_month * month // self.ramp_months


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """One month of a plan: what is bought as it begins, what it saves against the API, and the sum of both so far."""

    month: int
    tokens: int
    bought_usd: Decimal
    saved_usd: Decimal
    total_usd: Decimal


class Payback(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. `months` is when the total stops being negative for good; None: not within the plan.

    `npv_usd` is what it is worth when the plan begins, what is left of the machines included.
    """

    months: Decimal | None
    npv_usd: Decimal
    course: tuple[Month, ...]


def payback(own: Own, api: Api, plan: Plan, corner: Corner = "value") -> Payback:
    """Follow a plan at the given values, or at the ends at which own machines do worst or best."""
    course = tuple(_course(own, api, plan, corner))
    return Payback(months=_paid_back(course), npv_usd=_npv_usd(own, plan, course, corner), course=course)


def worth_of_waiting_usd(own: Own, api: Api, plan: Plan, months: int = 3) -> Decimal:
    """Return by how much the plan is worth more if it starts later and ends as it would; negative: waiting costs."""
    later = msgspec.structs.replace(plan, starts_after_months=plan.starts_after_months + months)
    return payback(own, api, later).npv_usd - payback(own, api, plan).npv_usd


def _course(own: Own, api: Api, plan: Plan, corner: Corner) -> Iterator[Month]:
    have = [0] * len(own.steps)
    total = ZERO
    for month in range(1, plan.months + 1):
        tokens = plan.tokens(month)
        paid = saved = ZERO
        if month > plan.starts_after_months:
            need = [max(old, bought(step, tokens, corner)) for old, step in zip(have, own.steps, strict=True)]
            more = zip(need, have, own.steps, strict=True)
            paid = sum(((new - old) * step.usd_once.as_cost(corner) for new, old, step in more), ZERO)
            paid += own.once_usd.as_cost(corner) if month == plan.starts_after_months + 1 else ZERO
            have = need
            saved = _api_usd(api, plan, month, corner) - _running_usd(own, have, tokens, corner)
        total += saved - paid
        yield Month(month=month, tokens=tokens, bought_usd=paid, saved_usd=saved, total_usd=total)


def _api_usd(api: Api, plan: Plan, month: int, corner: Corner) -> Decimal:
    price = api.usd_per_mtok.as_gain(corner) * (ONE - plan.api_decline.as_cost(corner)) ** _years(month - 1)
    return api.base_usd_per_month.as_gain(corner) + plan.tokens(month) * price / TOKENS_PER_MTOK


def _running_usd(own: Own, have: Sequence[int], tokens: int, corner: Corner) -> Decimal:
    running = sum((n * step.usd_per_month.as_cost(corner) for n, step in zip(have, own.steps, strict=True)), ZERO)
    return (
        running + own.base_usd_per_month.as_cost(corner) + tokens * own.usd_per_mtok.as_cost(corner) / TOKENS_PER_MTOK
    )


def _paid_back(course: Sequence[Month]) -> Decimal | None:
    """Return the last moment at which the total came up to zero, None where it is below in the end."""
    if not course or course[-1].total_usd < 0:
        return None
    for month in reversed(course):
        begun = month.total_usd - month.saved_usd
        if begun < 0:  # it came up while this month lasted
            share = Fraction(-begun) / Fraction(month.saved_usd)
            return month.month - 1 + Decimal(share.numerator) / share.denominator
    return ZERO


def _npv_usd(own: Own, plan: Plan, course: Sequence[Month], corner: Corner) -> Decimal:
    """Discount each month's purchases from its beginning, what it saves from its end."""
    grows = ONE + plan.discount.as_cost(corner)
    worth = sum(
        (
            month.saved_usd / grows ** _years(month.month) - month.bought_usd / grows ** _years(month.month - 1)
            for month in course
        ),
        ZERO,
    )
    return worth + _left_usd(own, plan, course, corner) / grows ** _years(plan.months)


def _left_usd(own: Own, plan: Plan, course: Sequence[Month], corner: Corner) -> Decimal:
    """Return what the machines are still worth when the plan ends: their price falls evenly to the residual."""
    left = ZERO
    starts = [month for month in course if month.bought_usd > 0]
    for at, month in enumerate(starts):
        price = month.bought_usd - (own.once_usd.as_cost(corner) if at == 0 else ZERO)
        age = min(plan.months - month.month + 1, own.months)
        left += price * (ONE - (ONE - own.residual.as_gain(corner)) * age / own.months)
    return left


def _years(months: int) -> Decimal:
    return Decimal(months) / MONTHS_PER_YEAR
