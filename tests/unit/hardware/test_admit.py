"""What may be loaded: context and threads are filled in, everything else is refused with a mend."""

import os
from pathlib import Path

import pytest

from tests.unit.hardware.files import LLAMA, STRING, TENSORS, TINY, U32, gguf
from tests.unit.linear.files import TINY as LINEAR
from tierwise.core.errors import ConfigError
from tierwise.core.model import EngineOptions
from tierwise.hardware.admit import admit
from tierwise.hardware.snapshot import Machine

ROOMY = Machine(system="Linux", cores=4, memory_available_bytes=16 << 30)
TIGHT = Machine(system="Linux", cores=4, memory_available_bytes=300 << 20)
UNKNOWN = Machine(system="Plan9", cores=1)


@pytest.fixture
def put(tmp_path):
    def write(data):
        file = tmp_path / "model.gguf"
        file.write_bytes(data)
        return str(file)

    return write


def test_what_is_not_given_is_filled_in(put):
    file = put(TINY)
    assert admit(EngineOptions(file=file), ROOMY) == EngineOptions(file=file, context_tokens=4096, threads=1)
    given = EngineOptions(file=file, context_tokens=100, threads=3, slots=2)
    assert admit(given, ROOMY) == given
    assert admit(EngineOptions(file=file), UNKNOWN).context_tokens == 4096
    assert admit(EngineOptions(file=file)).context_tokens == 4096


def test_a_long_context_is_cut_to_what_is_modest(put):
    entries = [entry if entry[0] != "llama.context_length" else (entry[0], U32, 1 << 20) for entry in LLAMA]
    assert admit(EngineOptions(file=put(gguf(entries, TENSORS, 544))), ROOMY).context_tokens == 32_768


def test_a_header_without_a_context(put):
    entries = [entry for entry in LLAMA if entry[0] != "llama.context_length"]
    assert admit(EngineOptions(file=put(gguf(entries, TENSORS, 544))), ROOMY).context_tokens == 4096


def test_memory_lowers_a_context_that_was_not_asked_for(put):
    entries = [*LLAMA[:3], ("llama.block_count", U32, 20), ("llama.embedding_length", U32, 1024), *LLAMA[6:]]
    file = put(gguf(entries, TENSORS, 544))
    assert admit(EngineOptions(file=file), TIGHT).context_tokens == 1024
    with pytest.raises(ConfigError, match=r"does not fit into memory: it needs about .* lower context_tokens"):
        admit(EngineOptions(file=file, context_tokens=4096), TIGHT)
    with pytest.raises(ConfigError, match="does not fit into memory"):
        admit(EngineOptions(file=file, slots=64), TIGHT)


@pytest.mark.parametrize("context", [0, -5, 4097])
def test_a_context_that_the_model_does_not_have(put, context):
    with pytest.raises(ConfigError, match="between 1 and 4096") as caught:
        admit(EngineOptions(file=put(TINY), context_tokens=context), ROOMY)
    assert caught.value.key == "context_tokens"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TINY[:-1], "truncated"),
        (b"junk", "not a GGUF file"),
        (gguf(LLAMA), "no tensors"),
        (gguf([*LLAMA, ("split.count", U32, 3)], TENSORS, 544), "one of 3 parts. Merge them"),
        (gguf([("general.name", STRING, "x")], TENSORS, 544), "no architecture"),
    ],
)
def test_files_that_are_refused(put, data, words):
    file = put(data)
    with pytest.raises(ConfigError, match=words) as caught:
        admit(EngineOptions(file=file), ROOMY)
    assert caught.value.file == file
    assert str(caught.value).startswith(file)


def test_slots(put):
    with pytest.raises(ConfigError, match="at least 1"):
        admit(EngineOptions(file=put(TINY), slots=0), ROOMY)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(put):
    file = put(TINY)
    Path(file).chmod(0)
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        admit(EngineOptions(file=file), ROOMY)


def test_a_linear_model_is_admitted_by_its_header(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(LINEAR)
    options = EngineOptions(file=str(file), format="linear")
    assert admit(options, ROOMY).threads == 1
    with pytest.raises(ConfigError, match="has no context_tokens"):
        admit(EngineOptions(file=str(file), format="linear", context_tokens=512), ROOMY)
    with pytest.raises(ConfigError, match="does not fit"):
        admit(options, Machine(system="Linux", cores=1, memory_available_bytes=1 << 20))
    file.write_bytes(TINY)
    with pytest.raises(ConfigError, match=r"not a file of a linear model.*tierwise train"):
        admit(options, ROOMY)
