"""What a speed is made of, and that its range holds what it says."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.hardware.parts import factors
from tierwise.hardware.speed import Costs, Measured, Paces, Part, Range, Share, Speed, Work, decode, prefill

CARD = Part(kind="cuda", name="a card", bandwidth_gb_s=1000.0, tflops=100.0)
HOST = Part(kind="cpu", name="a processor", bandwidth_gb_s=50.0)
KNOWN = factors()
COSTS = Costs(weights=((4.5, 2e-11), (8.5, 3e-11), (16.0, 4e-11)), look_s=4e-10, layer_s=1e-5, moe=2.0)
MEASURED = Measured(
    part="a processor", kind="cpu", answer=COSTS, prompt=COSTS, spread=Range(low=0.9, high=1.1),
    prompt_spread=Range(low=0.8, high=1.2),
)  # fmt: skip


def dense(gigabytes=4.0, **more):
    fields = {"active_parameters": int(gigabytes * 1.6e9), "total_bytes": int(gigabytes * 1e9), "layers": 32}
    return Work(active_bytes=int(gigabytes * 1e9), **{**fields, **more})


def speed(work, *shares, **more) -> Speed:
    found = decode(work, shares or [Share(part=CARD)], KNOWN, **more)
    assert found is not None
    return found


def reading(work, tokens, *shares, **more) -> Speed:
    found = prefill(work, tokens, shares or [Share(part=CARD)], KNOWN, **more)
    assert found is not None
    return found


works = st.builds(
    dense,
    st.floats(0.05, 400),
    layers=st.integers(1, 200),
    moe=st.booleans(),
    cache_bytes=st.integers(0, 10**11),
)


@given(works, st.floats(10, 10_000), st.sampled_from(sorted(KNOWN)))
def test_nothing_is_faster_than_its_bytes_can_be_read(work, bandwidth, kind):
    found = speed(work, Share(part=Part(kind=kind, bandwidth_gb_s=bandwidth)))
    assert 0 < found.low <= found.mid <= found.high
    assert found.mid <= bandwidth * 1e9 / (work.active_bytes + work.cache_bytes)
    assert found.evidence == "formula"


@given(works, st.floats(1.01, 10))
def test_more_bandwidth_is_never_slower_and_more_to_read_never_faster(work, times):
    faster = msgspec.structs.replace(CARD, bandwidth_gb_s=1000.0 * times)
    assert speed(work, Share(part=faster)).mid > speed(work).mid
    longer = msgspec.structs.replace(work, cache_bytes=work.cache_bytes + int(1e9 * times))
    assert speed(longer).mid < speed(work).mid


@given(works, st.floats(0.01, 0.99))
def test_a_part_of_it_on_a_slower_part_lies_between_the_two(work, portion):
    both = speed(work, Share(part=CARD, portion=portion), Share(part=HOST, portion=1 - portion))
    assert speed(work, Share(part=HOST)).mid < both.mid < speed(work).mid


@given(works)
def test_the_same_part_twice_is_that_part(work):
    halves = speed(work, Share(part=CARD, portion=0.5), Share(part=CARD, portion=0.5))
    assert halves.mid == pytest.approx(speed(work).mid)


def test_experts_take_longer_than_a_dense_model_of_as_many_active_bytes():
    assert speed(dense(2, moe=True, total_bytes=20_000_000_000)).mid < speed(dense(2)).mid


@pytest.mark.parametrize("shares", [[], [Share(part=CARD, portion=0.0)], [Share(part=Part(kind="vulkan"))]])
def test_where_nothing_is_known_nothing_is_said(shares):
    assert decode(dense(), shares, KNOWN) is None
    assert prefill(dense(), 512, shares, KNOWN) is None


def test_one_unknown_part_makes_the_whole_unknown():
    assert decode(dense(), [Share(part=CARD, portion=0.9), Share(part=Part(kind="cpu"), portion=0.1)], KNOWN) is None


def test_a_prompt_is_not_said_where_the_arithmetic_of_a_part_is_not_known():
    assert prefill(dense(), 512, [Share(part=HOST)], KNOWN) is None


def test_what_was_measured_here_stands_before_the_formula_and_needs_no_figure_of_the_maker():
    found = speed(dense(), Share(part=Part(kind="cpu")), measured=[MEASURED])
    seconds = 6.4e9 * (2e-11 + 1e-11 * (5.0 - 4.5) / (8.5 - 4.5)) + 32 * 1e-5
    assert found.mid == pytest.approx(1 / seconds)
    assert (found.low, found.high) == (pytest.approx(0.9 / seconds), pytest.approx(1.1 / seconds))
    assert found.evidence == "measured here"
    assert reading(dense(), 512, Share(part=Part(kind="cpu")), measured=[MEASURED]).evidence == "measured here"


def test_a_range_rests_on_the_least_sure_part():
    shares = Share(part=CARD, portion=0.5), Share(part=HOST, portion=0.5)
    found = speed(dense(), *shares, measured=[MEASURED])
    assert found.evidence == "formula"
    assert found.low / found.mid == pytest.approx(KNOWN["cuda"].dense.low)


def test_a_prompt_is_read_faster_than_an_answer_is_written_and_a_long_one_slower_than_a_short_one():
    short, long = (reading(dense(cache_bytes=tokens * 131_072), tokens).mid for tokens in (512, 65_536))
    assert short > 5 * speed(dense()).mid
    assert short > long


def test_both_answers_come_from_one_place():
    paces = Paces(known=KNOWN, measured=(MEASURED,))
    shares = [Share(part=CARD)]
    assert paces.decode(dense(), shares) == speed(dense())
    assert paces.prefill(dense(), 512, shares) == reading(dense(), 512)


def test_kinds_that_no_run_was_there_for_have_the_wider_range():
    for kind in ("rocm", "xpu", "vulkan", "cpu"):
        assert KNOWN[kind].dense.low < KNOWN["cuda"].dense.low
        assert KNOWN[kind].dense.high > KNOWN["cuda"].dense.high
