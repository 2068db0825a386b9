"""Safetensors: what is in the files, told as the same model's GGUF would tell it; everything hostile is refused."""

import contextlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.hardware.gguf import Unreadable
from tierwise.hardware.layers import shape
from tierwise.hardware.memory import Setup, memory
from tierwise.hardware.safetensors import MAX_HEADER_BYTES, file_names, read_model, read_tensors


def held(head, data_bytes=0):
    text = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(text).to_bytes(8, "little") + text + bytes(data_bytes)


def place(shape_, begin, end, dtype="BF16"):
    return {"dtype": dtype, "shape": shape_, "data_offsets": [begin, end]}


def read(data, size=None):
    return read_tensors(io.BytesIO(data), len(data) if size is None else size)


HEAD = {
    "__metadata__": {"format": "pt"},
    "model.embed_tokens.weight": place([100, 8], 0, 1600),
    "model.layers.0.mlp.experts.0.up_proj.weight": place([8, 8], 1600, 1728),
    "model.layers.0.self_attn.q_proj.weight": place([8, 8], 1728, 1856),
    "model.layers.1.self_attn.q_proj.weight": place([8, 8], 1856, 1984),
    "model.norm.weight": place([8], 1984, 2000),
}
FILE = held(HEAD, 2000)
CONFIG = {
    "model_type": "qwen3_moe",
    "num_hidden_layers": 2,
    "hidden_size": 8,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 100,
    "num_experts": 16,
    "num_experts_per_tok": 2,
    "max_position_embeddings": 4096,
}


def model(*files, **more):
    return read_model(json.dumps({**CONFIG, **more}).encode(), files or [read(FILE)])


def test_what_a_model_says():
    found = model()
    assert (found.architecture, found.context_tokens, found.blocks) == ("qwen3moe", 4096, 2)
    assert (found.weight_bytes, found.parameters, found.tensors) == (2000, 1000, 5)
    assert found.weights.input_bytes == found.weights.tied_bytes == 1600
    assert [block.total_bytes for block in found.weights.blocks] == [256, 128]
    assert found.weights.expert_bytes == 128
    kept = shape(found)
    assert [(layer.kind, layer.k_width, layer.v_width) for layer in kept.layers] == [("full", 32, 32)] * 2
    assert (kept.experts.count, kept.experts.used) == (16, 2)


def test_its_memory_is_that_of_the_same_gguf():
    found = memory(shape(model()), model().weights, Setup(context_tokens=1024))
    assert found.cache_bytes == 2 * 1024 * 64 * 2


def test_layers_that_slide_and_layers_that_recur():
    slides = model(model_type="gemma3_text", num_hidden_layers=6, sliding_window=512)
    assert [layer.window for layer in shape(slides).layers] == [512] * 5 + [0]
    recurs = model(
        model_type="qwen3_next",
        layer_types=["linear_attention", "full_attention"],
        linear_conv_kernel_dim=4,
        linear_key_head_dim=128,
        linear_num_key_heads=16,
        linear_num_value_heads=32,
        linear_value_head_dim=128,
    )
    first, second = shape(recurs).layers
    assert (first.kind, first.state_bytes) == ("recurrent", 4 * (3 * (4096 + 2 * 16 * 128) + 4096 * 128))
    assert second.kind == "full"


def test_a_latent_cache():
    latent = model(
        model_type="deepseek_v3", kv_lora_rank=512, qk_rope_head_dim=64, qk_nope_head_dim=128, v_head_dim=128
    )
    assert {(layer.kind, layer.k_width, layer.v_width) for layer in shape(latent).layers} == {("mla", 576, 0)}


def test_a_model_with_pictures_tells_its_text_part():
    found = read_model(
        json.dumps({"model_type": "gemma3", "text_config": CONFIG | {"model_type": "gemma3_text"}}).encode(), []
    )
    assert (found.architecture, found.blocks) == ("gemma3", 2)


def test_an_unknown_type_has_no_shape():
    assert shape(model(model_type="tomorrow")) is None
    assert model(model_type="tomorrow").weight_bytes == 2000


def test_files_of_an_index():
    index = {"weight_map": {"b": "model-00002-of-00002.safetensors", "a": "model-00001-of-00002.safetensors"}}
    assert file_names(json.dumps(index).encode()) == (
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    )


@pytest.mark.parametrize(
    "name", ["../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "x.bin", ".x.safetensors", ""]
)
def test_an_index_that_leads_elsewhere(name):
    with pytest.raises(Unreadable, match="not beside it"):
        file_names(json.dumps({"weight_map": {"a": name}}).encode())


@pytest.mark.parametrize(
    "index", [b"", b"[]", b"{}", b'{"weight_map": {}}', b'{"weight_map": {"a": 1}}', b"[" * 100_000]
)
def test_an_index_that_is_none(index):
    with pytest.raises(Unreadable, match=r"damaged|names 0 files"):
        file_names(index)


def one(shape_, begin, end, dtype="F32"):
    return held({"a": place(shape_, begin, end, dtype)}, 64)


BAD = {
    "empty": (b"", "truncated"),
    "endless header": ((1 << 62).to_bytes(8, "little") + b"{}", "larger than"),
    "long header": ((MAX_HEADER_BYTES).to_bytes(8, "little") + b"{}", "reaches beyond"),
    "no json": (held(b"{{"), "damaged"),
    "deep json": (held(b"[" * 100_000), "damaged"),
    "deep inside": (held(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), "damaged"),
    "a list": (held([]), "damaged"),
    "no shape": (held({"a": {"dtype": "F32"}}), "damaged"),
    "negative": (one([-1], 0, 4), "damaged"),
    "huge": (one([1 << 40, 1 << 40], 0, 4), "too many elements"),
    "many dimensions": (one([1] * 9, 0, 4), "too many elements"),
    "unknown type": (one([1], 0, 4, "X7"), "unknown type"),
    "wrong size": (one([4], 0, 4), "does not lie"),
    "backwards": (one([1], 8, 4), "does not lie"),
    "beyond": (one([100], 0, 400), "truncated"),
    "shared bytes": (held({"a": place([2], 0, 8, "F32"), "b": place([2], 4, 12, "F32")}, 64), "does not lie"),
}


@pytest.mark.parametrize("name", BAD)
def test_damage_is_named(name):
    data, words = BAD[name]
    with pytest.raises(Unreadable, match=words):
        read(data)


def test_a_source_that_ends_early():
    with pytest.raises(Unreadable, match="truncated inside"):
        read(FILE[:50], len(FILE))


def test_a_tensor_in_two_files():
    with pytest.raises(Unreadable, match="same tensor"):
        model(read(FILE), read(FILE))


@pytest.mark.parametrize("text", [b"", b"[]", b'"x"', b"{" * 9, b"[" * 100_000, b" " * (1 << 20) + b"{}"])
def test_a_config_that_is_none(text):
    with pytest.raises(Unreadable, match=r"config\.json"):
        read_model(text, [])


@pytest.mark.parametrize("wrong", [True, -1, 1.5, "64", None, [], {}, 1 << 40])
def test_strange_numbers_are_not_said(wrong):
    assert model(head_dim=wrong).key_length is None


@given(st.binary(max_size=300))
def test_arbitrary_bytes(data):
    with contextlib.suppress(Unreadable):
        read(data)


@given(st.integers(0, len(FILE) - 1))
def test_every_cut(length):
    with pytest.raises(Unreadable):
        read(FILE[:length])


@given(st.lists(st.tuples(st.integers(0, len(FILE) - 2001), st.integers(0, 255)), min_size=1, max_size=8))
def test_flipped_bytes(changes):
    data = bytearray(FILE)
    for at, byte in changes:
        data[at] = byte
    try:
        found = read(bytes(data))
    except Unreadable:
        return
    assert sum(tensor.data_offsets[1] - tensor.data_offsets[0] for tensor in found.values()) <= len(data)
