"""What does a token cost on a machine of one's own? Its month, over the seconds it works, over its tokens a second.

A call pays for the seconds that it takes of the machine, so that reading and writing cost each by its own speed.
Knows no endpoint and measures nothing. Invariant: a machine that waits more makes every token dearer, never cheaper.
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

import msgspec

from tierwise.core.errors import InvalidCall
from tierwise.core.model import OwnCost
from tierwise.core.usage import Price, Usage
from tierwise.economics.given import NOTHING, ZERO, Corner, Given, least_sure, total
from tierwise.economics.serving import HOURS_PER_MONTH, SECONDS_PER_HOUR, Power, usd_per_mtok

SECONDS_PER_MONTH = HOURS_PER_MONTH * SECONDS_PER_HOUR
WATT_SECONDS_PER_KWH = Decimal(3_600_000)
FINEST = Decimal("1e-9")
"""To so many dollars for a million tokens a cost is written."""
Counts = Literal["full", "marginal"]
CORNERS: tuple[Corner, ...] = ("value", "cheapest", "dearest")


class Served(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast the machine serves a model at the latency target, over all that it does at once (not for one caller).

    Without `input_tokens_per_s`, all of a call's time is counted at what it writes.
    """

    model: str
    output_tokens_per_s: Given
    input_tokens_per_s: Given | None = None

    def __post_init__(self) -> None:
        """Refuse a speed of nothing."""
        speeds = (self.output_tokens_per_s, self.input_tokens_per_s)
        if any(speed is not None and not speed.least for speed in speeds):
            raise ValueError(f"{self.model!r}: tokens per second are more than 0, in the worst case too")

    def tokens_per_s(self, mix: Usage) -> Given:
        """Return how many tokens of this mix it reads and writes each second; what is cached is not read again."""
        if not mix.written and (self.input_tokens_per_s is None or mix.read == mix.cache_read):
            raise InvalidCall("a mix without anything that takes time has no speed", param="mix")
        parts = [_counted(mix.written).over(self.output_tokens_per_s)]
        if self.input_tokens_per_s is not None:
            parts.append(_counted(mix.read - mix.cache_read).over(self.input_tokens_per_s))
        return _counted(mix.read + mix.written).over(total(parts))


class Machine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[machine]]`: what it was bought for, what a month of it costs, and how much of its time it works.

    `routes_by`: `full` compares with all of its cost, `marginal` with what one more call adds, which is power: right
    for a machine that stands there anyway. `usd_per_month` is hosting, or a rent.
    """

    name: str
    endpoint: str
    busy_share: Given
    usd_once: Given = NOTHING
    months: int = 36
    residual: Given = NOTHING
    usd_per_month: Given = NOTHING
    power: Power | None = None
    routes_by: Counts = "full"
    serves: tuple[Served, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a machine that never works, works more than always, or takes less while it works."""
        if not 0 < self.busy_share.least <= self.busy_share.most <= 1:
            raise ValueError(f"{self.name!r}: busy_share is a share above 0 and at most 1")
        if self.months < 1 or self.residual.most > 1:
            raise ValueError(f"{self.name!r}: months must be 1 or more, and residual a share between 0 and 1")
        if self.power is not None and self.power.busy_watts.value < self.power.idle_watts.value:
            raise ValueError(f"{self.name!r}: busy_watts are no less than idle_watts")

    def busy_usd_per_s(self, counts: Counts, corner: Corner) -> Decimal:
        """Return what a second of work costs: with its share of all the waiting, or what it adds to that."""
        if counts == "marginal":
            return ZERO if self.power is None else _usd_of(self.power, corner, _added_watts(self.power, corner))
        share, kept = self.busy_share.as_gain(corner), 1 - self.residual.as_gain(corner)
        standing = self.usd_once.as_cost(corner) * kept / self.months + self.usd_per_month.as_cost(corner)
        usd = standing / (SECONDS_PER_MONTH * share)
        if self.power is None:
            return usd
        waits = self.power.idle_watts.as_cost(corner) * (1 - share) / share
        return usd + _usd_of(self.power, corner, self.power.busy_watts.as_cost(corner) + waits)

    @property
    def standing_usd_per_month(self) -> Given:
        """What a month of it costs while it only waits, besides what it was bought for."""
        waits = NOTHING if self.power is None else self.power.usd_per_month(ZERO)
        return total((self.usd_per_month, waits))

    def inputs(self, counts: Counts) -> tuple[Given, ...]:
        """Return every number that a second of it is made of."""
        power, own = self.power, (self.busy_share, self.usd_once, self.residual, self.usd_per_month)
        drawn = () if power is None else (power.idle_watts, power.busy_watts, power.usd_per_kwh, power.overhead)
        return tuple(one for one in ((*own, *drawn) if counts == "full" else drawn) if one.most > 0)


class TokenCost(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars for a million tokens, as surely as they are known."""

    input_usd_per_mtok: Given
    output_usd_per_mtok: Given

    @property
    def price(self) -> Price:
        """Return it as a price, to compare calls by."""
        source = self.output_usd_per_mtok.source
        return Price(
            input_usd_per_mtok=self.input_usd_per_mtok.value,
            output_usd_per_mtok=self.output_usd_per_mtok.value,
            cache_read_usd_per_mtok=ZERO,
            source=source,
        )

    def blended(self, mix: Usage) -> Given:
        """Return what a million tokens of this mix cost; what is cached takes no time."""
        read, written = mix.read - mix.cache_read, mix.written
        each = Decimal(1) / max(1, mix.read + written)
        return total((self.input_usd_per_mtok.times(read * each), self.output_usd_per_mtok.times(written * each)))


def token_cost(machine: Machine, served: Served, counts: Counts = "full") -> TokenCost:
    """Return what a token of this model costs on this machine."""

    def of(speed: Given | None) -> Given:
        if speed is None:
            return NOTHING
        value, low, high = (
            usd_per_mtok(machine.busy_usd_per_s(counts, corner), speed.as_gain(corner)).quantize(
                FINEST, ROUND_HALF_EVEN
            )
            for corner in CORNERS
        )
        known = least_sure((speed, *machine.inputs(counts)))
        return Given(value=value, low=low, high=high, provenance=known, source=f"the machine {machine.name}")

    return TokenCost(
        input_usd_per_mtok=of(served.input_tokens_per_s), output_usd_per_mtok=of(served.output_tokens_per_s)
    )


def own_cost(machine: Machine, served: Served) -> OwnCost:
    """Return what the model costs there, in full and as the router compares it."""
    full = token_cost(machine, served).price
    routed = full if machine.routes_by == "full" else token_cost(machine, served, machine.routes_by).price
    return OwnCost(full=full, routed=routed)


def _counted(tokens: int) -> Given:
    return Given(value=Decimal(tokens), provenance="measured")


def _added_watts(power: Power, corner: Corner) -> Decimal:
    return max(power.busy_watts.as_cost(corner) - power.idle_watts.as_gain(corner), ZERO)


def _usd_of(power: Power, corner: Corner, watts: Decimal) -> Decimal:
    """Return what a second of so many watts costs."""
    return watts * power.usd_per_kwh.as_cost(corner) * power.overhead.as_cost(corner) / WATT_SECONDS_PER_KWH
