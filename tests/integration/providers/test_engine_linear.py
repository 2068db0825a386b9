"""An engine that runs a linear model, for real: answers, streams, refusals, hostile files, and a parent that is killed."""

import asyncio
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import venv
from pathlib import Path

import pytest

from tests.integration.providers.test_engine import PARENT, alive, gone_by, soon
from tests.unit.linear.files import HEADER, TINY, changed, made
from tierwise.core.errors import ConfigError
from tierwise.core.model import EngineOptions
from tierwise.hardware.admit import admit
from tierwise.hardware.snapshot import Machine
from tierwise.providers.engine import Engine, Pace, version
from tierwise.providers.transport import Address, Transport

SCHEMA = {"type": "object", "properties": {"intent": {"enum": ["lost", "money"]}}, "required": ["intent"]}


@pytest.fixture
def file(tmp_path):
    place = tmp_path / "intents.safetensors"
    place.write_bytes(TINY)
    return place


def ask(text="I lost my CARD", **more):
    return json.dumps({"model": "any", "messages": [{"role": "user", "content": text}], **more}).encode()


def bound(text="I lost my CARD", **more):
    return ask(text, response_format={"type": "json_schema", "json_schema": {"name": "i", "schema": SCHEMA}}, **more)


def scenario(run, file, work, **more):
    """Run `work(transport, engine)` with an engine that has not been started."""

    async def go():
        transport = Transport()
        options = EngineOptions(file=str(file), format="linear")
        engine = Engine(options, name="intents", transport=transport, **{"admit": admit, **more})
        try:
            return await work(transport, engine)
        finally:
            pid = engine.pid
            await engine.stop()
            await transport.aclose()
            assert pid is None or not alive(pid)

    return run(go())


async def posted(transport, address, body, status=200):
    exchange = await transport.post(address, "/chat/completions", body, deadline=soon(), stream=False)
    answer = json.loads(await exchange.read_all())
    assert exchange.status == status, answer
    return answer


def test_answers_by_schema_with_logprobs(run, file):
    async def work(transport, engine):
        assert (engine.state, engine.pid) == ("stopped", None)
        address = await engine.start()
        assert (engine.state, await engine.healthy()) == ("ready", True)
        answer = await posted(transport, address, bound(logprobs=True, top_logprobs=2))
        (choice,) = answer["choices"]
        assert json.loads(choice["message"]["content"]) == {"intent": "lost"}
        tokens = choice["logprobs"]["content"]
        assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
        assert sum(math.exp(other["logprob"]) for other in tokens[1]["top_logprobs"]) == pytest.approx(1)
        assert answer["usage"] == {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}
        assert answer["model"] == "intents"
        assert str(file) not in json.dumps(answer)  # no path of this machine leaves

    scenario(run, file, work)


def test_a_stream_spells_the_same_answer(run, file):
    async def work(transport, engine):
        address = await engine.start()
        whole = (await posted(transport, address, bound()))["choices"][0]["message"]["content"]
        body = bound(stream=True, stream_options={"include_usage": True})
        exchange = await transport.post(address, "/chat/completions", body, deadline=soon(), stream=True)
        assert exchange.headers[b"content-type"].startswith(b"text/event-stream")
        events = (await exchange.read_all()).decode().split("\n\n")
        chunks = [json.loads(event[6:]) for event in events if event.startswith("data: {")]
        assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == whole
        assert [c["usage"]["completion_tokens"] for c in chunks if not c["choices"]] == [3]
        assert "data: [DONE]" in events

    scenario(run, file, work)


def test_the_key_is_asked_for(run, file):
    async def work(transport, engine):
        address = await engine.start()
        for path in ("/chat/completions", "/models", "/anything"):
            exchange = await transport.post(Address(url=address.url), path, ask(), deadline=soon(), stream=False)
            assert exchange.status == 401

    scenario(run, file, work)


def test_what_it_cannot_do_is_refused_in_words(run, file):
    async def work(transport, engine):
        address = await engine.start()
        for body, words in (
            (ask(tools=[{"type": "function", "function": {"name": "f"}}]), "calls no tools"),
            (b"[", "no chat request"),
            (ask("x" * 100_001), "at most 100000"),
        ):
            assert words in (await posted(transport, address, body, 400))["error"]["message"]
        large = ask("x" * (5 * 1024 * 1024))
        assert (await posted(transport, address, large, 413))["error"]["code"] == "too_large"
        assert (await posted(transport, address, ask()))["choices"][0]["message"]["content"] == "lost"

    scenario(run, file, work)


def test_many_calls_at_once_are_all_answered(run, file):
    async def work(transport, engine):
        address = await engine.start()
        texts = ["card", "money"] * 50
        answers = await asyncio.gather(*(posted(transport, address, ask(text)) for text in texts))
        assert [answer["choices"][0]["message"]["content"] for answer in answers] == ["lost", "money"] * 50

    scenario(run, file, work)


def test_a_crash_is_followed_by_a_new_child(run, file, until):
    async def work(transport, engine):
        await engine.start()
        os.kill(engine.pid, signal.SIGKILL)
        await until(lambda: engine.state == "failed")
        assert "signal 9" in engine.reason
        assert (await posted(transport, await engine.start(), ask()))["choices"]

    scenario(run, file, work, pace=Pace(first_pause_s=0))


def test_the_child_does_not_outlive_its_parent(file):
    program = textwrap.dedent(PARENT).replace("file=sys.argv[1]", 'file=sys.argv[1], format="linear"')
    with subprocess.Popen([sys.executable, "-c", program, file], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.kill()
        parent.wait(5)
        gone_by(pid, 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a file of a linear model"),
        (b"PK\x03\x04" + bytes(4096), "not a file of a linear model"),
        (TINY[:-1], "cut off"),
        (changed(format=9), "train anew"),
        (changed(labels=("\x1b]0;x", "b")), "cannot be shown"),
        (made(bias=[float("nan"), 0]).to_bytes(), "no number"),
    ],
    ids=["empty", "zip", "cut", "format", "label", "number"],
)  # fmt: skip
def test_hostile_files_are_refused(run, tmp_path, data, words):
    file = tmp_path / "bad.safetensors"
    file.write_bytes(data)

    async def work(_, engine):
        with pytest.raises(ConfigError, match=words) as caught:
            await engine.start()
        assert str(file) in str(caught.value)
        assert engine.pid is None

    scenario(run, file, work)


def test_a_pipe_is_not_waited_for(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")

    async def work(_, engine):
        with pytest.raises(ConfigError, match="it is not a file"):
            await engine.start()

    scenario(run, tmp_path / "pipe", work)


def test_too_little_memory(run, file):
    tiny = Machine(system="Linux", cores=2, memory_available_bytes=150 * 1024 * 1024)

    async def work(_, engine):
        with pytest.raises(ConfigError, match="does not fit into memory"):
            await engine.start()

    scenario(run, file, work, admit=lambda options: admit(options, tiny))


def test_without_the_extra(run, file, tmp_path, monkeypatch):
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))

    async def work(_, engine):
        with pytest.raises(ConfigError, match=r"pip install 'tierwise\[evals\]'"):
            await engine.start()

    scenario(run, file, work)


def test_another_file_is_another_version(file):
    before = version(EngineOptions(file=str(file), format="linear"))
    file.write_bytes(made(HEADER, bias=[1.0, 0.0]).to_bytes())
    assert before is not None and before.startswith("2.")
    assert version(EngineOptions(file=str(Path(file).with_name("none")), format="linear")) is None
    assert version(EngineOptions(file=str(file), format="linear")) != before
