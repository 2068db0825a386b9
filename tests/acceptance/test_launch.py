"""A tool is launched as the shell would launch it: the address, the key and the model reach it, its ending is ours."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import COMMAND, Installed

Serve = Callable[..., str]
KEYED = """
[[key]]
name = "team"
secret = "env:TEAM_KEY"
"""
TELLS = f"#!{sys.executable}\nimport os, sys; print(sys.argv[1:], os.environ['OPENAI_API_BASE'], os.environ['OPENAI_API_KEY'])\n"
ASKS = """
import openai
with openai.OpenAI(max_retries=0) as caller:
    print(*sorted(model.id for model in caller.models.list()))
"""


@pytest.fixture
def keyed(installed: Installed, tmp_path: Path) -> Installed:
    """A gateway that wants a key, and a folder of tools on the path."""
    path = tmp_path / "tierwise.toml"
    path.write_text(KEYED)
    (tmp_path / "tools").mkdir()
    installed.environment |= {
        "TIERWISE_CONFIG": str(path),
        "TEAM_KEY": "the-secret",
        "PATH": f"{tmp_path / 'tools'}:{os.environ['PATH']}",
    }
    return installed


def tool(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def test_the_tool_gets_address_key_model_and_its_own_arguments(keyed: Installed, serve: Serve, tmp_path: Path) -> None:
    port = serve().rpartition(":")[2]
    tool(tmp_path / "tools" / "aider", TELLS)
    done = keyed.run("launch", "aider", "--run", "--port", port, "--", "--message", "two words")
    assert shlex.split(done.stdout.replace("[", "").replace("]", "").replace(",", "")) == [
        "--model", "openai/auto", "--message", "two words", f"http://127.0.0.1:{port}/v1", "the-secret",
    ]  # fmt: skip
    listed = keyed.run("launch", "any", "--run", "--port", port, "--", sys.executable, "-c", ASKS).stdout
    assert "auto" in listed.split()
    assert "did you mean 'auto'" in keyed.run("launch", "aider", "--port", port, "--model", "atuo", code=2).stderr


def test_the_printed_lines_do_the_same_and_do_not_show_the_key(keyed: Installed, serve: Serve) -> None:
    port = serve().rpartition(":")[2]
    printed = keyed.run("launch", "any", "--port", port, "--", sys.executable, "-c", ASKS)
    assert "the-secret" not in printed.stdout + printed.stderr
    ran = subprocess.run(
        ["sh", "-euc", printed.stdout], env=keyed.environment, capture_output=True, text=True, check=True
    )
    assert "auto" in ran.stdout.split()
    assert "the-secret" in keyed.run("launch", "any", "--port", port, "--show-key").stdout
    told = keyed.json("launch", "claude", "--port", port)
    assert told["environment"]["ANTHROPIC_AUTH_TOKEN"] == "${TEAM_KEY}"
    assert told["environment"]["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{port}"
    assert told["arguments"] == ["claude"]


def test_the_exit_code_and_the_signals_are_the_tool_s(keyed: Installed, serve: Serve, tmp_path: Path) -> None:
    port = serve().rpartition(":")[2]
    tool(tmp_path / "tools" / "aider", "#!/bin/sh\nexit 7\n")
    keyed.run("launch", "aider", "--run", "--port", port, code=7)
    tool(tmp_path / "tools" / "aider", "#!/bin/sh\necho ready\nexec sleep 100\n")
    command = [str(COMMAND), "launch", "aider", "--run", "--port", port]
    with subprocess.Popen(command, env=keyed.environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM


def test_what_stands_in_the_way_is_told_with_its_mend(keyed: Installed, serve: Serve, tmp_path: Path) -> None:
    for wrong, said in (
        ([], "name a tool: tierwise launch TOOL, one of aider, any, claude, "),
        (["claud"], "did you mean 'claude'"),
        (["goose", "--run"], "not installed"),
        (["any", "--run"], "give the program after --"),
        (["any", "--run", "--port", "1", "--", "true"], "start it with `tierwise serve`"),
        (["any", "--run", "--port", "0", "--", "true"], "--port"),
    ):
        done = keyed.run("launch", *wrong, code=2)
        assert said in done.stderr, wrong
    assert "start it with `tierwise serve`" in keyed.run("launch", "codex", "--port", "1").stderr
    port = serve().rpartition(":")[2]
    keyed.environment["TEAM_KEY"] = "another"
    assert "401: this key is not known" in keyed.run("launch", "any", "--port", port, code=2).stderr
    del keyed.environment["TEAM_KEY"]
    assert '"${TEAM_KEY}"' in keyed.run("launch", "any", "--port", port).stdout
    assert "env:TEAM_KEY" in keyed.run("launch", "any", "--run", "--port", port, "--", "true", code=2).stderr


def test_files_go_to_the_home_of_tierwise(keyed: Installed, serve: Serve, tmp_path: Path) -> None:
    port = serve().rpartition(":")[2]
    tool(tmp_path / "tools" / "llm", '#!/bin/sh\ncat "$LLM_USER_PATH/extra-openai-models.yaml"\n')
    assert f"http://127.0.0.1:{port}/v1" in keyed.run("launch", "llm", "--run", "--port", port).stdout
    assert (keyed.home / "launch" / "llm").is_dir()
