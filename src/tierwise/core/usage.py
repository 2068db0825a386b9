"""How much was read and written? Disjoint token buckets, and their price.

Invariant: buckets do not overlap (cached input is not counted in `input`, reasoning not in `output`);
zero means measured zero, `None` for a whole `Usage` means unknown.
"""

from decimal import Decimal
from functools import cached_property
from math import lcm

import msgspec
from msgspec import UNSET, UnsetType

TOKENS_PER_MTOK = 1_000_000


class Media(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one attempt that stood for sound and pictures; they are in no other bucket."""

    audio_input: int = 0
    image_input: int = 0
    audio_output: int = 0
    image_output: int = 0

    @property
    def read(self) -> int:
        """All that was read of them."""
        return self.audio_input + self.image_input

    @property
    def written(self) -> int:
        """All that was written of them."""
        return self.audio_output + self.image_output


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one attempt. `estimated` is true where the endpoint reported nothing and text was measured instead.

    `cache_write` are those that stay cached for minutes or for a time unsaid, `cache_write_1h` those kept an hour.
    `media` is not written where there were none, `service` (batch, flex, priority) where the answer named none.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False
    media: Media | UnsetType = UNSET
    service: str | UnsetType = UNSET

    @property
    def fresh(self) -> int:
        """All that was read and stood in no cache."""
        return self.input if self.media is UNSET else self.input + self.media.read

    @property
    def read(self) -> int:
        """All that was read, cached or not."""
        text = self.input + self.cache_read + self.cache_write + self.cache_write_1h
        return text if self.media is UNSET else text + self.media.read

    @property
    def written(self) -> int:
        """All that was written, shown or not."""
        text = self.output + self.reasoning
        return text if self.media is UNSET else text + self.media.written


MOST_PLACES = 300
"""Exact sums of prices with more places than this take minutes, and nobody has such prices."""


class Rates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """US dollars for a million tokens of each kind. What is read defaults to the input price, what is written to the
    output price, an hour's cache to the other cache writes."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cache_read_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    cache_write_1h_usd_per_mtok: Decimal | None = None
    reasoning_usd_per_mtok: Decimal | None = None
    audio_input_usd_per_mtok: Decimal | None = None
    image_input_usd_per_mtok: Decimal | None = None
    audio_output_usd_per_mtok: Decimal | None = None
    image_output_usd_per_mtok: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what is no price; TOML and JSON readers name the place."""
        for name in RATES:
            rate = getattr(self, name)
            if rate is None:
                continue
            if not (rate.is_finite() and rate >= 0):
                raise ValueError(f"{name} is {rate}: a price is a number that is 0 or more")
            places = rate.as_tuple().exponent
            if not isinstance(places, int) or not -MOST_PLACES <= places <= MOST_PLACES:
                raise ValueError(f"{name} is no price: it has more than {MOST_PLACES} places")

    @cached_property
    def parts(self) -> tuple[tuple[int, ...], Decimal]:
        """All rates for one token, in the order of the fields, as whole parts of a dollar, and how many those are.

        Sums of whole numbers are as exact as those of decimals, and take a fraction of the time.
        """
        fresh, written = self.input_usd_per_mtok, self.output_usd_per_mtok
        kept = _or(self.cache_write_usd_per_mtok, fresh)
        rates = (
            fresh,
            written,
            _or(self.cache_read_usd_per_mtok, fresh),
            kept,
            _or(self.cache_write_1h_usd_per_mtok, kept),
            _or(self.reasoning_usd_per_mtok, written),
            _or(self.audio_input_usd_per_mtok, fresh),
            _or(self.image_input_usd_per_mtok, fresh),
            _or(self.audio_output_usd_per_mtok, written),
            _or(self.image_output_usd_per_mtok, written),
        )
        parts = lcm(*(rate.as_integer_ratio()[1] for rate in rates))
        return tuple(int(rate * parts) for rate in rates), Decimal(parts * TOKENS_PER_MTOK)


def _or(rate: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if rate is None else rate


RATES = Rates.__struct_fields__


class Band(Rates, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the whole request costs once more than `above_tokens` were read, cached or not."""

    above_tokens: int


class Tariff(Rates, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rates, and those of long requests; the highest band that a request is above holds for all of its tokens."""

    bands: tuple[Band, ...] = ()

    def __post_init__(self) -> None:
        """Refuse bands that are out of order, so that the last one below a request is the highest."""
        super().__post_init__()
        edges = [band.above_tokens for band in self.bands]
        if edges != sorted(set(edges)) or any(edge < 0 for edge in edges):
            raise ValueError("bands rise by above_tokens, and each says another")


class Price(Tariff, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model costs. `services` are the tariffs of what an answer may say that it was served as (batch, flex,
    priority); one that is not named here costs as the rest."""

    services: dict[str, Tariff] = {}
    source: str = ""
    as_of: str = ""
