"""Three accounts of the same calls: the ledger, the counters, the spans. With faults, repeats and callers who leave, they
agree to the last token and the last picodollar."""

import asyncio
import contextlib
import random
import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.integration.gateway.conftest import Build, House, house
from tests.integration.telemetry.collector import collecting, read_attributes, until
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.model import Limits
from tierwise.fallback.breaker import BreakerSettings
from tierwise.ledger.queries import Filter
from tierwise.ledger.tables import picousd
from tierwise.telemetry.settings import TelemetrySettings
from tierwise.testing import Script

__all__ = ["house"]

CALLS, AT_ONCE = 300, 20
FAULTS: tuple[dict[str, Any], ...] = (
    {}, {}, {}, {"cached": 3}, {"thinking": "hm"}, {"fault": "error", "status": 503}, {"fault": "error", "status": 500},
    {"fault": "bad_json"}, {"fault": "cut"}, {"fault": "reset"}, {"fault": "no_usage"}, {"fault": "empty_content"},
    {"fault": "slow_chunks", "delay_ms": 5}, {"fault": "html"}, {"fault": "hang"},
)  # fmt: skip
BUCKETS = {
    "input": "gen_ai.usage.input_tokens",
    "output": "gen_ai.usage.output_tokens",
    "cache_read": "gen_ai.usage.cache_read.input_tokens",
    "cache_write": "gen_ai.usage.cache_creation.input_tokens",
    "reasoning": "gen_ai.usage.reasoning.output_tokens",
}
UNITS = {"cost": "tierwise.cost.picousd", "unknown": "tierwise.cost.unknown_picousd"}


async def call(h: House, number: int, draw: random.Random) -> None:
    """Ask; some callers leave in the middle."""
    stream, leaves = draw.random() < 0.5, draw.random() < 0.15
    asking = asyncio.create_task(h.ask(f"call {number} " + "word " * draw.randrange(1, 60), stream=stream))
    with contextlib.suppress(TierwiseError, asyncio.CancelledError):
        if leaves and not stream:
            await asyncio.wait((asking,), timeout=draw.random() * 0.02)
            asking.cancel()
        reply = await asking
        if reply.deltas is not None:
            async for _ in reply.deltas:
                if leaves:
                    break
            await reply.deltas.aclose()


def of_the_ledger(decisions: list[Decision]) -> Counter[str]:
    found: Counter[str] = Counter()
    for decision in decisions:
        for attempt in decision.attempts:
            found["attempts"] += 1
            found["cost"] += picousd(attempt.cost_usd or Decimal(0))
            found["unknown"] += picousd(attempt.unknown_usd or Decimal(0))
            if (usage := attempt.usage) is not None:
                found["input"] += usage.read
                found["output"] += usage.written
                found["cache_read"] += usage.cache_read
                found["cache_write"] += usage.cache_write + usage.cache_write_1h
                found["reasoning"] += usage.reasoning
    return +found


def of_the_counters(text: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in text.splitlines():
        name, _, number = line.rpartition(" ")
        name = name.partition("{")[0]
        for bucket in BUCKETS:
            found[bucket] += int(number) if name == f"tierwise_tokens_{bucket}_total" else 0
        found["attempts"] += int(number) if name == "tierwise_attempts_total" else 0
        found["cost"] += picousd(Decimal(number)) if name == "tierwise_cost_usd_total" else 0
        found["unknown"] += picousd(Decimal(number)) if name == "tierwise_cost_unknown_usd_total" else 0
    return +found


def of_the_spans(spans: list[Any]) -> Counter[str]:
    found: Counter[str] = Counter()
    for span in spans:
        attributes = read_attributes(span.attributes)
        if span.kind == 3:
            found["attempts"] += 1
            for fact, name in {**BUCKETS, **UNITS}.items():
                found[fact] += attributes.get(name, 0)
    return +found


def test_the_ledger_the_counters_and_the_spans_agree(house: Build) -> None:
    async def scene() -> None:
        draw = random.Random(20261121)
        with collecting() as collector:
            telemetry = TelemetrySettings(url=collector.url, every_s=0.01, flush_s=20)
            limits = Limits(first_byte_timeout_s=0.2, idle_timeout_s=0.2, drain_timeout_s=0.3)
            never = BreakerSettings(failures=10_000)
            async with house(limits=limits, breaker=never, telemetry=telemetry) as h:
                for upstream in h.upstreams.values():
                    upstream.script(*(Script(**draw.choice(FAULTS)) for _ in range(CALLS)))
                for start in range(0, CALLS, AT_ONCE):
                    await asyncio.gather(*(call(h, number, draw) for number in range(start, start + AT_ONCE)))
                await h.gateway.aclose()  # whoever left is settled
                decisions = [one async for one in h.wired.ledger.iterate(Filter())]
                text = h.wired.observed.metrics.render().decode()
                spent = await h.wired.ledger.spent_usd(0.0)
            spans = collector.spans
            sent = {
                name: sum(point.as_int for point in metric.sum.data_points)
                for name, metric in collector.metrics.items()
                if name.startswith("tierwise.tokens.")
            }
        ledger, counters = of_the_ledger(decisions), of_the_counters(text)
        assert ledger == counters == of_the_spans(spans)
        assert len(decisions) == CALLS == len([span for span in spans if span.kind == 2])
        assert picousd(spent) == ledger["cost"] + ledger["unknown"]
        assert sent == {f"tierwise.tokens.{bucket}": counters[bucket] for bucket in BUCKETS}
        hard(decisions, ledger)
        assert list(text_string_to_metric_families(text))

    asyncio.run(scene())


def hard(decisions: list[Decision], ledger: Counter[str]) -> None:
    """The run was one that could have gone wrong: everything that is to be reconciled happened."""
    outcomes = Counter(decision.outcome for decision in decisions)
    assert outcomes["answered"] > 50
    assert outcomes["cancelled"] > 5
    assert ledger["attempts"] > CALLS
    assert all(ledger[bucket] for bucket in ("input", "output", "cache_read", "cost", "unknown"))
    assert any(one.usage is not None and one.usage.estimated for d in decisions for one in d.attempts)


def test_a_call_whose_caller_leaves_while_its_record_is_written_is_counted(house: Build, tmp_path: Path) -> None:
    async def scene() -> None:
        async with house(served={"near": "scripted-near?fault=slow_first&delay_ms=300"}) as h:
            asking = asyncio.create_task(h.ask(model="near"))
            assert await asyncio.to_thread(until, lambda: bool(h.upstreams["near"].asked))
            with closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                assert await asyncio.to_thread(until, lambda: h.wired.ledger.pending_rows > 0)
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asking
                other.execute("ROLLBACK")
            assert await asyncio.to_thread(until, lambda: h.wired.ledger.pending_rows == 0)
            assert await h.wired.ledger.count() == 1
            text = h.wired.observed.metrics.render().decode()
            assert of_the_counters(text)["attempts"] == 1

    asyncio.run(scene())
