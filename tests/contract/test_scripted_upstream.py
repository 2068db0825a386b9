"""The scripted upstream against a client that somebody else wrote: the official one."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import openai
import pytest

from tierwise.testing import Script, ScriptedUpstream

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": PARAMETERS}} for name in ("weather", "traffic")
]
SCHEMA = {
    "type": "object",
    "properties": {"intent": {"type": "string", "enum": ["lost", "pin"]}},
    "required": ["intent"],
}
WANTED: Any = {"type": "json_schema", "json_schema": {"name": "intent", "schema": SCHEMA, "strict": True}}


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream.in_thread(key="k") as up:
        yield up


@pytest.fixture
def client(upstream: ScriptedUpstream) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=upstream.url, api_key="k", max_retries=0, timeout=10) as made:
        yield made


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


def until(condition: Callable[[], bool], limit_s: float = 5.0) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_an_answer_and_its_bill(upstream: ScriptedUpstream, client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="scripted-1", messages=said("hello big world"), n=2)
    assert [choice.message.content for choice in answer.choices] == ["hello big world", "hello big world #1"]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 7)
    assert (upstream.prompt_tokens, upstream.completion_tokens) == (3, 7)
    [request] = upstream.received
    assert (request.key, request.path, request.status) == ("k", "/v1/chat/completions", 200)
    assert json.loads(request.body)["n"] == 2


def test_a_stream_and_its_bill(client: openai.OpenAI) -> None:
    stream = client.chat.completions.create(
        model="scripted-1", messages=said("a b c"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content] == ["a", " b", " c"]
    assert chunks[-1].usage is not None
    assert (chunks[-1].choices, chunks[-1].usage.total_tokens) == ([], 6)


def test_models_and_keys(upstream: ScriptedUpstream, client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["scripted-1"]
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").models.list()
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="other", messages=said("x"))
    with pytest.raises(openai.BadRequestError, match="script"):
        client.chat.completions.create(model="scripted-1?fault=wobble", messages=said("x"))


def test_tools_streamed_and_not(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="scripted-1", messages=said("weather and traffic"), tools=TOOLS)
    assert whole.choices[0].finish_reason == "tool_calls"
    calls: Any = whole.choices[0].message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("weather", {"city": "text", "days": 0}),
        ("traffic", {"city": "text", "days": 0}),
    ]
    with client.chat.completions.stream(
        model="scripted-1", messages=said("weather and traffic"), tools=TOOLS
    ) as stream:
        final: Any = stream.get_final_completion().choices[0].message.tool_calls
    assert [(c.id, c.function.name, c.function.arguments) for c in final] == [
        (c.id, c.function.name, c.function.arguments) for c in calls
    ]


def test_schema_and_logprobs(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="scripted-1", messages=said("my pin"), response_format=WANTED, logprobs=True, top_logprobs=1
    )
    assert answer.choices[0].message.content == '{"intent":"pin"}'
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert b"".join(bytes(token.bytes or ()) for token in logprobs.content) == b'{"intent":"pin"}'
    assert {token.logprob for token in logprobs.content} == {-0.125}
    low = client.chat.completions.create(model="scripted-1?fault=low_logprobs", messages=said("x"), logprobs=True)
    assert low.choices[0].logprobs is not None
    assert [token.logprob for token in low.choices[0].logprobs.content or ()] == [-4.0]


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("error", openai.InternalServerError),
        ("error&status=503", openai.InternalServerError),
        ("error&status=422", openai.UnprocessableEntityError),
        ("rate_limit", openai.RateLimitError),
        ("context", openai.BadRequestError),
        ("bad_json", json.JSONDecodeError),
        ("empty_body", json.JSONDecodeError),
        ("cut", openai.APIConnectionError),
        ("drop", openai.APIConnectionError),
        ("reset", openai.APIConnectionError),
        ("wrong_length", openai.APIConnectionError),
    ],
)
def test_faults_that_a_client_sees(client: openai.OpenAI, script: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        client.chat.completions.create(model=f"scripted-1?fault={script}", messages=said("x y z"))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("drop", openai.APIConnectionError),
        ("reset", openai.APIConnectionError),
        ("in_band_error", openai.APIError),
        ("bad_json", json.JSONDecodeError),
    ],
)
def test_faults_in_a_stream(client: openai.OpenAI, script: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        list(client.chat.completions.create(model=f"scripted-1?fault={script}", messages=said("x y z"), stream=True))


def test_a_fault_for_so_many_times(client: openai.OpenAI) -> None:
    name = "scripted-1?fault=error&times=2"
    outcomes = []
    for _ in range(4):
        try:
            outcomes.append(client.chat.completions.create(model=name, messages=said("x")).choices[0].message.content)
        except openai.InternalServerError:
            outcomes.append(None)
    assert outcomes == [None, None, "x", "x"]


def test_scripts_from_the_program(upstream: ScriptedUpstream, client: openai.OpenAI) -> None:
    upstream.script(Script(fault="rate_limit", retry_after="2"), Script(text="as told"))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model="scripted-1", messages=said("x"))
    assert caught.value.response.headers["retry-after"] == "2"
    answers = [client.chat.completions.create(model="scripted-1", messages=said("x")) for _ in range(2)]
    assert [answer.choices[0].message.content for answer in answers] == ["as told", "x"]


def test_a_client_that_leaves_is_counted(upstream: ScriptedUpstream, client: openai.OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.2).chat.completions.create(model="scripted-1?fault=hang", messages=said("x"))
    until(lambda: upstream.cancelled == 1)
    slow = "scripted-1?fault=slow_chunks&delay_ms=2000"
    stream = client.chat.completions.create(model=slow, messages=said("x y"), stream=True)
    next(iter(stream))
    stream.close()
    until(lambda: upstream.cancelled == 2)
    assert [request.cancelled for request in upstream.asked] == [True, True]


def test_connections_are_kept_and_can_be_closed_in_between(upstream: ScriptedUpstream, client: openai.OpenAI) -> None:
    for _ in range(3):
        client.chat.completions.create(model="scripted-1", messages=said("x"))
    assert upstream.connections == 1
    client.chat.completions.create(model="scripted-1?fault=close_kept", messages=said("x"))
    with pytest.raises(openai.APIConnectionError):
        client.chat.completions.create(model="scripted-1", messages=said("x"))
    assert len(upstream.asked) == 4
    client.chat.completions.create(model="scripted-1", messages=said("x"))
    assert upstream.connections == 2


def test_many_at_once(upstream: ScriptedUpstream, client: openai.OpenAI) -> None:
    def ask(number: int) -> str | None:
        answer = client.chat.completions.create(model="scripted-1", messages=said(f"number {number}"))
        return answer.choices[0].message.content

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(40))) == [f"number {number}" for number in range(40)]
    assert (upstream.prompt_tokens, upstream.completion_tokens) == (80, 80)


def test_in_a_loop_with_requests_in_a_row() -> None:
    async def run() -> bytes:
        async with ScriptedUpstream() as up:
            reader, writer = await asyncio.open_connection(up.host, up.port)
            body = json.dumps({"model": "scripted-1", "messages": said("x")}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
            writer.write(
                b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n" + head + body + b"GET /none HTTP/1.1\r\nhost: x\r\n\r\n"
            )
            data = b""
            while data.count(b"HTTP/1.1 ") < 3 or not data.endswith(b"}}"):
                data += await asyncio.wait_for(reader.read(65536), 5)
            writer.close()
            await writer.wait_closed()
            return data

    data = asyncio.run(run())
    assert data.index(b'"object":"list"') < data.index(b'"chat.completion"') < data.index(b'"unknown_url"')


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"model":1}', b'{"model":"scripted-1"}', b'{"model":"scripted-1","messages":[{"content":5}]}'],
)
def test_what_it_cannot_read(upstream: ScriptedUpstream, client: openai.OpenAI, body: bytes) -> None:
    response = client._client.post(
        upstream.url + "/chat/completions", content=body, headers={"authorization": "Bearer k"}
    )
    assert response.status_code == 400
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}


def test_as_a_process() -> None:
    command = [sys.executable, "-W", "error", "-m", "tierwise.testing", "--key", "k", "--model", "a", "--model", "b"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with openai.OpenAI(base_url=url, api_key="k", max_retries=0) as client:
            assert [model.id for model in client.models.list()] == ["a", "b"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
