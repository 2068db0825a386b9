"""What can be timed where no model is? The bytes of a GGUF file whose weights mean nothing, of any size.

Pure; the layout is that which `gguf` reads. The numbers are noise that an engine can compute with, the same each time,
so nothing is drawn and nothing fetched. It knows two architectures: dense, and a mixture of experts.
Invariant: `work` tells exactly what the file holds and what of it is read for one token.
"""

import hashlib
import itertools
import math
import struct
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from tierwise.hardware.speed import Work

Packing = Literal["f16", "q8_0", "q4_k"]
CONTEXT_TOKENS: Final = 4096
_ALIGNMENT: Final = 32
_NOISE_BYTES: Final = 1 << 20
_SCALE: Final = struct.pack("<e", 1e-3)
# Number of the type, weights in a block, its bytes, and where in these its scales stand, which must be sane numbers.
_PACKINGS: Final[dict[Packing, tuple[int, int, int, tuple[int, ...]]]] = {
    "f16": (1, 1, 2, ()), "q8_0": (8, 32, 34, (0,)), "q4_k": (12, 256, 144, (0, 2)),
}  # fmt: skip
_TEXT, _NUMBER, _REAL, _LIST, _WHOLE = 8, 4, 6, 9, 5


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The shape of a made-up model. With `experts`, each layer has so many of `feed_forward`, of which `used` compute.

    `width` and `feed_forward` are multiples of 256; a head is 64 wide.
    """

    layers: int
    width: int
    feed_forward: int
    heads_kv: int
    packing: Packing = "q4_k"
    vocabulary: int = 4096
    experts: int = 0
    used: int = 0

    @property
    def heads(self) -> int:
        """Heads that ask."""
        return self.width // 64


def work(sample: Sample, filled_tokens: int = 0) -> Work:
    """Return what one token costs when `filled_tokens` stand before it; the cache is in half precision."""
    read = total = parameters = output = 0
    for name, shape, packing in _tensors(sample):
        size, weights = _size(shape, packing), math.prod(shape)
        total += size
        if name.startswith("token_embd"):  # one row of it
            continue
        portion = sample.used / sample.experts if "_exps" in name else 1.0
        read += round(size * portion)
        parameters += round(weights * portion)
        output += weights if name == "output.weight" else 0
    return Work(
        active_bytes=read,
        total_bytes=total,
        active_parameters=parameters,
        layers=sample.layers,
        moe=bool(sample.experts),
        cache_bytes=sample.layers * sample.heads_kv * 64 * 2 * 2 * filled_tokens,
        looks=sample.layers * sample.heads * 64 * 2 * filled_tokens,
        output_parameters=output,
    )


def content(sample: Sample) -> Iterator[bytes]:
    """Yield the file, piece by piece."""
    tensors = list(_tensors(sample))
    entries = list(_entries(sample))
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)) + b"".join(entries)
    at = 0
    for name, shape, packing in tensors:
        number = 0 if packing == "f32" else _PACKINGS[packing][0]
        head += _string(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, number, at)
        at += _padded(_size(shape, packing))
    yield head + bytes(_padded(len(head)) - len(head))
    noise = {packing: _noise(packing) for packing in {packing for *_, packing in tensors}}
    for _, shape, packing in tensors:
        size = _size(shape, packing)
        whole, rest = divmod(size, len(noise[packing]))
        yield from itertools.repeat(noise[packing], whole)
        yield noise[packing][:rest] + bytes(_padded(size) - size)


def _tensors(sample: Sample) -> Iterator[tuple[str, tuple[int, ...], Packing | Literal["f32"]]]:
    width, inner, kv, packing = sample.width, sample.feed_forward, sample.heads_kv * 64, sample.packing
    yield "token_embd.weight", (width, sample.vocabulary), packing
    yield "output_norm.weight", (width,), "f32"
    yield "output.weight", (width, sample.vocabulary), packing
    experts = (sample.experts,) if sample.experts else ()
    ending = "_exps" if experts else ""
    for layer in range(sample.layers):
        own = f"blk.{layer}."
        yield f"{own}attn_norm.weight", (width,), "f32"
        yield f"{own}ffn_norm.weight", (width,), "f32"
        if experts:
            yield f"{own}attn_q_norm.weight", (64,), "f32"
            yield f"{own}attn_k_norm.weight", (64,), "f32"
            yield f"{own}ffn_gate_inp.weight", (width, sample.experts), "f32"
        for name, rows in (("attn_q", width), ("attn_k", kv), ("attn_v", kv), ("attn_output", width)):
            yield f"{own}{name}.weight", (width, rows), packing
        yield f"{own}ffn_gate{ending}.weight", (width, inner, *experts), packing
        yield f"{own}ffn_up{ending}.weight", (width, inner, *experts), packing
        yield f"{own}ffn_down{ending}.weight", (inner, width, *experts), packing


def _entries(sample: Sample) -> Iterator[bytes]:
    architecture = "qwen3moe" if sample.experts else "llama"
    yield _entry("general.architecture", _TEXT, _string(architecture))
    numbers = {
        "context_length": CONTEXT_TOKENS, "block_count": sample.layers, "embedding_length": sample.width,
        "feed_forward_length": sample.feed_forward, "attention.head_count": sample.heads,
        "attention.head_count_kv": sample.heads_kv, "attention.key_length": 64, "attention.value_length": 64,
        "rope.dimension_count": 64, "vocab_size": sample.vocabulary,
    }  # fmt: skip
    if sample.experts:
        numbers |= {"expert_count": sample.experts, "expert_used_count": sample.used}
        numbers |= {"expert_feed_forward_length": sample.feed_forward}
    for name, number in numbers.items():
        yield _entry(f"{architecture}.{name}", _NUMBER, struct.pack("<I", number))
    yield _entry(f"{architecture}.attention.layer_norm_rms_epsilon", _REAL, struct.pack("<f", 1e-5))
    yield _entry("tokenizer.ggml.model", _TEXT, _string("gpt2"))
    yield _entry("tokenizer.ggml.pre", _TEXT, _string("gpt-2"))
    words = [f"w{number}" for number in range(sample.vocabulary)]
    yield _entry("tokenizer.ggml.tokens", _LIST, _list(_TEXT, [_string(word) for word in words]))
    yield _entry("tokenizer.ggml.token_type", _LIST, _list(_WHOLE, [struct.pack("<i", 1)] * len(words)))
    yield _entry("tokenizer.ggml.merges", _LIST, _list(_TEXT, [_string("w 0")]))
    for name in ("bos", "eos"):
        yield _entry(f"tokenizer.ggml.{name}_token_id", _NUMBER, struct.pack("<I", 0))


def _noise(packing: Packing | Literal["f32"]) -> bytes:
    """Return about a mebibyte of whole blocks; ones, where a norm stands."""
    if packing == "f32":
        return struct.pack("<f", 1.0) * (_NOISE_BYTES // 4)
    _, _, size, scales = _PACKINGS[packing]
    count = _NOISE_BYTES // size
    drawn = bytearray(hashlib.shake_128(packing.encode()).digest(count * size))
    if packing == "f16":  # numbers of about a hundredth, of both signs
        drawn[1::2] = bytes(0x20 | byte & 0x83 for byte in drawn[1::2])
    for place in scales:
        drawn[place::size], drawn[place + 1 :: size] = _SCALE[:1] * count, _SCALE[1:] * count
    return bytes(drawn)


def _size(shape: tuple[int, ...], packing: Packing | Literal["f32"]) -> int:
    _, weights, size, _ = (0, 1, 4, ()) if packing == "f32" else _PACKINGS[packing]
    return math.prod(shape) // weights * size


def _entry(key: str, kind: int, value: bytes) -> bytes:
    return _string(key) + struct.pack("<I", kind) + value


def _list(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IQ", kind, len(items)) + b"".join(items)


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
