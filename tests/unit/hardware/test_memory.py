"""Memory: to the byte what an engine logged, for headers that the engine was shown and for models of full size."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hardware import engine_log
from tierwise.core.model import ENGINE_CHECKPOINTS
from tierwise.hardware.fit import estimate
from tierwise.hardware.gguf import Header, read_header
from tierwise.hardware.layers import Layer, Shape, shape
from tierwise.hardware.memory import Setup, bytes_read_per_token, memory, row_bytes
from tierwise.hardware.weights import Block, Weights

MIB = 1024 * 1024
MODELS = engine_log.models()
CASES = [(name, setup) for name, model in MODELS.items() for setup in model["said"]]
RUN = [(name, setup) for name, setup in CASES if MODELS[name]["said"][setup]["compute"] is not None]


def header(architecture, **own):
    """Return a header of these entries; a dot is two underscores."""
    numbers = {key.replace("__", "."): value if isinstance(value, tuple) else (value,) for key, value in own.items()}
    first = {key: value[0] for key, value in numbers.items()}
    return Header(
        version=3,
        architecture=architecture,
        blocks=first["block_count"],
        embedding=first["embedding_length"],
        heads=first["attention.head_count"],
        heads_kv=numbers["attention.head_count_kv"],
        key_length=first.get("attention.key_length"),
        value_length=first.get("attention.value_length"),
        own=numbers,
    )


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """Read the header of a recorded model, once written by the official writer."""
    folder = tmp_path_factory.mktemp("models")
    known = {}

    def find(name):
        if name not in known:
            model = MODELS[name]
            file = folder / "model.gguf"
            engine_log.write(file, model["architecture"], model["keys"], engine_log.tensors(model))
            with file.open("rb") as source:
                known[name] = read_header(source, file.stat().st_size)
            file.unlink()
        return known[name]

    return find


def test_the_record_is_broad():
    assert len(MODELS) >= 30
    assert len({model["architecture"] for model in MODELS.values()}) >= 12


@pytest.mark.parametrize(("name", "setup"), CASES)
def test_caches_and_states_are_what_the_engine_logged(read, name, setup):
    said = MODELS[name]["said"][setup]
    found = memory(shape(read(name)), read(name).weights, Setup(**engine_log.SETUPS[setup]))
    assert found.cache_bytes / MIB == pytest.approx(said["cache"] or 0, abs=0.0101)  # it logs two decimals, in parts
    assert found.recurrent_bytes / MIB == pytest.approx(said["recurrent"] or 0, abs=0.0101)


@pytest.mark.parametrize(("name", "setup"), CASES)
def test_weights_are_what_the_engine_logged_or_what_it_left_in_the_file(read, name, setup):
    said = MODELS[name]["said"][setup]["weights"]
    assert read(name).weight_bytes == read(name).weights.total_bytes
    if said is not None:
        unused = shape(read(name)).unused_blocks
        left = sum(block.total_bytes for block in read(name).weights.blocks[-unused:]) if unused else 0
        low = (read(name).weight_bytes - left) / MIB - 0.01
        assert low <= said <= read(name).weight_bytes / MIB + 0.01


@pytest.mark.parametrize(("name", "setup"), RUN)
def test_working_memory_is_never_less_than_the_engine_logged_and_little_more(read, name, setup):
    said = MODELS[name]["said"][setup]
    found = memory(shape(read(name)), read(name).weights, Setup(**engine_log.SETUPS[setup]))
    assert found.compute_bytes / MIB >= said["compute"]
    total = sum(part or 0 for part in said.values())
    assert found.compute_bytes / MIB - said["compute"] <= max(150, 0.03 * total)


# What the engine said of drawn models (benchmarks/hardware_fits.py) where the sum of an earlier day was too small.
SHORT = [
    pytest.param(
        header("rwkv7", block_count=3, embedding_length=2560, attention__head_count=0, attention__head_count_kv=0,
               feed_forward_length=3072, wkv__head_size=64),
        Setup(context_tokens=4096, micro_batch=2048), 400.66, id="every channel is mixed with the one before"),
    pytest.param(
        header("gemma3n", block_count=3, embedding_length=6144, attention__head_count=24, attention__head_count_kv=8,
               attention__key_length=256, attention__value_length=256, feed_forward_length=16_128,
               attention__sliding_window=4096, embedding_length_per_layer_input=256, altup__num_inputs=4),
        Setup(context_tokens=4096, flash=False), 393.02, id="four hidden states side by side"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "setup", "said"), SHORT)
def test_working_memory_of_drawn_models_is_not_less_than_the_engine_said(model, setup, said):
    found = memory(
        shape(msgspec.structs.replace(model, feed_forward=model.own["feed_forward_length"][0])), WEIGHTS, setup
    )
    assert said <= found.compute_bytes / MIB < said + 150


def test_a_cache_in_f32_is_copied_for_flash_attention():
    def working(kind, flash):
        setup = Setup(context_tokens=33_792, sequences=6, k_type=kind, v_type=kind, flash=flash)
        return memory(PLAIN, WEIGHTS, setup).compute_bytes

    copy = 2 * (64 + 64) * 33_792 * 6
    assert copy <= working("f32", True) - working("f16", True) <= copy * 1.1
    assert working("f32", False) == working("f16", False)


# Four vectors that engines logged for models of full size, given with their source in the field's issue threads.
FULL_SIZE = [
    pytest.param(
        header("qwen3moe", block_count=48, embedding_length=2048, attention__head_count=32,
               attention__head_count_kv=4, attention__key_length=128, attention__value_length=128),
        Setup(context_tokens=40_960), Setup(context_tokens=4096), 3456.0, 0.0, id="what 36,864 tokens less free"),
    pytest.param(
        header("qwen35", block_count=64, embedding_length=5120, attention__head_count=24,
               attention__head_count_kv=4, attention__key_length=256, attention__value_length=256,
               full_attention_interval=4, ssm__conv_kernel=4, ssm__inner_size=6144, ssm__state_size=128,
               ssm__group_count=16, ssm__time_step_rank=48),
        Setup(context_tokens=65_536, sequences=4), None, 16_384.0, 598.5, id="16 of 64 layers have a cache"),
    pytest.param(
        header("deepseek2", block_count=61, embedding_length=7168, attention__head_count=128,
               attention__head_count_kv=1, attention__key_length=576, attention__value_length=512,
               attention__kv_lora_rank=512, attention__key_length_mla=192, attention__value_length_mla=128),
        Setup(context_tokens=32_768, k_type="q8_0", v_type="q8_0"), None, 1166.625, 0.0, id="a latent of q8_0"),
    pytest.param(
        header("qwen2", block_count=28, embedding_length=3584, attention__head_count=28,
               attention__head_count_kv=4),
        Setup(context_tokens=2048), None, 112.0, 0.0, id="28 layers of 512"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "setup", "less", "cache", "recurrent"), FULL_SIZE)
def test_logged_vectors_of_full_size(model, setup, less, cache, recurrent):
    found = memory(shape(model), Weights(), setup)
    without = memory(shape(model), Weights(), less).cache_bytes if less else 0
    assert (found.cache_bytes - without) / MIB == cache
    assert found.recurrent_bytes / MIB == recurrent


PLAIN = Shape(
    architecture="llama",
    layers=(Layer(kind="full", k_width=64, v_width=64), Layer(kind="sliding", k_width=64, v_width=64, window=100)),
    embedding=64,
    heads=4,
    queries=64,
    feed_forward=128,
    vocabulary=1000,
)
WEIGHTS = Weights(
    input_bytes=1000,
    tied_bytes=900,
    blocks=(Block(total_bytes=500, expert_bytes=400), Block(total_bytes=600)),
    other_bytes=7,
)


def test_a_sliding_layer_keeps_its_window_and_a_batch():
    found = memory(PLAIN, WEIGHTS, Setup(context_tokens=10_000, micro_batch=256))
    assert found.cache_bytes == (64 + 64) * 2 * (10_240 + 512)


def test_unknown_stays_unknown():
    assert memory(None, WEIGHTS, Setup(context_tokens=1)) is None
    assert shape(header("tomorrow", block_count=2, embedding_length=64, attention__head_count=4,
                        attention__head_count_kv=4)) is None  # fmt: skip


@pytest.mark.parametrize(
    "wrong", [{"context_tokens": 0}, {"sequences": 0}, {"micro_batch": 0}, {"flash": False, "v_type": "q8_0"}]
)
def test_what_no_engine_would_load(wrong):
    with pytest.raises(ValueError, match=r"at least 1|flash attention"):
        memory(PLAIN, WEIGHTS, Setup(**{"context_tokens": 512, **wrong}))


def test_the_output_goes_first_then_the_layers_from_the_last():
    cache = 256 * 256
    assert memory(PLAIN, WEIGHTS, Setup(context_tokens=256)).on_device_bytes == 0
    found = memory(PLAIN, WEIGHTS, Setup(context_tokens=256, layers_on_device=1))
    assert found.weights_bytes == WEIGHTS.total_bytes + 900  # the tied table is there twice
    assert found.on_device_bytes == 900 + 7 + found.compute_bytes // 2
    found = memory(PLAIN, WEIGHTS, Setup(context_tokens=256, layers_on_device=2))
    assert found.on_device_bytes == 900 + 7 + 600 + cache + found.compute_bytes // 2
    found = memory(PLAIN, WEIGHTS, Setup(context_tokens=256, layers_on_device=3))
    assert found.on_device_bytes == 900 + 7 + 1100 + 2 * cache + found.compute_bytes
    assert found.on_host_bytes == 1000 + found.runtime_bytes
    found = memory(PLAIN, WEIGHTS, Setup(context_tokens=256, layers_on_device=99, experts_on_host=True))
    assert found.on_device_bytes == 900 + 7 + 700 + 2 * cache + found.compute_bytes // 2


def test_checkpoints_copy_windows_and_states_only():
    bare = memory(PLAIN, WEIGHTS, Setup(context_tokens=4096)).runtime_bytes
    copied = memory(PLAIN, WEIGHTS, Setup(context_tokens=4096, checkpoints=3)).runtime_bytes
    assert copied - bare == 3 * 256 * 768


def test_what_is_read_for_a_token():
    setup = Setup(context_tokens=4096)
    empty = bytes_read_per_token(PLAIN, WEIGHTS, setup)
    assert (empty.weights_bytes, empty.cache_bytes) == (500 + 600 + 900 + 7, 0)
    later = bytes_read_per_token(PLAIN, WEIGHTS, setup, filled_tokens=1000)
    assert later.cache_bytes == 256 * (1000 + 100)


def test_of_the_experts_only_those_used_are_read(read):
    model = read("qwen3-30b-a3b")
    found = bytes_read_per_token(shape(model), model.weights, Setup(context_tokens=512))
    spared = model.weights.expert_bytes * 120 // 128
    assert found.weights_bytes == model.weight_bytes - spared - model.weights.input_bytes * bool(
        model.weights.output_bytes
    )


setups = st.builds(
    Setup,
    context_tokens=st.integers(1, 1 << 20),
    sequences=st.integers(1, 64),
    k_type=st.sampled_from(["f32", "f16", "q8_0", "q4_0"]),
    v_type=st.sampled_from(["f32", "f16", "bf16"]),
    micro_batch=st.integers(1, 4096),
    layers_on_device=st.integers(0, 200),
    flash=st.booleans(),
    experts_on_host=st.booleans(),
    checkpoints=st.integers(0, 32),
)
shapes = st.builds(
    lambda layers, experts: Shape(architecture="x", layers=tuple(layers), embedding=64, heads=4, queries=64,
                                  feed_forward=128, vocabulary=10, experts=experts),
    st.lists(
        st.builds(Layer, kind=st.sampled_from(["full", "sliding", "shared", "mla"]), k_width=st.integers(1, 9000),
                  v_width=st.integers(0, 9000), window=st.integers(0, 9000), state_bytes=st.integers(0, 9000)),
        max_size=8,
    ),
    st.none(),
)  # fmt: skip


@given(shapes, setups)
def test_what_lies_on_the_device_is_part_of_the_whole(model, setup):
    found = memory(model, WEIGHTS, setup)
    assert 0 <= found.on_device_bytes <= found.total_bytes
    assert found.on_host_bytes >= found.runtime_bytes


@given(shapes, setups)
def test_more_of_anything_never_takes_less(model, setup):
    def total(**more):
        changed = {name: getattr(setup, name) + count for name, count in more.items()}
        return memory(
            model, WEIGHTS, Setup(**{**{f: getattr(setup, f) for f in setup.__struct_fields__}, **changed})
        ).total_bytes

    for name in ("context_tokens", "sequences", "micro_batch", "checkpoints"):
        assert total(**{name: 1}) >= total()


@given(st.integers(1, 10_000), st.integers(0, 10_000))
def test_a_smaller_kind_of_cache_is_smaller(key, value):
    layer = Layer(kind="full", k_width=key * 32, v_width=value * 32)
    sizes = [
        row_bytes(layer, Setup(context_tokens=1, k_type=kind, v_type=kind)) for kind in ("f32", "f16", "q8_0", "q4_0")
    ]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] * 32 == sizes[1] * 17


@pytest.mark.parametrize("name", list(MODELS))
def test_the_estimate_that_admits_a_file_is_this_one(read, name):
    need = estimate(read(name), 4096, 2)
    found = memory(
        shape(read(name)), read(name).weights, Setup(context_tokens=4096, sequences=2, checkpoints=ENGINE_CHECKPOINTS)
    )
    assert need.total_bytes == found.total_bytes
