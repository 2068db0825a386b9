"""Which answers of the service wait for a person? Those that a rule or a gate kept for one and nobody judged yet.

What is shown of a call is what the ledger keeps of it. Invariant: a record stays as it is; a verdict stands beside it.
"""

import json
from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec

from tierwise.core.decision import Decision
from tierwise.ledger.contents import Contents
from tierwise.ledger.queries import Filter
from tierwise.ledger.remarks import Remark

NOT_KEPT = "(not kept: [ledger] store_content keeps none of this call)"
MOST_WAITING = 1_000
LONGEST_S = 600.0
"""Who takes longer was away: no more is counted."""


class Source(Protocol):
    """Where records, and what is kept and said of them, are read."""

    def iterate(self, which: Filter) -> AsyncIterator[Decision]:
        """Give the decisions that fit, in the order in which they were recorded."""

    async def remarks(self, *idents: str) -> list[Remark]:
        """Return what was said of these."""

    async def content(self, ident: str) -> Contents | None:
        """Return what is kept of one."""


class Awaiting(msgspec.Struct, frozen=True, kw_only=True):
    """A call that waits, and what is kept of it."""

    decision: Decision
    contents: Contents | None = None

    @property
    def shown(self) -> dict[str, Any]:
        """Return what a person sees: what was asked and what was answered."""
        request, answer = (None, None) if self.contents is None else (self.contents.request, self.contents.answer)
        return {
            "decision": self.decision.id,
            "asked": {"the decision": self.decision.id, "the request": _text(request)},
            "answer": _text(answer),
        }


async def awaiting(history: Source, which: Filter, limit: int = MOST_WAITING) -> list[Awaiting]:
    """Return what waits, oldest first; `which` narrows it to a workflow, or to what comes after a record."""
    found: list[Awaiting] = []
    async for decision in history.iterate(msgspec.structs.replace(which, outcome="review")):
        if any(one.what == "review" for one in await history.remarks(decision.id)):
            continue
        found.append(Awaiting(decision=decision, contents=await history.content(decision.id)))
        if len(found) == limit:
            break
    return found


def _text(kept: bytes | None) -> str:
    """Return a body as people read it: JSON on lines, anything else as it is."""
    if kept is None:
        return NOT_KEPT
    text = kept.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return text
