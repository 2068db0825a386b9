"""What does a durable record cost here? Requests a second through the ledger, and the disk's own fsync beside it.

A request is an intent and an outcome (8 candidates, one attempt), each awaited until durable. `--work-us` keeps the
event loop busy for that long between the two, as decoding and sending would. CPU is a request's share of the event
loop's thread and of the whole process.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import msgspec
import uvloop

from tierwise.core.call import Features
from tierwise.core.decision import AttemptRecord, CandidateRecord, Decision, GateRecord, Labelled, LabelSource
from tierwise.core.label import Label, Tier
from tierwise.core.usage import Usage
from tierwise.ledger.encode import encode_decision, encode_intent
from tierwise.ledger.ids import IdSource
from tierwise.ledger.intent import Intent
from tierwise.ledger.settings import LedgerSettings
from tierwise.ledger.store import Ledger
from tierwise.sqlite.connect import Durability

IDS = IdSource(time.time_ns, os.urandom)
FEATURES = Features(input_tokens_est=512, max_output_tokens=256, schema=True)
LABELLED = Labelled(
    value=Label.CONFIDENTIAL,
    sources=(
        LabelSource(source="default", label=Label.INTERNAL),
        LabelSource(source="detector:card", label=Label.CONFIDENTIAL, detail="messages[1].content"),
    ),
)
CANDIDATES = tuple(
    CandidateRecord(
        model=f"model-{place}-8b-instruct",
        endpoint=f"endpoint-{place}",
        tier=Tier.FRONTIER if place > 3 else Tier.LOCAL,
        allowed=place <= 3,
        excluded_by="label" if place > 3 else None,
        reason="confidential data stays on servers that you run" if place > 3 else "sufficient and cheapest",
        score=float(place) if place <= 3 else None,
        expected_cost_usd=Decimal("0.0001275") * place,
        expected_quality=0.97,
        expected_latency_ms=120.5,
    )
    for place in range(8)
)
ATTEMPT = AttemptRecord(
    endpoint="endpoint-0",
    model="model-0-8b-instruct",
    tier=Tier.LOCAL,
    started=1_800_000_000.25,
    served_model="model-0-8b-instruct",
    first_byte_ms=12.25,
    duration_ms=181.5,
    usage=Usage(input=498, output=41),
    cost_usd=Decimal("0.0001275"),
    gate=GateRecord(name="empty, cut, schema, logprob", verdict="pass"),
    verdict="ok",
)


def an_intent() -> Intent:
    return Intent(
        id=IDS.next(),
        ts=time.time(),
        requested_model="auto:banking77",
        caller_wire="openai_chat",
        features=FEATURES,
        label=LABELLED,
        chosen="model-0-8b-instruct",
        endpoint="endpoint-0",
        tier=Tier.LOCAL,
        workflow="banking77",
        strategy="cheapest_sufficient",
        policy_digest="0123456789abcdef",
        price_digest="0123456789abcdef",
        registry_digest="0123456789abcdef",
    )


def its_outcome(intent: Intent) -> Decision:
    return msgspec.structs.replace(
        intent.decision("answered", "cheapest sufficient"),
        candidates=CANDIDATES,
        attempts=(ATTEMPT,),
        total_cost_usd=ATTEMPT.cost_usd,
    )


def fsync_ms(folder: Path) -> list[float]:
    """Time 200 appends of 8 KiB with an fdatasync each."""
    with tempfile.TemporaryFile(dir=folder) as file:
        taken = []
        for _ in range(200):
            os.write(file.fileno(), b"x" * 8192)
            start = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - start) * 1000)
    return taken


def burn(work_us: float) -> None:
    end = time.perf_counter() + work_us / 1e6
    while time.perf_counter() < end:
        pass


async def drive(path: Path, durability: Durability, callers: int, requests: int, work_us: float) -> dict[str, float]:
    """Run the requests from so many callers at once and return what was measured."""
    waits_ms: list[float] = []
    left = iter(range(requests))
    async with await Ledger.open(path, LedgerSettings(durability=durability)) as ledger:

        async def caller() -> None:
            for _ in left:
                start = time.perf_counter()
                intent = an_intent()
                await ledger.intent(intent)
                between = time.perf_counter()
                if work_us:
                    burn(work_us)
                resumed = time.perf_counter()
                await ledger.outcome(its_outcome(intent))
                waits_ms.append((between - start + time.perf_counter() - resumed) * 1000)

        wall, loop_cpu, cpu = time.perf_counter(), time.thread_time(), time.process_time()
        await asyncio.gather(*(caller() for _ in range(callers)))
        wall, loop_cpu, cpu = time.perf_counter() - wall, time.thread_time() - loop_cpu, time.process_time() - cpu
    cuts = statistics.quantiles(waits_ms, n=100)
    return {
        "callers": callers,
        "work_us": work_us,
        "requests_per_s": requests / wall,
        "both_waits_ms_p50": cuts[49],
        "both_waits_ms_p99": cuts[98],
        "loop_cpu_us": loop_cpu / requests * 1e6,
        "process_cpu_us": cpu / requests * 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; default: the temporary folder")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--work-us", type=float, default=0)
    parser.add_argument("--durability", choices=["full", "normal"], default="full")
    options = parser.parse_args()
    example = an_intent()
    sizes = f"intent {len(encode_intent(example))} bytes, record {len(encode_decision(its_outcome(example)))} bytes"
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        taken = statistics.quantiles(fsync_ms(Path(name)), n=100)
        print(f"fdatasync of 8 KiB: p50 {taken[49]:.3f} ms, p99 {taken[98]:.3f} ms; {sizes}; load {os.getloadavg()[0]}")
        for callers in options.callers:
            requests = min(options.requests, callers * 1000)
            path = Path(name) / f"{callers}.db"
            found = uvloop.run(drive(path, options.durability, callers, requests, options.work_us))
            found["bytes_per_request"] = path.stat().st_size / requests
            print("  ".join(f"{key} {value:,.4g}" for key, value in found.items()))


if __name__ == "__main__":
    main()
