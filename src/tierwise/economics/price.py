"""What does an attempt cost, and what could it cost at most?

Pure arithmetic in `Decimal`; knows no models and no price list.
Invariant: cost is exact, never negative, and never falls when a token is added.
"""

from decimal import Decimal

from tierwise.core.usage import Price, Usage

MTOK = Decimal(1_000_000)
# The longest answer that an endpoint gives where neither the caller nor the model's row says (2026-11: the longest that
# any row or wire here knows of).
MOST_OUTPUT_TOKENS = 128_000
# Measured answers are far shorter than their limit; for the *expected* cost of a call this many tokens stand in.
EXPECTED_OUTPUT_TOKENS = 256


def cost_usd(price: Price, usage: Usage) -> Decimal:
    """Price the usage: reasoning is billed as output, cached input at the input price where no other is known."""
    total = usage.input * price.input_usd_per_mtok + usage.written * price.output_usd_per_mtok
    if usage.read > usage.input:
        read, write, hour = _cache_usd_per_mtok(price)
        total += usage.cache_read * read + usage.cache_write * write + usage.cache_write_1h * hour
    return total / MTOK


def expected_cost_usd(price: Price, input_tokens: int, max_output_tokens: int | None) -> Decimal:
    """Estimate the cost of a call before it is made, with a typical length of answer."""
    output = min(max_output_tokens or EXPECTED_OUTPUT_TOKENS, EXPECTED_OUTPUT_TOKENS)
    return (input_tokens * price.input_usd_per_mtok + output * price.output_usd_per_mtok) / MTOK


def most_output_tokens(asked: int | None, most: int | None, context: int | None) -> int:
    """Bound the length of one answer by what limits it: the caller, the model's own limit, its context."""
    return min((limit for limit in (asked, most, context) if limit is not None), default=MOST_OUTPUT_TOKENS)


def worst_cost_usd(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    """Bound the cost of a call before it is made: the upper estimate of input and the longest output.

    Input is bounded at its dearest bucket, as a cache write may cost more than fresh input.
    """
    dearest = max(price.input_usd_per_mtok, *_cache_usd_per_mtok(price))
    return (input_tokens * dearest + output_tokens * price.output_usd_per_mtok) / MTOK


def _cache_usd_per_mtok(price: Price) -> tuple[Decimal, Decimal, Decimal]:
    """Return the prices of what is read from a cache, written to it, and written for an hour."""
    read, write, hour = price.cache_read_usd_per_mtok, price.cache_write_usd_per_mtok, price.cache_write_1h_usd_per_mtok
    written = price.input_usd_per_mtok if write is None else write
    return price.input_usd_per_mtok if read is None else read, written, written if hour is None else hour


def blended_usd_per_mtok(price: Price, mix: Usage) -> Decimal:
    """Return what a million tokens cost in this mix of kinds; 0 where the mix is of none."""
    tokens = mix.read + mix.written
    return cost_usd(price, mix) * MTOK / tokens if tokens else Decimal(0)
