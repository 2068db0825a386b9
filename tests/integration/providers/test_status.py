"""How busy servers say they are: the scripted upstream plays the status pages of each kind, byte for byte as documented."""

import asyncio
from typing import Any

import pytest

from tierwise.core.capacity import Capacity
from tierwise.providers.address import Address
from tierwise.providers.status import ANY, asked, gauges, status
from tierwise.providers.transport import Transport
from tierwise.testing import ScriptedUpstream

VLLM = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="big"} 8.0
vllm:num_requests_running{engine="1",model_name="big"} 7.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="big"} 2.0
vllm:num_requests_waiting{engine="1",model_name="big"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="big",reason="capacity"} 99.0
vllm:kv_cache_usage_perc{engine="0",model_name="big"} 0.93
"""
SGLANG = """\
sglang:num_running_reqs{model_name="big"} 3.0
sglang:num_queue_reqs{model_name="big"} 1.0
sglang:num_queue_reqs_total{model_name="big"} 400.0
"""
TGI = "tgi_batch_current_size 5\ntgi_queue_size 4\n"
PROPS = {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 2, "is_sleeping": False}
BUSY = [{"id": 0, "is_processing": True, "n_ctx": 4096}, {"id": 1, "is_processing": True, "n_ctx": 4096}]
HALF = [BUSY[0], BUSY[1] | {"is_processing": False}]
DEFERRED = "# TYPE llamacpp:requests_deferred gauge\nllamacpp:requests_deferred 3\n"


def half(**more: Any) -> Capacity:
    return Capacity(slots=2, loaded=True, context_tokens=4096, **more)


CASES: dict[str, tuple[str, dict[str, Any], bool, dict[str, Capacity]]] = {
    "llama.cpp with a free slot": ("llamacpp", {"/props": PROPS, "/slots": HALF}, False, {ANY: half(running=1, waiting=0)}),
    "llama.cpp with a queue": (
        "llamacpp", {"/props": PROPS, "/slots": BUSY, "/metrics": DEFERRED}, False, {ANY: half(running=2, waiting=3)},
    ),
    "llama.cpp whose queue is not told": (
        "llamacpp", {"/props": PROPS, "/slots": BUSY}, False, {ANY: half(running=2, waiting=0)},
    ),
    "llama.cpp that does not tell its slots": ("llamacpp", {"/props": PROPS}, False, {ANY: half()}),
    "llama.cpp asleep": (
        "llamacpp", {"/props": PROPS | {"is_sleeping": True}, "/slots": HALF}, False,
        {ANY: Capacity(slots=2, loaded=False, context_tokens=4096)},
    ),
    "llama.cpp that is not to be kept awake": ("llamacpp", {"/props": PROPS, "/slots": HALF}, True, {ANY: half()}),
    "llama.cpp as a router": (
        "llamacpp",
        {
            "/props": {"role": "router"},
            "/v1/models": {"data": [
                {"id": "a b", "status": {"value": "loaded"}}, {"id": "c", "status": {"value": "unloaded"}},
            ]},
            "/props?model=a%20b&autoload=false": PROPS,
            "/slots?model=a%20b&autoload=false": HALF,
        },
        False,
        {"a b": half(running=1, waiting=0), "c": Capacity(loaded=False)},
    ),
    "Ollama": (
        "ollama",
        {"/api/ps": {"models": [{"name": "gemma4:latest", "size_vram": 5, "context_length": 4096}]}},
        False,
        {
            ANY: Capacity(loaded=False),
            "gemma4": Capacity(loaded=True, context_tokens=4096),
            "gemma4:latest": Capacity(loaded=True, context_tokens=4096),
        },
    ),
    "vLLM": (
        "vllm", {"/metrics": VLLM, "/v1/models": {"data": [{"id": "big", "max_model_len": 32768}]}}, False,
        {"big": Capacity(running=15, waiting=2, loaded=True, context_tokens=32768)},
    ),
    "SGLang": (
        "sglang", {"/metrics": SGLANG, "/v1/models": {"data": [{"id": "big", "max_model_len": 8192}]}}, False,
        {"big": Capacity(running=3, waiting=1, loaded=True, context_tokens=8192)},
    ),
    "TGI": ("tgi", {"/metrics": TGI, "/v1/models": {"data": []}}, False, {ANY: Capacity(running=5, waiting=4, loaded=True)}),
    "LM Studio": (
        "lmstudio",
        {"/api/v1/models": {"models": [
            {"key": "q", "type": "llm", "loaded_instances": [{"config": {"context_length": 2048}}]},
            {"key": "r", "type": "llm", "loaded_instances": []},
        ]}},
        False,
        {"q": Capacity(loaded=True, context_tokens=2048), "r": Capacity(loaded=False)},
    ),
    "a page of another shape": ("llamacpp", {"/props": [1, 2]}, False, {}),
    "no pages at all": ("ollama", {}, False, {}),
    "hostile numbers": (
        "vllm",
        {"/metrics": 'vllm:num_requests_running{model_name="a"} NaN\nvllm:num_requests_running{model_name="b"} -4\n'
                     'vllm:num_requests_waiting{model_name="c"} 1e300\nvllm:num_requests_waiting{model_name="d"\n'},
        False,
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "pages", "briefly", "wanted"), CASES.values(), ids=CASES)
def test_a_server_is_as_busy_as_its_pages_say(
    kind: str, pages: dict[str, Any], briefly: bool, wanted: dict[str, Capacity]
) -> None:
    async def scene() -> list[str]:
        async with ScriptedUpstream() as upstream:
            upstream.pages |= pages
            transport = Transport()
            try:
                assert await status(transport, Address(url=upstream.url), kind, briefly=briefly) == wanted
            finally:
                await transport.aclose()
            return [f"{one.method} {one.path}" for one in upstream.received]

    asked_for = asyncio.run(scene())
    assert all(one.startswith("GET ") for one in asked_for), "no status question is a call"
    assert not briefly or asked_for == ["GET /props"]


def test_a_server_that_is_not_there_says_nothing() -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as upstream:
            url = upstream.url
        transport = Transport()
        try:
            assert await status(transport, Address(url=url), "llamacpp") == {}
        finally:
            await transport.aclose()

    asyncio.run(scene())


def test_an_outside_api_has_no_status_that_is_asked_for() -> None:
    assert not any(asked(kind) for kind in ("openai", "anthropic", "gemini", "scripted", "openai_compatible"))


def test_a_gauge_is_read_by_its_whole_name() -> None:
    assert gauges("a 1\nab 2\na_b 3\na{} 4\n# a 9\n", "a") == {ANY: 5}
    assert gauges(None, "a") == {}
