"""What would become of a recorded call by the rules in force? Both decisions side by side, and what moved.

Pure. Knows no page. Invariant: a candidate is marked where its fate or its place differs, never for a wording alone.
"""

from typing import Literal

import msgspec

from tierwise.core.decision import CandidateRecord, Decision
from tierwise.core.label import Tier
from tierwise.web import words

Moved = Literal["", "wider", "stricter", "order"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """What one decision says of a model; `why` is empty where it was not looked at."""

    told: str
    why: str = ""
    allowed: bool = False
    place: float | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A model on both sides. `moved`: it may be asked now, it may not any more, or its place is another."""

    model: str
    tier: Tier
    before: Side
    now: Side
    moved: Moved


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Both sides. `first` and `first_now` are who is tried first, None for nobody; `farther`: it lies farther out."""

    first: str | None
    first_now: str | None
    farther: bool
    label_moved: bool
    policy_moved: bool
    registry_moved: bool
    rows: list[Row]

    @property
    def same(self) -> bool:
        """Say whether it would be decided alike."""
        return self.first == self.first_now and not self.label_moved and not any(row.moved for row in self.rows)


def compared(before: Decision, now: Decision) -> Compared:
    """Put what was decided beside what is decided now."""
    old, new = ({one.model: one for one in side.candidates} for side in (before, now))
    rows = [_row(name, old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new))]
    rows.sort(key=lambda row: (not row.moved, not row.now.allowed, _place(row.now), _place(row.before)))
    first = before.attempts[0].model if before.attempts else before.chosen
    tiers = {row.model: row.tier.rank for row in rows}
    return Compared(
        first=first,
        first_now=now.chosen,
        farther=tiers.get(now.chosen or "", -1) > tiers.get(first or "", -1),
        label_moved=before.label.value is not now.label.value,
        policy_moved=before.policy_digest != now.policy_digest,
        registry_moved=(before.registry_digest, before.price_digest) != (now.registry_digest, now.price_digest),
        rows=rows,
    )


def _row(name: str, old: CandidateRecord | None, new: CandidateRecord | None) -> Row:
    before, now = _side(old), _side(new)
    moved: Moved = ""
    if before.allowed != now.allowed:
        moved = "wider" if now.allowed else "stricter"
    elif before.allowed and before.place != now.place:
        moved = "order"
    known = new or old
    assert known is not None
    return Row(model=name, tier=known.tier, before=before, now=now, moved=moved)


def _side(one: CandidateRecord | None) -> Side:
    if one is None:
        return Side(told="not looked at")
    if not one.allowed:
        return Side(told=f"no: {words.excluded(one.excluded_by)}", why=one.reason)
    told = "may be asked" if one.score is None else f"place {one.score + 1:g}"
    return Side(told=told, why=one.reason, allowed=True, place=one.score)


def _place(side: Side) -> float:
    return side.place if side.place is not None else 1e9
