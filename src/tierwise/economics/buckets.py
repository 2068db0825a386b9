"""What does it cost besides the machines? Five buckets, and what one accepted task costs.

A bucket costs something once and something every month: as such, for each workflow and for each model.
Knows no prices of its own: every number is the reader's, with its range and where it comes from.
Invariant: a bucket that nobody filled in is missing and says so; it is never taken for free.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Literal, get_args

import msgspec

from tierwise.economics.given import NOTHING, Given, total

BucketName = Literal["compute", "platform", "governance", "evaluation", "people"]
BUCKETS: tuple[BucketName, ...] = get_args(BucketName)
TITLES: Mapping[BucketName, str] = {
    "compute": "compute capacity",
    "platform": "platform engineering",
    "governance": "observability and governance",
    "evaluation": "evaluation and maintenance",
    "people": "people and process",
}


class Bucket(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One bucket: US dollars once and each month, as such, for each workflow and for each model."""

    set_up_usd: Given = NOTHING
    set_up_per_workflow_usd: Given = NOTHING
    set_up_per_model_usd: Given = NOTHING
    month_usd: Given = NOTHING
    month_per_workflow_usd: Given = NOTHING
    month_per_model_usd: Given = NOTHING

    def once_usd(self, *, workflows: int, models: int) -> Given:
        """Return what it costs before the first call."""
        each = self.set_up_per_workflow_usd.times(workflows), self.set_up_per_model_usd.times(models)
        return total((self.set_up_usd, *each))

    def monthly_usd(self, *, workflows: int, models: int) -> Given:
        """Return what it costs each month."""
        each = self.month_per_workflow_usd.times(workflows), self.month_per_model_usd.times(models)
        return total((self.month_usd, *each))


class Buckets(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All five. None is one that nobody filled in."""

    compute: Bucket | None = None
    platform: Bucket | None = None
    governance: Bucket | None = None
    evaluation: Bucket | None = None
    people: Bucket | None = None

    @property
    def missing(self) -> tuple[BucketName, ...]:
        """Those that nobody filled in: what they cost is unknown, and the sum is a lower bound."""
        return tuple(name for name in BUCKETS if getattr(self, name) is None)

    def filled(self) -> tuple[tuple[BucketName, Bucket], ...]:
        """Give those that are filled in, in their order."""
        return tuple((name, bucket) for name in BUCKETS if (bucket := getattr(self, name)) is not None)

    def once_usd(self, *, workflows: int, models: int) -> Given:
        """Return the set-up of all that are filled in."""
        return total(bucket.once_usd(workflows=workflows, models=models) for _, bucket in self.filled())

    def monthly_usd(self, *, workflows: int, models: int) -> Given:
        """Return a month of all that are filled in."""
        return total(bucket.monthly_usd(workflows=workflows, models=models) for _, bucket in self.filled())


class BucketRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of the five as it is told: what it comes to, as surely as it is known; not `filled`: unknown, not free."""

    name: BucketName
    title: str
    filled: bool
    once_usd: Given
    monthly_usd: Given


def bucket_rows(buckets: Buckets, *, workflows: int, models: int) -> tuple[BucketRow, ...]:
    """Return all five, in their order."""
    sizes = {"workflows": workflows, "models": models}
    return tuple(_row(name, getattr(buckets, name), sizes) for name in BUCKETS)


def _row(name: BucketName, bucket: Bucket | None, sizes: Mapping[str, int]) -> BucketRow:
    shown = Bucket() if bucket is None else bucket
    return BucketRow(
        name=name,
        title=TITLES[name],
        filled=bucket is not None,
        once_usd=shown.once_usd(**sizes),
        monthly_usd=shown.monthly_usd(**sizes),
    )


class Accepting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one task costs until its answer is accepted. `inference_usd` is that of all attempts, shares are 0 to 1.

    `wrong_share` is that of the accepted ones.
    """

    inference_usd: Decimal
    judge_usd: Decimal = Decimal(0)
    review_share: Decimal = Decimal(0)
    review_minutes: Decimal = Decimal(0)
    reviewer_usd_per_hour: Decimal = Decimal(0)
    wrong_share: Decimal = Decimal(0)
    wrong_usd: Decimal = Decimal(0)
    accepted_share: Decimal

    def __post_init__(self) -> None:
        """Refuse what is no share and no amount."""
        shares = self.review_share, self.wrong_share, self.accepted_share
        amounts = (
            self.inference_usd,
            self.judge_usd,
            self.review_minutes,
            self.reviewer_usd_per_hour,
            self.wrong_usd,
        )
        if not all(share.is_finite() and 0 <= share <= 1 for share in shares):
            raise ValueError("review_share, wrong_share and accepted_share lie between 0 and 1")
        if not all(amount.is_finite() and amount >= 0 for amount in amounts):
            raise ValueError("amounts and minutes of a task are 0 or more")


def accepted_usd(task: Accepting) -> Decimal | None:
    """Return the cost of an accepted task; None where none is accepted.

    (inference + judge + P(review) * review) / P(accepted) + P(wrong | accepted) * what an error costs.
    """
    if not task.accepted_share:
        return None
    review = task.review_share * task.review_minutes * task.reviewer_usd_per_hour / 60
    return (task.inference_usd + task.judge_usd + review) / task.accepted_share + task.wrong_share * task.wrong_usd
