"""What does a month of traffic look like in a ledger? Records by the million, written through the ledger's own writer.

Nothing here draws or serves. Invariant: the same seed gives the same calls, but for their ids; times end at `now`.
"""

import argparse
import asyncio
import itertools
import os
import random
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision, GateRecord, Labelled, LabelSource
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Usage
from tierwise.ledger.ids import new_id
from tierwise.ledger.store import Ledger
from tierwise.ledger.writer import Options

AT_ONCE = 512
KINDS = 2_000
"""So many different calls there are; the rest repeats them at other times."""
OVER_S = 30 * 86_400.0
MODELS = (
    ("small-8b", "laptop", Tier.LOCAL, Decimal(0)),
    ("large-70b", "cluster", Tier.SELF_HOSTED, Decimal("0.0004")),
    ("frontier-1", "outside", Tier.FRONTIER, Decimal("0.012")),
)
WORKFLOWS = ("tickets", "invoices", "search", "summaries", "code-review", None)
OUTCOMES = (*["answered"] * 90, "refused", "refused", "failed", "failed", "flagged", "review", "broken", "cancelled")


def kinds(seed: int) -> list[Decision]:
    """Return calls of every kind, none of them at any time yet."""
    draw = random.Random(seed)
    return [_kind(draw) for _ in range(KINDS)]


def month(count: int, now: float, seed: int = 8) -> Iterator[Decision]:
    """Give so many calls of the last 30 days, oldest first."""
    known, step = kinds(seed), OVER_S / count
    order = random.Random(seed + 1)
    for number in range(count):
        ts = now - OVER_S + (number + 1) * step
        one = known[order.randrange(KINDS)]
        attempts = tuple(msgspec.structs.replace(tried, started=ts + tried.started) for tried in one.attempts)
        ident = new_id(int(ts * 1e9), os.urandom(10))
        yield msgspec.structs.replace(one, id=ident, ts=ts, attempts=attempts)


async def written(path: Path, decisions: Iterator[Decision]) -> int:
    """Write them all, as a gateway does; return how many there were."""
    count = 0
    async with await Ledger.open(path, options=Options(durability="normal")) as ledger:
        while some := list(itertools.islice(decisions, AT_ONCE)):
            await asyncio.gather(*map(ledger.outcome, some))
            count += len(some)
    return count


def fill(path: Path, count: int, now: float) -> None:
    """Make a ledger of so many calls at `path`."""
    uvloop.run(written(path, month(count, now)))


def _kind(draw: random.Random) -> Decision:
    outcome: Any = draw.choice(OUTCOMES)
    label = draw.choices((Label.PUBLIC, Label.INTERNAL, Label.CONFIDENTIAL, Label.RESTRICTED), (10, 60, 20, 10))[0]
    may = MODELS[: 2 if label is Label.RESTRICTED else 3]
    place = draw.choices(range(len(may)), (70, 20, 10)[: len(may)])[0]
    stronger = place < len(may) - 1 and draw.random() < 0.08
    tried = [] if outcome == "refused" else [may[place], *[may[-1]] * stronger]
    attempts = tuple(_attempt(draw, one, number, len(tried)) for number, one in enumerate(tried))
    costs = [one.cost_usd for one in attempts if one.cost_usd is not None]
    return Decision(
        id="", ts=0.0, requested_model="auto", caller_wire=draw.choice(("chat", "messages", "responses")),
        features=Features(input_tokens_est=draw.randrange(20, 4000), stream=draw.random() < 0.5),
        label=Labelled(value=label, sources=(LabelSource(source="default", label=label),)),
        candidates=tuple(_candidate(one, label, number) for number, one in enumerate(MODELS)),
        workflow=draw.choice(WORKFLOWS), strategy="cheapest_sufficient", chosen=tried[0][0] if tried else None,
        reason="the cheapest that is good enough" if tried else "the budget of the workflow is spent",
        attempts=attempts, outcome=outcome, total_cost_usd=sum(costs, Decimal(0)) if costs else None,
    )  # fmt: skip


def _attempt(draw: random.Random, one: tuple[str, str, Tier, Decimal], number: int, of: int) -> AttemptRecord:
    model, endpoint, tier, price = one
    usage = Usage(input=draw.randrange(20, 4000), output=draw.randrange(5, 900))
    took = draw.lognormvariate(6.5, 0.7)
    last = number == of - 1
    return AttemptRecord(
        endpoint=endpoint, model=model, tier=tier, started=number * 1.5, wire="chat", served_model=model,
        first_byte_ms=took / 4, duration_ms=took, usage=usage, cost_usd=price * usage.written / 100,
        gate=GateRecord(name="empty,truncated" if last else "empty", verdict="pass" if last else "fail"),
        verdict="ok" if last else "fallback",
    )  # fmt: skip


def _candidate(one: tuple[str, str, Tier, Decimal], label: Label, number: int) -> CandidateRecord:
    model, endpoint, tier, price = one
    barred = label is Label.RESTRICTED and tier is Tier.FRONTIER
    return CandidateRecord(
        model=model, endpoint=endpoint, tier=tier, allowed=not barred,
        excluded_by="ceiling:restricted" if barred else None,
        reason="restricted data stays on servers that you run" if barred else "", score=None if barred else float(number),
        expected_cost_usd=price, expected_latency_ms=300.0 * (number + 1),
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make a ledger of a month of calls.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--calls", type=int, default=100_000)
    given = parser.parse_args()
    begun = time.perf_counter()
    fill(given.path, given.calls, time.time())
    print(f"{given.calls} calls in {time.perf_counter() - begun:.1f} s")
