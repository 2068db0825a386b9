"""What a scenario does to the rules, and what is no scenario."""

from decimal import Decimal

import msgspec
import pytest

from tests.unit.gateway.test_decide import rules
from tierwise.core.errors import InvalidCall
from tierwise.core.usage import Band, Price, Tariff
from tierwise.drill.scenario import (
    GONE,
    MOST_FACTOR,
    Change,
    Scenario,
    changes,
    endpoints,
    factor,
    put_on,
)


def named(*pairs: tuple[str, str]) -> tuple[Change, ...]:
    return tuple(Change(name=name, value=value) for name, value in pairs)


def test_a_name_is_an_endpoint_else_a_kind_else_a_tier() -> None:
    known = rules().catalog
    assert endpoints(known, "out", "--without") == ("out",)
    assert endpoints(known, "scripted", "--without") == ("here", "own", "out")
    assert endpoints(known, "frontier", "--without") == ("out",)
    with pytest.raises(InvalidCall, match="did you mean 'own'"):
        endpoints(known, "owm", "--without")


def test_what_is_gone_is_refused_with_that_reason_and_nothing_else_changes() -> None:
    before, after = rules(), put_on(Scenario(without=("out",)), rules())
    assert after.rules.catalog.unusable == {"out": GONE}
    assert after.rules.catalog.models == before.catalog.models and after.rules.policy.digest == before.policy.digest


def test_a_factor_reaches_every_rate_of_a_price() -> None:
    one = Decimal(1)
    tariff = Tariff(input_usd_per_mtok=one, output_usd_per_mtok=one, cache_read_usd_per_mtok=one)
    band = Band(above_tokens=7, input_usd_per_mtok=one, output_usd_per_mtok=one)
    price = Price(input_usd_per_mtok=one, output_usd_per_mtok=one, bands=(band,), services={"batch": tariff})
    known = rules()
    known.catalog.models["far"] = msgspec.structs.replace(known.catalog.models["far"], price=price)
    found = put_on(Scenario(price=named(("frontier", "2.5x"))), known).rules.catalog.models["far"].price
    assert found is not None
    every = (found, *found.bands, *found.services.values())
    assert all(each.input_usd_per_mtok == each.output_usd_per_mtok == Decimal("2.5") for each in every)
    assert found.services["batch"].cache_read_usd_per_mtok == Decimal("2.5")
    assert found.cache_read_usd_per_mtok is None and found.bands[0].above_tokens == 7


def test_capacity_is_taken_from_what_is_known_and_nothing_left_is_gone() -> None:
    said = named(("here", "4"))
    assert put_on(Scenario(slots=said), rules()).slots == {"here": 4}
    assert put_on(Scenario(slots=said, capacity=named(("local", "-1"))), rules()).slots == {"here": 3}
    assert put_on(Scenario(slots=said, capacity=named(("local", "+2"))), rules()).slots == {"here": 6}
    assert put_on(Scenario(capacity=named(("out", "7"))), rules()).slots == {"out": 7}
    none = put_on(Scenario(slots=said, capacity=named(("local", "-9"))), rules())
    assert "no capacity is left" in none.rules.catalog.unusable["here"]
    with pytest.raises(InvalidCall, match="--slots own=N"):
        put_on(Scenario(capacity=named(("own", "-1"))), rules())


@pytest.mark.parametrize("word", ["far", "=3x", "far=", "", "far 3x"])
def test_a_change_has_a_name_and_a_value(word: str) -> None:
    with pytest.raises(InvalidCall, match="NAME=VALUE"):
        changes((word,), "--price")


@pytest.mark.parametrize("word", ["3", "-3x", "x", "3 x", "nanx", "infx", "1e9x", "3X", "٣x", f"{MOST_FACTOR + 1}x"])
def test_a_factor_is_a_number_of_times(word: str) -> None:
    with pytest.raises(InvalidCall, match="give a factor"):
        factor(word, "--price", MOST_FACTOR)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"price": named(("near", "3x"))}, "nothing there has a price"),
        ({"price": named(("nobody", "3x"))}, "no endpoint, kind or tier"),
        ({"capacity": named(("here", "many"))}, "number of answers"),
        ({"slots": named(("here", "-1"))}, "number of answers"),
        ({"slots": named(("here", "9999999"))}, "number of answers"),
        ({"takes": named(("mid", "-1"))}, "seconds"),
        ({"takes": named(("mid", "999999"))}, "seconds"),
        ({"growth": Decimal(0)}, "more than 0x"),
    ],
)
def test_what_leads_nowhere_is_refused_with_its_place(changed: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidCall, match=said):
        put_on(Scenario(**changed), rules())  # type: ignore[arg-type]


def test_today_knows_what_was_said_and_changes_nothing() -> None:
    whole = Scenario(without=("out",), growth=Decimal(2), slots=named(("here", "4")), takes=named(("mid", "2.5")))
    today = put_on(whole.as_is, rules())
    assert (today.slots, today.takes_us, today.growth) == ({"here": 4}, {"mid": 2_500_000}, 1)
    assert not today.rules.catalog.unusable
