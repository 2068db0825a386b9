"""Sums over two runs: every call once, losses by their reason, nothing unknown in a sum."""

from decimal import Decimal
from typing import Any

import msgspec

from tests.unit.drill.traffics import S, call, kind, traffic, tried
from tests.unit.gateway.test_decide import WORKFLOWS, rules
from tierwise.core.label import Label
from tierwise.drill.findings import Findings, Spread, found
from tierwise.drill.play import play
from tierwise.drill.scenario import Change, Scenario, put_on
from tierwise.drill.traffic import Traffic
from tierwise.gateway.rules import Rules

KINDS = (kind("auto"), kind("far"), kind("auto:bank", Label.CONFIDENTIAL, "bank"))


def week() -> Traffic:
    calls = [call(n, n, tried("far", 1 + n)) for n in range(4)]
    calls += [call(10 + n, 10 + n, tried("far", 1), kind=1) for n in range(3)]
    calls += [call(20 + n, 20 + n, tried("scoped", 2), kind=2) for n in range(2)]
    return traffic(calls, *KINDS)


def findings(what: Traffic, known: Rules | None = None, **changed: Any) -> Findings:
    known, scenario = known or rules(), Scenario(**changed)
    today, drill = (play(what, put_on(one, known)) for one in (scenario.as_is, scenario))
    return found(what, known, today, drill, ())


def test_every_call_counts_once_on_each_side_and_in_one_workflow() -> None:
    told = findings(week(), without=("out",))
    assert told.whole.today.calls == told.whole.drill.calls == 9
    assert sum(group.drill.calls for group in told.workflows) == 9
    assert sum(told.whole.drill.outcomes.values()) == 9
    assert told.wanted == 9 == told.survives + sum(loss.calls for loss in told.losses)


def test_what_is_lost_stands_by_its_reason_and_can_be_looked_up() -> None:
    (loss,) = findings(week(), without=("out",)).losses
    assert (loss.workflow, loss.cause, loss.calls, loss.by) == ("–", "health", 3, {"far": "health"})
    assert loss.ids == ("call-000010", "call-000011", "call-000012")


def test_what_moves_says_where() -> None:
    told = findings(week(), without=("out",))
    (move,) = told.moves
    assert (move.before, move.after, move.calls) == ("far", "mid", 4) and told.same == 2


def test_a_copy_is_held_against_the_call_it_is_a_copy_of() -> None:
    told = findings(week(), growth=Decimal(3), without=("out",))
    assert (told.wanted, told.whole.today.calls, told.whole.drill.calls) == (27, 9, 27)
    assert told.losses[0].calls == 9 and len(told.losses[0].ids) == 3


def test_times_are_ranks_and_what_has_none_is_beside_them() -> None:
    what = week()
    today = findings(what).workflows[-1].today
    assert today.took == Spread(p50_ms=1000, p95_ms=4000, most_ms=4000)
    nowhere = traffic([call(0, 0, tried("far", 1))], kind("auto"))
    lost = findings(nowhere, without=("out",)).whole.drill
    assert lost.took == Spread() and lost.untimed == 1 and lost.unmetered == 1


def test_what_comes_after_its_workflows_limit_is_late() -> None:
    slow = msgspec.structs.replace(WORKFLOWS[0], latency_ms=1999.0)
    known = msgspec.structs.replace(rules(), workflows={"bank": slow})
    assert findings(week(), known).whole.today.late == 2
    exact = msgspec.structs.replace(rules(), workflows={"bank": msgspec.structs.replace(slow, latency_ms=2000.0)})
    assert findings(week(), exact).whole.today.late == 0


def test_an_endpoint_is_busy_for_the_share_of_its_places_that_are_taken() -> None:
    what = traffic([call(0, 0, tried("far", 10)), call(1, 0, tried("far", 10)), call(2, 15, tried("far", 5))], KINDS[1])
    told = findings(what, slots=(Change(name="out", value="2"),), capacity=(Change(name="out", value="1"),))
    (out,) = (load for load in told.loads if load.endpoint == "out")
    assert (out.slots, out.asked) == ((2, 1), (3, 3))
    assert out.busy == (round(25 / 40, 6), 1.0) and out.waited == (0, 2)
    assert out.longest_wait_ms == (0, 10_000)


def test_today_is_held_against_the_record() -> None:
    check = findings(week()).check
    assert (check.calls, check.alike, check.error_p50, check.error_p95) == (9, 9, 0, 0)
    strange = traffic([call(0, 0, tried("near", 1))], kind("far"))
    assert (findings(strange).check.calls, findings(strange).check.alike) == (1, 0)
    assert S == 1_000_000
