"""From another gateway's file to the first routed call: the file is imported, served, and asked as it was before."""

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from tests.acceptance.conftest import Installed
from tierwise.testing import ScriptedUpstream

Serve = Callable[..., str]
LITELLM = """
model_list:
  - model_name: gpt-4o
    litellm_params: {{model: openai/scripted-1, api_base: "{url}", api_key: os.environ/UPSTREAM_KEY, rpm: 6}}
  - model_name: down
    litellm_params: {{model: "openai/scripted-1?fault=error&status=503", api_base: "{url}", api_key: sk-literal}}
litellm_settings: {{drop_params: true, num_retries: 0}}
router_settings:
  fallbacks: [{{down: [gpt-4o]}}]
  model_group_alias: {{gpt-4: gpt-4o}}
general_settings: {{master_key: os.environ/MASTER_KEY}}
"""
PORTKEY = """{{"strategy": {{"mode": "fallback"}}, "targets": [
  {{"provider": "openai", "custom_host": "{url}", "override_params": {{"model": "scripted-1?fault=error&status=503"}}}},
  {{"provider": "openai", "custom_host": "{url}", "override_params": {{"model": "scripted-1"}}}}]}}"""
TENSORZERO = """
[models.m.providers.p]
type = "openai"
model_name = "scripted-1"
api_base = "{url}"
api_key_location = "none"
[functions.f.variants.v]
type = "chat_completion"
model = "m"
"""


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread() as running:
        yield running


def asked(address: str, model: str, key: str = "unused") -> str:
    with openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as caller:
        answer = caller.chat.completions.create(model=model, messages=[{"role": "user", "content": "one two three"}])
        return answer.choices[0].message.content or ""


def test_from_a_litellm_file_to_the_first_routed_call(
    installed: Installed, serve: Serve, upstream: ScriptedUpstream, tmp_path: Path
) -> None:
    source, out = tmp_path / "config.yaml", tmp_path / "tierwise.toml"
    source.write_text(LITELLM.format(url=upstream.url))
    told = installed.run("import", "litellm", str(source), "--out", str(out)).stderr
    assert "2 models at 2 endpoints" in told
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert "sk-literal" not in out.read_text() + told
    variables = {"UPSTREAM_KEY", "TIERWISE_OPENAI_KEY", "MASTER_KEY"}
    assert all(f"set  {name}" in told for name in variables)
    assert "not set" in installed.run("doctor", "--config", str(out), code=1).stdout
    installed.environment |= {name: f"value-of-{name}" for name in variables}
    installed.run("doctor", "--config", str(out))
    address = serve("--config", str(out))
    for model in ("gpt-4o", "gpt-4", "down"):
        assert asked(address, model, "value-of-MASTER_KEY") == "one two three", model
    with pytest.raises(openai.AuthenticationError):
        asked(address, "gpt-4o", "another")
    log = installed.json("log", "--config", str(out))
    assert [[a["model"] for a in d["attempts"]] for d in reversed(log)] == [["gpt-4o"], ["gpt-4o"], ["down", "gpt-4o"]]


@pytest.mark.parametrize(
    ("gateway", "text", "model"),
    [("portkey", PORTKEY, "auto:portkey"), ("tensorzero", TENSORZERO, "tensorzero::function_name::f")],
)
def test_from_other_gateways_to_the_first_routed_call(
    installed: Installed, serve: Serve, upstream: ScriptedUpstream, tmp_path: Path, gateway: str, text: str, model: str
) -> None:
    out = tmp_path / "tierwise.toml"
    out.write_text(installed.run("import", gateway, "-", stdin=text.format(url=upstream.url)).stdout)
    assert asked(serve("--config", str(out)), model) == "one two three"


def test_what_is_there_is_kept_and_what_is_wrong_is_told(installed: Installed, tmp_path: Path) -> None:
    source, out = tmp_path / "Modelfile", tmp_path / "there.toml"
    source.write_text("FROM llama3.2:3b\n")
    out.write_text("kept")
    assert "--force" in installed.run("import", "ollama", str(source), "--out", str(out), code=2).stderr
    assert out.read_text() == "kept"
    installed.run("import", "ollama", str(source), "--out", str(out), "--force")
    assert "llama3.2:3b" in out.read_text()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    told = installed.json("import", "ollama", str(source))
    assert (told["models"], told["file"], told["set"]) == (["llama3.2:3b"], None, [])
    assert told["toml"].startswith("# Made from")
    latin = tmp_path / "latin"
    latin.write_bytes(b"FROM \xff")
    for wrong, said in (
        (["litelm", str(source)], "did you mean 'litellm'"),
        (["litellm", str(tmp_path / "no.yaml")], "No such file"),
        (["litellm", str(latin)], "not UTF-8 text (byte 5)"),
        (["litellm", str(source)], "must be a table"),
        (["ollama", str(source), "--out", str(tmp_path / "no" / "x.toml")], "cannot be written"),
    ):
        done = installed.run("import", *wrong, code=2)
        assert said in done.stderr, wrong
        assert len(done.stderr.splitlines()) == 1
    assert json.dumps(told)
