"""How much memory does a loaded model take, by what for and by where, and how much of it is read for every token?

Pure. The rules are those of llama.cpp, the engine that is embedded. It knows no machine. Invariant: what it says of
weights and caches is exact to the byte; what it says of working memory is never less than was seen.
"""

from typing import Literal

import msgspec

from tierwise.hardware.layers import Shape
from tierwise.hardware.weights import Weights

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is loaded. `context_tokens` is for each of the `sequences`; `layers_on_device` counts from the last.

    A count beyond the number of layers puts the output on the device too.
    """

    context_tokens: int
    sequences: int = 1
    k_type: CacheType = "f16"
    v_type: CacheType = "f16"
    micro_batch: int = 512
    layers_on_device: int = 0
    flash: bool = True


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes by what for. The device's share is in `on_device_bytes`, the rest is on the host."""

    weights_bytes: int
    cache_bytes: int
    recurrent_bytes: int
    compute_bytes: int
    runtime_bytes: int
    on_device_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Return the sum, wherever it lies."""
        parts = self.weights_bytes, self.cache_bytes, self.recurrent_bytes, self.compute_bytes, self.runtime_bytes
        return sum(parts)

    @property
    def on_host_bytes(self) -> int:
        """Return what lies in the memory of the machine."""
        return self.total_bytes - self.on_device_bytes


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes read for one new token: weights that take part, the cache of all tokens before, and recurrent state."""

    weights_bytes: int
    cache_bytes: int
    recurrent_bytes: int

    @property
    def total_bytes(self) -> int:
        """Return the sum."""
        return self.weights_bytes + self.cache_bytes + self.recurrent_bytes


def memory(shape: Shape | None, weights: Weights, setup: Setup) -> Memory | None:
    """Return the memory of a model loaded so; None where its shape is not known."""
    raise NotImplementedError


def bytes_read_per_token(shape: Shape, weights: Weights, setup: Setup, filled_tokens: int = 0) -> Reading:
    """Return what is read to make one token when `filled_tokens` stand before it."""
    raise NotImplementedError
