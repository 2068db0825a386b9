"""What does LiteLLM's model_prices_and_context_window.json say? (BerriAI/litellm at 00035b69, read 2026-11-21)

A table by name; dollars for one token. A key may end in a length (`_above_200k_tokens`), a service (`_priority`) or
both. What a length or service does not name costs as without it.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from decimal import Decimal
from typing import Any

from tierwise.cli.imports.place import provider
from tierwise.cli.imports.pricing import Found, Rates, amount
from tierwise.core.usage import TOKENS_PER_MTOK

TITLE = "LiteLLM's list of prices"
_RATES = {
    "input_cost_per_token": "input_usd_per_mtok",
    "output_cost_per_token": "output_usd_per_mtok",
    "output_cost_per_reasoning_token": "reasoning_usd_per_mtok",
    "cache_read_input_token_cost": "cache_read_usd_per_mtok",
    "cache_creation_input_token_cost": "cache_write_usd_per_mtok",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_usd_per_mtok",
    "input_cost_per_audio_token": "audio_input_usd_per_mtok",
    "output_cost_per_audio_token": "audio_output_usd_per_mtok",
    "input_cost_per_image_token": "image_input_usd_per_mtok",
    "output_cost_per_image_token": "image_output_usd_per_mtok",
}
_SERVICES = {"batches": "batch", "flex": "flex", "priority": "priority"}
_KEY = re.compile(rf"({'|'.join(_RATES)})(?:_above_(\d{{1,5}})k_tokens)?(?:_({'|'.join(_SERVICES)}))?", re.ASCII)
_REGIONS = frozenset(("eu", "us", "jp", "apac", "au", "global"))
Variant = tuple[str, int]


def recognised(value: Any) -> bool:
    """Say whether a file is such a list."""
    return isinstance(value, dict) and any(
        isinstance(row, dict) and "litellm_provider" in row and "input_cost_per_token" in row for row in value.values()
    )


def found(value: Any, models: Collection[str]) -> Iterator[Found]:
    """Give the prices of these models."""
    for key, row in value.items():
        if not isinstance(row, dict) or "input_cost_per_token" not in row:
            continue
        by = str(row.get("litellm_provider", ""))
        name, region = _named(key, by)
        if name in models:
            yield _found(name, by, region, row)


def _named(key: str, by: str) -> tuple[str, str | None]:
    """Return the name under which a model is served, and the region that stands before it."""
    head, slash, tail = key.partition("/")
    place = provider(head)
    name = tail if slash and place is not None and place == provider(by) else key
    region, slash, rest = name.partition("/")
    return (rest, region) if slash and region in _REGIONS else (name, None)


def _found(name: str, by: str, region: str | None, row: dict[str, Any]) -> Found:
    variants: dict[Variant, Rates] = defaultdict(dict)
    for key, value in row.items():
        matched, price = _KEY.fullmatch(key), amount(value)
        if matched is None or price is None:
            continue
        rate, length, service = matched.groups()
        variants[_SERVICES.get(service or "", ""), int(length or 0) * 1000][_RATES[rate]] = price * TOKENS_PER_MTOK
    plain = {"output_usd_per_mtok": Decimal(0)} | variants["", 0]
    services = {
        service: plain | variants[service, 0] | {"bands": _bands(variants, plain | variants[service, 0], service)}
        for service in dict.fromkeys(service for service, _ in tuple(variants) if service)
    }
    bands = tuple(_bands(variants, plain, ""))
    return Found(model=name, provider=by, region=region, rates=plain, bands=bands, services=services)


def _bands(variants: dict[Variant, Rates], plain: Rates, service: str) -> list[dict[str, Any]]:
    """Return the bands of a service: where it names no length of its own, the ordinary ones hold."""
    lengths = sorted({length for of, length in tuple(variants) if length and of in ("", service)})
    return [
        {"above_tokens": length} | plain | variants.get(("", length), {}) | variants.get((service, length), {})
        for length in lengths
    ]
