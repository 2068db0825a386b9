"""Which decisions differ, how, and where? Two sides of each recorded call, compared and counted.

Knows neither where the sides come from nor how they are told. Tallies of parts add up to that of the whole.
Invariant: memory does not grow with the number of decisions, only with that of workflows, labels and targets.
"""

from collections import Counter
from decimal import Decimal

import msgspec

from tierwise.core.label import Label, Tier

EXAMPLES = 5
"""Decisions of each kind that are named."""
KINDS = ("refused", "served", "first", "allowed", "duties", "wider", "farther")
OTHER = "(others)"
MOST_NAMES = 1_000
ZERO = Decimal(0)


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What is decided of one call. `permitted` are the models that policy allows, `reach` the rank of the farthest."""

    label: Label
    first: str | None = None
    tier: Tier | None = None
    permitted: frozenset[str] = frozenset()
    reach: int = -1
    duties: tuple[str, ...] = ()
    cost_usd: Decimal | None = None
    error: str | None = None

    @property
    def place(self) -> str:
        """Say who is tried first."""
        return f"{self.first} ({self.tier})" if self.first else "refused"


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that differs: from whom it goes to whom, or why to nobody."""

    id: str
    kinds: tuple[str, ...]
    workflow: str | None
    label: Label
    before: str
    after: str
    error: str | None = None


def kinds(before: Side, after: Side) -> tuple[str, ...]:
    """Say how two sides differ, in the words of KINDS; empty where they do not."""
    lost = after.first is not None and after.first == before.first and set(before.duties) - set(after.duties)
    said = {
        "refused": before.first is not None and after.first is None,
        "served": before.first is None and after.first is not None,
        "first": before.first != after.first,
        "allowed": before.permitted != after.permitted,
        "duties": before.first == after.first and set(before.duties) != set(after.duties),
        "wider": bool(after.permitted - before.permitted or lost),
        "farther": after.reach > before.reach,
    }
    return tuple(kind for kind in KINDS if said[kind])


class Tally(msgspec.Struct, kw_only=True):
    """Counts of decisions: all, by kind, by workflow and label, by move, with examples of each kind."""

    decisions: int = 0
    flipped: int = 0
    kinds: dict[str, int] = {}
    groups: dict[tuple[str, Label], dict[str, int]] = {}
    moves: dict[tuple[str, str], int] = {}
    cost_before_usd: Decimal = ZERO
    cost_after_usd: Decimal = ZERO
    examples: list[Example] = []

    def same(self, workflow: str | None, label: Label) -> None:
        """Count a decision that does not differ."""
        self.decisions += 1
        group = self._group(workflow, label)
        group["decisions"] = group.get("decisions", 0) + 1

    def add(self, ident: str, workflow: str | None, before: Side, after: Side) -> None:
        """Count a decision by its two sides."""
        self.same(workflow, after.label)
        self.cost_before_usd += before.cost_usd or ZERO
        self.cost_after_usd += after.cost_usd or ZERO
        found = kinds(before, after)
        if not found:
            return
        self.flipped += 1
        group = self._group(workflow, after.label)
        for kind in ("flipped", *found):
            group[kind] = group.get(kind, 0) + 1
        new = any(self.kinds.get(kind, 0) < EXAMPLES for kind in found)
        for kind in found:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if "first" in found:
            move = (before.place, after.place)
            move = move if move in self.moves or len(self.moves) < MOST_NAMES else (OTHER, OTHER)
            self.moves[move] = self.moves.get(move, 0) + 1
        if new:
            self.examples.append(
                Example(
                    id=ident,
                    kinds=found,
                    workflow=workflow,
                    label=after.label,
                    before=before.place,
                    after=after.place,
                    error=after.error,
                )
            )

    def merge(self, other: "Tally") -> None:
        """Add what was counted elsewhere."""
        self.decisions += other.decisions
        self.flipped += other.flipped
        self.kinds = dict(Counter(self.kinds) + Counter(other.kinds))
        self.moves = dict(Counter(self.moves) + Counter(other.moves))
        for place, counts in other.groups.items():
            self.groups[place] = dict(Counter(self.groups.get(place, {})) + Counter(counts))
        self.cost_before_usd += other.cost_before_usd
        self.cost_after_usd += other.cost_after_usd
        shown = Counter(kind for example in self.examples for kind in example.kinds)
        for example in other.examples:
            if any(shown[kind] < EXAMPLES for kind in example.kinds):
                self.examples.append(example)
                shown.update(example.kinds)

    def _group(self, workflow: str | None, label: Label) -> dict[str, int]:
        place = (workflow or "", label)
        if place not in self.groups and len(self.groups) >= MOST_NAMES:
            place = (OTHER, label)
        return self.groups.setdefault(place, {})
