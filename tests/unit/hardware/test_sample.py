"""A made-up model is what it says: read by our reader and by another's, to the byte."""

import io
import struct

import gguf
import numpy
import pytest

from tierwise.hardware.gguf import read_header
from tierwise.hardware.sample import Sample, content, work

DENSE = Sample(layers=3, width=256, feed_forward=512, heads_kv=2, vocabulary=300)
EXPERTS = Sample(layers=2, width=256, feed_forward=256, heads_kv=2, vocabulary=300, experts=8, used=2)
PACKED = [
    DENSE,
    EXPERTS,
    Sample(layers=1, width=256, feed_forward=512, heads_kv=4, packing="q8_0", vocabulary=320),
    Sample(layers=1, width=256, feed_forward=512, heads_kv=4, packing="f16", vocabulary=320),
]


def whole(sample):
    return b"".join(content(sample))


@pytest.fixture
def read(tmp_path):
    def by_another(sample):
        file = tmp_path / "sample.gguf"
        file.write_bytes(whole(sample))
        return gguf.GGUFReader(file)

    return by_another


@pytest.mark.parametrize("sample", PACKED, ids=lambda sample: f"{sample.packing}-{sample.experts}")
def test_our_reader_finds_what_work_tells(sample):
    data = whole(sample)
    header = read_header(io.BytesIO(data), len(data))
    assert header.weight_bytes == work(sample).total_bytes
    assert header.end_bytes <= len(data)
    assert (header.blocks, header.embedding, header.heads) == (sample.layers, sample.width, sample.width // 64)


@pytest.mark.parametrize("sample", PACKED, ids=lambda sample: f"{sample.packing}-{sample.experts}")
def test_another_reader_finds_the_same_and_numbers_to_compute_with(sample, read):
    tensors = read(sample).tensors
    assert sum(tensor.n_bytes for tensor in tensors) == work(sample).total_bytes
    for tensor in tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert numpy.isfinite(values).all()
        assert 0 < numpy.abs(values).max() < 100
        assert "norm" not in tensor.name or (values == 1).all()


def test_of_experts_only_those_that_compute_are_read(read):
    tensors = {tensor.name: tensor for tensor in read(EXPERTS).tensors}
    every = sum(tensor.n_bytes for tensor in tensors.values())
    idle = sum(tensor.n_bytes * 6 // 8 for name, tensor in tensors.items() if "_exps" in name)
    assert work(EXPERTS).active_bytes == every - idle - tensors["token_embd.weight"].n_bytes
    assert work(EXPERTS).moe
    assert not work(DENSE).moe


def test_what_stands_before_is_read_from_the_cache():
    assert work(DENSE).cache_bytes == 0
    assert (
        work(DENSE, 100).cache_bytes == 3 * 2 * 64 * 2 * 2 * 100
    )  # layers, heads, wide, keys and values, half precision


def test_it_is_the_same_file_each_time():
    assert whole(DENSE) == whole(DENSE)
    assert whole(DENSE)[:8] == b"GGUF" + struct.pack("<I", 3)
