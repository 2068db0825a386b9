"""Does a model fit into memory? An upper estimate from its header, and a verdict that errs on the side of "no".

Pure. It knows the machine's memory only. Invariant: "fits" is never said of more than the available memory; an
architecture whose cache cannot be computed is "unknown", with the weights as the lower bound.
"""

import math
from typing import Final, Literal

import msgspec

from tierwise.core.model import ENGINE_CHECKPOINTS
from tierwise.hardware.gguf import Header
from tierwise.hardware.layers import shape
from tierwise.hardware.memory import PROCESS_BYTES, Memory, Setup, memory

Fit = Literal["fits", "does_not_fit", "unknown"]

RESERVE_BYTES: Final = 128 * 1024 * 1024
_BATCH_TOKENS = 512


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes that a loaded model takes, estimated from above. `cache_bytes` None: not computable from the header.

    `cache_bytes` is everything that grows with context or sequences: keys, values and recurrent states.
    """

    weights_bytes: int
    cache_bytes: int | None
    compute_bytes: int
    runtime_bytes: int = PROCESS_BYTES

    @property
    def total_bytes(self) -> int:
        """The sum of what is known."""
        return self.weights_bytes + (self.cache_bytes or 0) + self.compute_bytes + self.runtime_bytes


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it fits, and the reason in words."""

    fit: Fit
    reason: str


def estimate(header: Header, context_tokens: int, slots: int) -> Need:
    """Estimate the memory of `slots` parallel contexts of `context_tokens` each, in our engine, on the host alone."""
    setup = Setup(context_tokens=context_tokens, sequences=slots, checkpoints=ENGINE_CHECKPOINTS)
    found = memory(shape(header), header.weights, setup)
    return needed(found) if found and header.sizes_known else _at_least(header)


def needed(found: Memory) -> Need:
    """Return the sum of a memory that is known, wherever it lies."""
    return Need(
        weights_bytes=found.weights_bytes,
        cache_bytes=found.cache_bytes + found.recurrent_bytes,
        compute_bytes=found.compute_bytes,
        runtime_bytes=found.runtime_bytes,
    )


def _at_least(header: Header) -> Need:
    """Return what is certain of a model whose shape is not known: its weights and the simplest working memory."""
    width = (header.vocabulary or 0) + 4 * (header.embedding or 0) + 2 * (header.feed_forward or 0)
    return Need(weights_bytes=header.weight_bytes, cache_bytes=None, compute_bytes=4 * _BATCH_TOKENS * width)


def judge(need: Need, available_bytes: int | None) -> Verdict:
    """Compare with the memory that is available, keeping a reserve for everything else."""
    wanted = need.total_bytes
    if available_bytes is None:
        return Verdict(fit="unknown", reason=f"needs about {mib(wanted)}; the free memory is not known")
    room = available_bytes - RESERVE_BYTES
    parts = f"weights {mib(need.weights_bytes)}"
    parts += f", context {mib(need.cache_bytes)}" if need.cache_bytes is not None else ", context not known"
    text = f"needs about {mib(wanted)} ({parts}); {mib(max(room, 0))} can be used"
    if wanted > room:
        return Verdict(fit="does_not_fit", reason=text)
    return Verdict(fit="fits" if need.cache_bytes is not None else "unknown", reason=text)


def largest_context(header: Header, slots: int, available_bytes: int | None, wanted_tokens: int) -> int | None:
    """Return the largest context that fits with at most half of the free memory for it; halved from `wanted_tokens`.

    None: not even 512 tokens fit.
    """
    context = wanted_tokens
    while True:
        need = estimate(header, context, slots)
        modest = available_bytes is None or (need.cache_bytes or 0) <= available_bytes // 2
        if modest and judge(need, available_bytes).fit != "does_not_fit":
            return context
        if context <= 512:
            return None
        context = max(512, context // 2)


def threads_for(header: Header, cores: int) -> int:
    """Return how many threads to compute with: one for each 32 MiB of weights, at most one per core.

    Measured on two shared cores: a model of 0.2 MB took 3 ms an answer with one thread and 206 ms with two.
    """
    return max(1, min(cores, math.ceil(header.weight_bytes / (32 * 1024 * 1024))))


def mib(count: int) -> str:
    """Write bytes for people."""
    return f"{count / 1024**3:.1f} GiB" if count >= 1024**3 else f"{math.ceil(count / 1024**2)} MiB"
