"""Payback in months, and the table of a published paper that it has to give back digit by digit."""

import random
from decimal import ROUND_HALF_UP, Decimal

import pytest

from tierwise.core.usage import Price, Usage
from tierwise.economics.breakeven import Api, Own, Step
from tierwise.economics.given import NOTHING, Given
from tierwise.economics.payback import Plan, payback, worth_of_waiting_usd
from tierwise.economics.price import blended_usd_per_mtok

# arXiv 2509.18101: cards, dollars for one, watts for one, tokens per second, and the printed months against five APIs.
# Not printed there, but recovered: 176 hours a month, 300 W for an A100 and 500 W for a 5090, and 7.75 $/M for the last
# API. docs/reference/economics.md says how, and why three cells differ.
HOURS, USD_PER_KWH = 176, Decimal("0.15")
A100, RTX5090 = (15_000, 300), (2_000, 500)
TABLE = {
    "Kimi-K2": (16, A100, 800, "69.3 8.7 44.0 44.0 63.1"),
    "GLM-4.5": (6, A100, 400, "51.5 6.5 32.8 32.8 47.0"),
    "Qwen3-235B": (4, A100, 400, "34.0 4.3 21.8 21.8 31.1"),
    "gpt-oss-120B": (2, A100, 220, "30.9 3.9 19.8 19.8 28.2"),
    "GLM-4.5-Air": (2, A100, 200, "34.0 4.3 21.8 21.8 31.1"),
    "Llama-3.3-70B": (1, A100, 190, "17.8 2.3 11.4 11.4 16.2"),
    "EXAONE 4.0 32B": (1, RTX5090, 200, "2.26 0.3 1.4 1.4 2.06"),
    "Qwen3-30B": (1, RTX5090, 180, "2.5 0.3 1.6 1.6 2.3"),
    "Magistral Small": (1, RTX5090, 150, "3.0 0.4 1.9 1.9 2.76"),
}
APIS = {
    "GPT-5": ("1.25", "10"),
    "Opus 4": ("15", "75"),
    "Sonnet 4": ("3", "15"),
    "Grok-4": ("3", "15"),
    "Gemini 2.5 Pro": ("7.75", "7.75"),
}
NOT_AS_PRINTED = {("Kimi-K2", "Opus 4"), ("Qwen3-235B", "Gemini 2.5 Pro"), ("GLM-4.5-Air", "Gemini 2.5 Pro")}


def exact(value: object) -> Given:
    return Given(value=Decimal(str(value)), provenance="list")


def machine(name: str, *, hours: int = HOURS) -> tuple[Own, int]:
    """The paper's machine, which serves whatever is asked of it, and the tokens of its month."""
    cards, (usd, watts), per_second, _ = TABLE[name]
    tokens = per_second * 3600 * hours
    power = cards * Decimal(watts) / 1000 * hours * USD_PER_KWH
    step = Step(name=name, tokens=exact(tokens), usd_per_month=exact(power), usd_once=exact(cards * usd))
    return Own(steps=(step,)), tokens


def api(name: str) -> Api:
    """An API at the paper's mix: one token read for two written."""
    read, written = APIS[name]
    price = Price(input_usd_per_mtok=Decimal(read), output_usd_per_mtok=Decimal(written))
    return Api(name=name, usd_per_mtok=exact(blended_usd_per_mtok(price, Usage(input=1, output=2))))


def months(name: str, against: str) -> Decimal:
    own, tokens = machine(name)
    found = payback(own, api(against), Plan(tokens_per_month=tokens, months=120)).months
    assert found is not None
    return found


def test_forty_two_of_forty_five_published_cells_come_back_to_the_printed_digit() -> None:
    differing = set()
    for name, (*_, row) in TABLE.items():
        for against, printed in zip(APIS, row.split(), strict=True):
            digits = Decimal(printed)
            if months(name, against).quantize(digits, rounding=ROUND_HALF_UP) != digits:
                differing.add((name, against))
    assert differing == NOT_AS_PRINTED


@pytest.mark.parametrize(
    ("name", "against", "value"),
    [
        ("Kimi-K2", "GPT-5", "69.2905"),
        ("Kimi-K2", "Opus 4", "8.6481"),
        ("Qwen3-235B", "Gemini 2.5 Pro", "31.0482"),
        ("Llama-3.3-70B", "Sonnet 4", "11.3955"),
        ("EXAONE 4.0 32B", "GPT-5", "2.2614"),
        ("Magistral Small", "Gemini 2.5 Pro", "2.7649"),
    ],
)
def test_the_same_cells_with_more_digits(name: str, against: str, value: str) -> None:
    assert months(name, against).quantize(Decimal("0.0001")) == Decimal(value)


@pytest.mark.parametrize(("mtok", "value"), [(1, "287"), (10, "28.7"), (50, "5.7")])
def test_a_machine_that_stands_idle_takes_the_longer(mtok: int, value: str) -> None:
    """The paper fills every machine. At the volumes of its own small organisations nothing is paid back in its bands."""
    own, full = machine("EXAONE 4.0 32B")
    step = own.steps[0]
    used = Own(
        steps=(Step(name=step.name, tokens=step.tokens, usd_once=step.usd_once),),
        usd_per_mtok=exact(step.usd_per_month.value * 10**6 / full),
    )
    found = payback(used, api("GPT-5"), Plan(tokens_per_month=mtok * 10**6, months=400)).months
    assert found is not None and found.quantize(Decimal(value)) == Decimal(value)


def simple(once: int = 1_200, month: int = 100, tokens: int = 10**6) -> Own:
    return Own(steps=(Step(name="machine", tokens=exact(tokens), usd_per_month=exact(month), usd_once=exact(once)),))


DEAR = Api(name="dear", usd_per_mtok=exact(300))


def test_with_a_ramp_the_first_months_save_less_and_payback_comes_later() -> None:
    flat = payback(simple(), DEAR, Plan(tokens_per_month=10**6))
    ramp = payback(simple(), DEAR, Plan(tokens_per_month=10**6, ramp_months=4))
    assert flat.months == 6
    assert [month.saved_usd for month in ramp.course[:5]] == [-25, 50, 125, 200, 200]
    assert ramp.months == Decimal("8.25")


def test_a_second_machine_puts_a_plan_back_into_the_red() -> None:
    cheap = simple(once=100, tokens=500_000)
    course = payback(cheap, DEAR, Plan(tokens_per_month=10**6, ramp_months=12))
    assert [month.month for month in course.course if month.bought_usd] == [1, 7]
    assert course.months is not None and course.months > 5


def test_prices_that_fall_can_eat_the_payback() -> None:
    steady = payback(simple(), DEAR, Plan(tokens_per_month=10**6, months=60))
    falling = Plan(tokens_per_month=10**6, months=60, api_decline=exact("0.9"))
    assert steady.months == 6 and payback(simple(), DEAR, falling).months is None


def test_worth_today_is_what_the_months_are_worth_by_the_textbook() -> None:
    plan = Plan(tokens_per_month=10**6, months=24, discount=exact("0.10"))
    textbook = -1_200 + sum(200 / 1.1 ** (month / 12) for month in range(1, 25)) + 400 / 1.1**2
    assert float(payback(simple(), DEAR, plan).npv_usd) == pytest.approx(textbook, rel=1e-12)


def test_what_is_left_of_a_machine_counts_when_the_plan_ends() -> None:
    kept = Own(steps=simple().steps, months=12, residual=exact("0.25"))
    plan = Plan(tokens_per_month=10**6, months=12)
    assert payback(kept, DEAR, plan).npv_usd == -1_200 + 12 * 200 + 300


def test_waiting_costs_what_the_first_months_would_have_saved_unless_a_machine_ages_by_more() -> None:
    plan = Plan(tokens_per_month=10**6, months=36)
    assert worth_of_waiting_usd(simple(), DEAR, plan) == -3 * 200 + 100  # a machine that is three months younger
    hardly = Api(name="hardly dearer", usd_per_mtok=exact(110))
    assert worth_of_waiting_usd(simple(), hardly, plan) == -3 * 10 + 100


def test_the_worst_corner_is_never_better_than_any_choice_within_the_ranges() -> None:
    chance = random.Random(3)
    unsure = Given(value=Decimal(300), low=Decimal(200), high=Decimal(400))
    plan = Plan(tokens_per_month=10**6, discount=Given(value=Decimal("0.1"), low=Decimal("0.05"), high=Decimal("0.2")))
    own, ranged = simple(), Api(name="api", usd_per_mtok=unsure)
    worst, best = (payback(own, ranged, plan, corner).npv_usd for corner in ("dearest", "cheapest"))
    for _ in range(30):
        one = Api(name="api", usd_per_mtok=exact(chance.randint(200, 400)))
        rate = Plan(tokens_per_month=10**6, discount=exact(Decimal(chance.randint(5, 20)) / 100))
        assert worst <= payback(own, one, rate).npv_usd <= best


def test_nothing_bought_is_paid_back_at_once_and_nothing_used_never() -> None:
    rented = Own(steps=(Step(name="rented", tokens=exact(10**6), usd_per_month=exact(100)),))
    assert payback(rented, DEAR, Plan(tokens_per_month=10**6)).months == 0
    assert payback(simple(), DEAR, Plan(tokens_per_month=0)).course[-1].total_usd == 0
    assert payback(Own(once_usd=exact(5)), DEAR, Plan(tokens_per_month=0)).months is None


@pytest.mark.parametrize("wrong", [{"months": 0}, {"tokens_per_month": -1}, {"ramp_months": -1}, {"months": 10**6}])
def test_a_plan_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError):
        Plan(**{"tokens_per_month": 1, **wrong})
    with pytest.raises(ValueError):
        Plan(tokens_per_month=1, api_decline=exact(1))
    with pytest.raises(ValueError):
        Own(months=0)
    assert Own().residual == NOTHING
