"""Is "fits" true? Real loads of made-up models, judged as if the memory were a little more or less than they needed.

Run: scripts/bench hardware_fits [--loads 480] [--write]; half an hour on two cores, busy or not. From a seed: models
that the record of `engine_memory` does not hold (`hardware_drawn`), loaded by the embedded engine in setups that it
does not hold, each in a process of its own that answers a short prompt in each conversation. What a load needs is the
larger of what the engine said it set aside and what the kernel counted. Each is judged at free memory drawn between 0.7
and 1.3 times that, and at the least memory at which the verdict is "fits"; every tenth is loaded once more with that as
a limit of the kernel. With --write the figures go beside docs/reference/speed.md. The files hold zeros, on which memory
does not depend. Needs the extra `embedded` and 6 GB.
"""

import argparse
import json
import math
import os
import random
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from subprocess import TimeoutExpired

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.hardware_drawn import made  # noqa: E402
from tests.integration.hardware.engine import said, shown  # noqa: E402
from tests.unit.hardware import engine_log  # noqa: E402

from tierwise.core.model import ENGINE_CHECKPOINTS  # noqa: E402
from tierwise.hardware.fit import judge, needed  # noqa: E402
from tierwise.hardware.gguf import read_header  # noqa: E402
from tierwise.hardware.layers import shape  # noqa: E402
from tierwise.hardware.memory import CELLS, Setup, memory  # noqa: E402
from tierwise.providers.engine import program  # noqa: E402

FIGURES = ROOT / "docs/reference/speed_fits.json"
MIB = 1024 * 1024
GOAL, SURE = 0.01, 0.99
BAND, JUDGED, LIMITED = (0.7, 1.3), 4, 10
MOST_WEIGHTS, MOST_CACHES = 1200 * MIB, 2000 * MIB
CACHES = ("f16", "f16", "bf16", "f32", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0")
EACH = 4
LEFT_FOR_TWO_TOKENS = 16


def setups(rng, trained):
    """Yield what a model is loaded in."""
    while True:
        context = round(math.exp(rng.uniform(math.log(300), math.log(min(trained, 40_000)))))
        flash = rng.random() < 0.8
        kinds = [rng.choice(CACHES), rng.choice(CACHES if flash else CACHES[:4])]
        yield {
            "context_tokens": context, "sequences": rng.choice((1, 1, 2, 3, 4, 6)), "k_type": kinds[0],
            "v_type": kinds[1], "flash": flash, "micro_batch": rng.choice((64, 200, 256, 512, 512, 512, 1024, 2048)),
        }  # fmt: skip


def loaded(file, setup, rng):
    """Load it for real; return what it took and what the verdict's own sum says, or None where the engine refuses."""
    with file.open("rb") as source:
        header = read_header(source, file.stat().st_size)
    found = memory(shape(header), header.weights, Setup(**setup, checkpoints=ENGINE_CHECKPOINTS))
    if found.cache_bytes + found.recurrent_bytes > MOST_CACHES or found.compute_bytes > MOST_CACHES:
        return None
    room = min(setup["context_tokens"], -(-setup["context_tokens"] // CELLS) * CELLS) - LEFT_FOR_TWO_TOKENS
    prompts = [min(room, rng.choice((8, 16, 40)))] * setup["sequences"]
    asked = {**setup, "prompts": prompts, "repack": True, "checkpoints": ENGINE_CHECKPOINTS, "threads": 1}
    try:
        text, held = shown(file, asked, timeout_s=120)
    except TimeoutExpired:
        return None
    parts = said(text)
    if held is None or "loaded" not in held or parts is None or parts["compute"] is None:
        return None
    repacked = sum(float(line.split("=")[1].split()[0]) for line in text.splitlines() if "REPACK model buffer" in line)
    mapped = header.weight_bytes - min(header.weight_bytes, int(repacked * MIB))
    logged = sum(parts[name] or 0 for name in ("cache", "recurrent", "compute")) * MIB
    counted = held["loaded"]["anon"] + held["bare"]["file"] + mapped
    real = int(max(counted, sum(held["bare"].values()) + header.weight_bytes + logged))
    return {"real": real, "need": needed(found), "mapped": mapped, "counted": counted, "asked": asked}


def least_free(need):
    """Return the least free memory at which the verdict is "fits"."""
    low, high = 0, 4 * need.total_bytes + 1024 * MIB
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if judge(need, middle).fit == "fits" else (middle + 1, high)
    return low


def loads(seed, most):
    """Yield loads, each with the verdicts on it."""
    models, rng = engine_log.models(), random.Random(seed)
    names, refused, count = list(models), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.gguf"
        while count < most:
            name = rng.choice(names)
            drawn = made(rng, file, models[name], MOST_WEIGHTS)
            if drawn is None:
                refused += 1
                continue
            some = setups(rng, drawn["keys"]["context_length"])
            for _ in range(EACH):
                if (found := loaded(file, next(some), rng)) is None:
                    refused += 1
                    continue
                yield told(found, models[name]["architecture"], drawn, rng) | {"refused": refused}
                if count % LIMITED == 0:
                    yield {"limited": limited(file, found)}
                count += 1


def told(found, architecture, drawn, rng):
    real, least = found["real"], least_free(found["need"])
    verdicts = []
    for free in (int(real * rng.uniform(*BAND)) for _ in range(JUDGED)):
        says, true = judge(found["need"], free).fit == "fits", real <= free
        verdicts.append([says, true])
    return {
        "architecture": architecture, "packing": drawn["packing"], "words": drawn["words"], "setup": found["asked"],
        "real": real, "sum": found["need"].total_bytes, "least": least, "verdicts": verdicts, "false": least < real,
        "counted": found["counted"],
    }  # fmt: skip


def limited(file, found):
    """Load it once more with the least memory at which it "fits" as a limit; True where it loads and answers.

    The kernel's limit is on memory that is written, so that the part of the file that is only read is taken off.
    """
    limit = least_free(found["need"]) - found["mapped"]
    _, held = shown(file, {**found["asked"], "limit_bytes": limit}, timeout_s=120)
    _, less = shown(file, {**found["asked"], "limit_bytes": (found["real"] - found["mapped"]) // 2}, timeout_s=120)
    return {
        "answers": bool(held and held.get("answered") == found["asked"]["sequences"]),
        "half_answers": bool(less and less.get("answered") == found["asked"]["sequences"]),
    }


def bound(bad, of, sure):
    """Return the largest share of which so few in `of` would still be seen (Clopper-Pearson, one-sided)."""
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        seen = sum(math.comb(of, one) * middle**one * (1 - middle) ** (of - one) for one in range(bad + 1))
        low, high = (middle, high) if seen > 1 - sure else (low, middle)
    return high


def figures(every, limits, seed):
    """Return what the page tells."""
    verdicts = [verdict for one in every for verdict in one["verdicts"]]
    false = sum(one["false"] for one in every)
    beside = sorted(one["least"] / one["real"] - 1 for one in every)
    return {
        "as_of": datetime.now(UTC).date().isoformat(), "engine": program(), "seed": seed,
        "loads": len(every), "refused": max((one["refused"] for one in every), default=0),
        "architectures": len({one["architecture"] for one in every}),
        "least_mib": min(one["real"] for one in every) // MIB, "most_mib": max(one["real"] for one in every) // MIB,
        "verdicts": len(verdicts), "fits": sum(says for says, _ in verdicts),
        "false_fits": sum(says and not true for says, true in verdicts),
        "would_fit": sum(true for _, true in verdicts), "false_no": sum(true and not says for says, true in verdicts),
        "loads_that_could_be_false": false, "bound_99": round(bound(false, len(every), 0.99), 5),
        "bound_95": round(bound(false, len(every), 0.95), 5),
        "sum_below_real": sum(one["sum"] < one["real"] for one in every),
        "largest_shortfall_mib": max(0, *(one["real"] - one["sum"] for one in every)) // MIB,
        "median_beside": round(statistics.median(beside), 4),
        "nine_of_ten_beside": round(beside[len(beside) * 9 // 10], 4),
        "limited": len(limits), "limited_answer": sum(one["answers"] for one in limits),
        "half_answer": sum(one["half_answers"] for one in limits),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loads", type=int, default=480)
    parser.add_argument("--seed", type=int, default=20261123)
    parser.add_argument("--keep", type=Path, help="write a line of JSON for each load")
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/reference/speed_fits.json")
    asked = parser.parse_args()
    every, limits = [], []
    with (asked.keep or Path(os.devnull)).open("w", encoding="utf-8") as kept:
        for one in loads(asked.seed, asked.loads):
            kept.write(json.dumps(one) + "\n")
            kept.flush()
            if "limited" in one:
                limits.append(one["limited"])
            else:
                every.append(one)
    found = figures(every, limits, asked.seed)
    print(json.dumps(found, indent=2))
    if asked.write:
        FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    held = found["bound_99"] < GOAL and found["limited_answer"] == found["limited"]
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
