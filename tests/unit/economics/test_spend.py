"""Records are added up once in every view, and priced elsewhere with the price of their day."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.call import Features
from tierwise.core.criteria import Criteria
from tierwise.core.decision import AttemptRecord, Decision, Labelled
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Price, Usage
from tierwise.economics.spend import FEWEST_DAYS, NOBODY, VIEWS, Spending, forecast, whole_days

DAY_S = 86_400
START = 1_795_219_200.0  # 2026-11-21


def flat(usd: int) -> Price:
    return Price(input_usd_per_mtok=Decimal(usd), output_usd_per_mtok=Decimal(usd))


ELSEWHERE = {
    "dear": lambda ts: flat(20) if ts < START + DAY_S else flat(10),
    "new": lambda ts: None if ts < START + DAY_S else flat(1),
}


def attempt(cost: str | None, usage: Usage | None, **more: Any) -> AttemptRecord:
    known = None if cost is None else Decimal(cost)
    facts = {"endpoint": "e", "model": "m", "tier": Tier.FRONTIER, "started": START} | more
    return AttemptRecord(**facts, usage=usage, cost_usd=known)


def call(*attempts: AttemptRecord, ts: float = START, outcome: Any = "answered", **more: Any) -> Decision:
    costs = [one.cost_usd for one in attempts if one.cost_usd is not None]
    return Decision(
        id=f"d{ts}", ts=ts, requested_model="auto", caller_wire="chat", features=more.pop("features", Features(input_tokens_est=0)),
        label=Labelled(value=Label.PUBLIC), attempts=attempts, outcome=outcome,
        total_cost_usd=sum(costs, Decimal(0)) if costs else None, **more,
    )  # fmt: skip


def spending(*decisions: Decision) -> Spending:
    found = Spending(ELSEWHERE)
    for decision in decisions:
        found.add(decision)
    return found


def test_every_view_adds_up_to_the_whole() -> None:
    found = spending(
        call(attempt("0.5", Usage(input=10, output=5)), workflow="mail", key_id="a"),
        call(attempt("0.25", Usage(input=1)), attempt("0.5", Usage(output=7)), ts=START + DAY_S, workflow="mail"),
        call(attempt(None, Usage(input=3), tier=Tier.LOCAL), outcome="flagged", key_id="b"),
        call(outcome="refused"),
        call(attempt("9", Usage(input=1)), outcome="dry_run"),
    )
    whole = found.whole()
    assert (whole.calls, whole.accepted, whole.cost_usd, whole.read, whole.written) == (4, 2, Decimal("1.25"), 14, 12)
    assert whole.unmetered == 1 and whole.accepted_usd == Decimal("0.625")
    for view in VIEWS:
        lines = found.lines(view)
        assert sum(line.calls for line in lines) == 4
        assert sum((line.cost_usd for line in lines), Decimal(0)) == whole.cost_usd
    assert [line.name for line in found.lines("workflow")] == ["mail", NOBODY]
    assert [line.name for line in found.lines("day")] == ["2026-11-21", "2026-11-22"]
    assert {line.name for line in found.lines("tier")} == {"frontier", "local", NOBODY}


def test_the_same_tokens_elsewhere_have_the_price_of_their_day() -> None:
    mtok = Usage(input=500_000, output=500_000)
    found = spending(call(attempt("1", mtok)), call(attempt("1", mtok), ts=START + DAY_S))
    assert found.whole().elsewhere_usd == {"dear": 30}  # `new` had no price on the first day
    first, second = found.lines("day")
    assert first.elsewhere_usd == {"dear": 20} and second.elsewhere_usd == {"dear": 10, "new": 1}


def test_a_repeated_try_costs_once_elsewhere_and_an_embedding_never() -> None:
    mtok = Usage(input=1_000_000)
    assert spending(call(attempt("1", mtok), attempt("1", mtok))).whole().elsewhere_usd == {"dear": 20}
    embedding = call(attempt("1", mtok), features=Features(input_tokens_est=0, embeddings=True))
    assert spending(embedding).whole().elsewhere_usd == {}
    assert spending().whole().calls == 0 and spending().whole().accepted_usd is None


def test_what_nobody_knows_is_a_bound_beside_the_sum() -> None:
    lost = attempt(None, None, unknown_usd=Decimal("0.75"))
    whole = spending(call(lost, outcome="interrupted")).whole()
    assert (whole.cost_usd, whole.unknown_usd, whole.unmetered) == (0, Decimal("0.75"), 0)


def test_an_accepted_call_costs_its_machines_its_reviews_and_its_errors_too() -> None:
    by = Criteria(review_usd_per_hour=Decimal(36), error_cost_usd=Decimal(5), right_from=0.5)
    found = Spending(ELSEWHERE, {"mail": by})
    own = attempt(None, Usage(output=7), tier=Tier.LOCAL, own_usd=Decimal("0.5"))
    calls = [
        call(attempt("1", Usage(output=7)), workflow="mail", feedback={"score": 0.2, "seconds": 9}),
        call(own, workflow="mail", feedback={"score": 0.6, "seconds": None}),
        call(own, workflow="mail", outcome="review", review={"state": "done", "score": 1.0, "seconds": 100}),
        call(own, workflow="mail", outcome="review", review={"state": "done", "score": 0.0, "seconds": None}),
        call(own, workflow="mail", outcome="review", review={"state": "waiting"}),
        call(own, feedback={"score": 0.0, "seconds": None}),
    ]
    for one in calls:
        found.add(one)
    line, other = found.lines("workflow")
    assert (line.cost_usd, line.own_usd, line.review_usd, line.unmetered) == (1, 2, 1, 0)
    assert (line.calls, line.accepted, line.judged, line.wrong, line.untimed) == (5, 3, 3, 1, 1)
    assert line.accepted_usd == Decimal(4) / 3 + Decimal(5) / 3
    assert (other.name, other.judged, other.wrong, other.accepted_usd) == (NOBODY, 1, 1, Decimal("0.5")), (
        "nobody said what an error costs without a workflow"
    )


def test_quiet_days_are_days_and_the_first_and_the_last_may_not_be_whole() -> None:
    found = spending(*(call(attempt("1", Usage(output=7)), ts=START + at * DAY_S) for at in (0, 1, 4, 5)))
    assert whole_days(found.lines("day")) == [1, 0, 0, 1]
    assert whole_days(()) == [] == whole_days(found.lines("day")[:1])


def test_the_mix_is_what_was_read_and_written() -> None:
    found = spending(call(attempt("1", Usage(input=1, cache_read=2, output=3, reasoning=4))))
    assert found.mix == Usage(input=1, cache_read=2, output=3, reasoning=4)


def test_alike_days_leave_no_doubt_and_a_few_none_to_tell() -> None:
    steady = forecast([Decimal(2)] * 10)
    assert steady is not None and (steady.usd, steady.low_usd, steady.high_usd) == (60, 60, 60)
    assert forecast([Decimal(2)] * (FEWEST_DAYS - 1)) is None


@given(st.lists(st.integers(0, 10**6), min_size=FEWEST_DAYS, max_size=60))
def test_a_forecast_lies_in_its_range_and_is_never_negative(days: list[int]) -> None:
    found = forecast([Decimal(day) for day in days])
    assert found is not None and 0 <= found.low_usd <= found.usd <= found.high_usd


def test_calls_without_any_price_have_no_cost_for_an_accepted_one() -> None:
    ours = spending(call(attempt(None, Usage(input=3), tier=Tier.LOCAL))).whole()
    assert not ours.priced and ours.accepted_usd is None and ours.unmetered == 1
    both = spending(call(attempt(None, Usage(input=3))), call(attempt("1", Usage(input=3)), ts=START + 1)).whole()
    assert both.priced and both.accepted_usd == Decimal("0.5")
