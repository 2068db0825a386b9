"""What do the data files of genai-prices say? (pydantic/genai-prices, prices/data.json, read 2026-11-21)

Providers with models; dollars for a million tokens, each rate by itself with steps by length, and rows that begin on a
day. A model stands for every name that its `match` says; regular expressions are not followed.
"""

from collections.abc import Collection, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

from tierwise.cli.imports.pricing import Found, Rates, amount, objects

TITLE = "genai-prices"
_RATES = {
    "input_mtok": "input_usd_per_mtok",
    "output_mtok": "output_usd_per_mtok",
    "cache_read_mtok": "cache_read_usd_per_mtok",
    "cache_write_mtok": "cache_write_usd_per_mtok",
    "cache_write_1h_mtok": "cache_write_1h_usd_per_mtok",
    "input_audio_mtok": "audio_input_usd_per_mtok",
    "output_audio_mtok": "audio_output_usd_per_mtok",
    "input_image_mtok": "image_input_usd_per_mtok",
    "output_image_mtok": "image_output_usd_per_mtok",
}
MOST_DEPTH = 8


def recognised(value: Any) -> bool:
    """Say whether a file is such a list."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(row, dict) and isinstance(row.get("models"), list) for row in value)
    )


def found(value: Any, models: Collection[str]) -> Iterator[Found]:
    """Give the prices of these models; at one provider the first that stands for a name is meant."""
    for row in value:
        by, listed = str(row.get("id", "")), objects(row["models"])
        for name in models:
            model = next((one for one in listed if one.get("id") == name or _matches(one.get("match"), name)), None)
            if model is not None:
                yield from _dated(name, by, model.get("prices"))


def _matches(rule: Any, name: str, depth: int = 0) -> bool:
    if not isinstance(rule, dict) or depth > MOST_DEPTH:
        return False
    for word, said in rule.items():
        match word, said:
            case "or", list():
                hit = any(_matches(one, name, depth + 1) for one in said)
            case "and", list():
                hit = bool(said) and all(_matches(one, name, depth + 1) for one in said)
            case "equals", str():
                hit = name == said
            case "starts_with", str():
                hit = name.startswith(said)
            case "ends_with", str():
                hit = name.endswith(said)
            case "contains", str():
                hit = said in name
            case _:
                hit = False
        if not hit:
            return False
    return bool(rule)


def _dated(name: str, by: str, prices: Any) -> Iterator[Found]:
    for row in objects(prices if isinstance(prices, list) else [{"prices": prices}]):
        if not isinstance(row.get("prices"), dict):
            continue
        when = row.get("constraint")
        day = when.get("start_date") if isinstance(when, dict) else None
        if when is not None and not isinstance(day, str):
            continue  # prices by the hour of the day: there is no such row here
        yield _found(name, by, row["prices"], None if day is None else date.fromisoformat(day))


def _found(name: str, by: str, prices: dict[str, Any], starts: date | None) -> Found:
    plain: Rates = {}
    steps: dict[int, Rates] = {}
    for key, value in prices.items():
        rate, base = _RATES.get(key), amount(value.get("base") if isinstance(value, dict) else value)
        if rate is None or base is None:
            continue
        plain[rate] = base
        for step in objects(value.get("tiers")) if isinstance(value, dict) else ():
            if isinstance(step.get("start"), int) and (dearer := amount(step.get("price"))) is not None:
                steps.setdefault(step["start"], {})[rate] = dearer
    unread = sorted(set(prices) - set(_RATES))
    return Found(
        model=name,
        provider=by,
        rates={"output_usd_per_mtok": Decimal(0)} | plain,
        bands=tuple(_bands(plain, steps)),
        starts=starts,
        notes=(f"not read: {', '.join(unread)}",) if unread else (),
    )


def _bands(plain: Rates, steps: dict[int, Rates]) -> Iterator[dict[str, Any]]:
    """Give complete bands: a rate that does not change at a length costs as below it."""
    rates = {"output_usd_per_mtok": Decimal(0)} | plain
    for start in sorted(steps):
        rates = rates | steps[start]
        yield {"above_tokens": start} | rates
