"""How much memory does a loaded model take, by what for and by where, and how much of it is read for every token?

Pure. The rules are those of llama.cpp, the engine that is embedded. It knows no machine. Invariant: what it says of
weights and caches is exact to the byte; what it says of working memory is never less than the engine said it took.
"""

import math
from typing import Final, Literal

import msgspec

from tierwise.hardware.layers import Layer, Shape
from tierwise.hardware.weights import Block, Weights

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"]

CELLS: Final = 256
"""Caches come in multiples of so many tokens."""
PROCESS_BYTES: Final = 64 * 1024 * 1024  # measured 56 MB with a 2 MB model, 2026-11
WORD_BYTES: Final = 256
"""What one entry of the vocabulary takes in tables: assumed, not measured."""
_BLOCKS: Final[dict[CacheType, tuple[int, int]]] = {  # numbers in a block, bytes of a block, as in ggml.h
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
}
_F32 = 4
_SMALL_BYTES = 1024 * 1024


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is loaded. `context_tokens` is for each of the `sequences`.

    `layers_on_device` counts as the engine does: the output first, then the layers from the last; all of a model is one
    more than its layers. `experts_on_host` keeps the experts of those layers in the machine's memory. `checkpoints` are
    copies of windows and states that a server keeps of each sequence, to return to.
    """

    context_tokens: int
    sequences: int = 1
    k_type: CacheType = "f16"
    v_type: CacheType = "f16"
    micro_batch: int = 512
    layers_on_device: int = 0
    flash: bool = True
    experts_on_host: bool = False
    checkpoints: int = 0


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes by what for. The device's share of them all is `on_device_bytes`, the rest is on the host."""

    weights_bytes: int
    cache_bytes: int
    recurrent_bytes: int
    compute_bytes: int
    runtime_bytes: int
    on_device_bytes: int = 0

    @property
    def total_bytes(self) -> int:
        """Return the sum, wherever it lies."""
        kept = self.weights_bytes + self.cache_bytes + self.recurrent_bytes
        return kept + self.compute_bytes + self.runtime_bytes

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
    """Return the memory of a model loaded so; None where its shape is not known.

    Raises:
        ValueError: the setup asks for nothing (a context, a batch or sequences below 1), or for quantized values
            without flash attention, which the engine refuses.
    """
    if min(setup.context_tokens, setup.sequences, setup.micro_batch) < 1:
        raise ValueError("context_tokens, sequences and micro_batch must be at least 1")
    if not setup.flash and setup.v_type not in ("f32", "f16", "bf16"):
        raise ValueError(f"values can be kept as {setup.v_type} only with flash attention")
    if shape is None:
        return None
    caches = [cache_bytes(layer, setup) for layer in _laid_out(shape, setup)]
    states = [layer.state_bytes * setup.sequences for layer in shape.layers]
    compute = compute_bytes(shape, setup)
    everything = len(shape.layers) + shape.unused_blocks + 1
    first = max(everything - setup.layers_on_device, 0)
    partly = setup.layers_on_device and (first or setup.experts_on_host)  # host and device each compute their part
    device = 0
    copied = 0
    if setup.layers_on_device:
        copied = 0 if weights.output_bytes else weights.tied_bytes
        device = sum(caches[first:]) + sum(states[first:]) + compute + _weights_on_device(weights, first, setup)
    return Memory(
        weights_bytes=weights.total_bytes + copied,
        cache_bytes=sum(caches),
        recurrent_bytes=sum(states),
        compute_bytes=compute * (2 if partly else 1),
        runtime_bytes=PROCESS_BYTES + WORD_BYTES * shape.vocabulary + _checkpoint_bytes(shape, setup),
        on_device_bytes=device,
    )


def bytes_read_per_token(shape: Shape, weights: Weights, setup: Setup, filled_tokens: int = 0) -> Reading:
    """Return what is read to make one token of one sequence when `filled_tokens` stand before it.

    Of the experts it is the share that one token uses; of the input table one row, which is not counted.
    """
    share = shape.experts.used / shape.experts.count if shape.experts else 1.0
    layers = range(len(shape.layers))
    blocks = [weights.blocks[number] if number < len(weights.blocks) else Block(total_bytes=0) for number in layers]
    active = sum(block.total_bytes - block.expert_bytes + math.ceil(block.expert_bytes * share) for block in blocks)
    seen = (min(filled_tokens, layer.window or filled_tokens) * row_bytes(layer, setup) for layer in shape.layers)
    return Reading(
        weights_bytes=active + (weights.output_bytes or weights.tied_bytes) + weights.other_bytes,
        cache_bytes=sum(seen),
        recurrent_bytes=sum(layer.state_bytes for layer in shape.layers),
    )


def looks(shape: Shape, filled_tokens: int) -> int:
    """Return how many products a token makes with the keys and values of the tokens before it, with all heads."""
    total = 0
    for layer in shape.layers:
        wide = shape.heads * layer.k_width if layer.kind == "mla" else shape.queries if layer.k_width else 0
        total += 2 * wide * min(filled_tokens, layer.window or filled_tokens)
    return total


def cache_bytes(layer: Layer, setup: Setup) -> int:
    """Return what one layer keeps for all sequences; exact."""
    if layer.kind in ("shared", "recurrent", "none"):
        return 0
    return row_bytes(layer, setup) * cells(layer, setup) * setup.sequences


def cells(layer: Layer, setup: Setup) -> int:
    """Return for how many tokens of a sequence a layer has room."""
    whole = _padded(setup.context_tokens)
    if not layer.window:
        return whole
    return min(whole, _padded(min(whole, layer.window + min(setup.micro_batch, whole * setup.sequences))))


def row_bytes(layer: Layer, setup: Setup) -> int:
    """Return what a layer reads of one token; keys and values that do not fill a last block take it whole."""
    return _row(layer.k_width, setup.k_type) + _row(layer.v_width, setup.v_type)


def compute_bytes(shape: Shape, setup: Setup) -> int:
    """Return the working memory for a batch of tokens: an upper bound, fitted to what the engine said.

    The widest step counts (a dense feed-forward, one with experts, attention, a recurrent layer), each with what must
    stay beside it; then the masks, the next word's numbers, and a little for what no step names.
    """
    tokens = min(setup.micro_batch, _padded(setup.context_tokens) * setup.sequences)
    attending = {(layer.window, cells(layer, setup)) for layer in shape.layers if layer.k_width}
    latent = any(layer.kind == "mla" for layer in shape.layers)  # its queries are as wide as the latent, for every head
    wide = max(7 * shape.embedding, (3 if latent else 7) * shape.queries)
    recurs = any(layer.state_bytes for layer in shape.layers)
    streams = 3 * shape.streams if shape.streams > 1 else 0
    beside = (7 if recurs else 6) + streams
    if recurs and not attending:
        wide = 21 * shape.embedding  # every channel is mixed with that of the token before, several times at once
    steps = [3 * shape.feed_forward + beside * shape.embedding, 9 * shape.scan_width + 3 * shape.embedding, wide]
    if experts := shape.experts:
        chosen = experts.used * (2 * shape.embedding + experts.feed_forward)
        steps.append(chosen + 3 * experts.shared * experts.feed_forward + 5 * shape.embedding)
    if not setup.flash:
        steps.append(shape.heads * max((room for _, room in attending), default=0) + wide + streams * shape.embedding)
    widest = max(steps) + 3 * shape.per_layer_input * len(shape.layers)
    masks = tokens * sum(room for _, room in attending) * (2 if setup.flash else 8)
    words = _F32 * shape.vocabulary * setup.sequences
    states = sum({layer.state_bytes for layer in shape.layers}) * setup.sequences
    copied = max((_halved(layer, setup) for layer in shape.layers), default=0)
    return (_F32 * tokens * widest + masks + words + states + copied) * 33 // 32 + _SMALL_BYTES


def _halved(layer: Layer, setup: Setup) -> int:
    """Return what a copy of a layer's cache in half precision takes: flash attention makes one of what is in f32."""
    if not setup.flash:
        return 0
    values, of_values = (layer.k_width, setup.k_type) if layer.kind == "mla" else (layer.v_width, setup.v_type)
    wide = layer.k_width * (setup.k_type == "f32") + values * (of_values == "f32")
    return _row(wide, "f16") * cells(layer, setup) * setup.sequences


def _weights_on_device(weights: Weights, first: int, setup: Setup) -> int:
    blocks = weights.blocks[first:]
    held = sum(block.total_bytes - (block.expert_bytes if setup.experts_on_host else 0) for block in blocks)
    return held + (weights.output_bytes or weights.tied_bytes) + weights.other_bytes


def _laid_out(shape: Shape, setup: Setup) -> tuple[Layer, ...]:
    """Return the layers as the engine keeps them: without flash attention all values are as wide as the widest."""
    if setup.flash:
        return shape.layers
    widest = max((layer.v_width for layer in shape.layers), default=0)
    return tuple(msgspec.structs.replace(layer, v_width=widest) if layer.v_width else layer for layer in shape.layers)


def _checkpoint_bytes(shape: Shape, setup: Setup) -> int:
    """Return what copies of windows and states take; layers that see everything need none."""
    windows = (cache_bytes(layer, setup) for layer in shape.layers if layer.kind == "sliding")
    states = (layer.state_bytes * setup.sequences for layer in shape.layers)
    return setup.checkpoints * (sum(windows) + sum(states))


def _padded(tokens: int) -> int:
    return -(-tokens // CELLS) * CELLS


def _row(width: int, kind: CacheType) -> int:
    numbers, size = _BLOCKS[kind]
    return -(-width // numbers) * size
