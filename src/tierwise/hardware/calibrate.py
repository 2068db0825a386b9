"""What do a few timed answers say of how this machine works? Some made-up models, and what follows from their times.

Pure: it names what to time and reads the times. A token takes the sum of what its weights take (by their bits, since
unpacking costs too), its looks at what stands before it, and its layers; a prompt likewise. The costs are those, none
negative, that come nearest to all times. Invariant: no figure is negative or endless.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tierwise.hardware.parts import after_calibration
from tierwise.hardware.sample import Sample, work
from tierwise.hardware.speed import Costs, Measured

PROMPT_TOKENS: Final = 96
ANSWER_TOKENS: Final = 12
_LEAST_WEIGHT_S: Final = 1e-13
_NOTHING: Final = 1e-9

LOOKING, WIDE, DEEP, EIGHT_BITS, HALF, EXPERTS = "looking", "wide", "deep", "eight bits", "half precision", "experts"
SAMPLES: Final[Mapping[str, Sample]] = {
    LOOKING: Sample(layers=8, width=1024, feed_forward=256, heads_kv=4),
    WIDE: Sample(layers=6, width=2048, feed_forward=5632, heads_kv=8),
    DEEP: Sample(layers=32, width=768, feed_forward=2048, heads_kv=4),
    EIGHT_BITS: Sample(layers=4, width=2048, feed_forward=5632, heads_kv=8, packing="q8_0"),
    HALF: Sample(layers=2, width=2048, feed_forward=5632, heads_kv=8, packing="f16"),
    EXPERTS: Sample(layers=12, width=1024, feed_forward=512, heads_kv=4, experts=24, used=4),
}
"""The first is small, so that a machine that does other work is found out soon; it looks back further than the others.
Those are larger than a processor's cache, so that memory is what is read."""
PROMPTS: Final[Mapping[str, int]] = {name: 256 if name == LOOKING else PROMPT_TOKENS for name in SAMPLES}
_LINE: Final = (WIDE, EIGHT_BITS, HALF)
_COLUMNS: Final = {LOOKING: 0, WIDE: 0, DEEP: 0, EIGHT_BITS: 1, HALF: 2, EXPERTS: 3}
"""Which cost of a weight a sample tells of; behind those come a look's and a layer's."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The best that was seen of a sample: seconds for a token of an answer, and for its whole prompt."""

    token_s: float
    prompt_s: float


def measured(timings: Mapping[str, Timing], part: str) -> Measured:
    """Return how the processor named `part` works, from one timing for each sample."""
    spread, prompt_spread = after_calibration()
    return Measured(
        part=part,
        kind="cpu",
        answer=_costs({name: (_answering(name), timings[name].token_s) for name in SAMPLES}),
        prompt=_costs({name: (_reading(name), timings[name].prompt_s / PROMPTS[name]) for name in SAMPLES}),
        spread=spread,
        prompt_spread=prompt_spread,
    )


def _answering(name: str) -> tuple[float, float, float]:
    """Return weights, looks and layers of a token in the middle of the answer."""
    one = work(SAMPLES[name], PROMPTS[name] + ANSWER_TOKENS // 2)
    return one.active_parameters, one.looks, one.layers


def _reading(name: str) -> tuple[float, float, float]:
    """Return the same of a token in the middle of the prompt, which does without the output."""
    one = work(SAMPLES[name], PROMPTS[name])
    return one.active_parameters - one.output_parameters, one.looks / 2, one.layers


def _costs(seen: Mapping[str, tuple[tuple[float, float, float], float]]) -> Costs:
    rows = []
    for name, ((weights, looks, layers), seconds) in seen.items():
        row = [0.0] * 6
        row[_COLUMNS[name]], row[4], row[5] = weights / seconds, looks / seconds, layers / seconds
        rows.append(row)
    four, eight, half, experts, look, layer = nearest(rows)
    each = [max(one, _LEAST_WEIGHT_S) for one in (four, eight, half)]
    bits = [8 * one.active_bytes / one.active_parameters for one in (work(SAMPLES[name]) for name in _LINE)]
    return Costs(
        weights=tuple(zip(bits, each, strict=True)),
        look_s=look,
        layer_s=layer,
        moe=max(1.0, experts / each[0]),  # what is cheaper came from a cache: made-up words choose the same experts
    )


def nearest(rows: Sequence[Sequence[float]]) -> list[float]:
    """Return figures, none negative, of which every row makes nearly 1: least squares without negative ones."""
    kept = list(range(len(rows[0])))
    while True:
        columns = [[row[number] for row in rows] for number in kept]
        sizes = [math.hypot(*column) or 1.0 for column in columns]
        scaled = [[value / size for value in column] for column, size in zip(columns, sizes, strict=True)]
        products = [
            [*(sum(a * b for a, b in zip(one, other, strict=True)) for other in scaled), sum(one)] for one in scaled
        ]
        found = [value / size for value, size in zip(_solved(products), sizes, strict=True)]
        if all(value >= 0 for value in found):
            return [found[kept.index(number)] if number in kept else 0.0 for number in range(len(rows[0]))]
        worst = min(range(len(kept)), key=lambda at: found[at] * sizes[at])
        kept.pop(worst)


def _solved(rows: list[list[float]]) -> list[float]:
    """Solve equations, the right sides last; what they do not tell is 0."""
    for at, row in enumerate(rows):
        if abs(row[at]) < _NOTHING:
            row[:] = [float(place == at) for place in range(len(rows))] + [0.0]
        row[:] = [value / row[at] for value in row]
        for other in rows:
            if other is not row:
                other[:] = [value - other[at] * mine for value, mine in zip(other, row, strict=True)]
    return [row[-1] for row in rows]
