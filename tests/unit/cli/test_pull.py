"""What a name on the command line means, what a file is called, and what is added to a configuration."""

from pathlib import Path

import msgspec
import pytest

from tierwise import config
from tierwise.cli import adding
from tierwise.cli.pull import parsed
from tierwise.cli.pulls.file import endpoint_row, model_row, name_of
from tierwise.core.errors import ConfigError, InvalidCall


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("gpt-oss-20b", ("hub", "gpt-oss-20b", None)),
        ("gpt-oss-20b:Q4_K_M", ("hub", "gpt-oss-20b", "Q4_K_M")),
        ("own/model", ("hub", "own/model", None)),
        ("hub:own/model:Q8_0", ("hub", "own/model", "Q8_0")),
        ("ollama:gpt-oss:20b", ("ollama", "gpt-oss:20b", None)),
        ("ollama:own", ("ollama", "own", None)),
        ("file:a:b.gguf", ("file", "a:b.gguf", None)),
        ("models/own.GGUF", ("file", "models/own.GGUF", None)),
    ],
)
def test_a_name_says_its_source(text: str, meant: tuple[str, str, str | None]) -> None:
    assert parsed(text) == meant


@pytest.mark.parametrize("text", ["", "hub:", "ollama:", "file:"])
def test_nothing_is_no_name(text: str) -> None:
    with pytest.raises(InvalidCall, match="names no model"):
        parsed(text)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("gpt-oss-20b-MXFP4.gguf", "gpt-oss-20b-mxfp4"),
        ("Qwen3.5-35B-A3B-UD-Q4_K_XL.gguf", "qwen3.5-35b-a3b-ud-q4-k-xl"),
        ("Mein Modell (neu).gguf", "mein-modell-neu"),
        ("ß.gguf", "model"),
    ],
)
def test_a_model_is_called_by_its_file(file: str, name: str) -> None:
    assert name_of(Path(file)) == name


def test_rows_are_added_once_and_load(tmp_path: Path) -> None:
    file = tmp_path / "own-Q8_0.gguf"
    empty = config.load_empty(frontier=False)
    endpoint, model = endpoint_row(file, 4096), model_row(file, 4096)
    added = adding.addition(empty, endpoint, model, "note\nwith = 'a line'")
    whole = adding.check(empty, tmp_path / "tierwise.toml", "# mine", added)
    document = config.parse(whole)
    assert (document.endpoint, document.model) == ((endpoint,), (model,))
    again = msgspec.structs.replace(empty, document=document)
    assert adding.addition(again, endpoint, model, "") == ""


def test_a_name_that_means_something_else_is_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "own-Q8_0.gguf", tmp_path / "b" / "own-Q8_0.gguf"
    empty = config.load_empty(frontier=False)
    document = config.parse(adding.addition(empty, endpoint_row(one, 4096), model_row(one, 4096), ""))
    settings = msgspec.structs.replace(empty, document=document)
    with pytest.raises(ConfigError, match="another endpoint"):
        adding.addition(settings, endpoint_row(other, 4096), model_row(other, 4096), "")
