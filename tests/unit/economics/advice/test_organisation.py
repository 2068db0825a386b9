"""What is known of an organisation, and what is refused as such."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.economics.advice.scene import CONTRACTS, DESK, FLAGSHIP, RACK, TICKETS, number, organisation
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Price
from tierwise.economics.advice.organisation import base_usd, usd_of, usd_per_mtok, usd_per_work
from tierwise.economics.buckets import Bucket, Buckets
from tierwise.economics.given import Given


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"work": ()}, "add up to 1"),
        ({"work": (TICKETS,)}, "add up to 1"),
        ({"machine": (RACK, RACK)}, "unique"),
        ({"tokens_per_month": number(0)}, "without traffic"),
        ({"tokens_per_month": number(9, 0, 10)}, "without traffic"),
        ({"teams": 0}, "1 or more"),
        ({"ramp_months": -1}, "0 or more"),
        ({"months": 0}, "1 or more"),
        ({"residual": Decimal(2)}, "between 0 and 1"),
        ({"capital_usd": Decimal(-1)}, "0 or more"),
        ({"capital_usd": Decimal("NaN")}, "0 or more"),
        ({"indifference": Decimal("NaN")}, "between 0 and 1"),
        ({"api_decline": number(1)}, "below 1"),
        ({"work": (msgspec.structs.replace(TICKETS, share=Decimal(1), latency_ms=Decimal(-1)),)}, "0 or more"),
        ({"reach": {Label.PUBLIC: Tier.LOCAL}}, "more sensitive"),
        ({"machine": (msgspec.structs.replace(RACK, quality={"nothing": number(1)}),)}, "no work"),
        ({"machine": (msgspec.structs.replace(RACK, quality={"tickets": number(2)}),)}, "share between"),
    ],
)
def test_what_cannot_be_reckoned_with_is_refused(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        organisation(**changed)


def test_more_placements_than_can_be_tried_are_refused() -> None:
    works = tuple(msgspec.structs.replace(TICKETS, name=f"work {at}", share=Decimal("0.1")) for at in range(10))
    plain = [msgspec.structs.replace(one, quality={}) for one in (DESK, RACK)]
    with pytest.raises(ValueError, match="ways to place"):
        organisation(work=works, machine=tuple(plain), offer=(msgspec.structs.replace(FLAGSHIP, quality={}),))


def test_a_label_that_the_file_does_not_name_keeps_its_built_in_ceiling() -> None:
    given = organisation(reach={Label.INTERNAL: Tier.SELF_HOSTED})
    assert given.reaches(Label.INTERNAL) is Tier.SELF_HOSTED
    assert given.reaches(Label.CONFIDENTIAL) is Tier.SELF_HOSTED
    assert given.reaches(Label.RESTRICTED) is Tier.LOCAL


def test_a_machine_at_the_edge_is_bought_for_each_team_and_written_off() -> None:
    assert usd_of(organisation(teams=3), DESK).value == 3 * 20
    assert usd_of(organisation(teams=3), RACK).value == 100
    assert usd_of(organisation(residual=Decimal("0.5")), RACK).value == 50


def test_the_price_of_a_token_follows_how_much_of_the_work_is_written() -> None:
    assert usd_per_mtok(msgspec.structs.replace(CONTRACTS, output_share=Decimal("0.5")), FLAGSHIP).value == 6


def test_buckets_are_paid_once_for_the_server_and_once_for_each_work() -> None:
    people = Bucket(month_usd=number(5), month_per_workflow_usd=number(7), set_up_per_workflow_usd=number(36))
    server = msgspec.structs.replace(RACK, buckets=Buckets(people=people), set_up_usd=number(72))
    assert base_usd(organisation(), server).value == 5 + 2
    assert usd_per_work(organisation(), server).value == 7 + 1


@pytest.mark.parametrize("value", ["1e-999999", "1e999999"])
def test_what_takes_minutes_to_reckon_with_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="too many digits"):
        Given(value=Decimal(value))
    with pytest.raises(ValueError, match="places"):
        Price(input_usd_per_mtok=Decimal(value), output_usd_per_mtok=Decimal(1))
