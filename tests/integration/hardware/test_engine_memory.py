"""Is the record of what the engine said still what it says? A few of its models are shown to it again."""

import pytest

from tests.integration.hardware.engine import log, said
from tests.unit.hardware import engine_log

pytest.importorskip("xllamacpp", reason="the extra `embedded` is not installed")
MODELS = engine_log.models()


@pytest.mark.parametrize(
    ("name", "setup"),
    [
        ("qwen3-30b-a3b", "a cache of q8_0"),
        ("gemma3-12b", "three sequences"),
        ("gemma4-e4b", "no flash attention"),
        ("mamba2", "three sequences"),
        ("gpt-oss-20b", "a small batch"),
    ],
)
def test_the_engine_says_it_again(tmp_path, name, setup):
    model = MODELS[name]
    file = tmp_path / "model.gguf"
    engine_log.write(file, model["architecture"], model["keys"], engine_log.tensors(model))
    assert said(log(file, engine_log.SETUPS[setup])) == model["said"][setup]
