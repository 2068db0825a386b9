"""Memory: right to the byte where the rule is simple, and never a false "fits"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.hardware.fit import (
    PROCESS_BYTES,
    RESERVE_BYTES,
    cache_bytes_per_token,
    estimate,
    judge,
    largest_context,
    mib,
    threads_for,
)
from tierwise.hardware.gguf import Header

MIB = 1024 * 1024


def header(**more):
    facts = {"version": 3, "architecture": "llama", "blocks": 4, "embedding": 64, "heads": 8, "weight_bytes": 1000}
    return Header(**{**facts, **more})


headers = st.builds(
    header,
    blocks=st.none() | st.integers(0, 100),
    embedding=st.none() | st.integers(0, 1 << 16),
    heads=st.none() | st.integers(0, 256),
    heads_kv=st.lists(st.integers(0, 64), max_size=4).map(tuple),
    key_length=st.none() | st.integers(1, 512),
    value_length=st.none() | st.integers(1, 512),
    vocabulary=st.none() | st.integers(0, 1 << 18),
    feed_forward=st.none() | st.integers(0, 1 << 18),
    weight_bytes=st.integers(0, 1 << 36),
)


@pytest.mark.parametrize(
    ("model", "tokens", "expected_mib"),
    [
        (header(blocks=28, embedding=2048, heads=16, heads_kv=(4,), key_length=128, value_length=128), 2048, 112),
        (header(blocks=48, embedding=2048, heads=32, heads_kv=(4,), key_length=128, value_length=128), 36_864, 3456),
        (header(blocks=64, embedding=5120, heads=24, heads_kv=(0, 0, 0, 4) * 16, key_length=256), 262_144, None),
    ],
)
def test_cache_against_published_figures(model, tokens, expected_mib):
    """Figures that llama.cpp logged for models of these shapes; key and value of 128 numbers each."""
    bytes_per_token = cache_bytes_per_token(model)
    if expected_mib is not None:
        assert bytes_per_token * tokens == expected_mib * MIB
    else:  # only every fourth block has a cache
        assert bytes_per_token == 16 * 4 * (256 + 5120 // 24) * 2


def test_the_sum():
    need = estimate(header(vocabulary=1000, feed_forward=256), 512, 4)
    assert need.cache_bytes == 4 * 8 * (8 + 8) * 2 * 512 * 4
    assert need.compute_bytes == 4 * 512 * (1000 + 4 * 64 + 2 * 256)
    assert need.total_bytes == 1000 + need.cache_bytes + need.compute_bytes + PROCESS_BYTES


def test_what_cannot_be_computed_is_unknown():
    need = estimate(header(heads=None), 512, 1)
    assert need.cache_bytes is None
    assert judge(need, 1 << 40).fit == "unknown"
    assert judge(need, 1000).fit == "does_not_fit"
    assert judge(estimate(header(), 512, 1), None).fit == "unknown"


@given(headers, st.integers(1, 1 << 20), st.integers(1, 64), st.integers(0, 1 << 40))
def test_fits_is_never_said_of_more_than_there_is(model, context, slots, available):
    need = estimate(model, context, slots)
    verdict = judge(need, available)
    if verdict.fit == "fits":
        assert need.cache_bytes is not None
        assert need.total_bytes + RESERVE_BYTES <= available
    assert mib(need.total_bytes) in verdict.reason


@given(headers, st.integers(1, 1 << 20), st.integers(1, 64))
def test_more_of_anything_never_needs_less(model, context, slots):
    need = estimate(model, context, slots).total_bytes
    assert estimate(model, context + 1, slots).total_bytes >= need
    assert estimate(model, context, slots + 1).total_bytes >= need


@given(headers, st.integers(1, 64), st.none() | st.integers(0, 1 << 40), st.integers(1, 1 << 20))
def test_the_largest_context_fits(model, slots, available, wanted):
    context = largest_context(model, slots, available, wanted)
    if context is None:
        smallest = estimate(model, min(wanted, 512), slots)
        modest = (smallest.cache_bytes or 0) <= available // 2
        assert not modest or judge(smallest, available).fit == "does_not_fit"
    else:
        assert min(wanted, 512) <= context <= wanted
        assert judge(estimate(model, context, slots), available).fit != "does_not_fit"


def test_the_largest_context_halves():
    model = header(blocks=32, embedding=4096, heads=32, heads_kv=(8,), weight_bytes=4_000_000_000)
    assert largest_context(model, 4, 64 << 30, 131_072) == 65_536
    assert largest_context(model, 4, 16 << 30, 131_072) == 16_384
    assert largest_context(model, 4, 2 << 30, 131_072) is None


def test_threads():
    assert threads_for(header(weight_bytes=200_000), 8) == 1
    assert threads_for(header(weight_bytes=100 * MIB), 8) == 4
    assert threads_for(header(weight_bytes=8 << 30), 8) == 8
    assert threads_for(header(weight_bytes=0), 1) == 1


@pytest.mark.parametrize(("count", "text"), [(0, "0 MiB"), (1, "1 MiB"), (MIB, "1 MiB"), (5 << 30, "5.0 GiB")])
def test_bytes_for_people(count, text):
    assert mib(count) == text
