"""Do the rows of tools say what a shell, JSON, TOML and YAML read back unharmed, and the key only as a variable?"""

import itertools
import json
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tierwise.cli.tools import KEY, Start, Use, environment, lines, start, tools

ODD = """it's "odd" \\ $HOME `id` {url}"""


def begun(name: str, *more: str, model: str = ODD, folder: Path = Path("/nowhere")) -> Start:
    return start(tools()[name], Use(root="http://127.0.0.1:7373", model=model, folder=folder), more)


@pytest.mark.parametrize("name", tools())
def test_every_tool_gets_the_address_and_the_key_only_as_a_whole_value(name: str) -> None:
    begin = begun(name)
    everything = [*begin.command, *begin.environment.values(), *begin.files.values()]
    assert any("http://127.0.0.1:7373" in text for text in everything)
    assert KEY in begin.environment.values()
    assert not any(KEY in text and text != KEY for text in everything)
    assert "{model" not in "".join(everything).replace(ODD, "")
    assert tools()[name].install or not tools()[name].command


@pytest.mark.parametrize("name", tools())
def test_a_shell_reads_the_lines_as_they_are_meant(name: str, tmp_path: Path) -> None:
    begin = begun(name, "two words", "$HOME", folder=tmp_path / "it's here")
    script = [*lines(begin, '"${SECRET}"')]
    script[-1] = f"printf '%s\\0' {script[-1]}"
    script += [f'printf "%s\\0" "${name}"' for name in begin.environment]
    run = subprocess.run(
        ["sh", "-euc", "\n".join(script)],
        capture_output=True,
        text=True,
        check=True,
        env={"SECRET": "a b", "PATH": "/usr/bin:/bin"},
    )
    said = run.stdout.split("\0")[:-1]
    assert said == [*begin.command, *("a b" if value == KEY else value for value in begin.environment.values())]
    assert all(path.read_text() == text for path, text in begin.files.items())


def test_the_settings_inside_are_read_back_as_the_model_s_name() -> None:
    codex = begun("codex").command
    settings = tomllib.loads("\n".join(text for flag, text in itertools.pairwise(codex) if flag == "-c"))
    assert settings["model"] == ODD
    provider = settings["model_providers"][settings["model_provider"]]
    assert (provider["base_url"], provider["wire_api"]) == ("http://127.0.0.1:7373/v1", "responses")
    assert provider["env_key"] in begun("codex").environment
    opencode = json.loads(begun("opencode").environment["OPENCODE_CONFIG_CONTENT"])
    assert opencode["model"] == f"tierwise/{ODD}"
    assert list(opencode["provider"]["tierwise"]["models"]) == [ODD]
    (text,) = begun("llm").files.values()
    assert yaml.safe_load(text)[0]["model_name"] == ODD


def test_what_the_tool_inherits() -> None:
    kept = environment(begun("claude"), "key", {"PATH": "/bin", "ANTHROPIC_API_KEY": "other", "ANTHROPIC_MODEL": "old"})
    assert kept["PATH"] == "/bin"
    assert "ANTHROPIC_API_KEY" not in kept
    assert (kept["ANTHROPIC_MODEL"], kept["ANTHROPIC_AUTH_TOKEN"]) == (ODD, "key")
    assert shlex.split("\n".join(lines(begun("any", "x"), "unused")))[-1] == "x"
