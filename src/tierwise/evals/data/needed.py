"""Will these items do for what is asked of them? The sizes that the criteria need, beside those that there are.

Reckons with guesses, as nothing is measured yet. Invariant: what counts is clusters, never more than items.
"""

from collections.abc import Mapping

import msgspec

from tierwise.core.criteria import Criteria
from tierwise.evals.data.report import SplitSize
from tierwise.evals.item import Split
from tierwise.statistics.plan import certified_items, paired_items

DISCORDANCES = (0.1, 0.2)
"""Shares of items on which just one of two models is right that are reckoned with."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """So many independent items are needed `to` show something, and there are so many clusters for it."""

    to: str
    needed: int | None
    there: int
    enough: bool


def needs(criteria: Criteria, splits: Mapping[Split, SplitSize]) -> tuple[Need, ...]:
    """Return what the criteria need of the split `prove`."""
    there = splits["prove"].clusters if "prove" in splits else 0
    points, sure = f"{100 * criteria.margin:g}", f"{criteria.confidence:.0%}"
    found = [
        _need(
            f"prove that a candidate is at most {points} points worse, {sure} sure, "
            f"if just one of both is right on {share:.0%} of items",
            paired_items(criteria.margin, share, criteria.confidence, criteria.power) if criteria.margin else None,
            there,
        )
        for share in DISCORDANCES
    ]
    for wrong in (0, 3):
        told = (
            f"certify that at most {criteria.max_wrong:.1%} are wrong, {sure} sure, with {wrong} wrong (accepted items)"
        )
        found.append(_need(told, certified_items(criteria.max_wrong, wrong, criteria.confidence), there))
    return tuple(found)


def _need(to: str, needed: int | None, there: int) -> Need:
    return Need(to=to, needed=needed, there=there, enough=needed is not None and there >= needed)
