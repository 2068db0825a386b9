"""Times that follow the law give back its figures; any others give figures that are sane."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.hardware.calibrate import ANSWER_TOKENS, PROMPT_TOKENS, SAMPLES, Timing, measured
from tierwise.hardware.parts import factors
from tierwise.hardware.sample import work
from tierwise.hardware.speed import Measured, Part, Range, Share, decode, prefill

HERE = [Share(part=Part(kind="cpu"))]
KNOWN = factors()


def truth(**more):
    fields = {
        "part": "p", "kind": "cpu", "bytes_per_s": 20e9, "weight_s": 2e-11, "layer_s": 2e-5, "moe_layer_s": 6e-5,
        "prompt_flop_per_s": 5e10, "spread": Range(low=0.9, high=1.1),
    }  # fmt: skip
    return Measured(**{**fields, **more})


def timings(of):
    found = {}
    for name, sample in SAMPLES.items():
        answer = decode(work(sample, PROMPT_TOKENS + ANSWER_TOKENS // 2), HERE, KNOWN, [of])
        prompt = prefill(work(sample), PROMPT_TOKENS, HERE, KNOWN, [of])
        found[name] = Timing(token_s=1 / answer.mid, prompt_s=PROMPT_TOKENS / prompt.mid)
    return found


@given(st.floats(2e9, 4e11), st.floats(1e-13, 5e-10), st.floats(1e-6, 2e-4), st.floats(1, 5), st.floats(1e10, 1e13))
def test_what_a_machine_is_comes_back_from_its_times(bytes_per_s, weight_s, layer_s, times, flop_per_s):
    of = truth(
        bytes_per_s=bytes_per_s, weight_s=weight_s, layer_s=layer_s, moe_layer_s=layer_s * times,
        prompt_flop_per_s=flop_per_s,
    )  # fmt: skip
    found = measured(timings(of), "p")
    for sample in SAMPLES.values():
        one, other = (decode(work(sample, 100), HERE, KNOWN, [each]) for each in (of, found))
        computing = weight_s > 8.5 / 8 / bytes_per_s  # then more bytes hardly take longer, and reading is a guess
        assert other.mid == pytest.approx(one.mid, rel=0.3 if computing else 0.02)


def test_the_figures_themselves_come_back():
    of, found = truth(), measured(timings(truth()), "p")
    for name in ("bytes_per_s", "weight_s", "layer_s", "moe_layer_s"):
        assert getattr(found, name) == pytest.approx(getattr(of, name), rel=0.05), name
    assert found.prompt_flop_per_s == pytest.approx(of.prompt_flop_per_s, rel=0.1)


seconds = st.floats(1e-7, 1e3)


@given(st.fixed_dictionaries({name: st.builds(Timing, token_s=seconds, prompt_s=seconds) for name in SAMPLES}))
def test_whatever_the_times_the_figures_are_sane(times):
    found = measured(times, "p")
    for name in ("bytes_per_s", "layer_s", "moe_layer_s", "prompt_flop_per_s"):
        assert 0 < getattr(found, name) < math.inf, name
    assert 0 <= found.weight_s < math.inf
    assert found.moe_layer_s >= found.layer_s
