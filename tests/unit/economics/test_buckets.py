"""Five buckets: what they cost once and monthly, which are missing, and what an accepted task costs."""

from decimal import Decimal

import pytest

from tierwise.economics.buckets import BUCKETS, TITLES, Accepting, Bucket, Buckets, accepted_usd
from tierwise.economics.given import Given


def contract(value: int, low: int | None = None, high: int | None = None) -> Given:
    ends = {name: Decimal(end) for name, end in (("low", low), ("high", high)) if end is not None}
    return Given(value=Decimal(value), provenance="contract", **ends)


EVALUATION = Bucket(
    set_up_usd=contract(1_000),
    set_up_per_workflow_usd=contract(500),
    set_up_per_model_usd=contract(50),
    month_usd=contract(100),
    month_per_workflow_usd=contract(40, 20, 90),
    month_per_model_usd=contract(10),
)


def test_a_bucket_grows_with_workflows_and_models() -> None:
    assert EVALUATION.once_usd(workflows=3, models=4).value == 1_000 + 1_500 + 200
    month = EVALUATION.monthly_usd(workflows=3, models=4)
    assert (month.value, month.least, month.most) == (260, 200, 410)


def test_the_sum_names_the_buckets_that_nobody_filled_in() -> None:
    some = Buckets(evaluation=EVALUATION, people=Bucket(month_usd=Given(value=Decimal(2_000))))
    assert some.missing == ("compute", "platform", "governance")
    assert some.monthly_usd(workflows=1, models=0).value == 2_140
    assert some.monthly_usd(workflows=1, models=0).provenance == "assumed"
    assert some.once_usd(workflows=1, models=0).provenance == "contract"
    assert Buckets(**{name: Bucket() for name in BUCKETS}).missing == ()
    assert set(TITLES) == set(BUCKETS) == set(Buckets.__struct_fields__)


def test_an_accepted_task_bears_what_was_spent_on_those_that_were_not() -> None:
    plain = Accepting(inference_usd=Decimal("0.02"), accepted_share=Decimal("0.8"))
    assert accepted_usd(plain) == Decimal("0.025")
    whole = Accepting(
        inference_usd=Decimal("0.02"), judge_usd=Decimal("0.01"), review_share=Decimal("0.1"),
        review_minutes=Decimal(3), reviewer_usd_per_hour=Decimal(60), wrong_share=Decimal("0.02"),
        wrong_usd=Decimal(5), accepted_share=Decimal("0.5"),
    )  # fmt: skip
    assert accepted_usd(whole) == (Decimal("0.03") + Decimal("0.3")) * 2 + Decimal("0.1"), "errors are of accepted ones"


def test_where_nothing_is_accepted_there_is_no_such_cost() -> None:
    assert accepted_usd(Accepting(inference_usd=Decimal(1), accepted_share=Decimal(0))) is None


@pytest.mark.parametrize(
    "wrong", [{"accepted_share": Decimal(2)}, {"inference_usd": Decimal(-1)}, {"wrong_usd": Decimal("NaN")}]
)
def test_what_is_no_share_or_amount_is_refused(wrong: dict[str, Decimal]) -> None:
    with pytest.raises(ValueError):
        Accepting(**{"inference_usd": Decimal(1), "accepted_share": Decimal(1), **wrong})
