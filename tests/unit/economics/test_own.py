"""What a token costs on a machine of one's own: its month over the seconds it works, at its speed, with its range."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tierwise.core.errors import InvalidCall
from tierwise.core.usage import Usage
from tierwise.economics.given import Given
from tierwise.economics.own import Counts, Machine, Served, own_cost, token_cost
from tierwise.economics.price import cost_usd
from tierwise.economics.serving import Power


def given_(value: str, low: str | None = None, high: str | None = None, **more: Any) -> Given:
    return Given(value=Decimal(value), low=low and Decimal(low), high=high and Decimal(high), **more)  # type: ignore[arg-type]


POWER = Power(idle_watts=given_("100"), busy_watts=given_("460"), usd_per_kwh=given_("0.2"), overhead=given_("1.25"))
MACHINE = Machine(
    name="box", endpoint="box", busy_share=given_("0.5"),
    usd_once=given_("7300"), months=40, residual=given_("0.2"), usd_per_month=given_("73"),
)  # fmt: skip
SERVED = Served(model="m", output_tokens_per_s=given_("100"), input_tokens_per_s=given_("1000"))


def test_a_token_costs_the_seconds_that_it_takes_of_the_month() -> None:
    """7,300 * 0.8 / 40 + 73 = 219 a month, over 365 hours of work = 0.6 an hour: 360,000 tokens written."""
    found = token_cost(MACHINE, SERVED)
    assert float(found.output_usd_per_mtok.value) == pytest.approx(0.6 / 0.36, rel=1e-9)
    assert found.output_usd_per_mtok.value / found.input_usd_per_mtok.value == pytest.approx(10, rel=Decimal("1e-6"))


def test_power_is_paid_while_it_waits_too_and_at_the_margin_only_for_what_work_adds() -> None:
    machine = msgspec.structs.replace(MACHINE, power=POWER)
    usd_per_kwh = 0.2 * 1.25
    full = 0.6 + (0.46 + 0.1) * usd_per_kwh  # an hour of work drags one of waiting along
    assert float(token_cost(machine, SERVED).output_usd_per_mtok.value) == pytest.approx(full / 0.36)
    assert float(token_cost(machine, SERVED, "marginal").output_usd_per_mtok.value) == pytest.approx(
        0.36 * usd_per_kwh / 0.36
    )
    routed = own_cost(msgspec.structs.replace(machine, routes_by="marginal"), SERVED)
    assert routed.routed.output_usd_per_mtok < routed.full.output_usd_per_mtok
    assert own_cost(machine, SERVED).routed == own_cost(machine, SERVED).full


def test_without_a_speed_of_reading_all_time_is_counted_at_what_is_written() -> None:
    served = Served(model="m", output_tokens_per_s=given_("100"))
    assert token_cost(MACHINE, served).input_usd_per_mtok.value == 0
    assert token_cost(MACHINE, served).output_usd_per_mtok == token_cost(MACHINE, SERVED).output_usd_per_mtok


def test_a_cost_is_as_sure_as_the_least_sure_number_that_it_is_made_of() -> None:
    known: dict[str, Any] = {"provenance": "contract"}
    machine = Machine(name="box", endpoint="box", busy_share=given_("0.5", **known), usd_once=given_("1", **known))
    fast = Served(model="m", output_tokens_per_s=given_("9", provenance="measured"))
    assert token_cost(machine, fast).output_usd_per_mtok.provenance == "contract"
    assumed = msgspec.structs.replace(machine, busy_share=given_("0.5"))
    assert token_cost(assumed, fast).output_usd_per_mtok.provenance == "assumed"


numbers = st.decimals("0.1", "1000", places=2)


@st.composite
def uncertain(draw: st.DrawFn, most: str = "1000") -> Given:
    low, value, high = sorted(draw(st.lists(st.decimals("0.1", most, places=2), min_size=3, max_size=3)))
    return Given(value=value, low=low, high=high)


@given(
    busy=uncertain("1"), once=uncertain(), month=uncertain(), watts=st.tuples(uncertain(), uncertain()),
    kwh=uncertain("1"), speed=uncertain(), counts=st.sampled_from(["full", "marginal"]),
)  # fmt: skip
def test_the_range_holds_whatever_the_inputs_ranges_hold(
    busy: Given, once: Given, month: Given, watts: tuple[Given, Given], kwh: Given, speed: Given, counts: Counts
) -> None:
    assume(watts[1].value >= watts[0].value)
    machine = Machine(
        name="b", endpoint="b", busy_share=busy, usd_once=once, usd_per_month=month,
        power=Power(idle_watts=watts[0], busy_watts=watts[1], usd_per_kwh=kwh),
    )  # fmt: skip
    cost = token_cost(machine, Served(model="m", output_tokens_per_s=speed), counts).output_usd_per_mtok
    assert cost.least <= cost.value <= cost.most

    waiting = msgspec.structs.replace(machine, busy_share=Given(value=busy.least))
    dearer = token_cost(waiting, Served(model="m", output_tokens_per_s=speed), counts).output_usd_per_mtok
    assert dearer.value >= cost.value, "a machine that waits more is never cheaper"


@pytest.mark.parametrize(
    "wrong",
    [
        {"busy_share": given_("0")},
        {"busy_share": given_("0.9", high="1.2")},
        {"months": 0},
        {"residual": given_("1.5")},
        {"power": Power(idle_watts=given_("9"), busy_watts=given_("5"), usd_per_kwh=given_("1"))},
    ],
)
def test_a_machine_that_cannot_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        msgspec.structs.replace(MACHINE, **wrong)
    with pytest.raises(ValueError, match="more than 0"):
        Served(model="m", output_tokens_per_s=given_("0"))


def test_what_stood_in_a_cache_takes_no_time_and_costs_nothing() -> None:
    price = own_cost(MACHINE, SERVED).full
    fresh, cached = Usage(input=1000, output=10), Usage(input=100, cache_read=900, output=10)
    written = cost_usd(price, Usage(output=10))
    assert cost_usd(price, cached) - written == (cost_usd(price, fresh) - written) / 10
    seconds = [1010 / SERVED.tokens_per_s(mix).value for mix in (fresh, cached)]
    assert seconds == pytest.approx([Decimal("1.1"), Decimal("0.2")])
    with pytest.raises(InvalidCall):
        SERVED.tokens_per_s(Usage(cache_read=5))
