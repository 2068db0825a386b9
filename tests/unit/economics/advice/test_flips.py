"""The nearest point at which the answer turns: the present answer before it, the named one behind it."""

import random
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.economics.advice.scene import CONTRACTS, DESK, HOSTED, MTOK, RACK, TICKETS, number, organisation
from tierwise.economics.advice.advise import known
from tierwise.economics.advice.flips import FAR, Flip, flips
from tierwise.economics.advice.organisation import Organisation
from tierwise.economics.advice.plans import Answer, plans, state

HAIR = Decimal("1e-9")


def answer(whole: Organisation) -> Answer | None:
    volume = Fraction(whole.tokens_per_month.value)
    permitted = [one for one in plans(whole) if state(whole, one) == "passed"]
    return min(permitted, key=lambda one: one.bill.month().at(volume)).answer if permitted else None


def found(whole: Organisation) -> dict[tuple[str, bool], Flip]:
    return {(one.knob, one.above): one for one in flips(whole, answer(whole))}


def test_the_price_at_which_a_machine_is_worth_it_is_found_exactly() -> None:
    # Contracts have to stay inside: 10 M tokens on one desk at 20 a month, or on one rack at 100.
    flip = found(organisation())["desk: price", True]
    # From there on tickets too are cheaper on the rack that contracts need then: 37.50 + desk = 100.
    assert abs(flip.at - Decimal("3.125")) < HAIR and flip.answer == ("central_private", "open")


def test_a_limit_that_leaves_nothing_turns_it_to_nothing() -> None:
    whole = organisation(capital_usd=Decimal(5000))
    flip = found(whole)["capital_usd", False]
    assert abs(flip.at - 720) < HAIR and flip.answer is None


def test_quality_that_is_asked_for_turns_it_where_a_model_falls_short() -> None:
    weak = msgspec.structs.replace(DESK, quality={"contracts": number("0.85", "0.82", "0.9")})
    flip = found(organisation(machine=(weak, RACK)))["contracts: needs", True]
    assert abs(flip.at - Decimal("0.82")) < HAIR
    assert flip.answer is not None and flip.answer.topology == "central_private"


def test_nothing_permitted_turns_to_something_where_the_limit_allows() -> None:
    whole = organisation(capital_usd=Decimal(100))
    assert answer(whole) is None
    flip = found(whole)["capital_usd", True]
    assert abs(flip.at - 720) < HAIR and flip.answer is not None


def test_an_answer_that_nothing_turns_has_no_flip() -> None:
    alone = msgspec.structs.replace(TICKETS, share=Decimal(1), needs=Decimal(0))
    assert not flips(organisation(work=(alone,), machine=(), offer=(HOSTED,)), Answer("outside", "open"))


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**9))
def test_a_flip_of_volume_is_the_first_that_walking_outward_meets(seed: int) -> None:
    chance = random.Random(seed)
    desk = msgspec.structs.replace(
        DESK, tokens=number(chance.randint(4, 30) * MTOK), usd_once=number(chance.randint(90, 900))
    )
    rack = msgspec.structs.replace(
        RACK, tokens=number(chance.randint(20, 300) * MTOK), usd_once=number(chance.randint(900, 5000))
    )
    lasting = msgspec.structs.replace(CONTRACTS, must_go_on=chance.random() < 0.3)
    capital = chance.choice((None, Decimal(8000)))
    whole = organisation(
        machine=(desk, rack), work=(TICKETS, lasting), capital_usd=capital,
        tokens_per_month=number(chance.randint(10, 400) * MTOK),
    )  # fmt: skip
    now, flip = answer(whole), found(whole).get(("tokens_per_month", True))
    at = whole.tokens_per_month.value
    end = at * FAR if flip is None else flip.at
    steps = 25
    for step in range(steps):
        tokens = at + (end - at) * step / steps
        assert answer(known(whole, "tokens_per_month", tokens)) == now
    if flip is not None:
        assert answer(known(whole, "tokens_per_month", flip.at * (1 + HAIR))) == flip.answer != now


@pytest.mark.parametrize("above", [True, False])
def test_what_a_machine_carries_turns_it_where_a_count_changes(above: bool) -> None:
    whole = organisation(
        tokens_per_month=number(160 * MTOK), machine=(DESK, msgspec.structs.replace(RACK, usd_once=number(5400)))
    )
    flip = found(whole).get(("rack: tokens", above))
    if flip is not None:
        beyond = flip.at * (1 + HAIR if above else 1 - HAIR)
        assert answer(known(whole, "machine.rack.tokens", beyond)) == flip.answer != answer(whole)
    assert ("rack: tokens", True) in found(whole)
