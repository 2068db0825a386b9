"""Is every price right, and how many are computed a second? Run: scripts/bench prices

A million made-up usages, under prices with bands, services, caches, reasoning, sound and pictures, against an oracle
that shares no code with what it checks: integers, and the rules written down a second time.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec

from tierwise.core.usage import Band, Media, Price, Tariff, Usage
from tierwise.economics.price import cost_usd

NUMBER = 1_000_000
LEAST_PER_S = 200_000
AT_ONCE = 50_000
PRICES = 200
SERVICES = ("batch", "flex", "priority")
READ = ("input", "cache_read", "cache_write", "cache_write_1h", "audio_input", "image_input")
WRITTEN = ("output", "reasoning", "audio_output", "image_output")
# What a kind costs where its own price is not named.
OTHERWISE = {
    "cache_read": "input", "cache_write": "input", "cache_write_1h": "cache_write", "audio_input": "input",
    "image_input": "input", "reasoning": "output", "audio_output": "output", "image_output": "output",
}  # fmt: skip


def rates(chance: random.Random) -> dict[str, Any]:
    """Make rates of up to six decimals; of most kinds none is named."""
    named = {"input", "output", *(kind for kind in OTHERWISE if chance.random() < 0.4)}
    return {f"{kind}_usd_per_mtok": Decimal(chance.randint(0, 10**8)).scaleb(-chance.randint(2, 6)) for kind in named}


def tariff(chance: random.Random) -> dict[str, Any]:
    edges = sorted(chance.sample((8_192, 32_768, 128_000, 200_000, 272_000, 512_000), chance.choice((0, 0, 1, 2, 3))))
    return {**rates(chance), "bands": tuple(Band(above_tokens=edge, **rates(chance)) for edge in edges)}


def price(chance: random.Random) -> Price:
    services = {name: Tariff(**tariff(chance)) for name in SERVICES if chance.random() < 0.4}
    return Price(**tariff(chance), services=services)


def usage(chance: random.Random) -> Usage:
    def tokens(share: float) -> int:
        return chance.randint(0, 2 ** chance.randint(0, 20)) if chance.random() < share else 0

    text = {kind: tokens(0.5) for kind in ("cache_read", "cache_write", "cache_write_1h", "reasoning")}
    more: dict[str, Any] = {}
    if chance.random() < 0.2:
        more["media"] = Media(**{kind: tokens(0.5) for kind in Media.__struct_fields__})
    if chance.random() < 0.3:
        more["service"] = chance.choice((*SERVICES, "unheard-of"))
    return Usage(input=tokens(0.95), output=tokens(0.95), **text, **more)


# the oracle


def plain(value: Any) -> Any:
    """Return a price as a table of whole picodollars for a token, with nothing left out."""
    table = msgspec.to_builtins(value, builtin_types=(Decimal,))
    found = {kind: table.get(f"{kind}_usd_per_mtok") for kind in (*READ, *WRITTEN)}
    for kind, other in OTHERWISE.items():  # in this order: an hour's cache falls back to the other writes
        found[kind] = found[other] if found[kind] is None else found[kind]
    rows = [{"above": -1, "rates": {kind: int(Fraction(rate) * 10**6) for kind, rate in found.items()}}]
    rows += [
        {"above": band.above_tokens, "rates": plain(band)["tariff"][0]["rates"]} for band in getattr(value, "bands", ())
    ]
    return {"tariff": rows, "services": {name: plain(one) for name, one in getattr(value, "services", {}).items()}}


def oracle(table: Mapping[str, Any], used: Usage) -> int:
    """Return the cost in whole picodollars."""
    counts = {kind: getattr(used, kind, 0) for kind in (*READ, *WRITTEN)}
    if isinstance(used.media, Media):
        counts |= {kind: getattr(used.media, kind) for kind in Media.__struct_fields__}
    chosen = table["services"].get(used.service, table)["tariff"]
    read = sum(counts[kind] for kind in READ)
    row = max((one for one in chosen if one["above"] < read), key=lambda one: one["above"], default=chosen[0])
    return sum(tokens * row["rates"][kind] for kind, tokens in counts.items())


def rounds(number: int) -> Iterator[tuple[int, float]]:
    """Give, for each batch, how many differed and how long pricing them took; neither making nor checking is timed."""
    chance = random.Random(20261121)
    prices = [price(chance) for _ in range(PRICES)]
    tables = [plain(one) for one in prices]
    left = number
    while left > 0:
        size = min(AT_ONCE, left)
        left -= size
        which = [chance.randrange(PRICES) for _ in range(size)]
        asked = [(prices[at], usage(chance)) for at in which]
        start = time.perf_counter()
        costs = [cost_usd(one, used) for one, used in asked]
        took = time.perf_counter() - start
        right = [oracle(tables[at], used) for at, (_, used) in zip(which, asked, strict=True)]
        yield sum(cost.scaleb(12) != pico for cost, pico in zip(costs, right, strict=True)), took


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--usages", type=int, default=NUMBER)
    asked.add_argument("--json", action="store_true")
    wanted = asked.parse_args()
    found = list(rounds(wanted.usages))
    differing, took = sum(wrong for wrong, _ in found), sum(took for _, took in found)
    said = {"usages": wanted.usages, "prices": PRICES, "differing": differing, "per_s": round(wanted.usages / took)}
    print(json.dumps(said) if wanted.json else "\n".join(f"{name:10} {value:,}" for name, value in said.items()))
    return 1 if differing or said["per_s"] < LEAST_PER_S else 0


if __name__ == "__main__":
    sys.exit(main())
