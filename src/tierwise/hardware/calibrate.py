"""What do a few timed answers say of how this machine works? Four made-up models, and what follows from their times.

Pure: it names what to time and reads the times. By the law of `speed` the root of a token's time is that of its
reading plus that of its layers' share, so that a wide model and a deep one give both; a second packing tells reading
and computing apart, a mixture of experts what those add. Invariant: no figure is negative or endless.
"""

import math
from collections.abc import Mapping
from typing import Final

import msgspec

from tierwise.hardware.sample import Sample, work
from tierwise.hardware.speed import Measured, Range, Work

PROMPT_TOKENS: Final = 96
ANSWER_TOKENS: Final = 12
SPREAD: Final = Range(low=0.85, high=1.15)
_LEAST_S: Final = 1e-9
_LEAST_WEIGHT_S: Final = 1e-13
_SLOWEST_READING: Final = 0.5  # the share of a weight's time that is reading, at least

WIDE, DEEP, EIGHT_BITS, EXPERTS = "wide", "deep", "eight bits", "experts"
SAMPLES: Final[Mapping[str, Sample]] = {
    WIDE: Sample(layers=6, width=2048, feed_forward=5632, heads_kv=8),
    DEEP: Sample(layers=32, width=768, feed_forward=2048, heads_kv=4),
    EIGHT_BITS: Sample(layers=4, width=2048, feed_forward=5632, heads_kv=8, packing="q8_0"),
    EXPERTS: Sample(layers=12, width=1024, feed_forward=512, heads_kv=4, experts=24, used=4),
}
"""Each larger than a processor's cache, so that memory is what is read."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """The best that was seen of a sample: seconds for a token of an answer, and for a prompt of PROMPT_TOKENS."""

    token_s: float
    prompt_s: float


def measured(timings: Mapping[str, Timing], part: str) -> Measured:
    """Return how the processor named `part` works, from one timing for each sample."""
    works = {name: work(sample, PROMPT_TOKENS + ANSWER_TOKENS // 2) for name, sample in SAMPLES.items()}
    wide, eight, experts = (works[name] for name in (WIDE, EIGHT_BITS, EXPERTS))
    # root of time = root of weights x a + root of layers x b, twice
    left, right = (_roots(works[name], timings[name]) for name in (WIDE, DEEP))
    apart = left[0] * right[1] - left[1] * right[0]
    layer = max((left[0] * right[2] - right[0] * left[2]) / apart, math.sqrt(_LEAST_S))
    weight_of_four, weight_of_eight = _each(wide, timings[WIDE], layer), _each(eight, timings[EIGHT_BITS], layer)
    sizes = [one.active_bytes / one.active_parameters for one in (wide, eight)]
    byte_s = (weight_of_eight - weight_of_four) / (sizes[1] - sizes[0])
    byte_s = min(max(byte_s, _SLOWEST_READING * weight_of_eight / sizes[1]), weight_of_four / sizes[0])
    weight_s = max(0.0, weight_of_four - byte_s * sizes[0])
    reading = (experts.active_bytes + experts.cache_bytes) * byte_s + experts.active_parameters * weight_s
    beside = max(0.0, math.sqrt(timings[EXPERTS].token_s) - math.sqrt(reading)) ** 2 / experts.layers
    prompt_s = max(timings[WIDE].prompt_s - timings[WIDE].token_s, _LEAST_S)
    return Measured(
        part=part,
        kind="cpu",
        bytes_per_s=1 / byte_s,
        weight_s=weight_s,
        layer_s=layer**2,
        moe_layer_s=max(beside, layer**2),
        prompt_flop_per_s=2 * wide.active_parameters * PROMPT_TOKENS / prompt_s,
        spread=SPREAD,
    )


def _roots(of: Work, timing: Timing) -> tuple[float, float, float]:
    """Return the roots of weights, layers and seconds; what is read of the cache counts as weights of as many bytes."""
    weights = of.active_parameters * (1 + of.cache_bytes / of.active_bytes)
    return math.sqrt(weights), math.sqrt(of.layers), math.sqrt(timing.token_s)


def _each(of: Work, timing: Timing, layer: float) -> float:
    """Return what a weight takes, once what the layers take is known."""
    weights, layers, seconds = _roots(of, timing)
    return max((seconds - layers * layer) / weights, math.sqrt(_LEAST_WEIGHT_S)) ** 2
