"""Which prices does a public list name for these models? Lists of three projects as `[[price]]` rows.

Knows no list: a module for each says how it is recognised and what it means. Amounts are read as decimals.
Invariant: a row that would not load, or whose provider is none of ours, is left out and named; nothing is guessed.
"""

import hashlib
import importlib
import json
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NoReturn

import msgspec

from tierwise.cli.imports.place import provider, rows
from tierwise.cli.imports.source import shown
from tierwise.cli.imports.written import value_text
from tierwise.core.errors import ConfigError
from tierwise.core.prices import PriceRow

MAX_BYTES = 32 * 1024 * 1024
TITLE_CHARS = 12
MOST_DIGITS = 15
Rates = dict[str, Decimal]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a list says of one model at one provider. `bands` and `services` are complete, as ours are."""

    model: str
    provider: str
    rates: Rates
    bands: tuple[dict[str, Any], ...] = ()
    services: dict[str, Any] = {}
    region: str | None = None
    starts: date | None = None
    notes: tuple[str, ...] = ()


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """The rows for the models that were asked for, and what was left out, with the reason."""

    title: str
    rows: tuple[PriceRow, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]


def listed(data: bytes, file: str, models: Sequence[str], today: date) -> Listed:
    """Read a list of prices and return its rows for these models, by the names under which they are served."""
    value = _read(data, file)
    modules: list[Any] = [importlib.import_module(f"tierwise.cli.imports.{name}") for name in rows().price_lists]
    module = next((one for one in modules if one.recognised(value)), None)
    if module is None:
        known = ", ".join(one.TITLE for one in modules)
        raise ConfigError(f"{file} is no list of prices that is known ({known})", file=file)
    digest = hashlib.sha256(data).hexdigest()[:TITLE_CHARS]
    source = f"{module.TITLE}, {file}, SHA-256 {digest}…"
    kept: dict[tuple[Any, ...], PriceRow] = {}
    left_out: list[str] = []
    notes: list[str] = []
    try:
        every = list(module.found(value, frozenset(models)))
    except ValueError as error:
        raise ConfigError(f"{file}: {error}", file=file) from None
    for one in every:
        try:
            row = _row(one, source, today)
        except (msgspec.ValidationError, ValueError) as error:
            left_out.append(f"{shown(one.model)} at {shown(one.provider)}: {error}")
            continue
        kept.setdefault((row.model, row.kinds, row.region, row.starts), row)
        notes += [f"{shown(one.model)}: {note}" for note in one.notes]
    met = {row.model for row in kept.values()}
    left_out += [f"{shown(model)}: the list has no price for it" for model in models if model not in met]
    return Listed(title=module.TITLE, rows=tuple(kept.values()), left_out=tuple(left_out), notes=tuple(notes))


def written(prices: Sequence[PriceRow]) -> str:
    """Return the rows as TOML."""
    return "\n".join(line for row in prices for line in _lines(row)) + "\n"


def amount(value: Any) -> Decimal | None:
    """Return a price as it stands in a list, None where there is none."""
    if not isinstance(value, Decimal | int) or isinstance(value, bool):
        return None
    if (price := Decimal(value)) and not -MOST_DIGITS < price.adjusted() < MOST_DIGITS:
        raise ValueError(f"{price:.3e} dollars are no price")
    return price


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _read(data: bytes, file: str) -> Any:
    def refused(word: str) -> NoReturn:
        raise ValueError(f"{word} is no JSON number")

    if len(data) > MAX_BYTES:
        raise ConfigError(f"{file} is larger than {MAX_BYTES // 1024**2} MiB: no list of prices is", file=file)
    try:
        return json.loads(data.decode("utf-8-sig"), parse_float=Decimal, parse_constant=refused)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{file} is not JSON: {error}", file=file) from None


def _row(one: Found, source: str, today: date) -> PriceRow:
    place = provider(one.provider)
    if place is None or place.absent or place.url is not None:
        why = place.absent if place is not None and place.absent else "no kind of endpoint is this provider's alone"
        raise ValueError(why)
    fields: dict[str, Any] = {"model": one.model, "origin": "list", "kinds": [place.kind], **one.rates}
    fields |= {"bands": list(one.bands), "services": one.services, "source": source, "as_of": today.isoformat()}
    if one.region is not None:
        fields["region"] = one.region
    if one.starts is not None:
        fields["starts"] = one.starts
    return msgspec.convert(fields, PriceRow)


def _lines(row: PriceRow) -> Iterator[str]:
    yield ""
    yield "[[price]]"
    for name, value in msgspec.to_builtins(row, builtin_types=(Decimal, date)).items():
        if value not in (None, "", [], (), {}):
            yield f"{name} = {value_text(_bare(value))}"


def _bare(value: Any) -> Any:
    """Leave out of nested tables what is not set."""
    if isinstance(value, dict):
        return {name: _bare(item) for name, item in value.items() if item not in (None, [], ())}
    return [_bare(item) for item in value] if isinstance(value, list | tuple) else value
