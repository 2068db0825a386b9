"""Does a drill foresee what then happens, and how long does one take?

A real gateway in front of a real server with two places is asked at random times; a drill of that record says what one
place, three places, and half as many calls again would do to the times. Then each is done, with fresh gateways and the
same calls, and measured. Before that, growth is held against made days that are as busy by themselves, and after it a
drill of 100,000 made calls is timed. Prints one JSON object a line.
"""

import argparse
import asyncio
import json
import random
import resource
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.integration.gateway.conftest import House
from tests.integration.gateway.test_drill import drill
from tests.integration.gateway.till import behind_a_gateway
from tests.unit.drill.traffics import call, kind, queued, traffic, tried
from tests.unit.gateway.test_decide import rules

from tierwise.core.label import Label
from tierwise.drill.file import FORMAT, Head, again, made, read, text
from tierwise.drill.findings import Findings, Sum
from tierwise.drill.play import play
from tierwise.drill.scenario import Scenario, changes, put_on
from tierwise.drill.snapshot import Snapshot
from tierwise.drill.traffic import Call, Source, Traffic
from tierwise.policy.released import Written

MEAN_MS, PLACES = 60, 2
SCENARIOS = {
    "as it was": (2, "1", {}),
    "one place": (1, "1", {"capacity": changes(("till=1",), "--capacity")}),
    "three places": (3, "1", {"capacity": changes(("till=3",), "--capacity")}),
    "1.5 times the calls": (2, "1.5", {"growth": Decimal("1.5")}),
}


def arrivals(count: int, times: Decimal, seed: int) -> list[tuple[float, int]]:
    """Return when calls come (seconds) and how long each takes (milliseconds): 70 % of one place's time, in all."""
    chance, at, found = random.Random(seed), 0.0, []
    for _ in range(int(count * times)):
        at += chance.expovariate(1000 * 0.7 * float(times) / MEAN_MS)
        found.append((at, min(600, max(5, round(chance.expovariate(1 / MEAN_MS))))))
    return found


async def lived(places: int, calls: list[tuple[float, int]], home: Path) -> tuple[Sum, dict[str, Findings]]:
    """Let a gateway serve the calls; return what it measured, and what drills of its record foresee."""
    async with behind_a_gateway(places, home) as wired:
        house = House(wired, {})

        async def ask(at: float, takes_ms: int) -> None:
            await asyncio.sleep(at)
            await house.ask(str(takes_ms), model="clerk")

        await asyncio.gather(*(ask(*one) for one in calls))
        known = changes((f"till={places}",), "--slots")
        foreseen = {name: drill(house, slots=known, **changed)[1] for name, (_, _, changed) in SCENARIOS.items()}
        return foreseen["as it was"].whole.today, foreseen


async def foreseen(count: int, seed: int) -> None:
    """Print, for each scenario, the times that a drill foresees and those that are then measured."""
    found: dict[str, Findings] = {}
    for name, (places, times, _) in SCENARIOS.items():
        with tempfile.TemporaryDirectory() as home:
            measured, drills = await lived(places, arrivals(count, Decimal(times), seed), Path(home))
        found = found or drills
        said = found[name].whole.drill.took
        line = {"scenario": name, "calls": measured.calls, "check_error_p95": found[name].check.error_p95}
        for rank in ("p50_ms", "p95_ms"):
            guess, real = getattr(said, rank), getattr(measured.took, rank)
            line |= {f"foreseen_{rank}": guess, f"measured_{rank}": real, f"error_{rank}": round(guess / real - 1, 4)}
        print(json.dumps(line), flush=True)


def grown(days: int) -> None:
    """Print how the drill's growth waits, against as many calls that come by themselves: of made days, without a clock.

    `apart` is how far two such days are from each other, which no drill can foresee.
    """

    def late_ms(times: list[int]) -> float:
        return sorted(times)[len(times) * 19 // 20] / 1000

    def day(times: str, seed: int) -> list[Call]:
        made = [(at, ms / 1000) for at, ms in arrivals(1000, Decimal(times), seed)]
        return queued(made, PLACES)

    def foreseen_ms(times: str, seed: int) -> float:
        scenario = Scenario(slots=changes((f"here={PLACES}",), "--slots"), growth=Decimal(times))
        what = traffic(day("1", seed), kind("near", Label.RESTRICTED))
        return late_ms([one.took_us or 0 for one in play(what, put_on(scenario, rules())).came])

    for times in ("1.5", "2"):
        real = [late_ms([one.took_us or 0 for one in day(times, seed)]) for seed in range(days)]
        other = [late_ms([one.took_us or 0 for one in day(times, seed + days)]) for seed in range(days)]
        said = [foreseen_ms(times, seed) for seed in range(days)]
        line: dict[str, object] = {"grown": times, "days": days, "mean_p95_error": round(sum(said) / sum(real) - 1, 4)}
        for name, found in (("error", said), ("apart", other)):
            off = sorted(one / two - 1 for one, two in zip(found, real, strict=True))
            line |= {name: [round(value, 3) for value in (off[0], statistics.median(off), off[-1])]}
        print(json.dumps(line), flush=True)


def timed(count: int) -> None:
    """Print how long it takes to make a drill of so many calls of 50 kinds, and to make it again from its file."""
    chance = random.Random(1)
    kinds = tuple(kind(model) for model in ("auto", "auto:bank", "mid", "far", "tier:local"))
    calls = tuple(
        call(n, n / 3, tried(chance.choice(("near", "mid", "far")), chance.expovariate(0.5)), kind=n % len(kinds))
        for n in range(count)
    )
    head = Head(
        format=FORMAT, tierwise="benchmark", made_us=0, skipped=0, kinds=len(kinds), calls=len(calls),
        scenario=Scenario(without=("out",), slots=changes(("here=4", "own=8"), "--slots"), growth=Decimal(2)),
        source=Source(since_ts=0.0, after=0, last=count, records=count, sha256=""),
        rules=Snapshot.of(rules(), Written()),
    )  # fmt: skip
    begun = time.process_time()
    done, _ = made(head, Traffic(kinds=kinds, calls=calls, skipped=0))
    first, data = time.process_time() - begun, text(done)
    begun = time.process_time()
    same, _ = again(read(data, "it"))
    second = time.process_time() - begun
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"calls": count, "cpu_s": round(first, 2), "again_cpu_s": round(second, 2), "same": same is None,
                      "file_bytes": len(data), "most_memory_mib": most}))  # fmt: skip


def main() -> None:
    """Run all parts."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=1000, help="calls of each measured run")
    options.add_argument("--timed", type=int, default=100_000, help="calls of the timed drill")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--days", type=int, default=30, help="made days that growth is held against")
    given = options.parse_args()
    grown(given.days)
    asyncio.run(foreseen(given.calls, given.seed))
    timed(given.timed)


if __name__ == "__main__":
    main()
