"""By how much one plan may exceed another: as far as the ranges allow, with shared inputs at one place."""

import itertools
import random
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.economics.advice.scene import DESK, HOSTED, MTOK, RACK, number, organisation
from tierwise.economics.advice.advise import known
from tierwise.economics.advice.plans import Layout, plans
from tierwise.economics.advice.regret import most_over
from tierwise.economics.compare import inputs
from tierwise.economics.given import Given


def two(**changed: Any) -> tuple[Layout, Layout, Given]:
    whole = organisation(**changed)
    found = {one.named: one for one in plans(whole)}
    return found["hosted", "desk", ""], found["rack", "rack", ""], whole.tokens_per_month


def test_without_ranges_it_is_the_difference() -> None:
    one, other, volume = two()
    assert most_over(one.bill, other.bill, volume) <= 0
    assert most_over(other.bill, one.bill, volume) == 100 - Fraction("57.5")


def test_an_input_that_both_share_lies_at_one_place_for_both() -> None:
    dear = msgspec.structs.replace(HOSTED, input_usd_per_mtok=number(1, 0, 100))
    whole = organisation(offer=(dear,))
    found = {one.named: one for one in plans(whole)}
    desk, rack = found["hosted", "desk", ""], found["hosted", "rack", ""]
    assert most_over(rack.bill, desk.bill, whole.tokens_per_month) == 80


def test_a_machine_more_is_seen_between_the_ends_of_the_volume() -> None:
    # At 101 to 120 M two racks stand beside one; at both ends of 90 to 220 M the difference is smaller.
    one, other, volume = two(tokens_per_month=number(100 * MTOK, 90 * MTOK, 220 * MTOK))
    at_ends = max(
        other.bill.month().at(Fraction(end)) - one.bill.month().at(Fraction(end)) for end in (volume.least, volume.most)
    )
    assert most_over(other.bill, one.bill, volume) > at_ends


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9))
def test_no_point_in_the_ranges_exceeds_it(seed: int) -> None:
    chance = random.Random(seed)

    def about(value: float) -> Given:
        return number(
            f"{value:.3f}", f"{value * chance.uniform(0.6, 1):.3f}", f"{value * chance.uniform(1, 1.6) + 1:.3f}"
        )

    desk = msgspec.structs.replace(DESK, tokens=about(chance.uniform(5e6, 3e7)), usd_once=about(360))
    rack = msgspec.structs.replace(RACK, tokens=about(chance.uniform(2e7, 2e8)), usd_once=about(1800))
    hosted = msgspec.structs.replace(HOSTED, input_usd_per_mtok=about(1), output_usd_per_mtok=about(3))
    whole = organisation(machine=(desk, rack), offer=(hosted,), tokens_per_month=about(chance.uniform(2e7, 2e8)))
    one, other = chance.sample(plans(whole), 2)
    most = most_over(one.bill, other.bill, whole.tokens_per_month)
    seen = [_at(whole, one, other, chance) for _ in range(40)]
    assert max(seen) <= max(most, Fraction(0)) + Fraction(1, 10**9)


def _at(whole: Any, one: Layout, other: Layout, chance: random.Random) -> Fraction:
    point = whole
    for named in inputs(whole):
        share = chance.choice((0, 1, chance.random()))
        spread = named.given.most - named.given.least
        value = named.given.least + spread * type(spread)(share)
        point = known(point, named.name, value)
    found = {plan.named: plan for plan in plans(point)}
    volume = Fraction(point.tokens_per_month.value)
    return found[one.named].bill.month().at(volume) - found[other.named].bill.month().at(volume)


def test_many_machines_are_not_counted_one_by_one_and_never_for_too_little() -> None:
    tiny = msgspec.structs.replace(DESK, tokens=number(10_000, 8_000, 12_000), usd_once=number(36))
    whole = organisation(machine=(tiny, RACK), tokens_per_month=number(40 * MTOK, 30 * MTOK, 50 * MTOK))
    found = {one.named: one for one in plans(whole)}
    for one, other in itertools.permutations((found["desk", "desk", ""], found["hosted", "desk", ""]), 2):
        most = most_over(one.bill, other.bill, whole.tokens_per_month)
        dearest = Fraction(whole.tokens_per_month.most)
        seen = one.bill.month("dearest").at(dearest) - other.bill.month("dearest").at(dearest)
        assert most >= seen
