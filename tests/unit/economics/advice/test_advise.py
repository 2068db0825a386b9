"""Gates first, then cost; firm only where no input in its range could make another plan clearly cheaper."""

from decimal import Decimal

import msgspec

from tests.unit.economics.advice.scene import (
    CONTRACTS,
    DESK,
    FLAGSHIP,
    HOSTED,
    MTOK,
    RACK,
    TICKETS,
    number,
    organisation,
)
from tierwise.core.label import Label
from tierwise.economics.advice.advise import advise, digest, known


def test_the_cheapest_of_what_the_gates_leave_is_advised() -> None:
    found = advise(organisation())
    assert found.verdict == "firm" and found.plan is not None
    assert [(one.work, one.server) for one in found.plan.serves] == [("tickets", "hosted"), ("contracts", "desk")]
    assert found.plan.usd_per_month.value == Decimal("57.5")
    assert {one.state for one in found.plan.gates} == {"passed"}


def test_no_saving_makes_up_for_a_gate() -> None:
    free = msgspec.structs.replace(HOSTED, input_usd_per_mtok=number(0), output_usd_per_mtok=number(0))
    found = advise(organisation(offer=(free,)))
    assert found.plan is not None and found.plan.serves[1].place != "outside"
    assert {one.gate: one.usd_per_month for one in found.forced} == {"data": 20}


def test_where_the_ranges_allow_another_plan_the_evidence_is_not_enough() -> None:
    unsure = msgspec.structs.replace(HOSTED, input_usd_per_mtok=number(1, "0.5", 5))
    found = advise(organisation(offer=(unsure,)))
    assert found.verdict == "not_enough_evidence"
    assert found.rival is not None and found.at_worst_usd_per_month is not None and found.at_worst_usd_per_month > 0
    assert found.measure[0].input == "offer.hosted.input_usd_per_mtok"
    assert found.measure[0].left_usd_per_month == 0
    assert advise(known(organisation(offer=(unsure,)), found.measure[0].input)).verdict == "firm"


def test_a_model_that_nobody_measured_is_not_taken_and_not_forgotten() -> None:
    unknown = msgspec.structs.replace(HOSTED, quality={})
    found = advise(organisation(offer=(FLAGSHIP, unknown)))
    assert found.plan is not None and "hosted" not in [one.server for one in found.plan.serves]
    assert found.verdict == "not_enough_evidence"
    assert found.rival is not None and found.rival.serves[0].server == "hosted"


def test_until_there_is_evidence_what_can_be_left_again_is_named() -> None:
    alone = msgspec.structs.replace(TICKETS, share=Decimal(1))
    unsure = msgspec.structs.replace(RACK, tokens=number(100 * MTOK, 10 * MTOK, 200 * MTOK))
    found = advise(organisation(work=(alone,), machine=(unsure,), offer=(HOSTED,), tokens_per_month=number(95 * MTOK)))
    assert (
        found.verdict == "not_enough_evidence" and found.plan is not None and found.plan.topology == "central_private"
    )
    assert found.meanwhile is not None and found.meanwhile.topology == "outside"


def test_where_nothing_is_permitted_it_says_what_is_stuck() -> None:
    restricted = msgspec.structs.replace(CONTRACTS, label=Label.RESTRICTED)
    found = advise(organisation(work=(TICKETS, restricted), machine=(RACK,)))
    assert (found.verdict, found.plan, found.strategy) == ("nothing_permitted", None, None)
    assert found.why == "nothing may do contracts"
    poor = advise(organisation(capital_usd=Decimal(1)))
    assert (poor.verdict, poor.why) == ("nothing_permitted", "no plan stays within the limits of capital and people")


def test_machines_that_would_stand_empty_are_a_migration_step_by_step() -> None:
    alone = msgspec.structs.replace(TICKETS, share=Decimal(1))
    found = advise(
        organisation(
            work=(alone,), machine=(RACK,), offer=(FLAGSHIP,), tokens_per_month=number(99 * MTOK), ramp_months=30
        )
    )
    assert found.strategy == "gradual_migration" and found.timing is not None
    assert found.plan is not None and found.plan.topology == "central_private"


def test_a_figure_is_as_sure_as_the_least_sure_of_what_it_is_made_of() -> None:
    measured = msgspec.structs.replace(number(40 * MTOK), provenance="measured", source="the ledger")
    found = advise(organisation(tokens_per_month=measured))
    assert found.plan is not None and found.plan.usd_per_month.provenance == "assumed"
    assert "the ledger" in found.plan.usd_per_month.source
    assert {one.name for one in found.inputs} >= {
        "tokens_per_month",
        "machine.desk.tokens",
        "offer.hosted.quality.tickets",
    }


def test_the_same_organisation_gives_the_same_bytes() -> None:
    one, other = (msgspec.json.encode(advise(organisation())) for _ in range(2))
    assert one == other
    assert digest(organisation()) != digest(organisation(teams=2))


def test_the_other_answers_stand_beside_it_with_what_they_cost() -> None:
    found = advise(organisation())
    assert [one.usd_per_month.value for one in found.otherwise] == sorted(
        one.usd_per_month.value for one in found.otherwise
    )
    assert (found.plan and (found.plan.topology, found.plan.strategy)) not in [
        (one.topology, one.strategy) for one in found.otherwise
    ]
    assert DESK.name in str(found.findings)
