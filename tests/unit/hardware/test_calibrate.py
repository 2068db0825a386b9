"""Times that follow the law give back its costs; any others give costs that are sane."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.hardware.calibrate import ANSWER_TOKENS, EXPERTS, HALF, PROMPTS, SAMPLES, WIDE, Timing, measured, nearest
from tierwise.hardware.parts import factors
from tierwise.hardware.sample import Sample, work
from tierwise.hardware.speed import Costs, Measured, Part, Range, Share, decode, prefill

HERE = [Share(part=Part(kind="cpu"))]
KNOWN = factors()
WIDEST = Range(low=1, high=1)
POINTS = (4.5, 8.5, 16.0)


def truth(weights=(2e-11, 3e-11, 4e-11), look_s=4e-10, layer_s=5e-6, moe=1.5):
    costs = Costs(weights=tuple(zip(POINTS, weights, strict=True)), look_s=look_s, layer_s=layer_s, moe=moe)
    return Measured(part="p", kind="cpu", answer=costs, prompt=costs, spread=WIDEST, prompt_spread=WIDEST)


def timings(of):
    found = {}
    for name, sample in SAMPLES.items():
        answer = decode(work(sample, PROMPTS[name] + ANSWER_TOKENS // 2), HERE, KNOWN, [of])
        prompt = prefill(work(sample, PROMPTS[name]), PROMPTS[name], HERE, KNOWN, [of])
        found[name] = Timing(token_s=1 / answer.mid, prompt_s=PROMPTS[name] / prompt.mid)
    return found


@given(
    st.tuples(st.floats(1e-12, 1e-9), st.floats(1, 2), st.floats(1, 2)),
    st.floats(1e-11, 2e-9),
    st.floats(1e-7, 1e-4),
    st.floats(1, 4),
)
def test_what_a_machine_is_comes_back_from_its_times(weights, look_s, layer_s, moe):
    four, eight, half = weights
    of = truth((four, four * eight, four * eight * half), look_s, layer_s, moe)
    found = measured(timings(of), "p")
    for sample in SAMPLES.values():
        for before in (16, 200):
            one, other = (decode(work(sample, before), HERE, KNOWN, [each]).mid for each in (of, found))
            assert other == pytest.approx(one, rel=0.05)
            one, other = (prefill(work(sample, before), before, HERE, KNOWN, [each]).mid for each in (of, found))
            assert other == pytest.approx(one, rel=0.05)


def test_a_packing_between_two_that_were_timed_lies_between_them():
    of = truth()
    times = [1 / decode(work(Sample(layers=4, width=2048, feed_forward=5632, heads_kv=8, packing=packing)),
             HERE, KNOWN, [of]).mid for packing in ("q4_k", "q8_0", "f16")]  # fmt: skip
    assert times == sorted(times)
    assert times[2] / times[0] == pytest.approx(2.0, rel=0.1)  # and not 16 bits over 4.5


def test_looking_far_back_costs_by_heads_and_not_by_what_the_cache_holds():
    few, many = (Sample(layers=8, width=1024, feed_forward=256, heads_kv=heads) for heads in (2, 16))
    assert work(few, 4000).looks == work(many, 4000).looks == 8 * 1024 * 2 * 4000
    assert work(few, 4000).cache_bytes * 8 == work(many, 4000).cache_bytes


def test_a_prompt_does_without_the_output():
    small, large = (
        Sample(layers=4, width=512, feed_forward=512, heads_kv=2, vocabulary=words) for words in (1024, 131_072)
    )
    assert prefill(work(small), 64, HERE, KNOWN, [truth()]).mid == pytest.approx(
        prefill(work(large), 64, HERE, KNOWN, [truth()]).mid, rel=0.01
    )
    assert decode(work(large), HERE, KNOWN, [truth()]).mid < decode(work(small), HERE, KNOWN, [truth()]).mid / 3


def test_no_figure_is_negative_where_no_such_figures_are_exact():
    assert nearest([[1.0, 0.0], [2.0, 1.0]]) == pytest.approx([0.6, 0.0])


seconds = st.floats(1e-7, 1e3)


@given(st.fixed_dictionaries({name: st.builds(Timing, token_s=seconds, prompt_s=seconds) for name in SAMPLES}))
def test_whatever_the_times_the_figures_are_sane(times):
    found = measured(times, "p")
    for costs in (found.answer, found.prompt):
        assert all(0 < each < math.inf for _, each in costs.weights)
        assert 0 <= costs.look_s < math.inf
        assert 0 <= costs.layer_s < math.inf
        assert 0 < costs.moe < math.inf
    assert {WIDE, HALF, EXPERTS} <= set(SAMPLES)
