"""What is different in this drill? Endpoints that are gone, other prices, other capacity, more or less traffic.

Knows words such as `openai=3x` and what they do to the rules in force; sends nothing and reads nothing.
Invariant: a scenario never widens what policy allows: it takes endpoints away and changes prices, capacity and load.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from tierwise.core.errors import InvalidCall
from tierwise.core.model import Endpoint
from tierwise.core.usage import RATES, Band, Price, Tariff
from tierwise.economics.limits import Limit
from tierwise.gateway.rules import Rules
from tierwise.registry.catalog import Catalog
from tierwise.registry.load import nearest

MOST_FACTOR = Decimal(10_000)
MOST_GROWTH = Decimal(1000)
MOST_SLOTS = 1_000_000
MOST_S = Decimal(86_400)
GONE = "gone in this drill"
ONE = Decimal(1)


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `NAME=VALUE`. `name` is an endpoint, a model, a kind of endpoint or a tier."""

    name: str
    value: str


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All changes, as they were written.

    `slots` and `takes` change nothing: they say what nobody measured, how many answers an endpoint makes at once today
    and how many seconds a model takes for one.
    """

    without: tuple[str, ...] = ()
    price: tuple[Change, ...] = ()
    capacity: tuple[Change, ...] = ()
    growth: Decimal = ONE
    slots: tuple[Change, ...] = ()
    takes: tuple[Change, ...] = ()

    @property
    def as_is(self) -> "Scenario":
        """Return what is said of today, without any change."""
        return Scenario(slots=self.slots, takes=self.takes)


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """Rules and capacities of one run. `slots` lacks endpoints whose capacity nobody said: they never let wait.

    `recorded_slots` are those of today, under which the traffic was recorded.
    """

    rules: Rules
    limits: tuple[Limit, ...] = ()
    slots: dict[str, int]
    recorded_slots: dict[str, int]
    takes_us: dict[str, int]
    growth: Decimal


def changes(words: Iterable[str], option: str) -> tuple[Change, ...]:
    """Read words such as `openai=3x`; InvalidCall for what is none."""
    found = []
    for word in words:
        name, sign, value = word.rpartition("=")
        if not sign or not name or not value:
            raise InvalidCall(f"{option} {word!r}: give NAME=VALUE, such as {EXAMPLES[option]}", param=option)
        found.append(Change(name=name.strip(), value=value.strip()))
    return tuple(found)


EXAMPLES: Mapping[str, str] = {
    "--price": "big=3x", "--capacity": "local=-1", "--slots": "local=4", "--takes": "big=2.5",
}  # fmt: skip


def factor(text: str, option: str, most: Decimal) -> Decimal:
    """Read `3x`; InvalidCall for what is none, negative, or absurd."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)x", text, re.ASCII)
    if found is None or Decimal(found[1]) > most:
        raise InvalidCall(f"{option} {text!r}: give a factor from 0x to {most}x, such as 3x or 0.5x", param=option)
    return Decimal(found[1])


def put_on(scenario: Scenario, rules: Rules, limits: tuple[Limit, ...] = ()) -> Setting:
    """Return the rules and capacities under the scenario. InvalidCall for a name or a value that leads nowhere."""
    known = rules.catalog
    gone = {name: GONE for word in scenario.without for name in endpoints(known, word, "--without")}
    slots = {name: count for name, one in known.endpoints.items() if (count := _configured(one)) is not None}
    for one in scenario.slots:
        slots |= dict.fromkeys(endpoints(known, one.name, "--slots"), _count(one, "--slots"))
    recorded = dict(slots)
    for one in scenario.capacity:
        slots |= {name: _capacity(one, name, slots) for name in endpoints(known, one.name, "--capacity")}
    gone |= {name: f"{GONE}: no capacity is left" for name, count in slots.items() if count == 0}
    models = dict(known.models)
    for one in scenario.price:
        times = factor(one.value, "--price", MOST_FACTOR)
        models |= _dearer(models, _of(known, one.name, "--price"), one, times)
    if scenario.growth <= 0:
        raise InvalidCall("--growth is more than 0x: without any call there is no drill", param="--growth")
    served = {
        name: msgspec.structs.replace(one, slots=slots.get(name) or None) for name, one in known.endpoints.items()
    }
    catalog = msgspec.structs.replace(known, endpoints=served, models=models, unusable=known.unusable | gone)
    takes = {model: _seconds(one) for one in scenario.takes for model in _of(known, one.name, "--takes")}
    changed = msgspec.structs.replace(rules, catalog=catalog)
    return Setting(
        rules=changed, limits=limits, slots=slots, recorded_slots=recorded, takes_us=takes, growth=scenario.growth
    )


def _configured(endpoint: Endpoint) -> int | None:
    """Return how many answers it makes at once as far as the configuration says."""
    return endpoint.slots or (None if endpoint.engine is None else endpoint.engine.slots)


def endpoints(known: Catalog, word: str, option: str) -> tuple[str, ...]:
    """Return the endpoints that a word means: one of that name, else all of that kind, else all of that tier."""
    if word in known.endpoints:
        return (word,)
    meant = (
        tuple(name for name, one in known.endpoints.items() if one.kind == word),
        tuple(name for name, one in known.endpoints.items() if one.tier.value == word),
    )
    found = next((names for names in meant if names), ())
    if not found:
        words = {*known.endpoints, *(one.kind for one in known.endpoints.values())}
        raise InvalidCall(f"{option} {word!r} is no endpoint, kind or tier{nearest(word, words)}", param=option)
    return found


def _of(known: Catalog, word: str, option: str) -> tuple[str, ...]:
    """Return the models that a word means: one of that id, else all of the endpoints that it means."""
    if word in known.models:
        return (word,)
    names = endpoints(known, word, option)
    return tuple(model.id for model in known.models.values() if model.endpoint in names)


def _dearer(models: Mapping[str, Any], names: tuple[str, ...], change: Change, times: Decimal) -> dict[str, Any]:
    priced = [name for name in names if models[name].price is not None]
    if not priced:
        raise InvalidCall(f"--price {change.name!r}: nothing there has a price that could change", param="--price")
    return {name: msgspec.structs.replace(models[name], price=_times(models[name].price, times)) for name in priced}


def _times(price: Price, times: Decimal) -> Price:
    """Return the price with every rate multiplied, those of long requests and of services too."""
    services = {name: msgspec.structs.replace(one, **_rates(one, times)) for name, one in price.services.items()}
    return msgspec.structs.replace(price, **_rates(price, times), services=services)


def _rates(tariff: Tariff, times: Decimal) -> dict[str, Any]:
    bands = tuple(msgspec.structs.replace(band, **_own(band, times)) for band in tariff.bands)
    return _own(tariff, times) | {"bands": bands}


def _own(rates: Tariff | Band, times: Decimal) -> dict[str, Any]:
    given = ((name, getattr(rates, name)) for name in RATES)
    return {name: rate * times for name, rate in given if rate is not None}


def _capacity(change: Change, name: str, slots: Mapping[str, int]) -> int:
    if change.value[:1] not in "+-":
        return _count(change, "--capacity")
    if name not in slots:
        raise InvalidCall(
            f"--capacity {change.name}={change.value}: how many answers {name} makes at once is not known here;"
            f" say so with --slots {name}=N, or what it will be with --capacity {name}=N",
            param="--capacity",
        )
    more = _count(Change(name=change.name, value=change.value[1:]), "--capacity")
    return max(0, slots[name] - more if change.value[0] == "-" else slots[name] + more)


def _count(change: Change, option: str) -> int:
    count = int(change.value) if re.fullmatch(r"\d{1,9}", change.value, re.ASCII) else -1
    if not 0 <= count <= MOST_SLOTS:
        raise InvalidCall(f"{option} {change.name}={change.value}: give a number of answers at once", param=option)
    return count


def _seconds(change: Change) -> int:
    found = re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", change.value, re.ASCII)
    if found is None or Decimal(change.value) > MOST_S:
        raise InvalidCall(f"--takes {change.name}={change.value}: give seconds for an answer", param="--takes")
    return int(Decimal(change.value) * 1_000_000)
