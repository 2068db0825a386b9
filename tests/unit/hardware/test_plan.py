"""Which plan is best on a machine, and that "fits" is never said where it might not."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierwise.core.model import ENGINE_CHECKPOINTS
from tierwise.hardware.catalogued import BITS_PER_WEIGHT, candidates, scaled, spread
from tierwise.hardware.fit import RESERVE_BYTES, judge, needed
from tierwise.hardware.layers import Experts, Layer, Shape
from tierwise.hardware.memory import Setup, memory
from tierwise.hardware.plan import DEVICE_RESERVE_BYTES, LEAST_CONTEXT_TOKENS, Candidate, Wish, best, offers
from tierwise.hardware.snapshot import Device, Machine
from tierwise.hardware.speed import Speed
from tierwise.hardware.weights import Block, Weights

GIB, MIB = 1 << 30, 1 << 20
LAYERS = 32


class ByBandwidth:
    """Bytes by bandwidth and nothing else: the simplest pace that there is."""

    def decode(self, work, shares):
        known = [(share.portion, share.part.bandwidth_gb_s) for share in shares]
        if any(rate is None for _, rate in known):
            return None
        seconds = sum(portion * (work.active_bytes + work.cache_bytes) / (rate * 1e9) for portion, rate in known)
        return Speed(low=0.8 / seconds, mid=1 / seconds, high=1.2 / seconds, evidence="formula")

    def prefill(self, work, prompt_tokens, shares):
        return None


PACE = ByBandwidth()
SHAPE = Shape(
    architecture="llama", layers=(Layer(kind="full", k_width=1024, v_width=1024),) * LAYERS, embedding=4096, heads=32, queries=4096,
    feed_forward=14336, vocabulary=128_256, context_tokens=131_072,
)  # fmt: skip
EIGHT = candidates(SHAPE, 8_030_000_000, embedding=128_256 * 4096, tied=False)
STRANGE = candidates(None, 8_030_000_000, embedding=128_256 * 4096, tied=False)


def machine(free=64, *devices, bandwidth=40.0):
    """So many GiB free."""
    known = None if free is None else int(free * GIB)
    return Machine(
        system="Linux", cores=8, memory_total_bytes=known, memory_available_bytes=known, devices=devices, memory_bandwidth_gb_s=bandwidth
    )  # fmt: skip


def card(free, bandwidth=900.0, name="a card", **more):
    known = None if free is None else int(free * GIB)
    return Device(
        kind="cuda", name=name, memory_total_bytes=known, memory_free_bytes=known, bandwidth_gb_s=bandwidth, **more
    )


def plan(here, some=EIGHT, context=8192, **wish):
    return best(here, some, Wish(context_tokens=context, **wish), PACE)


def test_a_roomy_card_takes_the_finest_weights_whole():
    found = plan(machine(64, card(24)))
    assert (found.verdict.fit, found.quantization, found.device) == ("fits", "Q8_0", "a card")
    assert found.whole_on_device
    assert found.setup.layers_on_device == LAYERS + 1
    assert found.setup.k_type == "f16"


@given(st.floats(1, 64), st.sampled_from([4096, 32_768]))
def test_what_fits_is_admitted_by_the_engine_at_its_start(free, context):
    """A window's copies weigh as much as the model here: who forgets them promises what the engine then refuses."""
    windows = tuple(Layer(kind="sliding", k_width=8192, v_width=8192, window=1024) for _ in range(LAYERS))
    some = candidates(msgspec.structs.replace(SHAPE, layers=windows), 8_030_000_000, embedding=0, tied=True)
    here = machine(free)
    found = plan(here, some, context, cache_types=("f16",))
    if found.verdict.fit == "fits":
        (one,) = (one for one in some if one.quantization == found.quantization)
        setup = Setup(context_tokens=found.setup.context_tokens, checkpoints=ENGINE_CHECKPOINTS)
        asked = needed(memory(one.shape, one.weights, setup))
        assert judge(asked, here.memory_available_bytes).fit == "fits"


def test_a_smaller_card_takes_coarser_weights_where_finer_ones_would_be_slow():
    assert plan(machine(64, card(8), bandwidth=5.0)).quantization not in ("Q8_0", "F16")
    assert plan(machine(64, card(8), bandwidth=5.0)).decode.mid >= 8


def test_a_pace_is_no_reason_to_go_below_four_bits():
    assert plan(machine(64, bandwidth=10.0)).quantization == "Q4_K_M", "four bits are slow too, and the least so"
    assert plan(machine(64, bandwidth=42.0)).quantization == "Q4_K_M"
    assert plan(machine(5, bandwidth=10.0), context=1024).quantization in ("Q3_K_S", "Q2_K"), "nothing finer fits"


def test_a_card_takes_as_many_layers_as_it_holds():
    found = plan(machine(64, card(4), bandwidth=200.0))
    assert 0 < found.setup.layers_on_device <= LAYERS
    assert not found.whole_on_device
    one_more = msgspec.structs.replace(found.setup, layers_on_device=found.setup.layers_on_device + 1)
    candidate = next(one for one in EIGHT if one.quantization == found.quantization)
    assert memory(SHAPE, candidate.weights, one_more).on_device_bytes > 4 * GIB - DEVICE_RESERVE_BYTES - 400 * MIB


def test_without_a_card_the_processor_does_it():
    found = plan(machine(64))
    assert (found.verdict.fit, found.device, found.setup.layers_on_device) == ("fits", None, 0)


def test_a_full_card_is_left_alone():
    full = msgspec.structs.replace(card(24), memory_free_bytes=100 * MIB)
    assert plan(machine(64, full)).device is None


def test_shared_memory_is_counted_once():
    shared = card(48, 400, unified=True)
    assert plan(machine(6, shared), context=2048).quantization in ("Q4_K_M", "Q3_K_S", "Q2_K")
    assert plan(machine(2, shared), context=2048).verdict.fit == "does_not_fit"


def test_two_cards_are_less_than_their_sum():
    big = candidates(SHAPE, 30_000_000_000, embedding=128_256 * 4096, tied=False)
    alone = plan(machine(4, card(24)), big, least_tokens_per_s=0)
    both = plan(machine(4, card(12), card(12)), big, least_tokens_per_s=0)
    assert alone.verdict.fit == both.verdict.fit == "fits"
    assert both.memory.weights_bytes <= alone.memory.weights_bytes
    assert "2 devices" in both.device


def test_of_cards_that_are_alike_the_freest_is_taken():
    busy = msgspec.structs.replace(card(24), memory_free_bytes=GIB)
    found = plan(machine(2, busy, card(24), busy))
    assert (found.device, found.whole_on_device) == ("a card", True)


def test_cards_of_two_makers_are_not_put_together():
    other = msgspec.structs.replace(card(12), kind="rocm", name="another")
    assert plan(machine(4, card(12), other)).device in ("a card", "another")


def test_a_context_that_does_not_fit_is_halved():
    found = plan(machine(64, card(10), bandwidth=1.0), [EIGHT[-1]], context=131_072)
    assert found.verdict.fit == "fits"
    assert found.setup.context_tokens == 131_072, "in the machine's memory it fits"
    tight = plan(machine(8), [EIGHT[-1]], context=131_072)
    assert LEAST_CONTEXT_TOKENS <= tight.setup.context_tokens < 131_072


def test_a_coarser_cache_is_taken_before_a_shorter_context():
    free = (memory(SHAPE, EIGHT[-1].weights, setup(65_536, "q8_0")).total_bytes + RESERVE_BYTES + 400 * MIB) / GIB
    found = plan(machine(free), [EIGHT[-1]], context=65_536)
    assert (found.setup.context_tokens, found.setup.k_type, found.setup.v_type) == (65_536, "q8_0", "q8_0")


def setup(context, cache):
    from tierwise.hardware.memory import Setup

    return Setup(context_tokens=context, k_type=cache, v_type=cache)


@pytest.mark.parametrize(("free", "fit"), [(2, "does_not_fit"), (200, "unknown"), (None, "unknown")])
def test_an_architecture_that_is_not_known_is_never_said_to_fit(free, fit):
    found = plan(machine(free), STRANGE)
    assert found.verdict.fit == fit
    assert found.memory is None
    assert found.at_least_bytes > 2 * GIB


def test_weights_that_a_card_and_the_machine_hold_together_are_not_refused():
    assert plan(machine(2, card(24)), STRANGE).verdict.fit == "unknown"


def test_memory_that_is_not_known_is_no_promise():
    assert plan(machine(None)).verdict.fit == "unknown"
    assert plan(machine(64, card(None))).device is None, "the processor's plan is sure"
    assert plan(machine(3, card(None)), [EIGHT[0]]).verdict.fit != "fits"


def test_no_bandwidth_is_no_speed_and_still_a_plan():
    found = plan(machine(64, bandwidth=None))
    assert (found.verdict.fit, found.decode) == ("fits", None)


def test_whole_numbers_are_left_aside_where_there_are_others():
    full = candidate("F16", 16 * GIB)
    assert plan(machine(64), [full, *EIGHT], least_tokens_per_s=0).quantization == "Q8_0"
    assert plan(machine(64), [full]).quantization == "F16"


def candidate(name, size, shape=SHAPE):
    return Candidate(quantization=name, shape=shape, weights=spread(shape, size), parameters=8_030_000_000)


SIZES = st.floats(0.3, 128)


@given(SIZES, st.lists(st.tuples(SIZES, st.booleans()), max_size=3), st.integers(9, 17), st.integers(1, 8), st.sampled_from(range(len(EIGHT))))  # fmt: skip
def test_what_fits_has_every_byte_free(free, cards, power, sequences, which):
    devices = tuple(card(size, name=f"card {n}", unified=unified) for n, (size, unified) in enumerate(cards))
    found = plan(machine(free, *devices), [EIGHT[which]], 1 << power, sequences=sequences)
    if found.verdict.fit != "fits":
        return
    need = memory(SHAPE, EIGHT[which].weights, found.setup)
    shared = any(one.unified and one.name == found.device for one in devices)
    assert (need.total_bytes if shared else need.on_host_bytes) + RESERVE_BYTES < free * GIB
    if found.device is not None:
        room = sum(one.memory_free_bytes for one in devices if one.name in found.device or "devices" in found.device)
        assert need.on_device_bytes <= room


@given(SIZES, st.floats(0, 64), st.integers(9, 17))
def test_more_memory_never_makes_it_worse(free, more, power):
    order = ["does_not_fit", "unknown", "fits"]
    small, large = (plan(machine(size), context=1 << power, least_tokens_per_s=0) for size in (free, free + more))
    assert order.index(large.verdict.fit) >= order.index(small.verdict.fit)
    assert large.setup.context_tokens >= small.setup.context_tokens


def test_parts_that_would_do_are_the_smallest_ones():
    parts = [card(size, rate, f"{size} GiB") for size, rate in ((8, 400), (80, 3000), (24, 900), (48, 20), (16, 500))]
    wish = Wish(context_tokens=8192)
    found = offers(parts, EIGHT[0], wish, machine(2), PACE)
    assert [one.part.name for one in found] == ["16 GiB", "24 GiB", "80 GiB"], "8 is too small, 48 too slow"
    assert all(one.plan.whole_on_device for one in found)
    assert offers(parts, EIGHT[0], wish, machine(2), PACE, most=1)[0].part.name == "16 GiB"


def test_a_whole_computer_is_judged_by_its_own_memory():
    mac = card(48, 273, "a computer", unified=True)
    assert [one.part.name for one in offers([mac], EIGHT[0], Wish(context_tokens=8192), machine(2), PACE)] == [
        "a computer"
    ]
    assert not offers(
        [msgspec.structs.replace(mac, memory_total_bytes=None)], EIGHT[0], Wish(context_tokens=8192), machine(2), PACE
    )


def test_an_estimate_is_from_above():
    """Llama 3.1 8B in Q4_K_M is 4.58 GiB (llama.cpp, tools/quantize/README.md)."""
    sizes = {one.quantization: one.weights.total_bytes for one in EIGHT}
    assert 4.58 * GIB < sizes["Q4_K_M"] < 4.58 * GIB * 1.06
    assert list(sizes) == list(BITS_PER_WEIGHT)
    assert all(one.evidence == "catalogue" for one in EIGHT)


@given(st.integers(0, 1 << 40), st.integers(1, 1 << 36), st.integers(0, 1 << 30))
def test_no_byte_is_lost_where_weights_are_laid_out_anew(total, block, into):
    weights = Weights(
        input_bytes=into, output_bytes=into, blocks=(Block(total_bytes=block, expert_bytes=block // 2),) * 3
    )
    assert scaled(weights, total).total_bytes == pytest.approx(total, abs=16)
    assert spread(SHAPE, total).total_bytes == total
    assert spread(None, total).total_bytes == total


def test_experts_stay_with_the_processor_where_the_card_is_too_small_for_them():
    """What every token needs goes to the card, the experts of which it needs few stay where there is room."""
    mixed = msgspec.structs.replace(SHAPE, experts=Experts(count=128, used=4, feed_forward=768))
    some = candidates(mixed, 30_000_000_000, embedding=128_256 * 4096, tied=False, experts=27_000_000_000)
    found = plan(machine(40, card(8)), some)
    assert found.verdict.fit == "fits"
    assert found.setup.experts_on_host
    assert found.setup.layers_on_device == LAYERS + 1
    assert not found.whole_on_device
    alone = plan(machine(40), some)
    assert found.decode.mid > alone.decode.mid
    assert plan(machine(40, card(80)), some).whole_on_device
