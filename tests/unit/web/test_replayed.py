"""Then and now side by side: what moved, which way, and what did not."""

from msgspec.structs import replace

from tests.unit.web.records import record
from tests.unit.web.test_decisions import NOW
from tests.unit.web.test_way import candidate
from tierwise.core.decision import Decision, Labelled
from tierwise.core.label import Label, Tier
from tierwise.web.replayed import compared

THEN = replace(
    record(1, ts=NOW, models=("near",)),
    candidates=(replace(candidate("near", score=0.0), tier=Tier.LOCAL), candidate("far", "ceiling:internal")),
    policy_digest="one",
)


def now(*candidates: object, chosen: str | None, label: Label = Label.INTERNAL) -> Decision:
    return replace(
        THEN, candidates=candidates, chosen=chosen, attempts=(), outcome="dry_run", label=Labelled(value=label)
    )


def test_the_same_is_the_same_whatever_the_wording() -> None:
    worded = tuple(replace(one, reason="in other words") for one in THEN.candidates)
    assert compared(THEN, now(*worded, chosen="near")).same


def test_a_model_that_may_be_asked_now_is_wider_and_one_farther_out_is_said() -> None:
    found = compared(
        THEN, now(replace(candidate("near", "rule:x"), tier=Tier.LOCAL), candidate("far", score=0.0), chosen="far")
    )
    assert {row.model: row.moved for row in found.rows} == {"near": "stricter", "far": "wider"}
    assert (found.first, found.first_now, found.farther, found.same) == ("near", "far", True, False)


def test_another_order_a_new_model_and_one_that_is_gone_are_told() -> None:
    found = compared(THEN, now(candidate("new", score=0.0), candidate("near", score=1.0), chosen="new"))
    assert {row.model: row.moved for row in found.rows} == {"new": "wider", "near": "order", "far": ""}
    assert next(row for row in found.rows if row.model == "far").now.told == "not looked at"


def test_another_label_alone_is_a_difference() -> None:
    found = compared(THEN, now(*THEN.candidates, chosen="near", label=Label.RESTRICTED))
    assert found.label_moved and not found.same and not any(row.moved for row in found.rows)
