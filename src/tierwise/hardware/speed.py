"""How many tokens a second will it be? The answer as a range, and what the range rests on.

Pure. A token takes as long as the bytes that are read for it, and a fixed time for every layer; how much of a part's
bandwidth is really reached, and how far that is off, are factors that were fitted on measured runs, or measured here.
Knows no file, no model and no part by name. Invariant: without a bandwidth there is no speed, and low <= mid <= high.
"""

import math
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

Kind = Literal["cpu", "cuda", "rocm", "xpu", "metal", "vulkan"]
Evidence = Literal["measured here", "same machine", "formula"]
SUREST_FIRST: Final[tuple[Evidence, ...]] = ("measured here", "same machine", "formula")


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What one token costs: bytes of weights and of cache that are read for it.

    `active_bytes` are the weights that one token passes through (of a mixture of experts the used and shared ones,
    attention, router and output); `cache_bytes` what it reads of the context before it. `active_parameters` counts for
    prefill, where computing is the limit; None: taken from the bytes.
    """

    active_bytes: int
    total_bytes: int
    layers: int
    moe: bool = False
    cache_bytes: int = 0
    active_parameters: int | None = None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What computes: a card, a chip with one memory, or the processor. None where it is not known.

    `tflops` is what it computes in half precision with its matrix units, `gain` how much faster than the formula the
    same part was found to be elsewhere (1 where it never was), with how many `runs`.
    """

    kind: Kind
    name: str = ""
    bandwidth_gb_s: float | None = None
    tflops: float | None = None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """The portion of the layers, 0 to 1, that a part computes. Parts take turns: their times add up."""

    part: Part
    portion: float = 1.0


class Factor(msgspec.Struct, frozen=True, kw_only=True):
    """What was fitted for one kind of part: the efficiency of reading, seconds a layer, and the spread of the truth.

    `low` and `high` are the factors around the middle between which 80 of 100 held-out runs lay.
    """

    efficiency: float
    layer_s: float
    low: float
    high: float


class Speed(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens a second, as a range that should hold 8 of 10 times, and what it rests on."""

    low: float
    mid: float
    high: float
    evidence: Evidence
