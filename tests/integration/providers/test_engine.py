"""The embedded engine for real: answers, streams, slots, crashes, and a parent that is killed."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import venv
from importlib import resources
from pathlib import Path

import pytest

from tierwise.core.errors import ConfigError, Overloaded, ProviderError
from tierwise.core.model import EngineOptions
from tierwise.hardware.admit import admit
from tierwise.hardware.snapshot import Machine
from tierwise.providers import engine_child
from tierwise.providers.child import Child
from tierwise.providers.engine import Engine, Pace, installed
from tierwise.providers.transport import Address, Transport

if not installed():
    pytest.skip("the extra 'embedded' is not installed", allow_module_level=True)

SMALL = str(resources.files("tierwise.registry").joinpath("shipped/banking77/small.gguf"))
SCHEMA = {
    "type": "object",
    "properties": {"intent": {"type": "string", "enum": ["card_arrival", "lost_or_stolen_card", "top_up_failed"]}},
    "required": ["intent"],
    "additionalProperties": False,
}


def ask(text="My card has not arrived yet.", **more):
    fields = {"model": "small", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}
    return json.dumps(fields).encode()


def bound(**more):
    return ask(response_format={"type": "json_schema", "json_schema": {"name": "i", "schema": SCHEMA}}, **more)


def soon(seconds=20.0):
    return asyncio.get_running_loop().time() + seconds


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def scenario(run, work, *, pace=None, check=admit, **options):
    """Run `work(transport, engine)` with an engine that has not been started."""

    async def go():
        transport = Transport()
        engine = Engine(
            EngineOptions(file=SMALL, **options), name="embedded", transport=transport, admit=check, pace=pace
        )
        try:
            return await work(transport, engine)
        finally:
            pid = engine.pid
            await engine.stop()
            await transport.aclose()
            assert pid is None or not alive(pid)

    return run(go())


async def chat(transport, address, body):
    exchange = await transport.post(address, "/chat/completions", body, deadline=soon(), stream=False)
    answer = json.loads(await exchange.read_all())
    assert exchange.status == 200, answer
    return answer


def test_answers_by_schema_with_logprobs(run):
    async def work(transport, engine):
        assert (engine.state, engine.pid) == ("stopped", None)
        address = await engine.start()
        assert (engine.state, engine.context_tokens) == ("ready", 512)
        answer = await chat(transport, address, bound(logprobs=True, top_logprobs=1))
        choice = answer["choices"][0]
        assert json.loads(choice["message"]["content"])["intent"] in SCHEMA["properties"]["intent"]["enum"]
        tokens = choice["logprobs"]["content"]
        assert b"".join(bytes(token["bytes"]) for token in tokens).decode() == choice["message"]["content"]
        assert all(token["logprob"] <= 0 for token in tokens)
        assert answer["usage"]["completion_tokens"] >= len(tokens)
        assert SMALL not in json.dumps(answer)  # no path of this machine leaves

    scenario(run, work)


def test_a_stream_spells_the_same_answer(run):
    async def work(transport, engine):
        address = await engine.start()
        whole = (await chat(transport, address, bound()))["choices"][0]["message"]["content"]
        body = bound(stream=True)
        exchange = await transport.post(address, "/chat/completions", body, deadline=soon(), stream=True)
        assert exchange.headers[b"content-type"].startswith(b"text/event-stream")
        events = (await exchange.read_all()).decode().split("\n\n")
        chunks = [json.loads(event[6:]) for event in events if event.startswith("data: {")]
        assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c["choices"]) == whole
        assert "data: [DONE]" in events

    scenario(run, work)


def test_the_key_is_asked_for(run):
    async def work(transport, engine):
        address = await engine.start()
        for path in ("/chat/completions", "/models"):
            exchange = await transport.post(Address(url=address.url), path, ask(), deadline=soon(), stream=False)
            assert exchange.status == 401

    scenario(run, work)


def test_leaving_frees_the_slot(run, until):
    async def work(transport, engine):
        address = await engine.start()
        root = Address(url=address.url.removesuffix("/v1"), key=address.key)

        async def busy():
            slots = json.loads(await (await transport.get(root, "/slots", deadline=soon())).read_all())
            return sum(slot["is_processing"] for slot in slots)

        endless = ask(max_tokens=400, ignore_eos=True, stream=True, logit_bias=[[2, False]])
        for way in ("release", "cancel"):
            exchange = await transport.post(address, "/chat/completions", endless, deadline=soon(), stream=True)
            assert await exchange.read_some()
            if way == "release":
                exchange.release()
            else:
                reading = asyncio.create_task(exchange.read_all())
                await asyncio.sleep(0)
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            deadline = soon(2)
            while await busy():
                assert soon(0) < deadline
        assert (await chat(transport, address, bound()))["choices"]

    scenario(run, work, slots=1)


def test_slots_answer_side_by_side_and_more_calls_queue(run):
    async def work(transport, engine):
        address = await engine.start()
        root = Address(url=address.url.removesuffix("/v1"), key=address.key)
        slots = json.loads(await (await transport.get(root, "/slots", deadline=soon())).read_all())
        assert [slot["n_ctx"] for slot in slots] == [512] * 3  # each has the whole context
        answers = await asyncio.gather(*(chat(transport, address, bound()) for _ in range(40)))
        assert len({answer["choices"][0]["message"]["content"] for answer in answers}) == 1

    scenario(run, work, slots=3)


def test_callers_share_one_start(run):
    async def work(_, engine):
        impatient = asyncio.create_task(engine.start())
        await asyncio.sleep(0)
        impatient.cancel()
        addresses = await asyncio.gather(*(engine.start() for _ in range(10)))
        assert len(set(addresses)) == 1
        first = engine.pid
        await engine.stop()
        assert (engine.state, engine.pid) == ("stopped", None)
        assert not alive(first)
        again = await engine.start()
        assert again not in addresses
        assert again.key != addresses[0].key

    scenario(run, work)


def test_two_engines_start_well_under_a_second_each(run):
    async def work(transport, engine):
        other = Engine(EngineOptions(file=SMALL), name="other", transport=transport, admit=admit)
        began = time.perf_counter()
        try:
            await asyncio.gather(engine.start(), other.start())
            assert time.perf_counter() - began < 2  # measured 0.2 s; the bound leaves room for a busy machine
        finally:
            await other.stop()

    scenario(run, work)


def test_a_crash_is_followed_by_a_pause_that_doubles(run, until):
    async def work(transport, engine):
        address = await engine.start()
        os.kill(engine.pid, signal.SIGSTOP)  # so that the call is surely under way
        call = asyncio.create_task(chat(transport, address, ask()))
        await asyncio.sleep(0.01)
        for pause in (0.2, 0.4):
            pid = engine.pid
            os.kill(pid, signal.SIGKILL)
            await until(lambda: engine.state == "failed")
            assert "signal 9" in engine.reason
            with pytest.raises(Overloaded) as caught:
                await engine.start()
            assert 0 < caught.value.retry_after_s <= pause + 1e-6  # the clock is a float
            assert caught.value.retry_after_s > pause / 2
            await asyncio.sleep(caught.value.retry_after_s + 0.01)
            assert await engine.start() != address
            assert engine.pid != pid
        with pytest.raises(ProviderError):
            await call
        assert (await chat(transport, await engine.start(), bound()))["choices"]

    scenario(run, work, pace=Pace(first_pause_s=0.2))


def test_an_engine_that_hangs_is_ended(run, until):
    async def work(_, engine):
        await engine.start()
        assert await engine.healthy()
        os.kill(engine.pid, signal.SIGSTOP)
        await until(lambda: engine.state == "failed")
        assert engine.pid is None

    scenario(run, work, pace=Pace(health_every_s=0.05, health_timeout_s=0.1, health_strikes=2))


def test_stopping_ends_a_child_that_does_not_listen(run, until):
    async def work(_, engine):
        await engine.start()
        pid = engine.pid
        os.kill(pid, signal.SIGSTOP)
        await engine.stop()
        await until(lambda: not alive(pid))

    scenario(run, work)


def test_stopping_while_it_starts(run):
    async def work(_, engine):
        for steps in (0, 1, 2, 5, 20):
            starting = asyncio.create_task(engine.start())
            for _ in range(steps):
                await asyncio.sleep(0.005)
            await engine.stop()
            assert engine.state == "stopped"
            await asyncio.gather(starting, return_exceptions=True)

    scenario(run, work)


PARENT = """
    import asyncio, sys
    from tierwise.core.model import EngineOptions
    from tierwise.hardware.admit import admit
    from tierwise.providers.engine import Engine
    from tierwise.providers.transport import Transport

    async def main():
        engine = Engine(EngineOptions(file=sys.argv[1]), name="e", transport=Transport(), admit=admit)
        await engine.start()
        print(engine.pid, flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_child_does_not_outlive_its_parent(how):
    command = [sys.executable, "-c", textwrap.dedent(PARENT), SMALL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        pid = int(parent.stdout.readline())
        assert alive(pid)
        parent.send_signal(how)
        parent.wait(5)
        gone_by(pid, 2)


def gone_by(pid, seconds):
    deadline = time.monotonic() + seconds
    while alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals the end of a pipe")
def test_not_even_while_the_engine_loads_and_lets_no_thread_run(tmp_path):
    """The model is a pipe that nobody writes to: the engine waits in read() and holds the interpreter's lock."""
    pipe = tmp_path / "model.gguf"
    os.mkfifo(pipe)
    orders = {
        "format": "gguf",
        "file": str(pipe),
        "name": "m",
        "slots": 1,
        "context_tokens": 64,
        "threads": 1,
        "checkpoints": 4,
        "http_threads": 2,
    }
    child = subprocess.Popen(
        [sys.executable, "-I", engine_child.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    child.stdin.write(json.dumps({**orders, "key": "k"}).encode() + b"\n")
    child.stdin.flush()
    writer = None
    deadline = time.monotonic() + 10
    while writer is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # succeeds from the moment when the engine is opening it
            writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.01)
    assert writer is not None
    child.stdin.close()
    child.wait(2)
    os.close(writer)


def junk(kind, folder):
    file = folder / "model.gguf"
    good = Path(SMALL).read_bytes()
    if kind == "folder":
        file.mkdir()
    elif kind == "junk":
        file.write_bytes(b"PK\x03\x04" + bytes(4096))
    elif kind == "cut":
        file.write_bytes(good[: len(good) // 2])
    elif kind == "cut header":
        file.write_bytes(good[:100])
    elif kind == "version":
        file.write_bytes(good[:4] + b"\x09\0\0\0" + good[8:])
    elif kind == "empty":
        file.write_bytes(b"")
    return str(file)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "there is no such file"),
        ("folder", "it is not a file"),
        ("empty", "truncated"),
        ("junk", "not a GGUF file"),
        ("cut", "truncated"),
        ("cut header", "truncated"),
        ("version", "version 9 is not supported"),
    ],
)
def test_files_that_cannot_be_loaded_are_refused_beforehand(run, tmp_path, kind, words):
    file = junk(kind, tmp_path)

    async def go():
        transport = Transport()
        engine = Engine(EngineOptions(file=file), name="e", transport=transport, admit=admit)
        for _ in range(2):  # at once, and again during the pause
            with pytest.raises(ConfigError, match=words) as caught:
                await engine.start()
            assert caught.value.file == file
            assert file in str(caught.value)
            assert engine.state == "failed"
        await engine.stop()
        await transport.aclose()

    run(go())


def test_too_little_memory(run):
    tiny = Machine(system="Linux", cores=2, memory_available_bytes=150 * 1024 * 1024)

    async def work(_, engine):
        with pytest.raises(ConfigError, match=r"does not fit into memory: it needs about .* can be used. Free memory"):
            await engine.start()
        assert engine.pid is None

    scenario(run, work, check=lambda options: admit(options, tiny))


def test_what_the_engine_itself_refuses(run, tmp_path):
    """A well-formed header of an architecture that the engine does not know."""
    file = tmp_path / "odd.gguf"
    file.write_bytes(Path(SMALL).read_bytes().replace(b"\x05\0\0\0\0\0\0\0llama", b"\x05\0\0\0\0\0\0\0lhama", 1))

    async def go():
        transport = Transport()
        engine = Engine(EngineOptions(file=str(file)), name="e", transport=transport, admit=admit)
        with pytest.raises(ConfigError, match=r"could not load .*lhama"):
            await engine.start()
        await transport.aclose()

    run(go())


def test_without_the_extra(run, tmp_path, monkeypatch):
    venv.create(tmp_path / "bare", with_pip=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare/bin/python"))

    async def work(_, engine):
        with pytest.raises(ConfigError, match=r"pip install 'tierwise\[embedded\]'"):
            await engine.start()

    scenario(run, work)


def test_a_child_that_dies_at_once_and_one_that_cannot_be_started(run, monkeypatch):
    async def work(_, engine):
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(ConfigError, match="exit status 1"):
            await engine.start()
        await engine.stop()

    scenario(run, work, pace=Pace(first_pause_s=0))

    async def absent(_, engine):
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(Overloaded, match="cannot be started"):
            await engine.start()

    scenario(run, absent, pace=Pace(first_pause_s=0))


def test_the_tail_of_the_output_is_bounded(run, monkeypatch, tmp_path):
    noisy = tmp_path / "noisy"
    noisy.write_text("#!/bin/sh\ni=0; while [ $i -lt 20000 ]; do echo 0.1 E bad luck >&2; i=$((i+1)); done\n")
    noisy.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(noisy))

    async def go():
        child = await Child.spawn({})
        report = await child.report()
        assert report.error == "died"
        await child.end()
        assert child.last_words() == "bad luck; bad luck"
        assert len(child._tail) <= 8192

    run(go())
