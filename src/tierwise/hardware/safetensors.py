"""What does a model in safetensors hold? The headers of its files and its config.json, as the `Header` of a GGUF.

Source: github.com/huggingface/safetensors, format as of 0.6. Nothing in it is run, no tensor is read. It knows nothing
of memory. Invariant: whatever the bytes, it ends with a `Header` or `Unreadable`; every place is checked against the
file's size, and no two tensors share a byte.
"""

import math
import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec

from tierwise.hardware.architectures import config_names
from tierwise.hardware.gguf import MAX_ELEMENTS, MAX_ENTRIES, Header, Source, Unreadable
from tierwise.hardware.weights import MAX_BLOCKS, Sorter

MAX_HEADER_BYTES: Final = 32 * 1024 * 1024
MAX_CONFIG_BYTES: Final = 1024 * 1024
MAX_FILES: Final = 1000
_LENGTH_BYTES: Final = 8
_BITS: Final = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6,
    "F4": 4, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32, "U16": 16, "U8": 8, "BOOL": 8, "C64": 64,
}  # fmt: skip
_SAME: Final = {  # what both formats say: the entry of a GGUF, the names in config.json, the first that is there counts
    "context_length": ("max_position_embeddings",),
    "block_count": ("num_hidden_layers",),
    "embedding_length": ("hidden_size",),
    "feed_forward_length": ("intermediate_size",),
    "vocab_size": ("vocab_size",),
    "attention.head_count": ("num_attention_heads",),
    "attention.head_count_kv": ("num_key_value_heads",),
    "attention.key_length": ("head_dim",),
    "attention.value_length": ("head_dim",),
    "attention.sliding_window": ("sliding_window",),
    "attention.shared_kv_layers": ("num_kv_shared_layers",),
    "attention.kv_lora_rank": ("kv_lora_rank",),
    "full_attention_interval": ("full_attention_interval",),
    "expert_count": ("n_routed_experts", "num_local_experts", "num_experts"),
    "expert_used_count": ("num_experts_per_tok", "experts_per_token"),
    "expert_shared_count": ("n_shared_experts",),
    "expert_feed_forward_length": ("moe_intermediate_size",),
    "ssm.conv_kernel": ("linear_conv_kernel_dim",),
    "ssm.state_size": ("linear_key_head_dim",),
    "ssm.group_count": ("linear_num_key_heads",),
    "ssm.time_step_rank": ("linear_num_value_heads",),
}
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.safetensors")

Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor: its type, its shape, and from where to where it lies behind the header."""

    dtype: str
    shape: tuple[Count, ...]
    data_offsets: tuple[Count, Count]


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


def read_tensors(source: Source, size_bytes: int) -> dict[str, Tensor]:
    """Read what one file holds; `source` is at its start.

    Raises:
        Unreadable: no safetensors file, a header beyond cap or file, or tensors that do not lie where they say.
    """
    first = source.read(_LENGTH_BYTES)
    if len(first) < _LENGTH_BYTES:
        raise Unreadable("it is truncated: a safetensors file begins with eight bytes")
    length = int.from_bytes(first, "little")
    if length > MAX_HEADER_BYTES:
        raise Unreadable(
            f"its header of {length} bytes is larger than {MAX_HEADER_BYTES}, or it is no safetensors file"
        )
    if _LENGTH_BYTES + length > size_bytes:
        raise Unreadable(f"it is truncated: its header of {length} bytes reaches beyond its {size_bytes}")
    try:
        text = _exactly(source, length)
        held = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        held.pop("__metadata__", None)
        if len(held) > MAX_ENTRIES:
            raise Unreadable(f"its header claims {len(held)} tensors")
        tensors = {name: msgspec.json.decode(raw, type=Tensor) for name, raw in held.items()}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"its header is damaged: {error}") from error
    _check_places(tensors, size_bytes - _LENGTH_BYTES - length)
    return tensors


def read_model(config: bytes, files: Iterable[dict[str, Tensor]]) -> Header:
    """Join config.json with what its files hold; context and layers as the equivalent GGUF would say them.

    Raises:
        Unreadable: config.json is none, or two files hold the same tensor.
    """
    facts = _config(config)
    places = Sorter()
    seen: set[str] = set()
    parameters = 0
    count = 0
    for tensors in files:
        count += 1
        if not seen.isdisjoint(tensors):
            raise Unreadable("two of its files hold the same tensor")
        seen.update(tensors)
        for name, tensor in tensors.items():
            parameters += math.prod(tensor.shape)
            places.add(name, tensor.data_offsets[1] - tensor.data_offsets[0])
    own = _own(facts)
    weights = places.sorted()
    heads_kv = own.get("attention.head_count_kv", ())
    return Header(
        version=0,
        architecture=config_names().get(str(facts.get("model_type")), str(facts.get("model_type", ""))),
        name=None,
        context_tokens=_first(own, "context_length"),
        blocks=_first(own, "block_count"),
        embedding=_first(own, "embedding_length"),
        feed_forward=_first(own, "feed_forward_length"),
        heads=_first(own, "attention.head_count"),
        heads_kv=heads_kv,
        key_length=_first(own, "attention.key_length"),
        value_length=_first(own, "attention.value_length"),
        vocabulary=_first(own, "vocab_size"),
        parts=count,
        tensors=len(seen),
        parameters=parameters,
        weight_bytes=weights.total_bytes,
        weights=weights,
        own=own,
    )


def file_names(index: bytes) -> tuple[str, ...]:
    """Return the files that `model.safetensors.index.json` names, in order; only plain names beside it are taken."""
    if len(index) > MAX_HEADER_BYTES:
        raise Unreadable(f"its index of {len(index)} bytes is larger than {MAX_HEADER_BYTES}")
    try:
        names = sorted(set(msgspec.json.decode(index, type=_Index).weight_map.values()))
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"its index is damaged: {error}") from error
    if not names or len(names) > MAX_FILES:
        raise Unreadable(f"its index names {len(names)} files")
    if strange := [name for name in names if not _FILE_NAME.fullmatch(name)]:
        raise Unreadable(f"its index names a file that is not beside it: {strange[0][:80]!r}")
    return tuple(names)


def _exactly(source: Source, count: int) -> bytes:
    text = b""
    while len(text) < count:
        part = source.read(count - len(text))
        if not part:
            raise Unreadable("it is truncated inside its header")
        text += part
    return text


def _check_places(tensors: dict[str, Tensor], room_bytes: int) -> None:
    last = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].data_offsets):
        begin, end = tensor.data_offsets
        bits = _BITS.get(tensor.dtype)
        if bits is None:
            raise Unreadable(f"the tensor {name[:80]!r} has an unknown type {tensor.dtype[:20]!r}")
        elements = math.prod(tensor.shape) if len(tensor.shape) <= 8 else MAX_ELEMENTS + 1
        if elements > MAX_ELEMENTS:
            raise Unreadable(f"the tensor {name[:80]!r} has too many elements")
        if begin < last or end - begin != -(-elements * bits // 8):
            raise Unreadable(f"the tensor {name[:80]!r} does not lie where it says")
        last = end
    if last > room_bytes:
        raise Unreadable(f"it is truncated: its tensors end {last} bytes behind the header, the file has {room_bytes}")


def _config(text: bytes) -> dict[str, Any]:
    """Return the part of config.json that describes the text model."""
    if len(text) > MAX_CONFIG_BYTES:
        raise Unreadable(f"its config.json of {len(text)} bytes is larger than {MAX_CONFIG_BYTES}")
    try:
        facts = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Unreadable(f"its config.json is damaged: {error}") from error
    inner = facts.get("text_config")
    return {**facts, **inner} if isinstance(inner, dict) else facts


def _own(facts: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return the numbers of config.json under the names that a GGUF has for them."""
    own: dict[str, tuple[int, ...]] = {}
    for key, names in _SAME.items():
        found = next((number for name in names if (number := _number(facts, name)) is not None), None)
        if found is not None:
            own[key] = (found,)
    own |= _latent(facts) | _linear(facts) | _listed(facts)
    if facts.get("use_sliding_window") is False:
        own.pop("attention.sliding_window", None)
    return own


def _latent(facts: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return what a latent cache keeps: the latent and the turned part of the key, once for all heads."""
    latent, turned = _number(facts, "kv_lora_rank"), _number(facts, "qk_rope_head_dim")
    if not latent or turned is None:
        return {}
    plain, value = _number(facts, "qk_nope_head_dim") or 0, _number(facts, "v_head_dim") or 0
    return {
        "attention.head_count_kv": (1,),
        "attention.key_length": (latent + turned,),
        "attention.value_length": (latent,),
        "attention.key_length_mla": (plain + turned,),
        "attention.value_length_mla": (value,),
    }


def _linear(facts: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    heads, wide = _number(facts, "linear_num_value_heads"), _number(facts, "linear_value_head_dim")
    return {"ssm.inner_size": (heads * wide,)} if heads and wide else {}


def _listed(facts: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return what the list of layer types says: which slide, and which recur."""
    kinds = facts.get("layer_types")
    if not isinstance(kinds, list) or len(kinds) > MAX_BLOCKS:
        return {}
    found = {"attention.sliding_window_pattern": tuple(int(kind == "sliding_attention") for kind in kinds)}
    if "linear_attention" in kinds:
        found["attention.recurrent_layers"] = tuple(int(kind == "linear_attention") for kind in kinds)
    return found


def _number(facts: dict[str, Any], name: str) -> int | None:
    value = facts.get(name)
    right = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32
    return value if right else None


def _first(own: dict[str, tuple[int, ...]], key: str) -> int | None:
    return next(iter(own.get(key, ())), None)
