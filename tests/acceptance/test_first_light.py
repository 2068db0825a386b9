"""A new user points the official client at `tierwise serve`, and every request is explained afterwards."""

import json
from collections.abc import Callable
from pathlib import Path

import openai
import pytest

from tests.acceptance.conftest import Installed
from tierwise.registry.demonstration import demonstration, intent_schema
from tierwise.testing import ScriptedUpstream

Serve = Callable[..., str]
ASKED = {"type": "json_schema", "json_schema": {"name": "intent", "schema": intent_schema(demonstration().labels)}}
TEXT = [{"role": "user", "content": "The ATM swallowed my card"}]


def client(address: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0)


def test_the_embedded_models_answer_their_schema_and_every_request_is_explained(
    installed: Installed, serve: Serve
) -> None:
    address = serve()
    decisions = []
    with client(address) as caller:
        assert {"auto", "auto:banking77", "small", "larger"} <= {model.id for model in caller.models.list()}
        for model in ("auto:banking77", "small", "larger"):
            raw = caller.chat.completions.with_raw_response.create(model=model, messages=TEXT, response_format=ASKED)
            decisions.append(raw.headers["x-tierwise-decision"])
            answer = raw.parse().choices[0]
            assert json.loads(answer.message.content or "")["intent"] == "card_swallowed"
            assert answer.logprobs is None  # the gate asked for them, the caller did not
        with caller.chat.completions.with_streaming_response.create(
            model="auto:banking77", messages=TEXT, response_format=ASKED, stream=True
        ) as raw:
            decisions.append(raw.headers["x-tierwise-decision"])
            text = "".join(c.choices[0].delta.content or "" for c in raw.parse() if c.choices)
            assert json.loads(text)["intent"] == "card_swallowed"
        with pytest.raises(openai.InternalServerError) as refused:
            caller.chat.completions.create(model="auto", messages=[{"role": "user", "content": "a haiku, please"}])
        assert "Ollama" in str(refused.value)
        decisions.append(refused.value.response.headers["x-tierwise-decision"])
    for decision in decisions[:-1]:
        told = installed.run("show", decision).stdout
        assert "outcome answered" in told
        assert "confidence" in told
    assert "outcome refused" in installed.run("show", decisions[-1]).stdout


def test_tools_free_schemas_and_faults_against_the_scripted_endpoint(
    installed: Installed, serve: Serve, tmp_path: Path
) -> None:
    with ScriptedUpstream.in_thread(models=("scripted-1",)) as upstream:
        config = tmp_path / "tierwise.toml"
        rows = "\n".join(
            f'[[model]]\nid = "{name}"\nendpoint = "up"\nserved_name = "scripted-1{script}"\n'
            for name, script in (("plain", ""), ("cut", "?fault=cut"), ("limited", "?fault=rate_limit&retry_after=7"))
        )
        config.write_text(f'[[endpoint]]\nname = "up"\nkind = "scripted"\nurl = "{upstream.url}"\n{rows}')
        with client(serve("--config", str(config))) as caller:
            answer = caller.chat.completions.create(
                model="plain", messages=[{"role": "user", "content": "one two three"}]
            )
            assert answer.choices[0].message.content == "one two three"
            assert answer.usage is not None
            assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 3)
            schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
            tool = {"type": "function", "function": {"name": "look_up", "parameters": schema}}
            called = caller.chat.completions.create(model="plain", messages=TEXT, tools=[tool], tool_choice="required")  # type: ignore[list-item, call-overload]
            calls = called.choices[0].message.tool_calls
            assert calls[0].function.name == "look_up"
            assert isinstance(json.loads(calls[0].function.arguments)["n"], int)
            with (
                pytest.raises(openai.APIError),
                caller.chat.completions.create(model="cut", messages=TEXT, stream=True) as stream,
            ):
                for _ in stream:
                    pass
            with pytest.raises(openai.RateLimitError) as limited:
                caller.chat.completions.create(model="limited", messages=TEXT)
            assert limited.value.response.headers["retry-after"] == "7"
            with pytest.raises(openai.BadRequestError):
                caller.chat.completions.create(model="plain", messages=TEXT, temperature=9)
        outcomes = [d["outcome"] for d in installed.json("log", "--config", str(config))]
        assert sorted(outcomes) == ["answered", "answered", "broken", "failed"]
        replayed = installed.json("replay", "--config", str(config))
        assert replayed["decisions"] == 4
        assert replayed["moved"] == 0


def test_exit_codes(installed: Installed, tmp_path: Path) -> None:
    assert installed.json("route", "hello", "--model", "auto:banking77")["chosen"] == "small"
    installed.run("route", "hello", code=3)
    installed.run("ask", "hello", "--model", "nope", code=2)
    installed.run("show", "0123456789", code=2)
    bad = tmp_path / "bad.toml"
    bad.write_text("[server]\nprot = 1\n")
    assert "did you mean 'port'" in installed.run("doctor", "--config", str(bad), code=1).stdout
    assert "did you mean 'port'" in installed.run("config", "show", "--config", str(bad), code=2).stderr
    down = tmp_path / "down.toml"
    down.write_text(
        '[[endpoint]]\nname = "a"\nkind = "ollama"\nurl = "http://127.0.0.1:1/v1"\n[[model]]\nid = "m"\nendpoint = "a"\n'
    )
    installed.run("ask", "hello", "--config", str(down), code=4)
    new = tmp_path / "new.toml"
    installed.run("init", "--config", str(new))
    installed.run("init", "--config", str(new), code=2)
    installed.run("doctor", "--config", str(new))
    assert (
        installed.run(
            "ask", "The ATM swallowed my card", "--model", "auto:banking77", "--config", str(new)
        ).stdout.strip()
        == '{"intent": "card_swallowed"}'
    )


def test_a_taken_port_and_an_open_host_are_refused_with_the_mend(installed: Installed, serve: Serve) -> None:
    port = serve().rpartition(":")[2]
    other = Installed(installed.home.with_name("other"))
    assert "--port" in other.run("serve", "--port", port, code=2).stderr
    assert "[[key]]" in other.run("serve", "--host", "0.0.0.0", code=2).stderr


def test_beside_a_running_server_ask_goes_to_it(installed: Installed, serve: Serve) -> None:
    port = serve().rpartition(":")[2]
    installed.environment["TIERWISE_SERVER_PORT"] = port
    asked = ("ask", "The ATM swallowed my card", "--model", "auto:banking77")
    assert installed.run(*asked).stdout.strip() == '{"intent": "card_swallowed"}'
    assert installed.json("log", "--limit", "1")[0]["outcome"] == "answered"
    installed.environment["TIERWISE_SERVER_PORT"] = "1"
    assert "already writes to this ledger" in installed.run(*asked, code=2).stderr
