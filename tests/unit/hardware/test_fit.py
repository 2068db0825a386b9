"""Memory: right to the byte where the rule is simple, and never a false "fits"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.hardware.fit import (
    RESERVE_BYTES,
    estimate,
    judge,
    largest_context,
    mib,
    threads_for,
)
from tierwise.hardware.gguf import Header
from tierwise.hardware.layers import shape
from tierwise.hardware.memory import Setup, memory
from tierwise.hardware.weights import Weights

MIB = 1024 * 1024


def header(**more):
    facts = {"version": 3, "architecture": "llama", "blocks": 4, "embedding": 64, "heads": 8, "weight_bytes": 1000}
    made = {**facts, **more}
    return Header(**made, weights=Weights(other_bytes=made["weight_bytes"]))


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


def test_the_sum():
    model = header(vocabulary=1000, feed_forward=256)
    need = estimate(model, 512, 4)
    assert need.cache_bytes == 4 * 8 * (8 + 8) * 2 * 512 * 4
    found = memory(shape(model), model.weights, Setup(context_tokens=512, sequences=4))
    assert need.total_bytes == found.total_bytes
    assert need.total_bytes == 1000 + need.cache_bytes + found.compute_bytes + found.runtime_bytes


def test_an_architecture_that_nobody_knows_has_its_weights_as_the_lower_bound():
    need = estimate(header(architecture="tomorrow", weight_bytes=5 << 30), 512, 1)
    assert need.cache_bytes is None
    assert need.total_bytes > 5 << 30
    assert judge(need, 1 << 40).fit == "unknown"
    assert judge(need, 5 << 30).fit == "does_not_fit"


def test_tensors_of_unknown_type_are_no_reason_to_say_that_it_fits():
    assert judge(estimate(header(sizes_known=False), 512, 1), 1 << 40).fit == "unknown"


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
