"""How many items will a claim need? Sizes for a proof that a candidate is at most a margin worse, and for certificates.

Deliberately knows nothing about data: rates are guesses made before it. All counts are of independent items; with
clusters, multiply by `design_effect`. Pure. Invariant: None means that no number of items would do.
"""

import math
from collections.abc import Hashable, Sequence

from scipy.special import bdtr, ndtri

from tierwise.statistics.paired import difference
from tierwise.statistics.sequence import SLOPE, UNSEEN, Wall, crossed


def paired_items(
    margin: float, discordance: float, confidence: float = 0.95, power: float = 0.8, difference: float = 0.0
) -> int | None:
    """Return the items that both must answer, where DISCORDANCE is the share on which just one of them is right.

    `difference` is the true one that is reckoned with.
    """
    return _items(_effort(confidence, power), discordance - difference**2, margin + difference)


def unpaired_items(margin: float, rate: float, confidence: float = 0.95, power: float = 0.8) -> int | None:
    """Return the items of each arm where each answers other items, both with this true rate."""
    return _items(_effort(confidence, power), 2 * rate * (1 - rate), margin)


def sequential_items(
    margin: float, discordance: float, confidence: float = 0.95, power: float = 0.8, difference: float = 0.0
) -> int | None:
    """Return the items to plan for where one looks all the time (`sequence`), and stops at the first proof."""
    start = Wall.of(1 - confidence).start
    slow, drift = 0.0, 40.0
    for _ in range(60):
        middle = (slow + drift) / 2
        slow, drift = (middle, drift) if crossed(start, SLOPE - middle) < power else (slow, middle)
    items = _items(float(drift) ** 2, discordance - difference**2, margin + difference)
    # what sequences add for the unseen: n items with a variance of v + UNSEEN / n need n = items * (1 + UNSEEN / (v n))
    return items and math.ceil(items / 2 + math.sqrt(items**2 / 4 + items * UNSEEN / max(discordance, 1e-9)))


def certified_items(max_wrong: float, wrong: int = 0, confidence: float = 0.95) -> int:
    """Return how many accepted items prove a share of at most MAX_WRONG when WRONG of them are wrong."""
    if not 0 < max_wrong < 1 or wrong < 0:
        raise ValueError(f"{wrong} wrong within a share of {max_wrong}: nothing to plan")
    few, many = wrong, wrong + 1
    while bdtr(wrong, many, max_wrong) > 1 - confidence:
        few, many = many, 2 * many
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if bdtr(wrong, middle, max_wrong) <= 1 - confidence else (middle, many)
    return many


def design_effect(values: Sequence[float], clusters: Sequence[Hashable]) -> float:
    """Return how many times more items clusters make necessary than independent items would; 1 where unknown."""
    clustered = difference(values, clusters)
    alone = difference(values, range(len(values)))
    if clustered is None or alone is None or not clustered.se or not alone.se:
        return 1.0
    return (clustered.se / alone.se) ** 2


def _effort(confidence: float, power: float) -> float:
    return float(ndtri(confidence) + ndtri(power)) ** 2


def _items(effort: float, variance: float, distance: float) -> int | None:
    if distance <= 0:
        return None
    return max(1, math.ceil(effort * max(variance, 0.0) / distance**2 - 1e-9))
