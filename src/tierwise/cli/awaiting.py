"""Which answers of the service wait for a person? Those that a rule or a gate kept for one and nobody judged yet.

What is shown of a call is what the ledger keeps of it. Invariant: a record stays as it is; a verdict stands beside it.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec

from tierwise import bootstrap, config
from tierwise.core.decision import Decision
from tierwise.ledger.contents import Contents
from tierwise.ledger.queries import Filter
from tierwise.ledger.remarks import Remark

NOT_KEPT = "(not kept: [ledger] store_content keeps none of this call)"
MOST_WAITING = 1_000
LONGEST_S = 600.0
"""Who takes longer was away: no more is counted."""


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


def awaiting(settings: config.Settings, workflow: str | None, limit: int | None) -> list[Awaiting]:
    """Return what waits, oldest first, of one workflow or of all."""
    return asyncio.run(_read(settings, Filter(workflow=workflow, outcome="review"), limit or MOST_WAITING))


async def _read(settings: config.Settings, which: Filter, limit: int) -> list[Awaiting]:
    found: list[Awaiting] = []
    async with bootstrap.reading(settings) as history:
        if history is None:
            return found
        async for decision in history.iterate(which):
            if any(one.what == "review" for one in await history.remarks(decision.id)):
                continue
            found.append(Awaiting(decision=decision, contents=await history.content(decision.id)))
            if len(found) == limit:
                break
    return found


def judged(
    settings: config.Settings, waiting: list[Awaiting], ask: Callable[[dict[str, Any], str], str], who: str
) -> int:
    """Ask for a verdict on each until somebody quits, and keep it beside the record; return how many there were."""
    book, said = bootstrap.books(settings).remarks(), 0
    for number, one in enumerate(waiting, 1):
        began = time.monotonic()
        word = ask(one.shown, f"{number} of {len(waiting)}")
        if word == "quit":
            break
        if word == "skip":
            continue
        seconds = round(min(time.monotonic() - began, LONGEST_S), 3)
        book.add(
            Remark(decision=one.decision.id, score=float(word == "right"), who=who, what="review", seconds=seconds)
        )
        said += 1
    return said


def _text(kept: bytes | None) -> str:
    """Return a body as people read it: JSON on lines, anything else as it is."""
    if kept is None:
        return NOT_KEPT
    text = kept.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=1)
    except (ValueError, RecursionError):
        return text
