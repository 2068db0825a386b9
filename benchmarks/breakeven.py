"""How long does it take to find every crossing? Run: scripts/bench breakeven

A thousand made-up structures of one to three kinds of steps, with and without a horizon.
"""

import argparse
import json
import random
import statistics
import sys
import time
from decimal import Decimal

from tierwise.economics.breakeven import Api, BreakEven, Own, Step, break_even, break_even_region
from tierwise.economics.given import Given

STRUCTURES = 1_000
LIMIT_US = 50_000


def about(chance: random.Random, value: float) -> Given:
    """Return a number with a range of up to a fifth around it."""
    middle = Decimal(f"{value:.2f}")
    part = Decimal(chance.randint(0, 20)) / 100
    return Given(value=middle, low=middle * (1 - part), high=middle * (1 + part))


def structure(chance: random.Random) -> tuple[Own, Api]:
    steps = tuple(
        Step(
            name=f"kind {at}",
            tokens=about(chance, chance.uniform(1e7, 5e9)),
            usd_per_month=about(chance, chance.uniform(50, 9_000)),
            usd_once=about(chance, chance.choice((0, chance.uniform(2_000, 240_000)))),
            spare=chance.choice((0, 0, 1)),
        )
        for at in range(chance.randint(1, 3))
    )
    own = Own(
        steps=steps,
        base_usd_per_month=about(chance, chance.uniform(0, 20_000)),
        usd_per_mtok=about(chance, chance.uniform(0, 0.3)),
    )
    return own, Api(name="api", usd_per_mtok=about(chance, chance.uniform(0.1, 60)))


def main() -> int:
    asked_for = argparse.ArgumentParser(description=__doc__)
    asked_for.add_argument("--json", action="store_true")
    wanted = asked_for.parse_args()
    said: dict[str, float | int] = {"structures": STRUCTURES}
    chance = random.Random(18101)
    asked = [structure(chance) for _ in range(STRUCTURES)]
    for name, solve in (("crossings", break_even), ("region", break_even_region)):
        took: list[float] = []
        found: list[BreakEven] = []
        for own, api in asked:
            start = time.perf_counter()
            found.append(solve(own, api))
            took.append((time.perf_counter() - start) * 1000)
        said[f"{name}_whole"] = sum(one.known_to is None for one in found)
        said[f"{name}_found"] = sum(len(one.crossings) for one in found)
        said[f"{name}_median_us"] = round(statistics.median(took) * 1000)
        said[f"{name}_worst_us"] = round(max(took) * 1000)
    print(json.dumps(said) if wanted.json else "\n".join(f"{name:22} {value:,}" for name, value in said.items()))
    return 0 if max(said["crossings_worst_us"], said["region_worst_us"]) < LIMIT_US else 1


if __name__ == "__main__":
    sys.exit(main())
