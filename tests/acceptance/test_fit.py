"""What this machine can run, asked as a user does: of files, of a hub on loopback, of the catalogue."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Installed
from tests.hub.server import Shelf, listening
from tests.unit.hardware.files import LLAMA, STRING, U32, gguf
from tierwise.registry.demonstration import demonstration
from tierwise.registry.open_models import open_models

MIB = 1 << 20
SMALL, LARGER = (demonstration().path(name) for name in demonstration().models)


@pytest.fixture
def shelf(installed: Installed) -> Iterator[Shelf]:
    with listening() as shelf:
        shelf.files = {"own-Q4_K_M.gguf": SMALL.read_bytes(), "own-Q8_0.gguf": LARGER.read_bytes(), "README.md": b"Own"}
        installed.environment["HF_ENDPOINT"] = shelf.hub_url
        yield shelf


def large(file: Path, rows: int, architecture: str = "llama") -> Path:
    """Write the header of a model whose one layer has so many rows of 4096 numbers; the file has holes for tensors."""
    entries = [(key.replace("llama.", f"{architecture}."), kind, value) for key, kind, value in LLAMA]
    entries = [("general.architecture", STRING, architecture), *entries[1:], (f"{architecture}.vocab_size", U32, 4)]
    tensors = [("blk.0.ffn_up.weight", (4096, rows), 8, 0), ("blk.1.ffn_up.weight", (4096, 1), 8, rows * 4352)]
    head = gguf(entries, tensors)
    file.write_bytes(head)
    with file.open("r+b") as target:
        target.truncate(len(head) + (rows + 1) * 4352)
    return file


def test_the_machine_is_told(installed: Installed) -> None:
    told = installed.json("fit")
    here = told["machine"]
    assert here["cores"] >= 1
    assert 0 < here["memory_available_bytes"] <= here["memory_total_bytes"]
    assert here["memory_bandwidth_gb_s"] > 0.1
    assert [one["model"] for one in told["catalogue"]] == [row.name for row in open_models()]
    assert {one["plan"]["evidence"] for one in told["catalogue"]} == {"catalogue"}
    text = installed.run("fit").stdout
    assert "(the best measured here)" in text
    assert open_models()[0].name in text


def test_the_shipped_model_fits(installed: Installed) -> None:
    told = installed.json("fit", str(SMALL))["model"]
    plan = told["plan"]
    assert plan["verdict"]["fit"] == "fits"
    assert plan["evidence"] == "header"
    parts = [plan["memory"][name] for name in plan["memory"] if name.endswith("_bytes") and name != "on_device_bytes"]
    assert sum(parts) == plan["at_least_bytes"] < SMALL.stat().st_size + 512 * MIB
    assert plan["memory"]["weights_bytes"] <= SMALL.stat().st_size
    assert not told["to_buy"]
    text = installed.run("fit", str(SMALL)).stdout
    assert "fits" in text
    assert "each tensor in the header" in text


def test_what_does_not_fit_is_refused_with_what_would_do(installed: Installed, tmp_path: Path) -> None:
    file = large(tmp_path / "huge.gguf", 100_000_000)
    told = installed.json("fit", str(file), code=1)["model"]
    assert told["plan"]["verdict"]["fit"] == "does_not_fit"
    assert "can be used" in told["plan"]["verdict"]["reason"]
    assert told["plan"]["at_least_bytes"] > 400 << 30
    assert told["plan"]["decode"] is None
    assert "does not fit" in installed.run("fit", str(file), code=1).stdout


def test_an_architecture_that_is_not_known_is_not_promised(installed: Installed, tmp_path: Path) -> None:
    file = large(tmp_path / "strange.gguf", 4, architecture="strange")
    plan = installed.json("fit", str(file), code=1)["model"]["plan"]
    assert plan["verdict"]["fit"] == "unknown"
    assert plan["memory"] is None
    assert plan["at_least_bytes"] == 5 * 4352
    assert "not known for this architecture" in plan["verdict"]["reason"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"not a model", "does not begin with 'GGUF'"),
        (SMALL.read_bytes()[:-1000], "truncated"),
        (b"GGUF" + (3).to_bytes(4, "little") + (10**18).to_bytes(8, "little") * 2, "claims"),
    ],
    ids=["something else", "cut off", "hostile"],
)
def test_a_file_that_cannot_be_judged(installed: Installed, tmp_path: Path, content: bytes, told: str) -> None:
    file = tmp_path / "odd.gguf"
    file.write_bytes(content)
    done = installed.run("fit", str(file), code=2)
    assert told in done.stderr
    assert "Name a complete GGUF file" in done.stderr


def test_a_repository_is_judged_by_one_header(installed: Installed, shelf: Shelf) -> None:
    told: Any = installed.json("fit", "hub:own/model")["model"]
    assert told["plan"]["quantization"] == "Q8_0"
    assert told["plan"]["evidence"] == "sizes"
    assert told["pull"] == "hub:own/model:Q8_0"
    assert "apache-2.0" in told["note"]
    read = {path for role, path, _ in shelf.asked if role == "store"}
    assert len(read) == 1, "one file's header, whatever the number of files"


def test_what_is_meant_has_to_be_clear(installed: Installed, shelf: Shelf, tmp_path: Path) -> None:
    name = open_models()[0].name
    done = installed.run("fit", name[:-1], code=2)
    assert name in done.stderr
    assert "hub:OWNER/NAME" in done.stderr
    assert "no such file" in installed.run("fit", str(tmp_path / "none.gguf"), code=2).stderr
    shelf.files = {"README.md": b"Own"}
    assert "neither GGUF files nor safetensors" in installed.run("fit", "hub:own/model", code=2).stderr
    assert "trained for" in installed.run("fit", str(SMALL), "--context", "1000000", code=2).stderr


CONFIG = {
    "model_type": "qwen3", "num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 4, "num_key_value_heads": 2,
    "head_dim": 16, "intermediate_size": 16, "vocab_size": 100, "max_position_embeddings": 4096,
}  # fmt: skip


def safetensors(name: str, rows: int) -> bytes:
    """Write a file with one tensor of so many rows of eight numbers, all zero."""
    head = json.dumps({name: {"dtype": "BF16", "shape": [rows, 8], "data_offsets": [0, rows * 16]}}).encode()
    return len(head).to_bytes(8, "little") + head + bytes(rows * 16)


def parted(count: int) -> dict[str, bytes]:
    """Write a model in so many files."""
    names = {f"model-{n:05}.safetensors": f"model.layers.{n % 2}.w{n}.weight" for n in range(count)}
    index = json.dumps({"weight_map": {tensor: file for file, tensor in names.items()}}).encode()
    files = {file: safetensors(tensor, 100) for file, tensor in names.items()}
    return files | {"config.json": json.dumps(CONFIG).encode(), "model.safetensors.index.json": index}


def test_a_folder_of_safetensors(installed: Installed, tmp_path: Path) -> None:
    for name, data in parted(3).items():
        (tmp_path / name).write_bytes(data)
    told = installed.json("fit", str(tmp_path))["model"]
    assert told["plan"]["verdict"]["fit"] == "fits"
    assert told["plan"]["quantization"] == "16 bits"
    assert told["plan"]["memory"]["weights_bytes"] == 3 * 1600
    (tmp_path / "model-00001.safetensors").unlink()
    assert "which is not there" in installed.run("fit", str(tmp_path), code=2).stderr
    (tmp_path / "config.json").unlink()
    assert "config.json" in installed.run("fit", str(tmp_path), code=2).stderr


def test_safetensors_on_a_hub(installed: Installed, shelf: Shelf) -> None:
    shelf.files = parted(3)
    told = installed.json("fit", "hub:own/model")["model"]
    assert (told["plan"]["verdict"]["fit"], told["plan"]["evidence"]) == ("fits", "header")
    shelf.files = parted(20)
    shelf.asked.clear()
    told = installed.json("fit", "hub:own/model")["model"]
    assert (told["plan"]["verdict"]["fit"], told["plan"]["evidence"]) == ("fits", "sizes")
    assert told["plan"]["memory"]["weights_bytes"] >= 20 * 1600
    read = {
        path for _, path, _ in shelf.asked if ".safetensors" in path and "index" not in path and "/resolve/" in path
    }
    assert len(read) == 1, "of many files one is opened"
