"""When a canary is shown to do harm, when it is shown to be good enough, and what does not count."""

import random
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.ledger.samples import a_decision, an_id
from tierwise.core.decision import AttemptRecord, Decision, GateRecord
from tierwise.core.label import Tier
from tierwise.core.rollout import RolloutRecord
from tierwise.gateway.arms import Arms, Conclusion, bad
from tierwise.gateway.overlay import Limits
from tierwise.ledger.remarks import Remark

FAILED = GateRecord(name="empty", verdict="fail")


def attempt(model: str = "m", **more: Any) -> AttemptRecord:
    return AttemptRecord(
        **{"endpoint": "e", "model": model, "tier": Tier.LOCAL, "started": 0.0, "verdict": "ok"} | more
    )


def call(number: int, arm: str, *, fails: bool = False, **more: Any) -> Decision:
    tried = (attempt("first", verdict="escalate", gate=FAILED), attempt("next")) if fails else (attempt("first"),)
    drawn = RolloutRecord(release=1, arm=arm, unit=f"{number:016x}")  # type: ignore[arg-type]
    return a_decision(number, **{"seq": number, "attempts": tried, "rollout": drawn} | more)


def known(*rows: tuple[str, int, int], limits: Limits = Limits()) -> Arms:
    """Count (arm, calls, failed ones) in turn."""
    arms, number = Arms(1, limits), 0
    for arm, calls, failed in rows:
        for place in range(calls):
            number += 1
            arms.add(call(number, arm, fails=place < failed))
    return arms


def failed(found: Conclusion) -> tuple[int, float, int, float]:
    one = next(one for one in found.compared if one.measure == "failed")
    return one.canary.n, one.canary.total, one.stable.n, one.stable.total


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([], "open"),
        ([("canary", 5, 5)], "open"),
        ([("canary", 30, 30), ("stable", 60, 0)], "harmful"),
        ([("canary", 300, 60), ("stable", 2000, 100)], "harmful"),
        ([("canary", 300, 15), ("stable", 2000, 100)], "open"),
        ([("canary", 4000, 40), ("stable", 4000, 40)], "proven"),
        ([("canary", 400, 0), ("stable", 4000, 2000)], "proven"),
    ],
)
def test_what_is_shown_by_so_many_calls(rows: list[tuple[str, int, int]], state: str) -> None:
    assert known(*rows).conclusion().state == state


def test_worse_by_less_than_the_margin_is_no_harm() -> None:
    rows = (("canary", 1000, 150), ("stable", 4000, 200))
    assert known(*rows, limits=Limits(margin=0.02)).conclusion().state == "harmful"
    assert known(*rows, limits=Limits(margin=0.15)).conclusion().state != "harmful"


def test_only_drawn_calls_of_this_release_count_and_each_session_once() -> None:
    arms = known(("canary", 2, 1), ("stable", 3, 0))
    before = failed(arms.conclusion())
    assert before == (2, 1.0, 3, 0.0)
    held = RolloutRecord(release=1, arm="canary", unit="f", held=True)
    other = RolloutRecord(release=2, arm="canary", unit="f")
    copy = RolloutRecord(release=1, arm="shadow", unit="f", of="x")
    for number, drawn in enumerate((held, other, copy), 10):
        arms.add(call(number, "canary", rollout=drawn))
    for outcome in ("refused", "cancelled", "interrupted"):
        arms.add(call(20, "canary", outcome=outcome))
    assert failed(arms.conclusion()) == before
    session = RolloutRecord(release=1, arm="canary", unit="5e55")
    for number in range(30, 40):
        arms.add(call(number, "canary", session="s", rollout=session, fails=number > 30))
    assert failed(arms.conclusion()) == (3, 1.0, 3, 0.0), "the first turn counts"


def test_judgements_count_against_the_arm_and_the_first_of_a_unit_counts() -> None:
    arms = known(("canary", 40, 0), ("stable", 80, 0))
    for number in range(1, 121):
        decision = call(number, "canary" if number <= 40 else "stable")
        for score in (0.0 if number <= 40 else 1.0, 0.5):
            arms.hear(Remark(decision=an_id(number), score=score), decision)
    found = arms.conclusion()
    judged = next(one for one in found.compared if one.measure == "judged")
    assert (judged.canary.n, judged.canary.total, judged.stable.n, judged.stable.total) == (40, 40.0, 80, 0.0)
    assert found.state == "harmful" and "judged" in found.why


def test_what_is_said_of_a_call_that_does_not_count_counts_not() -> None:
    arms = Arms(1, Limits())
    for number in range(1, 60):
        held = RolloutRecord(release=1, arm="canary", unit=f"{number:016x}", held=True)
        arms.hear(Remark(decision=an_id(number), score=0.0), call(number, "canary", session=f"s{number}", rollout=held))
        nobody = call(number + 100, "canary", outcome="refused", attempts=())
        arms.hear(Remark(decision=nobody.id, score=0.0), nobody)
    assert all(not one.canary.n for one in arms.conclusion().compared), "refused and held calls are free of charge"
    drawn = call(200, "canary", session="s")
    later = msgspec.structs.replace(drawn, id=an_id(201), rollout=msgspec.structs.replace(drawn.rollout, held=True))
    arms.add(drawn)
    arms.hear(Remark(decision=later.id, score=0.0), later)
    assert next(one for one in arms.conclusion().compared if one.measure == "judged").canary.n == 1, "a later turn"


def test_a_call_is_bad_where_the_first_model_did_not_give_the_answer() -> None:
    limits = Limits(latency_ms=100, cost_usd=Decimal("0.01"))
    assert bad(call(1, "canary"), limits) == {"failed": 0.0}
    assert bad(call(1, "canary", fails=True), limits)["failed"] == 1.0
    assert bad(call(1, "canary", outcome="failed", attempts=(attempt(verdict="stop"),)), limits)["failed"] == 1.0
    assert bad(call(1, "canary", outcome="flagged", attempts=(attempt(gate=FAILED),)), limits)["failed"] == 1.0
    mended = (attempt("m", verdict="escalate", gate=FAILED), attempt("m"))
    assert bad(call(1, "canary", attempts=mended), limits)["failed"] == 0.0
    timed = (attempt(duration_ms=60.0, verdict="next", error="x"), attempt("n", duration_ms=60.0))
    assert bad(call(1, "canary", attempts=timed), limits)["slow"] == 1.0
    assert bad(call(1, "canary", total_cost_usd=Decimal("0.02")), limits)["dear"] == 1.0
    assert bad(call(1, "canary", outcome="refused", attempts=()), limits) == {}


def test_the_order_of_reading_in_two_gateways_is_the_same_so_they_conclude_the_same() -> None:
    draw = random.Random(1)
    calls = [call(n, draw.choice(["canary", "stable"]), fails=draw.random() < 0.3) for n in range(1, 400)]
    at_once, in_parts = Arms(1, Limits()), Arms(1, Limits())
    for one in calls:
        at_once.add(one)
    for one in calls:
        in_parts.add(one)
        in_parts.conclusion()
    assert at_once.conclusion() == in_parts.conclusion()
    assert at_once.last_seq == 399


def test_simulated_releases_of_every_kind_end_as_they_should() -> None:
    from benchmarks.releases import HARMS, released, report

    strong = [released(number, seed=1, most=2500, share="0.5", every=50) for number in (5, 9, 19)]
    assert [one.harm for one in strong] == [HARMS[2], HARMS[4], HARMS[9]]
    assert all(one.stopped_after is not None for one in strong)
    harmless = [released(number, seed=1, most=2000, share="0.5", every=50) for number in range(0, 16, 2)]
    said = report(strong + harmless)
    assert (said["harmful_stopped"], said["false_rollbacks"], said["held"]) == (3, 0, True)
