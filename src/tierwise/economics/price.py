"""What does an attempt cost, and what could it cost at most?

Pure arithmetic in `Decimal`; knows no models and no price list.
Invariant: cost is exact, never negative, and never falls when a token is added (unless a price says that long requests
are cheaper).
"""

from decimal import Decimal

from msgspec import UNSET

from tierwise.core.usage import TOKENS_PER_MTOK, Price, Rates, Tariff, Usage

# The longest answer that an endpoint gives where neither the caller nor the model's row says (2026-11: the longest that
# any row or wire here knows of).
MOST_OUTPUT_TOKENS = 128_000
# Measured answers are far shorter than their limit; for the *expected* cost of a call this many tokens stand in.
EXPECTED_OUTPUT_TOKENS = 256


def cost_usd(price: Price, usage: Usage) -> Decimal:
    """Price the usage at the rates that hold for the whole request."""
    (fresh, written, cached, kept, hour, thought, heard, seen, spoken, drawn), parts = _rates(price, usage).parts
    total = usage.input * fresh + usage.output * written + usage.reasoning * thought + usage.cache_read * cached
    total += usage.cache_write * kept + usage.cache_write_1h * hour
    media = usage.media
    if media is not UNSET:
        total += media.audio_input * heard + media.image_input * seen
        total += media.audio_output * spoken + media.image_output * drawn
    return Decimal(total) / parts


def expected_cost_usd(price: Price, input_tokens: int, max_output_tokens: int | None) -> Decimal:
    """Estimate the cost of a call before it is made, with a typical length of answer."""
    output = min(max_output_tokens or EXPECTED_OUTPUT_TOKENS, EXPECTED_OUTPUT_TOKENS)
    return cost_usd(price, Usage(input=input_tokens, output=output))


def most_output_tokens(asked: int | None, most: int | None, context: int | None) -> int:
    """Bound the length of one answer by what limits it: the caller, the model's own limit, its context."""
    least = asked
    if most is not None and (least is None or most < least):
        least = most
    if context is not None and (least is None or context < least):
        least = context
    return MOST_OUTPUT_TOKENS if least is None else least


def worst_cost_usd(price: Price, input_tokens: int, output_tokens: int) -> Decimal:
    """Bound the cost of a call before it is made: the upper estimate of input and the longest output.

    Each token is bounded at its dearest bucket, in whatever band and service the answer may say it was served.
    """
    tariffs: tuple[Tariff, ...] = (price, *price.services.values())
    possible = [*tariffs, *(band for tariff in tariffs for band in tariff.bands if band.above_tokens < input_tokens)]
    return max(_dearest(rates, input_tokens, output_tokens) for rates in possible)


def blended_usd_per_mtok(price: Price, mix: Usage) -> Decimal:
    """Return what a million tokens cost in this mix of kinds; 0 where the mix is of none."""
    tokens = mix.read + mix.written
    return cost_usd(price, mix) * TOKENS_PER_MTOK / tokens if tokens else Decimal(0)


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


def _dearest(rates: Rates, input_tokens: int, output_tokens: int) -> Decimal:
    (fresh, written, cached, kept, hour, thought, heard, seen, spoken, drawn), parts = rates.parts
    read = max(fresh, cached, kept, hour, heard, seen)
    return Decimal(input_tokens * read + output_tokens * max(written, thought, spoken, drawn)) / parts
