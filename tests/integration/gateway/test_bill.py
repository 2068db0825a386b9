"""Traffic goes wrong in every way, and what the ledger adds up to is the bill: retries, cancels, fall-backs.

Each upstream counts by itself what it read and wrote, whoever heard of it; its price makes that a bill.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway.conftest import House
from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.label import Tier
from tierwise.core.model import Limits
from tierwise.core.prices import PriceRow
from tierwise.economics.spend import Spending
from tierwise.fallback.breaker import BreakerSettings
from tierwise.gateway.workflow import Workflow
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script, ScriptedUpstream

CALLS = 160
AT_ONCE = 4
NEVER = BreakerSettings(failures=10_000, open_s=0.001, max_open_s=0.001)
WORDS = ["one", "river", "two", "stones", "three", "bridges", "and", "a", "green", "window", "over", "the", "market"]
RATES = {"first": (2, 10), "second": (5, 25)}


def price(name: str) -> PriceRow:
    read, written = RATES[name]
    rates = {"input_usd_per_mtok": Decimal(read), "output_usd_per_mtok": Decimal(written)}
    return PriceRow(model=f"scripted-{name}", **rates)


@asynccontextmanager
async def two(tmp_path: Path, limits: Limits = Limits()) -> AsyncIterator[House]:
    """Two outside models, each at a price; the second is asked where the first fails."""
    async with (
        ScriptedUpstream(models=("scripted-first",)) as first,
        ScriptedUpstream(models=("scripted-second",)) as second,
    ):
        ups = {"first": first, "second": second}
        document = Document(
            endpoint=tuple(
                EndpointRow(name=n, kind="scripted", tier=Tier.FRONTIER, url=up.url, limits=limits)
                for n, up in ups.items()
            ),
            model=tuple(ModelRow(id=n, endpoint=n, served_name=f"scripted-{n}") for n in ups),
            price=tuple(price(n) for n in ups),
            workflow=(Workflow(name="day", trusted=("first", "second")),),
            breaker=NEVER,
        )
        async with bootstrap.opened(Settings(document=document, home=tmp_path)) as wired:
            yield House(wired, ups)


async def read(home: House, text: str, *, stream: bool, leave_after: int | None) -> str:
    """Ask as a caller does: read it all, or leave after some pieces. Returns what became of it."""
    try:
        reply = await home.ask(text, hints=Hints(workflow="day"), stream=stream)
        if reply.deltas is not None:
            seen = 0
            async for _ in reply.deltas:
                seen += 1
                if seen == leave_after:
                    await reply.deltas.aclose()  # type: ignore[attr-defined]
                    return "left"
    except TierwiseError as error:
        return type(error).__name__
    return "answered"


TOLD: tuple[dict[str, Any], ...] = (
    {}, {}, {"fault": "error", "status": 503}, {"fault": "error", "status": 500}, {"fault": "rate_limit", "retry_after": "0"},
    {"fault": "context"}, {"fault": "empty_content"}, {"fault": "slow_chunks", "delay_ms": 1}, {"fault": "loop"},
)  # fmt: skip
"""Trouble in which everything that is billed is told."""
UNTOLD = (
    {},
    {"fault": "cut", "after": 5},
    {"fault": "no_usage"},
    {"fault": "reset", "after": 2},
    {"fault": "bad_json"},
)


async def traffic(home: House, troubles: Sequence[dict[str, Any]], chance: random.Random) -> list[str]:
    """Replay a trace: each call's size, manner and trouble come from the seed alone."""
    came: list[str] = []
    for _ in range(CALLS // AT_ONCE):
        calls = []
        for _ in range(AT_ONCE):
            home.upstreams["first"].script(Script(**chance.choice(troubles)))
            if chance.random() < 0.1:
                home.upstreams["second"].script(Script(fault="error", status=503))
            text = " ".join(chance.choices(WORDS, k=chance.randint(3, 400)))
            leaves = chance.random() < 0.2
            calls.append(read(home, text, stream=leaves or chance.random() < 0.5, leave_after=3 if leaves else None))
        came += await asyncio.gather(*calls)
    return came


def bill(home: House) -> Decimal:
    """Price what each upstream counted, whoever heard of it."""
    total = Decimal(0)
    for name, upstream in home.upstreams.items():
        fresh, written = RATES[name]
        total += Decimal(upstream.prompt_tokens * fresh + upstream.completion_tokens * written)
    return total / 10**6


Found = tuple[list[str], Decimal, Spending, list[Decision], dict[str, tuple[int, int]]]


def replayed(tmp_path: Path, troubles: Sequence[dict[str, Any]], seed: int) -> Found:
    """Return what became of the calls, the bill, what the ledger adds up to, its records, and what was counted."""

    async def scene() -> Found:
        async with two(tmp_path) as home:
            came = await traffic(home, troubles, random.Random(seed))
            settings, ups = home.wired.settings, home.upstreams
        counted = {name: (up.prompt_tokens, up.completion_tokens) for name, up in ups.items()}
        found, records = Spending({name: lambda _, name=name: price(name) for name in RATES}), []
        async with bootstrap.reading(settings) as history:
            assert history is not None
            async for decision in history.iterate():
                found.add(decision)
                records.append(decision)
        return came, bill(home), found, records, counted

    return asyncio.run(scene())


@pytest.mark.parametrize("seed", [7])
def test_the_ledger_is_the_bill_whatever_is_retried_left_or_passed_on(tmp_path: Path, seed: int) -> None:
    came, billed, found, records, counted = replayed(tmp_path, TOLD, seed)
    attempts = [attempt for decision in records for attempt in decision.attempts]
    assert len(records) == CALLS and came.count("left") > CALLS / 20, "some callers left"
    assert len(attempts) > 1.3 * CALLS and {one.model for one in attempts} == {"first", "second"}, "some were passed on"
    stopped = [one for one in attempts if one.gate is not None and one.gate.verdict == "fail"]
    assert sum(one.gate is not None and one.gate.name == "repetition" for one in stopped) > CALLS / 40
    assert sum(one.gate is not None and one.gate.name == "empty" for one in stopped) > CALLS / 40
    assert any(len(one.attempts) > 1 and len({at.model for at in one.attempts}) == 1 for one in records), (
        "and tried again"
    )
    for name, tokens in counted.items():
        told = [one.usage for one in attempts if one.model == name and one.usage is not None]
        assert tokens == (sum(one.read for one in told), sum(one.written for one in told))
    assert abs(found.whole().cost_usd - billed) <= billed / 1000 and billed > 0
    assert sum((line.cost_usd for line in found.lines("tier")), Decimal(0)) == found.whole().cost_usd


def test_what_all_would_have_cost_at_one_model_is_what_it_did_cost_where_it_served_all(tmp_path: Path) -> None:
    _, billed, found, records, _ = replayed(tmp_path, [{}], 9)
    served = [one for one in records if one.chosen == "first" and len(one.attempts) == 1]
    assert len(served) == CALLS
    whole = found.whole()
    assert whole.elsewhere_usd["first"] == whole.cost_usd == billed
    assert whole.elsewhere_usd["second"] > billed


def test_where_an_endpoint_never_says_what_it_used_the_ledger_is_a_bound_and_says_so(tmp_path: Path) -> None:
    _, billed, found, records, _ = replayed(tmp_path, UNTOLD, 10)
    usages = [attempt.usage for decision in records for attempt in decision.attempts if attempt.usage is not None]
    assert any(usage.estimated for usage in usages) and not all(usage.estimated for usage in usages)
    whole = found.whole()
    assert whole.unknown_usd > 0 and billed <= whole.cost_usd + whole.unknown_usd


ENDLESS = Script(fault="slow_chunks", text="again and " * 80, delay_ms=10)
"""A slow answer that a gate stops near its beginning, and that its endpoint writes, and bills, to the end."""


def test_a_stream_that_a_gate_stops_is_read_on_for_its_bill_and_nobody_waits_for_that(tmp_path: Path) -> None:
    async def scene() -> None:
        async with two(tmp_path) as home:
            first = home.upstreams["first"]
            first.script(ENDLESS)
            assert await read(home, "a river", stream=True, leave_after=None) == "answered"
            assert not first.asked[0].finished, "the caller had the other model's answer before the first had ended"
            record = await settled(home)
            stopped, answered = record.attempts
            assert stopped.gate is not None and stopped.gate.verdict == "fail" and not first.cancelled
            assert stopped.usage is not None and not stopped.usage.estimated and stopped.unknown_usd is None
            assert stopped.usage.written == first.completion_tokens > 100
            assert record.outcome == "answered" and record.total_cost_usd == bill(home)
            assert stopped.duration_ms is not None and answered.started > stopped.started

    asyncio.run(scene())


@pytest.mark.parametrize("closing", [False, True], ids=["the time is up", "the gateway closes"])
def test_what_is_not_read_to_its_end_counts_as_it_came_and_has_a_bound(tmp_path: Path, closing: bool) -> None:
    async def scene() -> None:
        async with two(tmp_path, Limits(drain_timeout_s=60 if closing else 0.05)) as home:
            first = home.upstreams["first"]
            first.script(ENDLESS)
            assert await read(home, "a river", stream=True, leave_after=None) == "answered"
            await home.gateway.aclose()
            [record] = await home.wired.ledger.latest(5)
            stopped, _ = record.attempts
            assert stopped.usage is not None and stopped.usage.estimated
            assert stopped.cost_usd is not None and stopped.unknown_usd is not None
            assert record.total_cost_usd is not None and record.charged_usd is not None
            assert record.total_cost_usd < bill(home) <= record.charged_usd

    asyncio.run(scene())


def test_all_models_in_a_loop_fail_at_once_and_cost_what_they_wrote(tmp_path: Path) -> None:
    async def scene() -> None:
        async with two(tmp_path) as home:
            for upstream in home.upstreams.values():
                upstream.script(ENDLESS)
            assert await read(home, "a river", stream=True, leave_after=None) == "GateFailed"
            assert not any(upstream.asked[0].finished for upstream in home.upstreams.values())
            record = await settled(home)
            assert record.outcome == "failed" and record.total_cost_usd == record.charged_usd == bill(home)

    asyncio.run(scene())


async def settled(home: House, limit_s: float = 10) -> Decision:
    """Wait until the one call on record has its outcome."""
    deadline = asyncio.get_running_loop().time() + limit_s
    while not (found := await home.wired.ledger.latest(5)) or found[0].outcome == "pending":
        assert asyncio.get_running_loop().time() < deadline, "its outcome was never written"
        await asyncio.sleep(0.005)
    [record] = found
    return record
