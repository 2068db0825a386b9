"""How did a shadow do beside those whose calls it got? Counts copies and the calls that they are copies of.

Invariant: a copy is compared with its own original only; one that cannot be found is left out on both sides.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Protocol

import msgspec

from tierwise.core.decision import Decision
from tierwise.gateway.arms import bad
from tierwise.gateway.overlay import Limits
from tierwise.gateway.trials import SLACK_S
from tierwise.ledger.history import EVERYTHING
from tierwise.ledger.queries import Filter
from tierwise.ledger.releases import Release

MOST_COPIES = 5_000


class Source(Protocol):
    """Where decisions are read."""

    async def get(self, id_or_prefix: str) -> Decision | None:
        """Return one decision."""

    def iterate(self, which: Filter = EVERYTHING) -> AsyncIterator[Decision]:
        """Give the decisions that fit, in the order in which they were recorded."""


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the same calls: how many were asked first and failed, what they took and cost."""

    failed: int = 0
    duration_ms: float = 0.0
    cost_usd: Decimal = Decimal(0)

    def plus(self, decision: Decision) -> "Side":
        """Add a call."""
        return Side(
            failed=self.failed + int(bad(decision, Limits()).get("failed", 0.0)),
            duration_ms=self.duration_ms + sum(one.duration_ms or 0.0 for one in decision.attempts),
            cost_usd=self.cost_usd + (decision.charged_usd or 0),
        )


class Shadowed(msgspec.Struct, frozen=True, kw_only=True):
    """`calls` copies of a release that were asked, and their originals, summed. `unasked` could not be asked at all."""

    calls: int
    unasked: int
    copies: Side
    originals: Side

    def __str__(self) -> str:
        """Say it in words."""
        if not self.calls:
            return f"no copy was answered yet ({self.unasked} could not be asked)"
        mine, theirs = self.copies, self.originals
        took = f"{mine.duration_ms / self.calls:.0f} ms against {theirs.duration_ms / self.calls:.0f}"
        cost = f"${mine.cost_usd:f} against ${theirs.cost_usd:f}"
        return f"{self.calls} copies, {mine.failed} failed against {theirs.failed}, {took}, {cost}"


async def shadowed(source: Source, workflow: str, release: Release) -> Shadowed:
    """Read what became of a release's copies, the first MOST_COPIES of them."""
    calls, unasked, copies, originals = 0, 0, Side(), Side()
    which = Filter(workflow=workflow, since_ts=max(0.0, release.ts - SLACK_S))
    async for decision in source.iterate(which):
        said = decision.rollout or None
        if said is None or said.arm != "shadow" or said.release != release.number or said.of is None:
            continue
        original = await source.get(said.of) if decision.attempts else None
        if original is None:
            unasked += 1
            continue
        calls, copies, originals = calls + 1, copies.plus(decision), originals.plus(original)
        if calls >= MOST_COPIES:
            break
    return Shadowed(calls=calls, unasked=unasked, copies=copies, originals=originals)
