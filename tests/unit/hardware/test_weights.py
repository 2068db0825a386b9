"""Where the bytes of weights are, by the names of both formats."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.hardware.weights import Block, Sorter, Weights


def placed(name):
    places = Sorter()
    places.add(name, 10)
    return places.sorted()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("token_embd.weight", Weights(input_bytes=10, tied_bytes=10)),
        ("model.embed_tokens.weight", Weights(input_bytes=10, tied_bytes=10)),
        ("model.language_model.embed_tokens.weight", Weights(input_bytes=10, tied_bytes=10)),
        ("per_layer_token_embd.weight", Weights(input_bytes=10)),
        ("output.weight", Weights(output_bytes=10)),
        ("lm_head.weight", Weights(output_bytes=10)),
        ("output_norm.weight", Weights(other_bytes=10)),
        ("rope_freqs.weight", Weights(other_bytes=10)),
        ("blk.0.attn_output.weight", Weights(blocks=(Block(total_bytes=10),))),
        ("blk.1.ffn_gate.weight", Weights(blocks=(Block(total_bytes=0), Block(total_bytes=10)))),
        ("blk.0.ffn_down_exps.weight", Weights(blocks=(Block(total_bytes=10, expert_bytes=10),))),
        ("blk.0.ffn_down_shexp.weight", Weights(blocks=(Block(total_bytes=10),))),
        ("blk.0.ffn_gate_inp.weight", Weights(blocks=(Block(total_bytes=10),))),
        ("model.layers.0.mlp.experts.7.up_proj.weight", Weights(blocks=(Block(total_bytes=10, expert_bytes=10),))),
        ("model.layers.0.mlp.shared_experts.up_proj.weight", Weights(blocks=(Block(total_bytes=10),))),
        ("blk.9999.attn_q.weight", Weights(other_bytes=10)),
        ("blk.99999999999999999999.x", Weights(other_bytes=10)),
        ("", Weights(other_bytes=10)),
    ],
)
def test_a_name_tells_the_place(name, expected):
    assert placed(name) == expected


@given(
    st.lists(
        st.tuples(st.text(alphabet="blk.0123layersout_embdxps", max_size=30), st.integers(0, 1 << 40)), max_size=30
    )
)
def test_every_byte_is_counted_once(tensors):
    places = Sorter()
    for name, size in tensors:
        places.add(name, size)
    found = places.sorted()
    assert found.total_bytes == sum(size for _, size in tensors)
    assert found.expert_bytes <= found.total_bytes
