"""Traffic by hand through decisions, queues and gates: every time and outcome can be reckoned on paper."""

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.drill.traffics import S, call, kind, queued, traffic, tried
from tests.unit.gateway.test_decide import ENDPOINTS, WORKFLOWS, rules
from tierwise.core.errors import InvalidCall
from tierwise.core.label import Label
from tierwise.core.model import Limits
from tierwise.drill.play import MOST_CALLS, Played, play
from tierwise.drill.scenario import Change, Scenario, put_on
from tierwise.drill.traffic import Traffic
from tierwise.economics.budget import Budget
from tierwise.economics.limits import Limit
from tierwise.gateway.rules import Rules
from tierwise.quality.settings import Gates

HERE = kind("near", Label.RESTRICTED)
FOUR = (Change(name="here", value="1"),)


def played(what: Traffic, in_force: Rules | None = None, **changed: Any) -> Played:
    return play(what, put_on(Scenario(**changed), in_force or rules()))


def seconds(run: Played) -> list[float | None]:
    return [None if one.took_us is None else one.took_us / S for one in run.came]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 5)), min_size=1, max_size=20), st.integers(1, 4))
def test_the_same_traffic_on_the_same_capacity_takes_what_it_took(times: list[tuple[int, int]], slots: int) -> None:
    what = traffic(queued([(float(at), float(takes)) for at, takes in sorted(times)], slots), HERE)
    run = played(what, slots=(Change(name="here", value=str(slots)),))
    assert [one.took_us for one in run.came] == [one.took_us for one in what.calls]


def test_half_the_capacity_makes_those_behind_wait_for_those_before() -> None:
    what = traffic(queued([(0, 10), (0, 10), (0, 10), (0, 10)], 2), HERE)
    two = (Change(name="here", value="2"),)
    assert seconds(played(what, slots=two)) == [10, 10, 20, 20]
    assert seconds(played(what, slots=two, capacity=(Change(name="here", value="-1"),))) == [10, 20, 30, 40]
    run = played(what, slots=two, capacity=(Change(name="here", value="+2"),))
    assert seconds(run) == [10, 10, 10, 10] and run.lines["here"].waited == 0


def test_who_would_wait_longer_than_the_endpoint_may_goes_on_to_the_next() -> None:
    patient = Limits(first_byte_timeout_s=15)
    short = tuple(msgspec.structs.replace(one, limits=patient) for one in ENDPOINTS)
    what = traffic([call(n, 0, tried("mid", 10)) for n in range(3)], kind("auto", Label.CONFIDENTIAL))
    run = played(
        what, rules(endpoints=short), capacity=(Change(name="own", value="1"),), takes=(Change(name="near", value="3"),)
    )
    assert [one.asked for one in run.came] == [("mid",), ("mid", "near"), ("mid", "near")]
    assert seconds(run) == [10, 15 + 3, 15 + 3]
    alone = msgspec.structs.replace(what, kinds=(kind("mid", Label.CONFIDENTIAL),))
    run = played(alone, rules(endpoints=short), capacity=(Change(name="own", value="1"),))
    assert [(one.outcome, one.cause) for one in run.came] == [
        ("answered", ""),
        ("failed", "too_long"),
        ("failed", "too_long"),
    ]


def test_an_answer_that_was_withheld_is_withheld_again_and_what_follows_is_asked() -> None:
    passed = call(0, 0, tried("scoped", 1, "gate"), tried("mid", 2, starts_s=1))
    flow = kind("auto:bank", Label.CONFIDENTIAL, "bank")
    assert [one.asked for one in played(traffic([passed], flow)).came] == [("scoped", "mid")]
    (gone,) = played(traffic([passed], flow), without=("own",)).came
    assert (gone.outcome, gone.cause, gone.asked) == ("failed", "gate", ("scoped",))


def test_what_failed_and_was_tried_again_does_so_again_with_its_pause() -> None:
    twice = call(0, 0, tried("far", 1, "failed"), tried("far", 2, starts_s=1.5))
    (one,) = played(traffic([twice], kind("far"))).came
    assert (one.outcome, one.asked, one.took_us) == ("answered", ("far", "far"), 3.5 * S)


def test_a_model_that_nobody_has_timed_has_no_time_unless_somebody_says_one() -> None:
    what = traffic([call(0, 0, tried("far", 1))], kind("auto", Label.INTERNAL))
    assert seconds(played(what, without=("out",))) == [None]
    assert seconds(played(what, without=("out",), takes=(Change(name="mid", value="2.5"),))) == [2.5]


def test_another_models_answer_takes_as_long_as_one_of_its_own_of_that_length() -> None:
    known = [call(n, n, tried("mid", 10 + n, written=100 * n), kind=1) for n in range(20)]
    what = traffic([*known, call(99, 99, tried("far", 1, written=1900))], kind(), kind("mid"))
    longest = played(what, without=("out",)).came[-1].took_us
    assert longest is not None and 10 + 12 <= longest / S <= 10 + 19


def test_growth_is_as_many_copies_and_a_part_of_them() -> None:
    what = traffic([call(n, n, tried("far", 1)) for n in range(400)], kind("far"))
    assert [one.copy for one in played(what, growth=Decimal(3)).came] == [0, 1, 2] * 400
    assert 540 < len(played(what, growth=Decimal("1.5")).came) < 660
    assert 150 < len(played(what, growth=Decimal("0.5")).came) < 250
    with pytest.raises(InvalidCall, match="makes more than"):
        played(what, growth=Decimal(MOST_CALLS))


def test_money_runs_out_where_it_would_and_comes_back_with_the_window() -> None:
    budget = Budget(scope="all", limit_usd=Decimal(1), window="1h")
    known = msgspec.structs.replace(rules(), budgets=(budget,))
    apart = [call(n, at, tried("far", 1)) for n, at in enumerate((0, 60, 120, 4000))]
    asked = kind("far")
    asked = msgspec.structs.replace(asked, features=msgspec.structs.replace(asked.features, max_output_tokens=10))
    run = played(traffic(apart, asked), known, price=(Change(name="far", value="2500x"),))
    assert [one.outcome for one in run.came] == ["answered", "refused", "refused", "answered"]
    assert {one.cause for one in run.came if one.outcome == "refused"} == {"budget"}


def test_a_name_that_does_not_exist_any_more_is_a_refusal() -> None:
    (one,) = played(traffic([call(0, 0, tried("far", 1))], kind("gone"))).came
    assert (one.outcome, one.cause) == ("refused", "unknown_model")


def test_a_call_goes_where_it_is_answered_first_with_those_before_it_counted() -> None:
    fastest = msgspec.structs.replace(WORKFLOWS[0], strategy="fastest", candidates=("near", "mid"), gates=Gates())
    known = msgspec.structs.replace(rules(), workflows={"bank": fastest})
    what = traffic([call(n, 0, tried("near", 1)) for n in range(5)], kind("auto:bank", Label.CONFIDENTIAL, "bank"))
    takes = (Change(name="near", value="1"), Change(name="mid", value="3.5"))
    one = played(what, known, slots=(Change(name="here", value="1"),), takes=takes)
    assert [came.asked for came in one.came] == [("near",), ("near",), ("near",), ("mid",), ("mid",)]
    freed = traffic([*what.calls, call(5, 60, tried("near", 1))], *what.kinds)
    assert played(freed, known, slots=(Change(name="here", value="1"),), takes=takes).came[-1].asked == ("near",)
    assert {came.asked for came in played(what, known, takes=takes).came} == {("near",)}, "nobody waits there"


def test_a_target_sends_calls_on_where_the_first_is_too_busy_to_hold_it() -> None:
    asked = msgspec.structs.replace(kind("auto", Label.CONFIDENTIAL), latency_ms=1500)
    what = traffic([call(n, 0, tried("mid", 1)) for n in range(3)], asked)
    takes = (Change(name="near", value="1"),)
    run = played(what, capacity=(Change(name="own", value="1"),), takes=takes)
    assert [came.asked for came in run.came] == [("mid",), ("near",), ("near",)]


def test_limits_refuse_what_comes_too_fast_and_let_it_in_again_after_a_minute() -> None:
    what = traffic([call(n, at, tried("far", 1)) for n, at in enumerate((0, 10, 20, 61))], kind("far"))
    two = (Limit(scope="all", requests_per_minute=2),)
    run = play(what, put_on(Scenario(), rules(), two))
    assert [(one.outcome, one.cause) for one in run.came] == [
        ("answered", ""), ("answered", ""), ("refused", "rate_limit"), ("answered", ""),
    ]  # fmt: skip
    assert "2 requests a minute" in run.came[2].reason
    once = (Limit(scope="all", concurrent=1),)
    run = play(traffic([call(n, at, tried("far", 5)) for n, at in enumerate((0, 1, 6))], kind("far")),
               put_on(Scenario(), rules(), once))  # fmt: skip
    assert [one.outcome for one in run.came] == ["answered", "refused", "answered"]


def test_grown_traffic_waits_as_so_much_traffic_does() -> None:
    """Copies come as calls come: in the mean over many days they wait like calls that come so often by chance."""

    def late_s(run: Played) -> float:
        return sorted(one.took_us or 0 for one in run.came)[len(run.came) * 19 // 20] / S

    def day(rate: float, count: int, seed: int) -> Traffic:
        chance, at, times = random.Random(seed), 0.0, []
        for _ in range(count):
            at += chance.expovariate(rate)
            times.append((at, chance.expovariate(1)))
        return traffic(queued(times, 2), HERE)

    two = (Change(name="here", value="2"),)
    grown = [late_s(played(day(0.7, 600, seed), slots=two, growth=Decimal("1.5"))) for seed in range(12)]
    alone = [late_s(played(day(1.05, 900, 100 + seed), slots=two)) for seed in range(12)]
    assert 0.85 < sum(grown) / sum(alone) < 1.15
