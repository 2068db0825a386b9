"""Layers: what each remembers, by the rule of its architecture; nothing is guessed where the header is silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hardware.test_memory import header
from tierwise.hardware.architectures import config_names, rules
from tierwise.hardware.gguf import Header
from tierwise.hardware.layers import shape

SIX = {"block_count": 6, "embedding_length": 64, "attention__head_count": 4, "attention__head_count_kv": 2}


def kinds(architecture, **own):
    return [layer.kind for layer in shape(header(architecture, **{**SIX, **own})).layers]


def test_most_layers_look_at_everything():
    assert kinds("llama") == ["full"] * 6
    assert kinds("llama", attention__sliding_window=64) == ["full"] * 6, "the engine does not let them slide"


def test_layers_that_slide():
    assert kinds("gpt-oss", attention__sliding_window=128) == ["sliding", "full"] * 3
    assert kinds("gemma3", attention__sliding_window=128) == ["sliding"] * 5 + ["full"]
    assert kinds("olmo2") == ["full"] * 6, "without a window nothing slides"
    listed = (1, 1, 0, 1, 1, 0)
    assert kinds("gemma4", attention__sliding_window=64, attention__sliding_window_pattern=listed) == [
        "sliding", "sliding", "full", "sliding", "sliding", "full",
    ]  # fmt: skip


def test_layers_that_share_a_cache_read_it_and_keep_none():
    last = shape(header("gemma4", attention__shared_kv_layers=2, **SIX)).layers[-1]
    assert (last.kind, last.k_width) == ("shared", 32)


def test_layers_that_recur():
    scan = {"ssm__conv_kernel": 4, "ssm__inner_size": 64, "ssm__state_size": 16}
    assert kinds("qwen35", full_attention_interval=3, **scan) == ["recurrent", "recurrent", "full"] * 2
    assert kinds("jamba", attention__head_count_kv=(0, 2, 0, 2, 0, 2), **scan) == ["recurrent", "full"] * 3
    assert kinds("mamba2", **scan) == ["recurrent"] * 6
    beside = shape(header("falcon-h1", **SIX, **scan)).layers[0]
    assert beside.kind == "full"
    assert beside.state_bytes > 0


def test_a_recurrent_layer_without_its_numbers_is_unknown():
    assert shape(header("mamba2", **SIX)) is None


def test_layers_that_guess_ahead_keep_nothing():
    found = shape(header("glm4moe", nextn_predict_layers=1, **SIX))
    assert (len(found.layers), found.unused_blocks) == (5, 1)


def test_what_reads_a_text_at_once_keeps_nothing():
    assert kinds("bert") == ["none"] * 6


def test_a_header_without_heads_has_no_shape():
    bare = Header(version=3, architecture="llama", blocks=2, embedding=64)
    assert shape(bare) is None
    assert shape(Header(version=3, architecture="llama", blocks=1 << 40, embedding=64, heads=4)) is None


def test_every_name_stands_in_one_row_and_configs_name_rows():
    names = [name for rule in {id(rule): rule for rule in rules().values()}.values() for name in rule.names]
    assert len(names) == len(set(names))
    assert set(config_names().values()) <= set(names)


@pytest.mark.parametrize("architecture", sorted(rules()))
@given(numbers=st.dictionaries(
    st.sampled_from(["attention.sliding_window", "attention.shared_kv_layers", "nextn_predict_layers", "ssm.inner_size",
                     "ssm.state_size", "ssm.conv_kernel", "attention.kv_lora_rank", "attention.key_length_mla",
                     "full_attention_interval", "kda.head_dim", "wkv.head_size", "shortconv.l_cache"]),
    st.lists(st.integers(0, 1 << 32), min_size=1, max_size=9).map(tuple)),
    blocks=st.integers(0, 9), heads=st.none() | st.integers(0, 99))  # fmt: skip
def test_whatever_the_header_says_it_ends_with_a_shape_or_none(architecture, numbers, blocks, heads):
    found = shape(Header(version=3, architecture=architecture, blocks=blocks, embedding=64, heads=heads, own=numbers))
    assert found is None or len(found.layers) + found.unused_blocks == blocks
