"""Every crossing of stepped and straight cost is found, and none that is not there: against counting token by token."""

import random
from decimal import Decimal
from itertools import groupby

import pytest

from tierwise.economics.breakeven import (
    MOST_PURCHASES,
    Api,
    BreakEven,
    Own,
    Step,
    api_usd,
    break_even,
    break_even_region,
    own_usd,
)
from tierwise.economics.given import NOTHING, Given, total

STRUCTURES = 1_000
MOST = 1_500


def known(value: object, low: object = None, high: object = None) -> Given:
    ends = {name: Decimal(str(end)) for name, end in (("low", low), ("high", high)) if end is not None}
    return Given(value=Decimal(str(value)), provenance="measured", **ends)


def own(base: object, *steps: tuple[object, object], per_mtok: object = 0) -> Own:
    bought = tuple(
        Step(name=f"kind {at}", usd_per_month=known(usd), tokens=known(tokens))
        for at, (usd, tokens) in enumerate(steps)
    )
    return Own(base_usd_per_month=known(base), steps=bought, usd_per_mtok=known(per_mtok))


def at_volume(mine: Own, api: Api, tokens: int) -> str:
    """Which is cheaper, by the definition of both costs and nothing else; in hundredths of a micro-dollar."""
    cost = whole(mine.base_usd_per_month) * 10**6 + whole(mine.usd_per_mtok) * tokens
    for step in mine.steps:
        count = -((-tokens) // int(step.tokens.value)) + step.spare
        cost += count * whole(step.usd_per_month) * 10**6
    bill = whole(api.base_usd_per_month) * 10**6 + whole(api.usd_per_mtok) * tokens
    return "own" if cost < bill else "api"


def whole(given: Given) -> int:
    units = given.value * 10**8
    assert units == int(units)
    return int(units)


def counted(mine: Own, api: Api, most: int) -> list[tuple[int, str]]:
    """Where each stretch begins and what is cheaper in it, token by token."""
    counts = [(int(step.tokens.value), whole(step.usd_per_month) * 10**6, step.spare) for step in mine.steps]
    base = (whole(mine.base_usd_per_month) - whole(api.base_usd_per_month)) * 10**6
    slope = whole(mine.usd_per_mtok) - whole(api.usd_per_mtok)
    said = (
        (tokens, base + slope * tokens + sum((-(-tokens // serves) + spare) * usd for serves, usd, spare in counts) < 0)
        for tokens in range(1, most + 1)
    )
    stretches = (next(group) for _, group in groupby(said, key=lambda one: one[1]))
    return [(tokens, "own" if cheaper else "api") for tokens, cheaper in stretches]


def told(answer: BreakEven, most: int) -> list[tuple[int, str]]:
    return [(one.first, one.cheaper) for one in answer.stretches if one.first <= most]


def structure(chance: random.Random) -> tuple[Own, Api]:
    """A small structure in which tokens are dear, so that every volume of interest can be counted."""
    steps = tuple(
        Step(
            name=f"kind {at}",
            usd_per_month=known(Decimal(chance.randint(0, 4_000)) / 100),
            tokens=known(chance.randint(1, 400)),
            spare=chance.choice((0, 0, 1)),
        )
        for at in range(chance.randint(0, 3))
    )
    mine = Own(
        base_usd_per_month=known(Decimal(chance.choice((0, chance.randint(0, 9_000)))) / 100),
        steps=steps,
        usd_per_mtok=known(chance.choice((0, chance.randint(0, 120_000)))),
    )
    fee = known(Decimal(chance.choice((0, 0, chance.randint(0, 5_000)))) / 100)
    return mine, Api(name="api", usd_per_mtok=known(chance.randint(0, 250_000)), base_usd_per_month=fee)


def test_all_crossings_of_a_thousand_structures_are_those_that_counting_finds() -> None:
    chance = random.Random(2509)
    crossings = 0
    for number in range(STRUCTURES):
        mine, api = structure(chance)
        answer = break_even(mine, api)
        assert told(answer, MOST) == counted(mine, api, MOST), (number, mine, api)
        crossings += len(answer.crossings)
    assert crossings > STRUCTURES


def test_the_answer_holds_far_beyond_what_can_be_counted() -> None:
    chance = random.Random(18101)
    for _ in range(200):
        mine, api = structure(chance)
        answer = break_even(mine, api)
        for tokens in [chance.randint(1, 10**9) for _ in range(20)]:
            if answer.known_to is None or tokens <= answer.known_to:
                assert answer.at(tokens) == at_volume(mine, api, tokens), (mine, api, tokens)


def test_after_each_machine_the_api_can_be_cheaper_again() -> None:
    answer = break_even(own(0, (800, 100_000_000)), Api(name="api", usd_per_mtok=known(10)))
    assert [one.cheaper for one in answer.stretches] == ["api", "own"] * 4
    assert answer.crossings[:3] == (80_000_001, 100_000_001, 160_000_001)
    assert answer.stretches[-1].last is None and answer.stretches[-1].cheaper == "own"


def test_where_a_full_machine_does_not_pay_no_number_of_them_does() -> None:
    answer = break_even(own(0, (800, 100_000_000)), Api(name="api", usd_per_mtok=known(8)))
    assert [(one.first, one.last, one.cheaper) for one in answer.stretches] == [(1, None, "api")]


def test_a_horizon_cuts_the_answer_and_says_so() -> None:
    mine, api = own(0, (800, 100_000_000)), Api(name="api", usd_per_mtok=known(10))
    short = break_even(mine, api, most_tokens=90_000_000)
    assert (short.known_to, short.crossings) == (90_000_000, (80_000_001,))
    assert short.at(90_000_000) == "own" and short.at(90_000_001) == "open"
    nothing_yet = break_even(own(10**6, (800, 10**8)), api, most_tokens=1_000)
    assert (nothing_yet.known_to, nothing_yet.crossings) == (1_000, ())


def test_lines_that_never_part_are_followed_only_so_far() -> None:
    endless = own(0, (Decimal("9.999999"), 1_000_000))
    answer = break_even(endless, Api(name="api", usd_per_mtok=known(10)))
    assert answer.known_to is not None and len(answer.stretches) <= 2 * MOST_PURCHASES + 1
    assert answer.at(999_999) == at_volume(endless, Api(name="api", usd_per_mtok=known(10)), 999_999)


def test_costs_of_a_month_are_what_the_stretches_compare() -> None:
    mine, api = own(100, (800, 100_000_000), per_mtok="0.5"), Api(name="api", usd_per_mtok=known(10))
    assert own_usd(mine, 150_000_000) == 100 + 1_600 + 75
    assert api_usd(api, 150_000_000) == 1_500
    assert own_usd(mine, 0) == 100


def test_the_region_holds_every_choice_within_the_ranges() -> None:
    chance = random.Random(7)
    for _ in range(60):
        mine, api = ranged(chance)
        region = break_even_region(mine, api)
        seen = {region.at(tokens) for tokens in range(1, 800)}
        for _ in range(15):
            picked, bill = picking(chance, mine, api)
            for tokens in range(1, 800, 7):
                if (said := region.at(tokens)) != "open":
                    assert at_volume(picked, bill, tokens) == said
        assert seen <= {"own", "api", "open"}


def test_a_region_without_ranges_is_the_answer_itself() -> None:
    mine, api = own(20, (800, 100_000_000)), Api(name="api", usd_per_mtok=known(10))
    assert break_even_region(mine, api) == break_even(mine, api)
    unsure = Api(name="api", usd_per_mtok=known(10, 9, 11))
    assert "open" in {one.cheaper for one in break_even_region(mine, unsure).stretches}


def ranged(chance: random.Random) -> tuple[Own, Api]:
    def between(low: int, high: int) -> Given:
        ends = sorted(chance.randint(low, high) for _ in range(3))
        return known(ends[1], ends[0], ends[2])

    step = Step(name="machine", usd_per_month=between(1, 40), tokens=between(1, 300))
    mine = Own(base_usd_per_month=between(0, 60), steps=(step,), usd_per_mtok=between(0, 50_000))
    return mine, Api(name="api", usd_per_mtok=between(50_000, 400_000))


def picking(chance: random.Random, mine: Own, api: Api) -> tuple[Own, Api]:
    """One choice of every input within its range, ends included."""

    def pick(given: Given) -> Given:
        return known(
            chance.choice((int(given.least), int(given.most), chance.randint(int(given.least), int(given.most))))
        )

    step = mine.steps[0]
    picked = Step(name=step.name, usd_per_month=pick(step.usd_per_month), tokens=pick(step.tokens))
    base, extra = pick(mine.base_usd_per_month), pick(mine.usd_per_mtok)
    return Own(base_usd_per_month=base, steps=(picked,), usd_per_mtok=extra), Api(
        name="api", usd_per_mtok=pick(api.usd_per_mtok)
    )


@pytest.mark.parametrize("wrong", [("-1", None, None), ("NaN", None, None), ("Infinity", None, None), ("1", "2", None)])
def test_what_is_no_amount_is_refused(wrong: tuple[str, str | None, str | None]) -> None:
    with pytest.raises(ValueError):
        known(*wrong)


def test_a_machine_that_serves_nothing_is_refused() -> None:
    with pytest.raises(ValueError):
        Step(name="idle", usd_per_month=known(1), tokens=known(0))


def test_a_sum_is_as_sure_as_its_least_sure_part() -> None:
    guess = Given(value=Decimal(5), low=Decimal(4), high=Decimal(9), provenance="assumed", source="a guess")
    both = total([known(1), guess, NOTHING])
    assert (both.value, both.least, both.most, both.provenance) == (6, 5, 10, "assumed")
    assert total([NOTHING]) == NOTHING and total([known(1), NOTHING]).provenance == "measured"
