"""What does models.dev's api.json say? (anomalyco/models.dev, read 2026-11-21)

Providers with models; dollars for a million tokens. `tiers` are complete prices from a length on; the older
`context_over_200k` says that of 200,000 tokens although the true length is often higher, so it is used only alone.
"""

from collections.abc import Collection, Iterator
from typing import Any

from tierwise.cli.imports.pricing import Found, Rates, amount, objects

TITLE = "models.dev"
OLD_LENGTH = 200_000
_RATES = {
    "input": "input_usd_per_mtok",
    "output": "output_usd_per_mtok",
    "reasoning": "reasoning_usd_per_mtok",
    "cache_read": "cache_read_usd_per_mtok",
    "cache_write": "cache_write_usd_per_mtok",
    "input_audio": "audio_input_usd_per_mtok",
    "output_audio": "audio_output_usd_per_mtok",
}


def recognised(value: Any) -> bool:
    """Say whether a file is such a list."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(row, dict) and isinstance(row.get("models"), dict) for row in value.values())
    )


def found(value: Any, models: Collection[str]) -> Iterator[Found]:
    """Give the prices of these models."""
    for by, row in value.items():
        for name, model in row["models"].items():
            cost = model.get("cost") if isinstance(model, dict) else None
            if name in models and isinstance(cost, dict):
                bands, notes = _bands(cost)
                yield Found(model=name, provider=by, rates=_rates(cost), bands=bands, notes=notes)


def _rates(cost: dict[str, Any]) -> Rates:
    return {ours: price for theirs, ours in _RATES.items() if (price := amount(cost.get(theirs))) is not None}


def _bands(cost: dict[str, Any]) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...]]:
    found: dict[int, Rates] = {}
    for tier in objects(cost.get("tiers")):
        about = tier.get("tier")
        if isinstance(about, dict) and about.get("type", "context") == "context" and isinstance(about.get("size"), int):
            found[about["size"]] = _rates(tier)
    old = cost.get("context_over_200k")
    notes: tuple[str, ...] = ()
    if not found and isinstance(old, dict):
        found[OLD_LENGTH] = _rates(old)
        notes = (f"long requests are taken to begin at {OLD_LENGTH:,} tokens: the list does not say where",)
    return tuple({"above_tokens": length} | _rates(cost) | found[length] for length in sorted(found)), notes
