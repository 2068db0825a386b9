"""How sensitive is it, and how far from the data does an answer come from?

Two ordered scales: `Label` (data classification) and `Tier` (distance of an endpoint from the data).
Invariant: labels are only ever combined with `highest`, so a label can tighten but never loosen.
"""

import enum
from collections.abc import Iterable


class Label(enum.StrEnum):
    """Data classification, least sensitive first."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        """Position on the scale, 0 for public."""
        return _LABEL_RANK[self]


class Tier(enum.StrEnum):
    """Where a model runs, nearest to the data first."""

    LOCAL = "local"
    SELF_HOSTED = "self_hosted"
    FRONTIER = "frontier"

    @property
    def rank(self) -> int:
        """Distance from the data, 0 for this machine."""
        return _TIER_RANK[self]


_LABEL_RANK = {label: rank for rank, label in enumerate(Label)}
_TIER_RANK = {tier: rank for rank, tier in enumerate(Tier)}


def highest(labels: Iterable[Label]) -> Label:
    """Return the most sensitive of the labels; `public` for none."""
    return max(labels, key=_LABEL_RANK.__getitem__, default=Label.PUBLIC)
