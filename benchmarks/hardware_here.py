"""Does a calibration of ten seconds tell how fast other models are on this machine? Run: scripts/bench hardware_here

It calibrates as `tierwise fit --calibrate` does, then times files that the calibration did not see: made-up weights in
the shapes of real models, of 0.1 to 1.5 GB, three packings, one mixture of experts. Each is predicted before it is
timed. With --write the figures go beside the page docs/reference/speed.md, and the ranges into
the rows that the product tells them by. Only on a machine that does nothing else.
"""

import argparse
import asyncio
import json
import math
import os
import platform
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tierwise.hardware
from tierwise.bootstrap.calibrating import calibrate, timed
from tierwise.hardware.calibrate import ANSWER_TOKENS, PROMPT_TOKENS
from tierwise.hardware.parts import factors
from tierwise.hardware.sample import Sample, content, work
from tierwise.hardware.speed import Part, Share, decode, prefill
from tierwise.providers.transport import Transport

FIGURES = Path(__file__).resolve().parents[1] / "docs/reference/speed_here.json"
RANGES = Path(tierwise.hardware.__file__).parent / "rows/calibrated.toml"
GOAL = 0.10
TIMED_S = 4.0
# The shapes of models whose heads are 64 wide, from their config.json; the weights are noise.
SHAPES = {
    "SmolLM2-135M, 8 bits": Sample(
        layers=30, width=576, feed_forward=1536, heads_kv=3, vocabulary=49_152, packing="q8_0"
    ),
    "SmolLM2-360M, 8 bits": Sample(
        layers=32, width=960, feed_forward=2560, heads_kv=5, vocabulary=49_152, packing="q8_0"
    ),
    "SmolLM2-360M, half precision": Sample(
        layers=32, width=960, feed_forward=2560, heads_kv=5, vocabulary=49_152, packing="f16"
    ),
    "Qwen2.5-0.5B, 8 bits": Sample(
        layers=24, width=896, feed_forward=4864, heads_kv=2, vocabulary=151_936, packing="q8_0"
    ),
    "TinyLlama-1.1B, 4 bits": Sample(layers=22, width=2048, feed_forward=5632, heads_kv=4, vocabulary=32_000),
    "TinyLlama-1.1B, 8 bits": Sample(
        layers=22, width=2048, feed_forward=5632, heads_kv=4, vocabulary=32_000, packing="q8_0"
    ),
    "Llama-3.2-1B, 4 bits": Sample(layers=16, width=2048, feed_forward=8192, heads_kv=8, vocabulary=128_256),
    "Llama-3.2-1B, 8 bits": Sample(
        layers=16, width=2048, feed_forward=8192, heads_kv=8, vocabulary=128_256, packing="q8_0"
    ),
    "Granite-3.0-1B-A400M, 4 bits": Sample(
        layers=24, width=1024, feed_forward=512, heads_kv=8, vocabulary=49_152, experts=32, used=8
    ),
}


async def measure() -> dict[str, Any]:
    known, shares, transport = factors(), [Share(part=Part(kind="cpu"))], Transport()
    rows = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            here = await calibrate(Path(folder), platform.machine())
            took = time.perf_counter() - begun
            for name, sample in SHAPES.items():
                file = Path(folder, "sample.gguf")
                _write(file, sample)
                answer = decode(work(sample, PROMPT_TOKENS + ANSWER_TOKENS // 2), shares, known, [here])
                prompt = prefill(work(sample, PROMPT_TOKENS), PROMPT_TOKENS, shares, known, [here])
                assert answer is not None
                assert prompt is not None
                found = await timed(file, transport, TIMED_S)
                rows.append(
                    {
                        "model": name,
                        "gigabytes": round(work(sample).total_bytes / 1e9, 2),
                        "predicted": round(answer.mid, 2),
                        "measured": round(1 / found.token_s, 2),
                        "error": round(answer.mid * found.token_s - 1, 4),
                        "prompt_predicted": round(prompt.mid, 1),
                        "prompt_measured": round(PROMPT_TOKENS / found.prompt_s, 1),
                        "prompt_error": round(prompt.mid * found.prompt_s / PROMPT_TOKENS - 1, 4),
                    }
                )
                print(json.dumps(rows[-1]), flush=True)
    finally:
        await transport.aclose()
    return {
        "as_of": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "calibration_s": round(took, 1),
        "median_error": round(statistics.median(abs(float(row["error"])) for row in rows), 4),
        "largest_error": round(max(abs(float(row["error"])) for row in rows), 4),
        **{f"in_{of}": _held(rows, name) for of, name in (("range", "error"), ("prompt_range", "prompt_error"))},
        **{of: _range(rows, name) for of, name in (("range", "error"), ("prompt_range", "prompt_error"))},
        "largest_prompt_error": round(max(abs(float(row["prompt_error"])) for row in rows), 4),
        "median_prompt_error": round(statistics.median(abs(float(row["prompt_error"])) for row in rows), 4),
        "rows": rows,
    }


def _range(rows: list[dict[str, object]], name: str) -> dict[str, float]:
    """Return between which multiples of what was told the middle 8 of 10 lay, and never less than a twentieth wide."""
    true = sorted(1 / (1 + float(str(row[name]))) for row in rows)
    low, high = (
        true[math.floor(at)] + (at % 1) * (true[math.ceil(at)] - true[math.floor(at)])
        for at in (0.1 * (len(true) - 1), 0.9 * (len(true) - 1))
    )
    return {"low": round(min(low, 0.95), 2), "high": round(max(high, 1.05), 2)}


def _held(rows: list[dict[str, object]], name: str) -> int:
    """Return how many lie in the range that all others make."""
    held = 0
    for number, row in enumerate(rows):
        others = _range(rows[:number] + rows[number + 1 :], name)
        held += others["low"] <= 1 / (1 + float(str(row[name]))) <= others["high"]
    return held


def _calibrated(found: dict[str, Any]) -> str:
    """Return the row that the product tells its ranges by."""
    told = [
        f"{of} = {{ low = {found[name]['low']}, high = {found[name]['high']} }}"
        for of, name in (("answer", "range"), ("prompt", "prompt_range"))
    ]
    head = [line for line in RANGES.read_text("utf-8").splitlines() if line.startswith("#")]
    source = f'source = "{len(found["rows"])} files on one machine, {found["as_of"]}"'
    return "\n".join([*head, *told, source]) + "\n"


def _write(file: Path, sample: Sample) -> None:
    with file.open("wb") as target:
        for piece in content(sample):
            target.write(piece)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the figures in docs/reference/speed_here.json")
    asked = parser.parse_args()
    found = asyncio.run(measure())
    print(json.dumps(found, indent=2))
    if asked.write:
        RANGES.write_text(_calibrated(found), encoding="utf-8")
        FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0 if float(str(found["largest_error"])) <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
