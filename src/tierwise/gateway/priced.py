"""What does each model cost from now on? Lays prices of a day, and the cost of machines of one's own, over a catalog.

Knows no arithmetic of either. Invariant: a price that a model's own row says stays; no model has a price and a machine.
"""

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Protocol

import msgspec

from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.model import Model
from tierwise.core.prices import PriceBook, PriceRow, Prices, day_of
from tierwise.core.usage import Price
from tierwise.economics.own import Machine, own_cost
from tierwise.gateway.rules import Rules
from tierwise.registry.catalog import Catalog, catalog
from tierwise.registry.load import nearest, place, priced

POLL_S = 5.0
"""So long after midnight (UTC) at most the prices of the new day hold."""
_log = logging.getLogger("tierwise.prices")


def owned(known: Catalog, machines: Sequence[Machine]) -> Catalog:
    """Return the catalog with what models cost on these machines. ConfigError where a row leads nowhere."""
    models = dict(known.models)
    for machine in machines:
        where = f"machine {machine.name!r}"
        endpoint = known.endpoints.get(machine.endpoint)
        if endpoint is None:
            told = f"{where} names the endpoint {machine.endpoint!r}, which does not exist"
            raise ConfigError(told + nearest(machine.endpoint, known.endpoints), key="machine.endpoint")
        if endpoint.tier is Tier.FRONTIER:
            raise ConfigError(f"{where}: {endpoint.name!r} is outside, no machine of yours", key="machine.endpoint")
        for served in machine.serves:
            model = models.get(served.model)
            if model is None or model.endpoint != endpoint.name:
                there = [one.id for one in models.values() if one.endpoint == endpoint.name]
                told = f"{where}: {endpoint.name!r} serves no model {served.model!r}{nearest(served.model, there)}"
                raise ConfigError(told, key="machine.serves.model")
            if model.price is not None or model.own is not None:
                told = f"{where}: the model {model.id!r} has a price" + (" at another machine" if model.own else "")
                raise ConfigError(told + "; leave one of both away", key="machine.serves.model")
            models[model.id] = msgspec.structs.replace(model, own=own_cost(machine, served))
    return catalog(known.endpoints, models, known.unusable, known.probes) if machines else known


def prices_at(
    known: Catalog, rows: Sequence[PriceRow], written: Mapping[str, Price | None]
) -> dict[str, Callable[[float], Price | None]]:
    """Return, for each model that answers anything and has a price, its price at a Unix time.

    `written` are the prices of models' own rows, which hold for every day.
    """
    book = PriceBook(rows)

    def of(model: Model) -> Callable[[float], Price | None]:
        where, own = place(known.endpoints[model.endpoint], model), written.get(model.id)

        @functools.cache
        def on(day: date) -> Price | None:
            return own or book.price(where, day)

        return lambda ts: on(day_of(ts))

    usable = (one for one in known.models.values() if one.price is not None and not one.tasks)
    return {model.id: of(model) for model in usable if "embeddings" not in model.capabilities}


class InForce(Protocol):
    """Whose rules are swapped."""

    rules: Rules


class DayPrices:
    """Follows the day for one gateway: calls that begin on a new day are priced by it, those under way by theirs."""

    def __init__(self, gateway: InForce, rows: tuple[PriceRow, ...], clock: Callable[[], float]) -> None:
        self._gateway, self._rows, self._clock = gateway, rows, clock
        self.day: date | None = None

    async def follow(self) -> None:
        """Look for a new day again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                self.look()
            except Exception:  # a defect of ours must not end the following in silence
                _log.exception("the prices of the day could not be taken up; those before stay in force")

    def look(self) -> None:
        """Take up the prices of today where it is another day than before."""
        day = day_of(self._clock())
        if day == self.day:
            return
        rules = self._gateway.rules
        found = priced(rules.catalog, Prices(rows=self._rows, day=day))
        if found.price_digest != rules.catalog.price_digest:
            self._gateway.rules = msgspec.structs.replace(rules, catalog=found)
            _log.warning("the prices of %s are in force", day)
        self.day = day
