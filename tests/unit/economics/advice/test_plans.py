"""Every way to place the work, what it costs, and whether it may be taken."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
import pytest

from tests.unit.economics.advice.scene import CONTRACTS, DESK, HOSTED, MTOK, RACK, TICKETS, number, organisation
from tierwise.core.label import Label
from tierwise.economics.advice.plans import Layout, capital, plans, state


def plan(*names: str, standby: str = "", **changed: Any) -> Layout:
    return next(one for one in plans(organisation(**changed)) if one.named == (*names, standby))


def test_every_placement_that_no_gate_forbids_is_there_once() -> None:
    named = [one.named for one in plans(organisation())]
    assert len(named) == len(set(named)) == 4 * 2
    assert not [one for one in named if one[1] in ("flagship", "hosted")]


@pytest.mark.parametrize(
    ("names", "topology", "strategy"),
    [
        (("hosted", "desk"), "team_local", "open"),
        (("flagship", "rack"), "central_private", "open_for_volume"),
        (("desk", "rack"), "edge_and_central", "open"),
    ],
)
def test_a_plan_is_named_by_where_and_by_what(names: tuple[str, str], topology: str, strategy: str) -> None:
    assert plan(*names).answer == (topology, strategy)


def test_frontier_for_development_is_where_only_development_goes_there() -> None:
    code = msgspec.structs.replace(TICKETS, stage="development")
    assert plan("flagship", "rack", work=(code, CONTRACTS)).answer.strategy == "frontier_for_development"
    assert plan("flagship", "rack").answer.strategy == "open_for_volume"


def test_a_month_is_machines_bought_whole_and_tokens_by_their_price() -> None:
    # 30 M tokens at 0.75 * 1 + 0.25 * 2 dollars, 10 M on one desk that is written off over 36 months.
    assert plan("hosted", "desk").bill.month().at(Fraction(40 * MTOK)) == Fraction("37.5") + 20
    assert plan("hosted", "desk").bill.month().at(Fraction(40 * MTOK + 4)) > Fraction("37.5") + 40


def test_machines_are_shared_by_all_that_they_serve() -> None:
    assert plan("rack", "rack").bill.month().at(Fraction(100 * MTOK)) == 100
    assert plan("rack", "rack").bill.month().at(Fraction(101 * MTOK)) == 200


def test_work_that_must_go_on_has_a_spare_or_a_central_machine_that_stands_in() -> None:
    lasting = msgspec.structs.replace(CONTRACTS, must_go_on=True)
    works = (TICKETS, lasting)
    alone, behind = plan("hosted", "desk", work=works), plan("hosted", "desk", work=works, standby="rack")
    assert alone.bill.wholes["desk"].spare == 1
    assert behind.bill.wholes["desk"].spare == 0 and behind.bill.wholes["rack"].spare == 1
    assert behind.answer.topology == "edge_and_central"
    assert plan("desk", "desk", work=works).bill.wholes["desk"].spare == 1
    restricted = msgspec.structs.replace(lasting, label=Label.RESTRICTED)
    assert not [one for one in plans(organisation(work=(TICKETS, restricted))) if one.standby]


@pytest.mark.parametrize(
    ("limit", "found"), [("3599", "failed"), ("3600", "open"), ("7199", "open"), ("7200", "passed")]
)
def test_what_is_paid_at_once_stays_within_the_limit_whatever_the_volume(limit: str, found: str) -> None:
    given = organisation(tokens_per_month=number(90 * MTOK, 80 * MTOK, 110 * MTOK), capital_usd=Decimal(limit))
    racks = next(one for one in plans(given) if one.named == ("rack", "rack", ""))
    assert (capital(given, racks.bill).least, capital(given, racks.bill).most) == (3600, 7200)
    assert state(given, racks) == found


def test_people_are_needed_in_every_team() -> None:
    desk = msgspec.structs.replace(DESK, hours_per_month=number(5))
    given = organisation(machine=(desk, RACK), teams=4, hours_per_month=Decimal(19))
    assert {one.named[1]: state(given, one) for one in plans(given) if one.named[0] == "hosted"} == {
        "desk": "failed", "rack": "passed",
    }  # fmt: skip


def test_an_offer_that_was_never_measured_leaves_a_plan_open() -> None:
    unknown = msgspec.structs.replace(HOSTED, quality={})
    assert plan("hosted", "desk", offer=(unknown,)).state == "open"
