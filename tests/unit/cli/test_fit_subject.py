"""What rows of the catalogue become: models whose memory can be told, with the states that their files tell too."""

import pytest

from tests.unit.hardware.test_memory import header
from tierwise.cli.fit_subject import from_row
from tierwise.hardware.layers import shape
from tierwise.registry.open_models import open_model, open_models


@pytest.mark.parametrize("row", open_models(), ids=lambda row: row.name)
def test_the_layers_of_every_row_are_known(row):
    found = from_row(row).candidates[0].shape
    assert found is not None
    assert len(found.layers) == row.layers


@pytest.mark.parametrize(("name", "kv_heads"), [("qwen3.5-4b", 4), ("qwen3.5-35b-a3b", 2)])
def test_a_state_is_that_which_the_header_of_such_a_file_tells(name, kv_heads):
    row = open_model(name)
    told = shape(header(
        "qwen35", block_count=row.layers, embedding_length=row.hidden, attention__head_count=row.heads,
        attention__head_count_kv=kv_heads, attention__key_length=256, attention__value_length=256,
        full_attention_interval=4, ssm__conv_kernel=4, ssm__inner_size=32 * 128, ssm__state_size=128,
        ssm__group_count=16, ssm__time_step_rank=32,
    ))  # fmt: skip
    found = from_row(row).candidates[0].shape
    assert sum(layer.state_bytes for layer in found.layers) == sum(layer.state_bytes for layer in told.layers)
    assert found.scan_width == told.scan_width
