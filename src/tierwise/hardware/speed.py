"""How many tokens a second will it be? The answer as a range, and what the range rests on.

Pure. A token takes as long as the bytes read for it and a fixed time for each layer, and the two get into each other's
way: (√reading + √layers)². What a layer takes and how far off that is are factors, fitted on measured runs. A part that
was measured here has costs of its own, which add up. Knows no file, no model and no part by name. Invariant: without a
bandwidth no speed; low <= mid <= high.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

Kind = Literal["cpu", "cuda", "rocm", "xpu", "metal", "vulkan"]
Evidence = Literal["measured here", "formula"]
MEASURED: Final[Evidence] = "measured here"
_SHORTEST_S: Final = 1e-6


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one token costs: bytes of weights and of cache that are read for it.

    `active_bytes` are the weights that one token passes through (of a mixture of experts the used and shared ones,
    attention, router and output), `active_parameters` how many they are; `cache_bytes` what it reads of all that stands
    before it. `layers` counts blocks of every kind. `looks` are the products of numbers that it makes with the keys and
    values before it, `output_parameters` those that only a token of an answer passes through.
    """

    active_bytes: int
    active_parameters: int
    total_bytes: int
    layers: int
    moe: bool = False
    cache_bytes: int = 0
    looks: int = 0
    output_parameters: int = 0


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What computes: a card, a chip with one memory, or the processor. None where it is not known.

    `bandwidth_gb_s` is the maker's figure for a device and measured for a processor; `tflops` what the maker says of
    dense half precision with its matrix units.
    """

    kind: Kind
    name: str = ""
    bandwidth_gb_s: float | None = None
    tflops: float | None = None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The portion of the layers, 0 to 1, that a part computes. Parts take turns, so that their times add up."""

    part: Part
    portion: float = 1.0


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """Between which multiples of the middle 8 of 10 held-out runs lay."""

    low: float
    high: float


class Factors(msgspec.Struct, frozen=True, kw_only=True):
    """How a kind of part works, fitted on measured runs: see `rows/speed.toml`.

    `layer_us` is what a layer takes beside reading, `moe_layers` how many times that with experts; `prompt_layer_us`
    and `prompt_moe_layers` the same for each token of a prompt, `attention` the operations for each byte of cache that
    a token of a prompt looks at. A range for dense models, one for those with experts, and one for prompts.
    """

    layer_us: float
    moe_layers: float
    prompt_layer_us: float
    prompt_moe_layers: float
    attention: float
    dense: Range
    moe: Range
    prompt: Range
    source: str = ""


class Costs(msgspec.Struct, frozen=True, kw_only=True):
    """What a token was found to take, in seconds: a weight by its bits (points of a line), a look, a layer.

    `moe` is how many times as long a weight takes in a model with experts.
    """

    weights: tuple[tuple[float, float], ...]
    look_s: float
    layer_s: float
    moe: float = 1.0

    def token_s(self, work: Work, parameters: int, looks: float) -> float:
        """Return what a token takes that passes through so many weights and looks so often."""
        bits = 8 * work.active_bytes / max(1, work.active_parameters)
        each = on_line(self.weights, bits) * (self.moe if work.moe else 1)
        return parameters * each + looks * self.look_s + work.layers * self.layer_s


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """How a part was found to work here, a token of an answer and one of a prompt: see `calibrate`."""

    part: str
    kind: Kind
    answer: Costs
    prompt: Costs
    spread: Range
    prompt_spread: Range


def on_line(points: Sequence[tuple[float, float]], at: float) -> float:
    """Return what lies at a place on a line through points: level before the first, in proportion after the last."""
    before = points[0]
    for point in points:
        if at <= point[0]:
            if point[0] == before[0]:
                return point[1]
            return before[1] + (point[1] - before[1]) * (at - before[0]) / (point[0] - before[0])
        before = point
    return before[1] * at / before[0]


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens a second, as a range that should hold 8 of 10 times, and what it rests on."""

    low: float
    mid: float
    high: float
    evidence: Evidence


Known = Mapping[Kind, Factors]


def decode(work: Work, shares: Sequence[Share], known: Known, measured: Iterable[Measured] = ()) -> Speed | None:
    """Return how fast one answer is written, alone on the machine; None where a bandwidth is not known."""
    found = {one.kind: one for one in measured}
    parts = [_decoding(work, share, known, found.get(share.part.kind)) for share in shares if share.portion > 0]
    return _speed(parts, tokens=1)


def prefill(
    work: Work, prompt_tokens: int, shares: Sequence[Share], known: Known, measured: Iterable[Measured] = ()
) -> Speed | None:
    """Return how fast a prompt of so many tokens is read; `work.cache_bytes` is what its last token looks back at.

    None where a part's bandwidth or arithmetic is not known.
    """
    found = {one.kind: one for one in measured}
    parts = [
        _reading(work, prompt_tokens, share, known, found.get(share.part.kind)) for share in shares if share.portion > 0
    ]
    return _speed(parts, tokens=prompt_tokens)


class Paces(msgspec.Struct, frozen=True, kw_only=True):
    """How fast work goes on parts: both answers, from the same factors and measurements."""

    known: Known
    measured: tuple[Measured, ...] = ()

    def decode(self, work: Work, shares: Sequence[Share]) -> Speed | None:
        """Return how fast an answer is written."""
        return decode(work, shares, self.known, self.measured)

    def prefill(self, work: Work, prompt_tokens: int, shares: Sequence[Share]) -> Speed | None:
        """Return how fast a prompt is read."""
        return prefill(work, prompt_tokens, shares, self.known, self.measured)


class _Time(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float
    spread: Range
    evidence: Evidence


def _decoding(work: Work, share: Share, known: Known, measured: Measured | None) -> _Time | None:
    factors, layers = known[share.part.kind], work.layers * share.portion
    if measured is not None:
        seconds = measured.answer.token_s(work, work.active_parameters, work.looks)
        return _Time(seconds=seconds * share.portion, spread=measured.spread, evidence=MEASURED)
    if share.part.bandwidth_gb_s is None:
        return None
    reading = (work.active_bytes + work.cache_bytes) / (share.part.bandwidth_gb_s * 1e9)
    each = factors.layer_us * 1e-6 * (factors.moe_layers if work.moe else 1)
    spread = factors.moe if work.moe else factors.dense
    return _Time(seconds=together(reading * share.portion, layers * each), spread=spread, evidence="formula")


def _reading(work: Work, tokens: int, share: Share, known: Known, measured: Measured | None) -> _Time | None:
    if measured is not None:  # a token looks back at half of them; the output is for the last alone
        each = measured.prompt.token_s(work, work.active_parameters - work.output_parameters, work.looks / 2)
        return _Time(seconds=each * tokens * share.portion, spread=measured.prompt_spread, evidence=MEASURED)
    factors, part = known[share.part.kind], share.part
    rate = None if part.tflops is None else part.tflops * 1e12
    empty = msgspec.structs.replace(work, cache_bytes=0)
    once = _decoding(empty, share, known, None)
    if rate is None or once is None:
        return None
    each = factors.prompt_layer_us * 1e-6 * (factors.prompt_moe_layers if work.moe else 1)
    computing = 2 * work.active_parameters * tokens / rate
    looking_back = factors.attention * work.cache_bytes * tokens / 2 / rate
    beside = work.layers * tokens * each
    seconds = once.seconds + (together(computing, beside) + looking_back) * share.portion
    return _Time(seconds=seconds, spread=factors.prompt, evidence=once.evidence)


def together(reading_s: float, layers_s: float) -> float:
    """Return how long two kinds of work take that get into each other's way: more than their sum, at most double."""
    return (math.sqrt(reading_s) + math.sqrt(layers_s)) ** 2


def _speed(parts: Sequence[_Time | None], *, tokens: int) -> Speed | None:
    times = [part for part in parts if part is not None]
    if len(times) < len(parts) or not times or tokens < 1:
        return None
    seconds = max(sum(part.seconds for part in times), _SHORTEST_S)
    mid = tokens / seconds
    evidence: Evidence = MEASURED if all(part.evidence == MEASURED for part in times) else "formula"
    low, high = min(part.spread.low for part in times), max(part.spread.high for part in times)
    return Speed(low=mid * min(low, 1.0), mid=mid, high=mid * max(high, 1.0), evidence=evidence)
