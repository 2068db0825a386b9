"""At which monthly volumes are own machines cheaper than an API? Stepped cost against a straight line, exactly.

Machines (and people) are bought whole, so the lines cross many times: after each one the API can be cheaper again.
Volumes are whole tokens, money is rational: between two purchases both costs are straight and cross at most once.
What is bought once is spread evenly over its months; when it is paid back is the question of `economics.payback`.
Invariant: the stretches follow one another without gap or overlap from the first token; nothing is sampled.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Literal

import msgspec

from tierwise.core.usage import TOKENS_PER_MTOK
from tierwise.economics.given import NOTHING, Corner, Given

MOST_PURCHASES = 5_000
"""How many purchases between the first and the last crossing are looked at before the answer ends (`known_to`)."""

Cheaper = Literal["own", "api", "open"]


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is bought whole: one of these for every `tokens` of a month, and `spare` more whatever the volume.

    `usd_per_month` runs (hosting, power, wages, or a rent), `usd_once` is what one is bought for.
    """

    name: str
    tokens: Given
    usd_per_month: Given = NOTHING
    usd_once: Given = NOTHING
    spare: int = 0

    def __post_init__(self) -> None:
        """Refuse a step that serves nothing, or a spare that is taken away."""
        if self.tokens.least < 1 or self.spare < 0:
            raise ValueError(f"{self.name!r} must serve at least one token a month, and its spare be 0 or more")


class Own(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Own cost: a base, whole steps, and what each token adds (power at the margin).

    `once_usd` is the set-up. What is bought once is written off over `months`, down to `residual` of its price.
    """

    once_usd: Given = NOTHING
    base_usd_per_month: Given = NOTHING
    steps: tuple[Step, ...] = ()
    usd_per_mtok: Given = NOTHING
    months: int = 36
    residual: Given = NOTHING

    def __post_init__(self) -> None:
        """Refuse to write off over no time, or to sell for more than was paid."""
        if self.months < 1 or self.residual.most > 1:
            raise ValueError("months must be 1 or more, and residual a share between 0 and 1")

    def base(self, corner: Corner = "value") -> Fraction:
        """Return what a month costs without any step."""
        return Fraction(self.base_usd_per_month.as_cost(corner)) + Fraction(self.once_usd.as_cost(corner)) / self.months

    def usd_of(self, step: Step, corner: Corner = "value") -> Fraction:
        """Return what one of a step costs in a month, its purchase written off."""
        kept = 1 - Fraction(self.residual.as_gain(corner))
        return (
            Fraction(step.usd_per_month.as_cost(corner)) + Fraction(step.usd_once.as_cost(corner)) * kept / self.months
        )


class Api(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API's cost of a month: what a token costs in the mix at hand, and what is paid whatever the volume."""

    name: str
    usd_per_mtok: Given
    base_usd_per_month: Given = NOTHING


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Volumes, in whole tokens of a month, at which one side is cheaper; `last` None: however many. Equal is `api`.

    `open`: the inputs' ranges allow both.
    """

    first: int
    last: int | None
    cheaper: Cheaper


class BreakEven(msgspec.Struct, frozen=True, kw_only=True):
    """The answer up to `known_to` (None: for every volume). A crossing is where a stretch begins."""

    stretches: tuple[Stretch, ...]
    known_to: int | None = None

    @property
    def crossings(self) -> tuple[int, ...]:
        """The first token of each stretch but the first."""
        return tuple(stretch.first for stretch in self.stretches[1:])

    def at(self, tokens: int) -> Cheaper:
        """Say which is cheaper at this volume; beyond what is known it is open."""
        found = (one.cheaper for one in self.stretches if one.first <= tokens <= (one.last or tokens))
        return next(found, "open")


def own_usd(own: Own, tokens: int, corner: Corner = "value") -> Decimal:
    """Return what a month of own machines costs at a corner; for no token only what is spare is bought."""
    steps = (bought(step, tokens, corner) * own.usd_of(step, corner) for step in own.steps)
    each = Fraction(own.usd_per_mtok.as_cost(corner)) / TOKENS_PER_MTOK
    cost = own.base(corner) + sum(steps) + tokens * each
    return Decimal(cost.numerator) / cost.denominator


def api_usd(api: Api, tokens: int, corner: Corner = "value") -> Decimal:
    """Return what a month of the API costs at a corner: where own machines are dearest it is cheapest."""
    each = api.usd_per_mtok.as_gain(corner)
    return api.base_usd_per_month.as_gain(corner) + tokens * each / TOKENS_PER_MTOK


def break_even(own: Own, api: Api, most_tokens: int | None = None) -> BreakEven:
    """Return every crossing at the given values, up to a volume where one is named."""
    return _solve(_difference(own, api, "value"), most_tokens)


def break_even_region(own: Own, api: Api, most_tokens: int | None = None) -> BreakEven:
    """Return where own machines are cheaper, the API is, or the inputs' ranges allow both.

    Every input moves the difference one way only, so the two corners bound it and nothing between can lie outside.
    """
    surely = _solve(_difference(own, api, "dearest"), most_tokens)
    possibly = _solve(_difference(own, api, "cheapest"), most_tokens)
    ends = [one.known_to for one in (surely, possibly) if one.known_to is not None]
    return BreakEven(
        stretches=tuple(_overlaid(surely, possibly, min(ends, default=None))), known_to=min(ends, default=None)
    )


def bought(step: Step, tokens: int, corner: Corner = "value") -> int:
    """Return how many of a step a month's tokens need."""
    return -(-tokens // math.floor(step.tokens.as_gain(corner))) + step.spare


# the difference of two costs: own less API


class _Difference(msgspec.Struct, frozen=True, kw_only=True):
    """`base + slope * tokens + sum of steps`, in whole units of some tiny part of a dollar: exact, and fast."""

    base: int
    slope: int
    steps: tuple[tuple[int, int], ...]
    """For each step what one costs, and how many tokens it serves."""


def _difference(own: Own, api: Api, corner: Corner) -> _Difference:
    prices = [own.usd_of(step, corner) for step in own.steps]
    base = own.base(corner) - Fraction(api.base_usd_per_month.as_gain(corner))
    base += sum(step.spare * price for step, price in zip(own.steps, prices, strict=True))
    slope = Fraction(own.usd_per_mtok.as_cost(corner)) - Fraction(api.usd_per_mtok.as_gain(corner))
    slope /= TOKENS_PER_MTOK
    unit = math.lcm(*(number.denominator for number in (base, slope, *prices)))
    return _Difference(
        base=int(base * unit),
        slope=int(slope * unit),
        steps=tuple(
            (int(price * unit), math.floor(step.tokens.as_gain(corner)))
            for price, step in zip(prices, own.steps, strict=True)
            if price
        ),
    )


def _solve(difference: _Difference, most_tokens: int | None) -> BreakEven:
    first, last, before, after = _window(difference)
    stop = most_tokens if last is None or (most_tokens is not None and most_tokens < last) else last
    found = [_stretch(1, first - 1, before)]
    walked = _walked(difference, first, stop)
    reached = first - 1
    for piece in walked:
        found.append(piece)
        reached = piece.last or reached
    if last is not None and reached >= last and (most_tokens is None or most_tokens >= last):
        return BreakEven(stretches=tuple(_joined([*found, Stretch(first=last + 1, last=None, cheaper=after)])))
    if most_tokens is not None and first > most_tokens:
        return BreakEven(stretches=(_stretch(1, most_tokens, before),), known_to=most_tokens)
    return BreakEven(stretches=tuple(_joined(found)), known_to=reached)


def _window(difference: _Difference) -> tuple[int, int | None, Cheaper, Cheaper]:
    """Return the volumes between which all crossings lie (None: without end), and what is cheaper before and behind.

    Steps cost at least their line through zero, at most one step more: outside the two lines nothing can cross.
    """
    per_token = difference.slope + sum(Fraction(price, serves) for price, serves in difference.steps)
    low, high = difference.base, difference.base + sum(price for price, _ in difference.steps)
    if per_token < 0:  # dear at first; own is cheaper in the end
        return max(1, math.floor(low / -per_token)), max(1, math.floor(high / -per_token) + 1), "api", "own"
    if per_token > 0:  # where there is a gain, it is at few tokens
        return max(1, math.floor(-high / per_token)), max(1, math.floor(-low / per_token) + 1), "own", "api"
    if low >= 0:
        return 1, 1, "api", "api"
    return (1, 1, "own", "own") if high < 0 else (1, None, "own", "own")


def _walked(difference: _Difference, first: int, stop: int | None) -> Iterator[Stretch]:
    """Give what is cheaper between each purchase and the next, from one volume to another or as far as is looked."""
    bought = [-(-first // serves) for _, serves in difference.steps]
    fixed = difference.base + sum(count * price for count, (price, _) in zip(bought, difference.steps, strict=True))
    # The last token before each next purchase; the nearest is on top.
    ahead = [(count * serves, at) for at, (count, (_, serves)) in enumerate(zip(bought, difference.steps, strict=True))]
    heapq.heapify(ahead)
    for _ in range(MOST_PURCHASES):
        if stop is not None and first > stop:
            return
        edge = ahead[0][0] if ahead else stop
        if edge is None:
            return
        until = edge if stop is None else min(edge, stop)
        yield from _straight(fixed, difference.slope, first, until)
        first = until + 1
        while ahead and ahead[0][0] <= until:
            at = ahead[0][1]
            price, serves = difference.steps[at]
            fixed += price
            heapq.heapreplace(ahead, (ahead[0][0] + serves, at))


def _straight(fixed: int, slope: int, first: int, last: int) -> Iterator[Stretch]:
    """Say where `fixed + slope * tokens` is below zero: in front, behind, everywhere or nowhere."""
    if slope < 0:  # below zero from the first token with tokens > fixed / -slope
        start = max(first, fixed // -slope + 1)
        yield from _parts((first, min(last, start - 1), "api"), (start, last, "own"))
    elif slope > 0:  # below zero up to the last token with tokens < -fixed / slope
        end = min(last, -(fixed // slope) - 1)
        yield from _parts((first, end, "own"), (max(first, end + 1), last, "api"))
    else:
        yield Stretch(first=first, last=last, cheaper="own" if fixed < 0 else "api")


def _parts(*parts: tuple[int, int, Cheaper]) -> Iterator[Stretch]:
    return (_stretch(*part) for part in parts if part[0] <= part[1])


def _stretch(first: int, last: int | None, cheaper: Cheaper) -> Stretch:
    return Stretch(first=first, last=last, cheaper=cheaper)


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Join neighbours that say the same; leave out empty ones."""
    joined: list[Stretch] = []
    for one in stretches:
        if one.last is not None and one.last < one.first:
            continue
        if joined and joined[-1].cheaper == one.cheaper:
            joined[-1] = _stretch(joined[-1].first, one.last, one.cheaper)
        else:
            joined.append(one)
    return joined


def _overlaid(surely: BreakEven, possibly: BreakEven, known_to: int | None) -> Iterator[Stretch]:
    """Lay one answer over the other: where both say the same it stands, elsewhere it is open."""
    starts = sorted({one.first for answer in (surely, possibly) for one in answer.stretches})
    starts = [start for start in starts if known_to is None or start <= known_to]
    ends: Sequence[int | None] = [*(start - 1 for start in starts[1:]), known_to]
    one, other = iter(_said(surely, starts)), iter(_said(possibly, starts))
    pieces = []
    for start, end in zip(starts, ends, strict=True):
        sure, may = next(one), next(other)
        pieces.append(_stretch(start, end, sure if sure == may else "open"))
    yield from _joined(pieces)


def _said(answer: BreakEven, starts: Sequence[int]) -> Iterator[Cheaper]:
    """Give what is cheaper at each of these ascending volumes."""
    at = 0
    for start in starts:
        while at + 1 < len(answer.stretches) and answer.stretches[at + 1].first <= start:
            at += 1
        yield answer.stretches[at].cheaper
