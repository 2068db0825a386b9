"""Machines of one's own are joined to the models that they serve, and prices follow the day."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.unit.gateway.test_decide import rules
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.prices import PriceRow, Prices
from tierwise.core.usage import Price
from tierwise.economics.given import Given
from tierwise.economics.own import Machine, Served
from tierwise.gateway.priced import DayPrices, owned
from tierwise.gateway.rules import Rules
from tierwise.registry.catalog import Catalog
from tierwise.registry.load import load
from tierwise.registry.settings import EndpointRow, ModelRow


def flat(usd: int, **more: Any) -> dict[str, Any]:
    return {"input_usd_per_mtok": Decimal(usd), "output_usd_per_mtok": Decimal(usd)} | more


FIRST, SECOND = date(2026, 11, 21), date(2026, 11, 22)
ROWS = (PriceRow(model="m", **flat(1), until=SECOND), PriceRow(model="m", **flat(3), starts=SECOND))


def known(**prices: Any) -> Catalog:
    endpoints = [
        EndpointRow(name="box", kind="scripted", tier=Tier.SELF_HOSTED, url="http://box.test/v1"),
        EndpointRow(name="far", kind="scripted", tier=Tier.FRONTIER, url="http://far.test/v1"),
    ]
    models = [
        ModelRow(id="here", endpoint="box"),
        ModelRow(id="sold", endpoint="box", price=Price(**flat(9))),
        ModelRow(id="m", endpoint="far"),
    ]
    return load(endpoints, models, lambda _: None, prices=Prices(**prices))


def machine(endpoint: str = "box", model: str = "here") -> Machine:
    speed = Given(value=Decimal(100))
    return Machine(
        name="own", endpoint=endpoint, busy_share=Given(value=Decimal(1)), usd_per_month=Given(value=Decimal(730)),
        serves=(Served(model=model, output_tokens_per_s=speed),),
    )  # fmt: skip


def test_a_model_has_the_cost_of_the_machine_that_serves_it_and_that_is_part_of_what_prices_are_told_apart_by() -> None:
    before = known()
    found = owned(before, [machine()])
    own = found.models["here"].own
    assert own is not None and float(own.full.output_usd_per_mtok) == pytest.approx(1 / 0.36)
    assert found.models["here"].price is None, "nobody sends a bill"
    assert found.price_digest != before.price_digest and found.digest == before.digest
    assert owned(before, []) is before


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (machine("bax"), "did you mean 'box'"),
        (machine("far", "m"), "outside"),
        (machine("box", "her"), "did you mean 'here'"),
        (machine("box", "m"), "serves no model 'm'"),
        (machine("box", "sold"), "has a price"),
    ],
)
def test_a_machine_that_leads_nowhere_is_refused(wrong: Machine, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        owned(known(), [wrong])
    with pytest.raises(ConfigError, match="at another machine"):
        owned(known(), [machine(), machine()])


class Serving:
    def __init__(self, in_force: Rules) -> None:
        self.rules = in_force


def test_prices_follow_the_day_and_what_a_models_own_row_says_stays() -> None:
    now = datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC).timestamp()
    catalog = owned(known(rows=ROWS, day=FIRST), [machine()])
    gateway = Serving(msgspec.structs.replace(rules(), catalog=catalog))
    clock = [now]
    prices = DayPrices(gateway, ROWS, lambda: clock[0])
    before = gateway.rules
    prices.look()
    assert gateway.rules is before, "the prices of the day are in force already"
    clock[0] += 1
    prices.look()
    models, old = gateway.rules.catalog.models, before.catalog.models
    assert [one["m"].price.output_usd_per_mtok for one in (old, models) if one["m"].price] == [1, 3]
    assert (models["sold"], models["here"]) == (old["sold"], old["here"])
    assert gateway.rules.catalog.price_digest != before.catalog.price_digest
    assert gateway.rules.policy is before.policy
