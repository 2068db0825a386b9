"""How much was read and written? Disjoint token buckets, and their price.

Invariant: buckets do not overlap (cached input is not counted in `input`, reasoning not in `output`);
zero means measured zero, `None` for a whole `Usage` means unknown.
"""

from decimal import Decimal

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens of one attempt. `estimated` is true where the endpoint reported nothing and text was measured instead.

    `cache_write` are those that stay cached for minutes or for a time unsaid, `cache_write_1h` those kept an hour.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    estimated: bool = False

    @property
    def read(self) -> int:
        """All that was read, cached or not."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h

    @property
    def written(self) -> int:
        """All that was written, shown or not."""
        return self.output + self.reasoning


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """US dollars for a million tokens of each kind. Cache prices default to the input price, the one for
    an hour's cache to that of the other cache writes."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    cache_read_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    cache_write_1h_usd_per_mtok: Decimal | None = None
    source: str = ""
    as_of: str = ""
