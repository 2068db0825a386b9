"""What do own machines and an API cost at each volume, as lines that can be drawn? Points, ranges, what is open.

Knows no picture. Invariant: every step is drawn as a step (two points, a token apart), or at even volumes where there
are too many to be seen; each point's range holds its value.
"""

import math
from decimal import Decimal

import msgspec

from tierwise.economics.breakeven import Api, Own, Stretch, api_usd, own_usd
from tierwise.economics.compare import HORIZON, Answer
from tierwise.economics.given import Corner

POINTS = 160
MOST_EDGES = 400
CORNERS: tuple[Corner, ...] = ("value", "cheapest", "dearest")


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """What a month of so many tokens costs: at the values, and from least to most over the ranges of the inputs."""

    tokens: int
    usd: Decimal
    low_usd: Decimal
    high_usd: Decimal


class Curves(msgspec.Struct, frozen=True, kw_only=True):
    """Both lines from no token to `most_tokens`; `open` are the stretches at which the inputs' ranges allow both."""

    volume: int
    most_tokens: int
    own: tuple[Point, ...]
    api: tuple[Point, ...]
    open: tuple[Stretch, ...]

    @property
    def top_usd(self) -> Decimal:
        """The most that either costs at the values."""
        return max(point.usd for point in (*self.own, *self.api))


def curves(own: Own, answer: Answer, volume: int, points: int = POINTS) -> Curves:
    """Return the lines of an answer about `own` (`CostPlan.whole()`), whose plan has this volume of a month."""
    most = HORIZON * max(1, volume)
    return Curves(
        volume=volume,
        most_tokens=most,
        own=tuple(_own(own, tokens) for tokens in _volumes(own, most, points)),
        api=tuple(_api(answer.api, tokens) for tokens in (0, most)),
        open=tuple(
            msgspec.structs.replace(one, last=min(one.last or most, most))
            for one in answer.region.stretches
            if one.cheaper == "open" and one.first <= most
        )[:MOST_EDGES],
    )


def _own(own: Own, tokens: int) -> Point:
    usd, low, high = (own_usd(own, tokens, corner) for corner in CORNERS)
    return Point(tokens=tokens, usd=usd, low_usd=low, high_usd=high)


def _api(api: Api, tokens: int) -> Point:
    """An API is dear where own machines look cheap."""
    usd, high, low = (api_usd(api, tokens, corner) for corner in CORNERS)
    return Point(tokens=tokens, usd=usd, low_usd=low, high_usd=high)


def _volumes(own: Own, most: int, points: int) -> list[int]:
    """Return volumes that draw every step as a step, at each corner of what one carries."""
    edges: set[int] = {0, 1, most}
    for step in own.steps:
        for serves in {math.floor(step.tokens.as_gain(corner)) for corner in CORNERS}:
            if most // serves <= MOST_EDGES:
                edges |= {edge for full in range(serves, most, serves) for edge in (full, full + 1)}
    return sorted(edges | {most * at // points for at in range(points)})
