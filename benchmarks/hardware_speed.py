"""How far is the speed model off, on machines and models that it was not fitted on? Run: scripts/bench hardware_speed

It reads a table of measured runs (`--runs`, columns as in llmfit's benchmark cache), tells what it left out, fits
the factors of `hardware/rows/speed.toml`, and holds out each machine, then each model, in turn: what is predicted for
one was fitted without it, its range too. With --write it replaces speed.toml and docs/reference/speed.json, from which
`python -m tests.documents.speed` writes the page, which also tells what these figures do not show.
"""

import argparse
import collections
import csv
import json
import math
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from scipy.optimize import least_squares

from tierwise.hardware.parts import device
from tierwise.hardware.speed import Factors, Kind, Part, Range, Share, Work, decode, prefill

ROOT = Path(__file__).resolve().parents[1]
ROWS = ROOT / "src/tierwise/hardware/rows/speed.toml"
FIGURES = ROOT / "docs/reference/speed.json"
SOURCE = "AlexsJones/llmfit at 3f44fd30a43d, benchmark_cache.json (MIT), the half of its machines that is at hand"
READ = "2026-11-21"
# Bits that a weight takes on average in a file of that name, its output apart (which is kept at 6.6 or more).
BITS = (
    ("q8_k_xl", 9.2), ("q8", 8.5), ("q6_k_xl", 6.9), ("ud-q6", 6.9), ("q6", 6.56), ("q5", 5.7), ("mxfp4", 4.5),
    ("nvfp4", 4.5), ("q4_0", 4.6), ("iq4_xs", 4.4), ("iq4", 4.6), ("q4_k_xl", 4.9), ("q4_k_s", 4.6), ("q4", 4.85),
    ("q3_k_xl", 4.1), ("q3_k_s", 3.5), ("q3", 3.95), ("iq3", 3.2), ("q2", 3.0), ("bf16", 16.0), ("fp16", 16.0),
    ("avq2", 2.5),
)  # fmt: skip
OUTPUT_BITS = 6.56
COMMON = 0.55  # the common formula: bandwidth / size x 0.55
ENOUGH_PROMPT_TOKENS = 128
GOALS = {"dense": 0.15, "moe": 0.20}  # median error, by machine
RANGE_GOAL = (0.75, 0.85)  # of configurations, by machine


class Model(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a header would tell: see hardware_models.toml."""

    match: str
    family: str
    parameters_b: float
    active_b: float
    output_b: float
    layers: int
    cache_bytes: int
    sliding_bytes: int = 0
    window_tokens: int = 0
    moe: bool = False


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One measured run that is used; `cell` are the runs that differ only in depth or repetition."""

    machine: str
    model: Model
    cell: tuple[str, ...]
    part: Part
    work: Work
    prompt: Work
    decode_tok_s: float
    prompt_tokens: int
    prompt_tok_s: float | None
    size_bytes: float


MODELS = msgspec.convert(
    tomllib.loads(Path(__file__).with_name("hardware_models.toml").read_text())["model"], list[Model]
)


def read(file: Path, left_out: collections.Counter[str], *, literal: bool = False) -> Iterator[Run]:
    """Yield the runs that can be judged, counting under its reason each that cannot.

    `literal` takes every prompt that is told as standing before the answer.
    """
    with file.open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    seen: set[tuple[str, ...]] = set()
    series = _series(rows)
    for row in rows:
        same = tuple(value for key, value in row.items() if key != "id")
        found = "the same run again" if same in seen else _run(row, series, literal)
        seen.add(same)
        if isinstance(found, str):
            left_out[found] += 1
        else:
            yield found


def _series(rows: Sequence[dict[str, str]]) -> set[tuple[str, ...]]:
    """Runs of one machine and file without a prompt, at three context lengths or more: those are depths."""
    lengths = collections.defaultdict(set)
    for row in rows:
        if row["prompt_tokens"] in ("", "0"):
            lengths[_place(row)].add(row["context_length"])
    return {place for place, found in lengths.items() if len(found) >= 3}


def _place(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row[name] for name in ("gpu", "chip", "model", "quantization", "engine"))


def _run(row: dict[str, str], series: set[tuple[str, ...]], literal: bool) -> Run | str:
    if row["engine"] not in ("llama.cpp", "ollama"):
        return "not an engine for GGUF files"
    if row["spec_decoding"] == "True":
        return "speculative decoding"
    if row["gpu_count"] != "1":
        return "several devices"
    name = row["gpu"] or row["chip"]
    memory_gb = float(row["vram_gb"] or row["unified_gb"] or 0)
    known = device(name, int(memory_gb * 1e9) or None) if name else None
    if known is None:
        return "a device without a row, or a processor whose bandwidth the run does not tell"
    model = next((one for one in MODELS if re.search(one.match, row["model"].lower())), None)
    if model is None:
        return f"a model that is not in hardware_models.toml ({row['model']})"
    bits = next((bits for part, bits in BITS if part in row["quantization"].lower()), None)
    if bits is None:
        return f"a quantization of unknown size ({row['quantization']})"
    size, active = (_bytes(model, of, bits) for of in (model.parameters_b, model.active_b))
    before = int(row["prompt_tokens"] or 0) if literal else _depth(row, series)
    depth = before + int(row["output_tokens"] or 0) / 2
    work, speed = _work(model, size, active, depth), float(row["decode_tok_s"])
    if (active + work.cache_bytes) * speed > known.bandwidth_gb_s * 1e9:
        return "faster than its memory can be read: another model, or speculation"
    if memory_gb and size > memory_gb * 1e9 * 0.97:
        return "does not fit into the device"
    peak = float(row["peak_vram_gb"] or 0) * 1e9
    if known.kind != "metal" and 1e8 < peak < 0.9 * size:
        return "partly in the memory of the machine (less on the device than the file has)"
    prompt_tokens = int(row["prompt_tokens"] or 0)
    prompt = float(row["prefill_tok_s"] or 0) or None
    possible = prompt and known.tflops and 2 * model.active_b * 1e9 * prompt < known.tflops * 1e12
    return Run(
        machine=known.name, model=model, cell=(known.name, model.family, row["quantization"].lower()),
        part=Part(kind=known.kind, name=name, bandwidth_gb_s=known.bandwidth_gb_s, tflops=known.tflops), work=work,
        prompt=_work(model, size, active, prompt_tokens), decode_tok_s=speed, prompt_tokens=prompt_tokens,
        prompt_tok_s=prompt if possible and prompt_tokens >= ENOUGH_PROMPT_TOKENS else None, size_bytes=size,
    )  # fmt: skip


def _bytes(model: Model, parameters_b: float, bits: float) -> float:
    output = model.output_b * max(bits, OUTPUT_BITS)
    return ((parameters_b - model.output_b) * bits + output) / 8 * 1e9


def _work(model: Model, size: float, active: float, depth: float) -> Work:
    cache = model.cache_bytes * depth + model.sliding_bytes * min(depth, model.window_tokens)
    return Work(
        active_bytes=int(active), active_parameters=int(model.active_b * 1e9), total_bytes=int(size),
        layers=model.layers, moe=model.moe, cache_bytes=int(cache),
    )  # fmt: skip


def _depth(row: dict[str, str], series: set[tuple[str, ...]]) -> int:
    """How much stood before the answer. llama-bench writes answers into an empty context unless it runs over depths."""
    prompt, length, answer = (int(row[name] or 0) for name in ("prompt_tokens", "context_length", "output_tokens"))
    if not prompt:
        return length if _place(row) in series else 0
    bench = prompt == 512 or prompt + answer == length or row["batch_size"] not in ("", "1")
    return 0 if row["engine"] == "llama.cpp" and prompt != length and bench else prompt


class Table:
    """The runs as columns."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.machine = np.array([run.machine for run in runs])
        self.model = np.array([run.model.family for run in runs])
        self.moe = np.array([run.model.moe for run in runs])
        self.metal = np.array([run.part.kind == "metal" for run in runs])
        self.speed = np.array([run.decode_tok_s for run in runs])
        self.layers = np.array([float(run.work.layers) for run in runs])
        bandwidth = np.array([(run.part.bandwidth_gb_s or math.nan) * 1e9 for run in runs])
        self.reading = np.array([run.work.active_bytes + run.work.cache_bytes for run in runs]) / bandwidth
        self.once = np.array([run.work.active_bytes for run in runs]) / bandwidth
        self.common = COMMON / np.array([run.work.active_bytes for run in runs]) * bandwidth
        rate = np.array([(run.part.tflops or math.nan) * 1e12 for run in runs])
        self.tokens = np.array([float(run.prompt_tokens) for run in runs])
        self.prompted = np.array([run.prompt_tok_s or math.nan for run in runs])
        self.computing = np.array([2.0 * run.work.active_parameters for run in runs]) * self.tokens / rate
        self.looking = np.array([run.prompt.cache_bytes / 2 for run in runs]) * self.tokens / rate
        cells = collections.Counter(run.cell for run in runs)
        self.weight = np.array([1 / cells[run.cell] for run in runs])
        of_machine = collections.Counter[str]()
        for run, weight in zip(runs, self.weight, strict=True):
            of_machine[run.machine] += weight
        self.fit_weight = self.weight / np.sqrt([of_machine[run.machine] for run in runs])


Law = Callable[[Table, np.ndarray], np.ndarray]
STARTS = {"decode": [2.3, 0.7, 1.3], "prompt": [-1.0, 1.0, 1.0]}


def decoding(t: Table, p: np.ndarray) -> np.ndarray:
    """Seconds a token: microseconds a layer, times with experts, times on Metal (as logarithms)."""
    return _together(t.reading, t.layers * _layer_s(t, p))


def prompting(t: Table, p: np.ndarray) -> np.ndarray:
    """Seconds a prompt, reading apart: microseconds a layer and token, times with experts, operations a byte."""
    beside = t.layers * t.tokens * 1e-6 * np.exp(p[0] + p[1] * t.moe)
    return _together(t.computing, beside) + t.looking * np.exp(p[2])


def _layer_s(t: Table, p: np.ndarray) -> np.ndarray:
    return 1e-6 * np.exp(p[0] + p[1] * t.moe + p[2] * t.metal)


def _together(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (np.sqrt(one) + np.sqrt(other)) ** 2


def fit(t: Table, used: np.ndarray, law: Law, start: Sequence[float], truth_s: np.ndarray) -> np.ndarray:
    """Fit logarithms of times, robustly: each cell counts once, a machine with many cells less for each."""
    weight = np.sqrt(t.fit_weight[used])

    def error(p: np.ndarray) -> np.ndarray:
        return np.log(truth_s[used] / law(t, p)[used]) * weight

    return least_squares(error, start, loss="soft_l1", f_scale=0.1 * float(np.median(weight))).x


def quantile(values: np.ndarray, weight: np.ndarray, at: float) -> float:
    order = np.argsort(values)
    return float(np.interp(at, (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum(), values[order]))


def held_out(
    t: Table, used: np.ndarray, by: np.ndarray, law: Law, start: Sequence[float], truth_s: np.ndarray
) -> np.ndarray:
    """Return log(true speed / predicted speed), each predicted by a fit without its group; NaN where not used."""
    error = np.full(len(t.runs), np.nan)
    for group in sorted(set(by[used])):
        p = fit(t, used & (by != group), law, start, truth_s)
        mine = used & (by == group)
        error[mine] = np.log(law(t, p)[mine] / truth_s[mine])
    return error


def covered(
    t: Table, used: np.ndarray, by: np.ndarray, law: Law, start: Sequence[float], truth_s: np.ndarray
) -> np.ndarray:
    """Return whether each run lies in its range; fit and range know nothing of its group (a hold-out in a hold-out)."""
    inside = np.zeros(len(t.runs), bool)
    for group in sorted(set(by[used])):
        others, mine = used & (by != group), used & (by == group)
        spread = held_out(t, others, by, law, start, truth_s)
        p = fit(t, others, law, start, truth_s)
        error = np.log(law(t, p) / truth_s)
        for moe in (False, True):
            kind = others & (t.moe == moe)
            if kind.any():
                low, high = (quantile(spread[kind], t.weight[kind], at) for at in (0.1, 0.9))
                these = mine & (t.moe == moe)
                inside[these] = (error[these] >= low) & (error[these] <= high)
    return inside


def figures(t: Table) -> tuple[dict[str, object], dict[Kind, Factors]]:
    everything, truth_s = np.ones(len(t.runs), bool), 1 / t.speed
    found: dict[str, object] = {}
    for name, by in (("machine", t.machine), ("model", t.model)):
        error = held_out(t, everything, by, decoding, STARTS["decode"], truth_s)
        inside = covered(t, everything, by, decoding, STARTS["decode"], truth_s)
        found[name] = {kind: _told(t, error, inside, t.moe == moe) for kind, moe in (("dense", False), ("moe", True))}
        if name == "machine":
            spread = {moe: _range(t, error, t.moe == moe) for moe in (False, True)}
            found["machines"] = {
                one: {
                    kind: {"runs": int(these.sum()), "median_error": _median(error[these])}
                    for kind, moe in (("dense", False), ("moe", True))
                    if (these := (t.machine == one) & (t.moe == moe)).any()
                }
                for one in sorted(set(t.machine))
            }
    common = np.log(t.speed / t.common)
    found["common_formula"] = {kind: _median(common[t.moe == moe]) for kind, moe in (("dense", False), ("moe", True))}
    p = fit(t, everything, decoding, STARTS["decode"], truth_s)
    used = np.isfinite(t.prompted)
    reading = _together(t.once, t.layers * _layer_s(t, p))

    def law(table: Table, q: np.ndarray) -> np.ndarray:
        return reading + prompting(table, q)

    prompt_s = t.tokens / np.where(used, t.prompted, 1)
    q = fit(t, used, law, STARTS["prompt"], prompt_s)
    prompts: dict[str, object] = {}
    for name, by in (("machine", t.machine), ("model", t.model)):
        error = held_out(t, used, by, law, STARTS["prompt"], prompt_s)
        prompts[name] = {
            kind: {"runs": int(these.sum()), "median_error": _median(error[these])}
            for kind, moe in (("dense", False), ("moe", True))
            if (these := used & (t.moe == moe)).any()
        }
        if name == "machine":
            of_prompts = _range(t, error, used)
    found["prompts"] = prompts
    return found, _factors(p, q, spread, of_prompts)


def literally(file: Path) -> dict[str, float]:
    """Return the median error by machine where no prompt is read as llama-bench's: how much hangs on that."""
    t = Table(list(read(file, collections.Counter(), literal=True)))
    error = held_out(t, np.ones(len(t.runs), bool), t.machine, decoding, STARTS["decode"], 1 / t.speed)
    return {kind: _median(error[t.moe == moe]) for kind, moe in (("dense", False), ("moe", True))}


def _median(error: np.ndarray) -> float:
    """The usual error: of the prediction, as a share of the truth."""
    return round(float(np.median(np.abs(np.exp(-error) - 1))), 4)


def _told(t: Table, error: np.ndarray, inside: np.ndarray, these: np.ndarray) -> dict[str, object]:
    off = np.abs(np.exp(-error) - 1)
    return {
        "runs": int(these.sum()),
        "cells": round(float(t.weight[these].sum())),
        "median_error": _median(error[these]),
        "median_error_of_cells": round(quantile(off[these], t.weight[these], 0.5), 4),
        "in_range": round(float(inside[these].mean()), 4),
        "in_range_of_cells": round(float(np.average(inside[these], weights=t.weight[these])), 4),
    }


def _range(t: Table, error: np.ndarray, these: np.ndarray) -> Range:
    low, high = (math.exp(quantile(error[these], t.weight[these], at)) for at in (0.1, 0.9))
    return Range(low=round(low, 2), high=round(high, 2))


def _factors(p: np.ndarray, q: np.ndarray, spread: dict[bool, Range], prompt: Range) -> dict[Kind, Factors]:
    """Round what was fitted; what no run was there for takes CUDA's figures, and a range wider by half."""
    layer, moe, metal = (float(value) for value in np.exp(p))
    cuda = Factors(
        layer_us=round(layer, 2), moe_layers=round(moe, 2), prompt_layer_us=round(float(np.exp(q[0])), 2),
        prompt_moe_layers=round(float(np.exp(q[1])), 2), attention=round(float(np.exp(q[2])), 2),
        dense=spread[False], moe=spread[True], prompt=prompt, source=f"fitted on runs from {SOURCE}, {READ}",
    )  # fmt: skip
    unknown = msgspec.structs.replace(
        cuda, dense=_wider(cuda.dense), moe=_wider(cuda.moe), prompt=_wider(cuda.prompt),
        source="no run was there: CUDA's factors, with a range half as wide again",
    )  # fmt: skip
    on_metal = round(layer * metal, 2)
    return {
        "cuda": cuda,
        "metal": msgspec.structs.replace(cuda, layer_us=on_metal),
        "rocm": unknown,
        "xpu": unknown,
        "vulkan": unknown,
        "cpu": msgspec.structs.replace(
            unknown,
            layer_us=on_metal,
            source="no run told its bandwidth: Metal's factors, with a range half as wide again",
        ),
    }


def _wider(spread: Range) -> Range:
    return Range(low=round(spread.low**1.5, 2), high=round(spread.high**1.5, 2))


def agrees(t: Table, known: dict[Kind, Factors]) -> float:
    """Return the largest difference between what was fitted here and what the product says with the rounded rows."""
    p = np.log([known["cuda"].layer_us, known["cuda"].moe_layers, known["metal"].layer_us / known["cuda"].layer_us])
    here = 1 / decoding(t, p)
    worst = 0.0
    for run, speed in zip(t.runs, here, strict=True):
        told = decode(run.work, [Share(part=run.part)], known)
        assert told is not None
        assert prefill(run.prompt, max(1, run.prompt_tokens), [Share(part=run.part)], known) or run.part.tflops is None
        worst = max(worst, abs(told.mid / speed - 1))
    return worst


def rows(known: dict[Kind, Factors]) -> str:
    lines = ["# How kinds of parts work. Written by scripts/bench hardware_speed --write; see docs/reference/speed.md."]
    for kind, one in known.items():
        lines += ["", f"[kind.{kind}]"]
        for name, value in msgspec.to_builtins(one).items():
            told = (
                f"{{ low = {value['low']}, high = {value['high']} }}" if isinstance(value, dict) else json.dumps(value)
            )
            lines.append(f"{name} = {told}")
    return "\n".join(lines) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="table of measured runs (CSV)")
    parser.add_argument("--write", action="store_true", help="replace speed.toml and the figures in docs/reference")
    asked = parser.parse_args()
    left_out: collections.Counter[str] = collections.Counter()
    table = Table(list(read(asked.runs, left_out)))
    found, known = figures(table)
    found = {"runs": len(table.runs), "left_out": dict(left_out.most_common()), **found}
    found["prompts_taken_literally"] = literally(asked.runs)
    found["largest_difference_to_the_product"] = round(agrees(table, known), 6)
    print(json.dumps(found, indent=2))
    print(rows(known))
    if asked.write:
        ROWS.write_text(rows(known), encoding="utf-8")
        FIGURES.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    goals = found["machine"]
    assert isinstance(goals, dict)
    near = all(goals[kind]["median_error"] <= most for kind, most in GOALS.items())
    held = all(RANGE_GOAL[0] <= goals[kind]["in_range_of_cells"] <= RANGE_GOAL[1] for kind in GOALS)
    return 0 if near and held else 1


if __name__ == "__main__":
    sys.exit(main())
