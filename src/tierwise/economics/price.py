"""What does an attempt cost, and what could it cost at most?

Pure arithmetic in `Decimal`; knows no models and no price list.
Invariant: cost is exact, never negative, and never falls when a token is added (unless a price says that long requests
are cheaper).
"""

from decimal import Decimal
from itertools import chain

from msgspec import UNSET

from tierwise.core.usage import Price, Rates, Tariff, Usage

MTOK = Decimal(1_000_000)
# The longest answer that an endpoint gives where neither the caller nor the model's row says (2026-11: the longest that
# any row or wire here knows of).
MOST_OUTPUT_TOKENS = 128_000
# Measured answers are far shorter than their limit; for the *expected* cost of a call this many tokens stand in.
EXPECTED_OUTPUT_TOKENS = 256


def cost_usd(price: Price, usage: Usage) -> Decimal:
    """Price the usage at the rates that hold for the whole request."""
    rates = _rates(price, usage)
    fresh, written = rates.input_usd_per_mtok, rates.output_usd_per_mtok
    total = usage.input * fresh + usage.output * written
    if usage.reasoning:
        total += usage.reasoning * _or(rates.reasoning_usd_per_mtok, written)
    if usage.cache_read:
        total += usage.cache_read * _or(rates.cache_read_usd_per_mtok, fresh)
    if usage.cache_write or usage.cache_write_1h:
        write = _or(rates.cache_write_usd_per_mtok, fresh)
        total += usage.cache_write * write + usage.cache_write_1h * _or(rates.cache_write_1h_usd_per_mtok, write)
    media = usage.media
    if media is not UNSET:
        total += media.audio_input * _or(rates.audio_input_usd_per_mtok, fresh)
        total += media.image_input * _or(rates.image_input_usd_per_mtok, fresh)
        total += media.audio_output * _or(rates.audio_output_usd_per_mtok, written)
        total += media.image_output * _or(rates.image_output_usd_per_mtok, written)
    return total / MTOK


def expected_cost_usd(price: Price, input_tokens: int, max_output_tokens: int | None) -> Decimal:
    """Estimate the cost of a call before it is made, with a typical length of answer."""
    output = min(max_output_tokens or EXPECTED_OUTPUT_TOKENS, EXPECTED_OUTPUT_TOKENS)
    return cost_usd(price, Usage(input=input_tokens, output=output))


def most_output_tokens(asked: int | None, most: int | None, context: int | None) -> int:
    """Bound the length of one answer by what limits it: the caller, the model's own limit, its context."""
    return min((limit for limit in (asked, most, context) if limit is not None), default=MOST_OUTPUT_TOKENS)


def worst_cost_usd(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    """Bound the cost of a call before it is made: the upper estimate of input and the longest output.

    Each token is bounded at its dearest bucket, in whatever band and service the answer may say it was served.
    """
    tariffs: tuple[Tariff, ...] = (price, *price.services.values())
    possible = [*tariffs, *(band for tariff in tariffs for band in tariff.bands if band.above_tokens < input_tokens)]
    return (
        max(input_tokens * _dearest_read(rates) + output_tokens * _dearest_written(rates) for rates in possible) / MTOK
    )


def blended_usd_per_mtok(price: Price, mix: Usage) -> Decimal:
    """Return what a million tokens cost in this mix of kinds; 0 where the mix is of none."""
    tokens = mix.read + mix.written
    return cost_usd(price, mix) * MTOK / tokens if tokens else Decimal(0)


def _rates(price: Price, usage: Usage) -> Rates:
    """Return the rates of the whole request: by what the answer says it was served as, and by how much was read."""
    tariff: Tariff = price
    if price.services and usage.service is not UNSET:
        tariff = price.services.get(usage.service, price)
    if tariff.bands:
        read = usage.read
        for band in reversed(tariff.bands):
            if read > band.above_tokens:
                return band
    return tariff


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate


def _dearest_read(rates: Rates) -> Decimal:
    named = (
        rates.cache_read_usd_per_mtok,
        rates.cache_write_usd_per_mtok,
        rates.cache_write_1h_usd_per_mtok,
        rates.audio_input_usd_per_mtok,
        rates.image_input_usd_per_mtok,
    )
    return max(chain((rates.input_usd_per_mtok,), (rate for rate in named if rate is not None)))


def _dearest_written(rates: Rates) -> Decimal:
    named = rates.reasoning_usd_per_mtok, rates.audio_output_usd_per_mtok, rates.image_output_usd_per_mtok
    return max(chain((rates.output_usd_per_mtok,), (rate for rate in named if rate is not None)))
