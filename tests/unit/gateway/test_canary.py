"""Who is drawn for the canary, what the record says of it, and who never is."""

from collections import Counter
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.router.test_choose import make
from tierwise.gateway.canary import Caller, Tried, drawn, tried, unit_of
from tierwise.gateway.overlay import Canary, Overlay, Rollout
from tierwise.gateway.workflow import Workflow
from tierwise.router.candidate import Need

NEW = Canary(model="new", share=Decimal("0.25"), salt="pepper")
OLD = [make("strong", trusted=True, endpoint="strong-endpoint"), make("weak", strength=0.1)]
EVERY = [*OLD, make("new")]


def rollout(**more: Any) -> Rollout:
    overlay = Overlay(candidates=("strong", "weak"), canary=NEW)
    return Rollout(number=3, file=Workflow(name="w"), overlay=msgspec.structs.replace(overlay, **more))


def one(number: int, need: Need = Need(), session: str | None = None, **more: Any) -> Tried:
    caller = Caller(id=f"id{number}", key_id="k", session=session)
    return tried(rollout(**more), "cheapest_sufficient", EVERY, need, 0.5, caller)


def first(found: Tried) -> str:
    return found.choice.order.candidates[0].model


def arm(found: Tried) -> str | None:
    return None if found.record is None else found.record.arm


def test_the_share_is_kept_and_only_the_drawn_see_the_new_model() -> None:
    every = [one(number) for number in range(4000)]
    counts = Counter(arm(found) for found in every)
    assert set(counts) == {"canary", "stable"}
    assert abs(counts["canary"] - 1000) < 130, "four standard errors and more"
    for found in every:
        models = [c.model for c in found.choice.order.candidates]
        assert models == (["new", "strong", "weak"] if arm(found) == "canary" else ["strong", "weak"])


def test_both_arms_say_how_likely_the_new_model_was_to_be_first() -> None:
    every = [one(number) for number in range(50)]
    goes = next(found for found in every if arm(found) == "canary")
    stays = next(found for found in every if arm(found) == "stable")
    assert goes.choice.order.probabilities == (0.25, 0.75, 0.0)
    assert (stays.choice.order.probabilities, stays.chances) == ((0.75, 0.0), {"new": 0.25})
    assert stays.choice.excluded["new"].by == "canary"
    assert goes.record is not None and int(goes.record.unit, 16) < 2**62


@given(st.decimals(min_value="0.000001", max_value=1, places=6))
def test_a_share_is_kept_to_its_last_digit(share: Decimal) -> None:
    inside = -(-(Fraction(share) * 2**64) // 1)
    assert drawn(f"{inside - 1:016x}", share)
    assert not drawn(f"{inside:016x}", share)


def test_all_of_a_session_goes_one_way_and_another_salt_draws_anew() -> None:
    assert len({arm(one(number, session="s")) for number in range(50)}) == 1
    units = {unit_of(salt, Caller(id="1", key_id=key, session="s")) for salt in "ab" for key in ("k", "l", None)}
    assert len(units) == 6, "a session is one of its key"


def test_a_conversation_stays_with_the_model_that_holds_it() -> None:
    for holder in ("new", "strong"):
        need = Need(held=holder)
        every = [one(number, need) for number in range(60)]
        assert {first(found) for found in every} == {holder}
        assert {arm(found) for found in every} == {"canary" if holder == "new" else "stable"}
        assert all(found.record is not None and found.record.held for found in every)
        assert {found.choice.order.probabilities[0] for found in every} == {1.0}


@pytest.mark.parametrize(
    ("need", "why"),
    [
        (Need(endpoint="strong-endpoint"), "an open tool loop"),
        (Need(frugal=True), "a budget at its soft limit"),
        (Need(capabilities=frozenset({"images"})), "it cannot do what is asked"),
    ],
)
def test_who_could_not_have_gone_there_is_not_in_the_trial(need: Need, why: str) -> None:
    every = [one(number, need) for number in range(60)]
    assert {arm(found) for found in every} == {None}, why
    assert all(c.model != "new" for found in every for c in found.choice.order.candidates)
    assert all("new" in found.choice.excluded for found in every)


def test_a_model_that_policy_keeps_out_is_not_in_the_trial() -> None:
    found = [tried(rollout(), "best", OLD, Need(), 0.5, Caller(id=f"{n}")) for n in range(40)]
    assert {arm(one_) for one_ in found} == {None}


def test_what_is_promoted_is_what_was_tried() -> None:
    promoted = rollout().overlay.promoted()
    assert (promoted.canary, promoted.first) == (None, "new")
    later = tried(rollout(**{name: getattr(promoted, name) for name in ("candidates", "canary", "first")}),
                  "cheapest_sufficient", EVERY, Need(), 0.5, Caller(id="x"))  # fmt: skip
    goes = next(found for found in map(one, range(60)) if arm(found) == "canary")
    assert [c.model for c in later.choice.order.candidates] == [c.model for c in goes.choice.order.candidates]
    assert (later.record, later.choice.order.probabilities) == (None, (1.0, 0.0, 0.0))


def test_a_model_that_is_asked_anyway_goes_first_in_its_share_only() -> None:
    every = [one(number, candidates=("strong", "weak", "new")) for number in range(60)]
    assert {(arm(found), first(found)) for found in every} == {("canary", "new"), ("stable", "strong")}
    assert all(len(found.choice.order.candidates) == 3 for found in every)
    assert {round(sum(found.choice.order.probabilities), 9) for found in every} == {1.0}
