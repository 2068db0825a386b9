"""What do the gateways say alike? Prices, durations and words about what is left over, each for one row."""

from collections.abc import Iterable
from decimal import Decimal

from tierwise.cli.imports.draft import Draft
from tierwise.cli.imports.place import Provider, gateways
from tierwise.cli.imports.source import shown
from tierwise.cli.imports.table import Table
from tierwise.core.usage import TOKENS_PER_MTOK
from tierwise.registry.kinds import kinds

_WINDOWS = {"1h": "1h", "1d": "1d", "24h": "1d", "7d": "7d", "30d": "30d", "1mo": "30d"}


def leftovers(draft: Draft, tables: Iterable[Table]) -> list[str]:
    """Return a comment for every key of the tables that nobody took."""
    unlike = gateways()[draft.gateway].unlike
    return [f"{place}: {unlike.get(name, 'no counterpart')}" for table in tables for name, place in table.left()]


def price(table: Table | None) -> dict[str, Decimal] | None:
    """Return the price of a model whose prices stand in US dollars a token."""
    if table is None:
        return None
    found = {
        ours: each * TOKENS_PER_MTOK
        for ours, theirs in (
            ("input_usd_per_mtok", "input_cost_per_token"),
            ("output_usd_per_mtok", "output_cost_per_token"),
            ("cache_read_usd_per_mtok", "cache_read_input_token_cost"),
            ("cache_write_usd_per_mtok", "cache_creation_input_token_cost"),
        )
        if (each := table.number(theirs)) is not None
    }
    if "input_usd_per_mtok" in found:
        found.setdefault("output_usd_per_mtok", Decimal(0))
    return found if "input_usd_per_mtok" in found else None


def seconds(number: Decimal | None, per_second: int = 1) -> float | None:
    """Return a time limit in seconds; 0 and nothing mean that none is said."""
    return float(number / per_second) if number else None


def window(duration: str | None) -> str | None:
    """Return the budget window of a duration, where there is one of that length."""
    return _WINDOWS.get((duration or "").lower())


def impossible(row: Provider | None, name: str, url: str | None) -> str | None:
    """Say why a model of this provider cannot be carried over, or None where it can."""
    if row is None:
        known = "is not known here; where it speaks the chat wire, write it as an endpoint with its url"
        return f"the provider {shown(name)!r} {known}"
    if row.absent:
        return row.absent
    if url is None and row.url is None and kinds()[row.kind].url is None:
        return "its address is missing: write it as url"
    return None


def can_embed(draft: Draft, endpoint: str) -> bool:
    """Say whether models at an endpoint can make embeddings."""
    return "embeddings" in kinds()[draft.endpoints[endpoint].fields["kind"]].wires
