"""docs/reference/speed.md, written from the figures beside it, which two benchmarks measure.

`python -m tests.documents.speed` writes the page anew. What was not measured is told as not measured.
"""

import json
from pathlib import Path
from typing import Any

from tierwise.hardware.parts import devices, factors

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGE, FIGURES, HERE = FOLDER / "speed.md", FOLDER / "speed.json", FOLDER / "speed_here.json"
FITS = FOLDER / "speed_fits.json"

HEAD = """# How fast it will be

Written by `python -m tests.documents.speed` from figures that `scripts/bench hardware_speed`, `scripts/bench
hardware_here` and `scripts/bench hardware_fits` measured (`speed.json`, `speed_here.json` and `speed_fits.json`, beside
this page).

`tierwise fit` tells a speed as a range that should hold 8 times out of 10, and what it rests on: `formula` (the maker's
bandwidth, or one measured here, and factors fitted on other people's runs) or `measured here` (`tierwise fit
--calibrate`). Where a part's bandwidth is not known, no speed is told.

## The law

A token takes `(√reading + √layers)²` seconds: `reading` is the bytes of weights that it passes through and of the cache
that it looks back at, over the bandwidth; `layers` a fixed time for each block, longer where it has experts. Where reading
is long, nearly all of the bandwidth is reached; where it is short (small models, few active experts, fast cards), the
layers are what takes the time, so that "active parameters over bandwidth" is far too fast for mixtures of experts. A part
of the layers on another device adds its own time. A prompt takes one such pass, and `(√computing + √layers)²` with the
operations over the part's arithmetic and a time for each token and layer, and the looking back of each token.

How fast a prompt is read by a part whose arithmetic no source told is not told until it was calibrated.

"""

METHOD = """
## How far it is off, on machines and models that it never saw

Held out in turn: every machine (all runs on one kind of card or chip), then every model. Factors *and* ranges were fitted
without what is held out (for the ranges, a hold-out within the rest). Runs that differ only in depth or repetition are one
configuration, and count as one where it says "of configurations"; each counts once in the fit, and a machine with many of
them less for each.

"""

LIMITS = """
What these figures do not show. The law was chosen among about twenty by this same hold-out (sums, powers, with and without
a term for computing; medians from 11 to 21 %), so that a machine that nobody has seen may be somewhat further off. It is
not the one with the smallest error: of those that never promise more than the bandwidth it has the fewest factors. Three kinds of cards hold most runs, all of one maker; for ROCm, Intel's and Vulkan no run was there. The runs are
what people sent in: names of models are taken as they stand, sizes follow from the name of the quantization, and the shapes
of the models are written in `benchmarks/hardware_models.toml`, some of them from memory. Where a run tells a prompt of 512
tokens, or one that with its answer fills the context, in llama.cpp, the answer is taken as written into an empty context, as
llama-bench does; this was settled by looking at the runs. A cache of fewer bits is counted as half precision, as the runs
that had one were no faster. And they do not show whether "fits" is true (that is measured apart, below): only what ran was sent
in, and the memory that they tell holds what other programs took and batches of sizes that are not told.

What was left out, and why:

"""

CALIBRATED = """
After a calibration a part has costs of its own, which add up: for each weight by its bits (unpacking takes time too, so that
half as many bits are not twice as fast), for each product with the keys and values before it (on a processor that is work
for every head, and much of the time once some thousand tokens stand there), for each layer; and once more for a token of a
prompt, which does without the output.

"""


def page() -> str:
    """Return the page."""
    found = json.loads(FIGURES.read_text(encoding="utf-8"))
    parts = [HEAD, _factors(), METHOD, _held_out(found), LIMITS, _left_out(found), _prompts(found), _here(), _fits()]
    return "".join(parts)


def _factors() -> str:
    rows = [
        "| part | µs a layer | with experts, times | range, dense | range, experts | rests on |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for kind, one in factors().items():
        ranges = " | ".join(f"{spread.low} to {spread.high}" for spread in (one.dense, one.moe))
        rows.append(f"| {kind} | {one.layer_us} | {one.moe_layers} | {ranges} | {one.source} |")
    told = f"{len(devices())} parts have a row with their maker's figures in `hardware/rows/devices.toml`."
    return "\n".join(rows) + f"\n\n{told}\n"


def _held_out(found: dict[str, Any]) -> str:
    common, literal = found["common_formula"], found["prompts_taken_literally"]
    rows = [
        "| held out | | runs | configurations | median error | of configurations | in the range | of configurations |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for by in ("machine", "model"):
        for kind, words in (("dense", "dense"), ("moe", "experts")):
            one = found[by][kind]
            shares = ("median_error", "median_error_of_cells", "in_range", "in_range_of_cells")
            told = " | ".join(f"{100 * one[name]:.1f} %" for name in shares)
            rows.append(f"| {by} | {words} | {one['runs']} | {one['cells']} | {told} |")
    rows += [
        "",
        f"The common formula (bandwidth over size, times 0.55) on the same runs: {100 * common['dense']:.1f} % dense, "
        f"{100 * common['moe']:.1f} % with experts. Goals: 15 % and 20 % by machine, ranges that hold 75 to 85 %.",
        "",
        f"Where every prompt that a run tells is taken as standing before its answer (see below): {100 * literal['dense']:.1f} % "
        f"dense, {100 * literal['moe']:.1f} % with experts, by machine.",
        "",
        "| machine held out | dense: runs | median error | experts: runs | median error |",
        "|---|---:|---:|---:|---:|",
    ]
    for machine, kinds in found["machines"].items():
        told = " | ".join(
            f"{kinds[kind]['runs']} | {100 * kinds[kind]['median_error']:.1f} %" if kind in kinds else "| "
            for kind in ("dense", "moe")
        )
        rows.append(f"| {machine} | {told} |")
    return "\n".join(rows) + "\n"


def _left_out(found: dict[str, Any]) -> str:
    rows = ["| runs | reason |", "|---:|---|"]
    rows += [f"| {count} | {reason} |" for reason, count in found["left_out"].items()]
    return "\n".join([*rows, f"| {found['runs']} | used |"]) + "\n"


def _prompts(found: dict[str, Any]) -> str:
    rows = ["", "## Prompts", "", "| held out | | runs | median error |", "|---|---|---:|---:|"]
    for by, kinds in found["prompts"].items():
        for kind, words in (("dense", "dense"), ("moe", "experts")):
            if kind in kinds:
                rows.append(f"| {by} | {words} | {kinds[kind]['runs']} | {100 * kinds[kind]['median_error']:.1f} % |")
    rows += ["", "Prompts of 128 tokens or more, on parts whose arithmetic is known. No goal was set."]
    return "\n".join(rows) + "\n"


def _here() -> str:
    title = "\n## After a calibration\n" + CALIBRATED
    if not HERE.exists():
        return title + "Not measured yet: `scripts/bench hardware_here --write`, on a machine that does nothing else.\n"
    found = json.loads(HERE.read_text(encoding="utf-8"))
    told = (
        f"{found['as_of']}, {found['cores']} cores; the calibration took {found['calibration_s']} s. Median error "
        f"{100 * found['median_error']:.1f} %, largest {100 * found['largest_error']:.1f} % (goal: 10 %); "
        f"{found['in_range']} of {len(found['rows'])} in their range{_ranges(found)}. Prompts: "
        f"{100 * found['median_prompt_error']:.1f} %. Weights are noise; none of the files was part of the calibration.\n\n"
    )
    rows = ["| shape | GB | predicted, tokens/s | measured | error |", "|---|---:|---:|---:|---:|"]
    rows += [
        f"| {row['model']} | {row['gigabytes']} | {row['predicted']} | {row['measured']} | {100 * row['error']:+.1f} % |"
        for row in found["rows"]
    ]
    return title + told + "\n".join(rows) + "\n"


def _ranges(found: dict[str, Any]) -> str:
    if "range" not in found:
        return " of an earlier day, by another law: to be measured anew"
    told = (f"{found[name]['low']} to {found[name]['high']}" for name in ("range", "prompt_range"))
    return f" of the others' (the product's is that of all: {' for answers, '.join(told)} for prompts)"


def _fits() -> str:
    title = '\n## Whether "fits" is true\n\n'
    if not FITS.exists():
        return title + "Not measured yet: `scripts/bench hardware_fits --write`.\n"
    one = json.loads(FITS.read_text(encoding="utf-8"))
    return (
        title
        + f"""{one["as_of"]}, {one["engine"]}, on the processor. {one["loads"]} real loads, each of another setup, of models of
{one["architectures"]} architectures drawn from a seed; they took {one["least_mib"]:,} to {one["most_mib"]:,} MiB. Neither models nor setups are among those that the working memory
was fitted on: other widths, layers, experts, vocabularies and types of tensors; other contexts, conversations, types of the
cache and batches, with and without flash attention. What a load needed is the larger of what the engine said it set aside
and what the kernel counted after a short prompt in each conversation. The verdict is the one that the engine's start rests
on; that of `tierwise fit` asks for more.

| | |
|---|---:|
| verdicts, at 0.7 to 1.3 times what was needed | {one["verdicts"]:,} |
| of them "fits" | {one["fits"]:,} |
| false "fits" | {one["false_fits"]} |
| loads that some free memory would have made a false "fits" | {one["loads_that_could_be_false"]} of {one["loads"]} |
| so at most, with 95 and 99 % confidence | {100 * one["bound_95"]:.2f} and {100 * one["bound_99"]:.2f} % |
| loads that needed more than the sum without its reserve | {one["sum_below_real"]}, by {one["largest_shortfall_mib"]} MiB at most |
| false "no", of those that would have fitted | {one["false_no"]:,} of {one["would_fit"]:,} |
| free memory asked for, beyond what was needed: median, nine of ten | {100 * one["median_beside"]:.0f} %, {100 * one["nine_of_ten_beside"]:.0f} % |
| loaded and answered with the least memory that "fits" as the kernel's limit | {one["limited_answer"]} of {one["limited"]} |
| the same with half of what was needed | {one["half_answer"]} of {one["limited"]} |

Most of the false "no" are of small models, beside which what is kept in reserve is much. Prompts were short, so that copies of
windows are counted by the sum alone; weights are zeros. Architectures that the engine refused to load as they were drawn
({one["refused"]} draws and setups) are not among them, and no device was there. An earlier seed (20261122) showed a false "fits" in
328 loads (a cache in f32) and six sums that were too small, after which the sum was mended; the seed of these is {one["seed"]}.
"""
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
