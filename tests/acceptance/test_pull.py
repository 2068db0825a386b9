"""From a name to an answer: a model is got from a hub on loopback, added, and asked."""

import os
import pty
import stat
import subprocess
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import COMMAND, Installed
from tests.hub.server import COMMIT, Shelf, listening
from tierwise.registry.demonstration import demonstration

SMALL, LARGER = (demonstration().path(name).read_bytes() for name in demonstration().models)
WRITTEN = '# mine\n[server]\nport = 7373   # as it was\n\n[[endpoint]]\nname = "a"\nkind = "openai"\nkey = "env:A"\n'


@pytest.fixture
def shelf(installed: Installed) -> Iterator[Shelf]:
    with listening() as shelf:
        shelf.files = {"own-Q4_K_M.gguf": SMALL, "own-Q8_0.gguf": LARGER, "own-BF16.gguf": LARGER, "README.md": b"Own"}
        installed.environment["HF_ENDPOINT"] = shelf.hub_url
        yield shelf


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tierwise.toml"
    file.write_text(WRITTEN)
    file.chmod(0o640)
    return file


def fetched(shelf: Shelf) -> list[str]:
    return [path for role, path, headers in shelf.asked if role == "store" and headers["range"].endswith("-")]


def test_from_a_name_to_an_answer(installed: Installed, shelf: Shelf, config: Path) -> None:
    pytest.importorskip("xllamacpp")
    done = installed.run("pull", "hub:own/model:q4_k_m", "--yes", "--config", str(config))
    for told in ("own/model", "apache-2.0", COMMIT, shelf.sha256("own-Q4_K_M.gguf"), "can be used"):
        assert told in done.stdout
    file = installed.home / "models/own/model/own-Q4_K_M.gguf"
    assert file.read_bytes() == SMALL
    text = config.read_text()
    assert text.startswith(WRITTEN)
    assert f"own/model at {COMMIT}, own-Q4_K_M.gguf, licence apache-2.0, sha256 " in text
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    written = tomllib.loads(text)
    assert written["endpoint"][1]["file"] == str(file)
    assert written["model"] == [
        {"id": "own-q4-k-m", "endpoint": "own-q4-k-m", "context_tokens": written["endpoint"][1]["context_tokens"]}
    ]
    assert "--model own-q4-k-m" in done.stderr
    answer = installed.json("ask", "where is my card?", "--model", "own-q4-k-m", "--config", str(config))
    assert answer["decision"]["attempts"][-1]["model"] == "own-q4-k-m"
    assert answer["answer"]


def test_without_a_quantization_it_takes_what_fit_would_take(installed: Installed, shelf: Shelf, config: Path) -> None:
    judged = installed.json("fit", "hub:own/model")["model"]["plan"]
    told = installed.json("pull", "own/model", "--yes", "--config", str(config))
    assert told["offer"]["quantization"] == judged["quantization"] == "Q8_0"
    assert told["offer"]["context_tokens"] == judged["setup"]["context_tokens"]
    assert told["pulled"]
    assert told["facts"] == {"sha256": shelf.sha256("own-Q8_0.gguf")}


def test_twice_is_once(installed: Installed, shelf: Shelf, config: Path) -> None:
    installed.run("pull", "own/model", "--yes", "--config", str(config))
    text = config.read_text()
    shelf.asked.clear()
    done = installed.run("pull", "own/model", "--config", str(config))  # nothing is to be fetched: no consent is needed
    assert "has it already" in done.stderr
    assert config.read_text() == text
    assert fetched(shelf) == []


def test_nothing_is_fetched_without_consent(installed: Installed, shelf: Shelf, config: Path) -> None:
    assert "--yes" in installed.run("pull", "own/model", "--config", str(config), code=2).stderr
    assert "0.00 GB" in installed.run("pull", "own/model", "--dry-run", "--config", str(config)).stdout
    assert fetched(shelf) == []
    assert not (installed.home / "models").exists()
    assert config.read_text() == WRITTEN


@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1)])
def test_at_a_terminal_it_asks(installed: Installed, shelf: Shelf, config: Path, answer: bytes, code: int) -> None:
    keyboard, terminal = pty.openpty()
    os.write(keyboard, answer)
    arguments = [str(COMMAND), "pull", "own/model:Q8_0", "--config", str(config)]
    done = subprocess.run(
        arguments, env=installed.environment, stdin=terminal, capture_output=True, text=True, timeout=60, check=False
    )
    os.close(keyboard)
    os.close(terminal)
    assert done.returncode == code, done.stderr
    assert "Fetch 0.00 GB?" in done.stderr
    assert bool(fetched(shelf)) == (code == 0)


def test_a_download_that_broke_off_goes_on(installed: Installed, shelf: Shelf, config: Path) -> None:
    folder = installed.home / "models/own/model"
    folder.mkdir(parents=True)
    (folder / "own-Q8_0.gguf.part").write_bytes(LARGER[:500_000])
    told = installed.json("pull", "own/model", "--yes", "--config", str(config))
    assert told["offer"]["to_fetch_bytes"] == len(LARGER) - 500_000
    assert (folder / "own-Q8_0.gguf").read_bytes() == LARGER
    ranges = [headers["range"] for role, _, headers in shelf.asked if role == "store"]
    assert ranges[-1] == "bytes=500000-"


def test_a_download_whose_process_was_killed_goes_on(installed: Installed, shelf: Shelf, config: Path) -> None:
    part = installed.home / "models/own/model/own-Q8_0.gguf.part"
    arguments = [str(COMMAND), "pull", "own/model:Q8_0", "--yes", "--config", str(config)]
    shelf.stall_after = 400_000
    with subprocess.Popen(arguments, env=installed.environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (part.is_file() and part.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.kill()
    shelf.resumed.set()
    shelf.stall_after = None
    kept = part.stat().st_size
    assert kept > 0
    assert config.read_text() == WRITTEN
    told = installed.json("pull", "own/model:Q8_0", "--yes", "--config", str(config))
    assert told["offer"]["to_fetch_bytes"] == len(LARGER) - kept
    assert part.with_suffix("").read_bytes() == LARGER


def test_a_name_that_is_taken_is_told_before_anything_is_fetched(
    installed: Installed, shelf: Shelf, config: Path
) -> None:
    config.write_text(WRITTEN.replace('name = "a"', 'name = "own-q8-0"'))
    assert "another endpoint" in installed.run("pull", "own/model", "--yes", "--config", str(config), code=2).stderr
    assert fetched(shelf) == []


def test_without_a_model_those_known_here_are_listed(installed: Installed) -> None:
    assert "gpt-oss-20b" in installed.run("pull").stdout
    row = next(row for row in installed.json("pull") if row["name"] == "gpt-oss-20b")
    assert row["license"] == "Apache-2.0"


def test_other_bytes_than_were_told_are_no_model(installed: Installed, shelf: Shelf, config: Path) -> None:
    shelf.swapped["own-Q8_0.gguf"] = LARGER[:-1] + bytes([LARGER[-1] ^ 1])
    assert "digest" in installed.run("pull", "own/model:Q8_0", "--yes", "--config", str(config), code=4).stderr
    assert list((installed.home / "models/own/model").iterdir()) == []
    assert config.read_text() == WRITTEN


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("own/model:Q3_K_S", "it has"),
        ("own/nothing", "no model own/nothing"),
        ("gpt-oss-21b", "did you mean 'gpt-oss-20b'"),
        ("hub:", "names no model"),
        ("file:/not/there.gguf", "no such file"),
    ],
)
def test_what_cannot_be_had_is_said_plainly(
    installed: Installed, shelf: Shelf, config: Path, model: str, told: str
) -> None:
    assert told in installed.run("pull", model, "--yes", "--config", str(config), code=2).stderr


def test_a_model_in_parts_is_refused_before_it_is_fetched(installed: Installed, shelf: Shelf, config: Path) -> None:
    shelf.files = {f"own-Q8_0-0000{part}-of-00002.gguf": LARGER for part in (1, 2)}
    assert "2 parts" in installed.run("pull", "own/model", "--yes", "--config", str(config), code=2).stderr
    assert fetched(shelf) == []


def test_a_hostile_header_is_refused_before_it_is_fetched(installed: Installed, shelf: Shelf, config: Path) -> None:
    shelf.files = {"own-Q8_0.gguf": b"GGUF\3\0\0\0" + b"\xff" * 16 + bytes(4096)}
    assert "cannot be judged" in installed.run("pull", "own/model", "--yes", "--config", str(config), code=2).stderr
    assert fetched(shelf) == []


def test_a_gated_model_and_a_key(installed: Installed, shelf: Shelf, config: Path) -> None:
    shelf.gated, shelf.key = "manual", "hf_canary"
    assert "HF_TOKEN" in installed.run("pull", "own/model", "--yes", "--config", str(config), code=4).stderr
    installed.environment["HF_TOKEN"] = "hf_canary"
    done = installed.run("pull", "own/model", "--yes", "--config", str(config))
    assert "accepted" in done.stdout
    assert "hf_canary" not in done.stdout + done.stderr + config.read_text()
    assert {headers.get("authorization") for role, _, headers in shelf.asked if role == "store"} == {None}


def test_offline_nothing_is_asked(installed: Installed, shelf: Shelf, config: Path) -> None:
    installed.environment["HF_HUB_OFFLINE"] = "1"
    assert "HF_HUB_OFFLINE" in installed.run("pull", "own/model", "--config", str(config), code=2).stderr
    assert shelf.asked == []


def test_a_file_that_is_here_is_added_where_it_lies(installed: Installed, config: Path, tmp_path: Path) -> None:
    file = tmp_path / "Mine Q8_0.gguf"
    file.write_bytes(LARGER)
    installed.run("pull", str(file), "--config", str(config))
    assert tomllib.loads(config.read_text())["endpoint"][1]["file"] == str(file)


def test_without_a_configuration_one_is_written_that_names_what_is_here(
    installed: Installed, shelf: Shelf, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    installed.run("pull", "own/model", "--yes", cwd=here)
    written = tomllib.loads((here / "tierwise.toml").read_text())
    assert {"embedded-small", "own-q8-0"} <= {one["name"] for one in written["endpoint"]}
    installed.run("doctor", cwd=here)


def test_a_configuration_that_would_not_load_is_left_as_it_was(
    installed: Installed, shelf: Shelf, tmp_path: Path
) -> None:
    file = tmp_path / "closed.toml"
    text = 'endpoint = [{ name = "a", kind = "openai", key = "env:A" }]\n'
    file.write_text(text)
    done = installed.run("pull", "own/model", "--yes", "--config", str(file), code=2)
    assert "[[endpoint]]" in done.stderr
    assert file.read_text() == text
    assert fetched(shelf) == []


def ollama(shelf: Shelf, config: Path) -> str:
    config.write_text(f'[[endpoint]]\nname = "o"\nkind = "ollama"\nurl = "{shelf.ollama_url}/v1"\n')
    return str(config)


def test_ollama_gets_it_where_it_runs(installed: Installed, shelf: Shelf, config: Path) -> None:
    told = installed.json("pull", "ollama:own:1b", "--yes", "--config", ollama(shelf, config))
    assert (told["endpoint"], told["model"], told["facts"]["digest"]) == ("o", "own:1b", "d" * 64)
    (model,) = tomllib.loads(config.read_text())["model"]
    assert model == {"id": "own:1b", "endpoint": "o", "served_name": "own:1b"}
    assert "size_bytes" in told["offer"]


@pytest.mark.parametrize(
    "lines",
    [[{"error": "pull model manifest: file does not exist"}], [{"status": "pulling manifest"}], [{"status": 7}]],
)
def test_what_ollama_does_not_get_is_not_added(
    installed: Installed, shelf: Shelf, config: Path, lines: list[dict[str, Any]]
) -> None:
    shelf.ollama_lines = lines
    before = Path(ollama(shelf, config)).read_text()
    installed.run("pull", "ollama:own", "--yes", "--config", str(config), code=4)
    assert config.read_text() == before
