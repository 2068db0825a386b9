"""Servers that answer in the documented shapes, the real llama.cpp, and things that are something else."""

import asyncio
import json
from importlib import resources

import msgspec
import pytest

from tierwise.core.model import EngineOptions, Limits
from tierwise.core.secret import Secret
from tierwise.hardware.admit import admit
from tierwise.providers.discover import Found, ServedModel, discover, inspect
from tierwise.providers.engine import Engine, installed
from tierwise.providers.transport import Address, Transport

SMALL = str(resources.files("tierwise.registry").joinpath("shipped/banking77/small.gguf"))
WIRE = ("stream", "tools", "images", "schema", "json")


class Row(msgspec.Struct):
    kind: str
    url: str | None
    capabilities: tuple[str, ...] = WIRE
    more_urls: tuple[str, ...] = ()


def serving(answers, *, key=None, headers=""):
    """Answer each path with its JSON; a callable is given the request's body."""

    async def handler(peer):
        while True:
            line, sent, body = await peer.request()
            path = line.split(" ")[1]
            if key is not None and sent.get("authorization") != f"Bearer {key}":
                await peer.answer(b'{"error":{"message":"Invalid API Key"}}', "401 Unauthorized", headers)
            elif path not in answers:
                await peer.answer(b"404 page not found", "404 Not Found", headers)
            else:
                answer = answers[path](json.loads(body)) if callable(answers[path]) else answers[path]
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                await peer.answer(data, extra="content-type: application/json\r\n" + headers)

    return handler


def found_at(run, loopback, kind, handler):
    async def go():
        async with loopback.listen(handler):
            transport = Transport()
            try:
                return await discover(transport, [Row(kind, loopback.url)])
            finally:
                await transport.aclose()

    return run(go())


def inspected(run, loopback, kind, handler, **address):
    async def go():
        async with loopback.listen(handler):
            transport = Transport()
            try:
                return await inspect(transport, Address(url=loopback.url, **address), Row(kind, None))
            finally:
                await transport.aclose()

    return run(go())


OLLAMA = {
    "/api/version": {"version": "0.40.12"},
    "/api/tags": {
        "models": [
            {"name": "gemma4:latest", "model": "gemma4:latest", "size": 6591830464, "details": {"format": "gguf"}},
            {"name": "qwen3:4b", "size": 2000000000, "digest": "359d7dd4bcda"},
            {"name": "fixed:1b", "size": 1000000000},
            {"name": "nomic-embed-text:latest", "size": 270000000},
            {"name": "gpt-oss:120b-cloud", "size": 384, "remote_model": "gpt-oss:120b", "remote_host": "https://ollama.com:443"},
            {"name": "mine:latest", "size": 384, "remote_host": "https://ollama.com:443"},
            {"name": "glm:cloud", "size": 384},
            {"name": "copied:latest", "size": 384},
        ]
    },
    "/api/ps": {"models": [{"name": "gemma4:latest", "model": "gemma4:latest", "context_length": 4096, "size_vram": 1}]},
}  # fmt: skip


def show(question):
    info = {"model_info": {"gemma4.context_length": 131072}}
    return {
        "gemma4:latest": {"capabilities": ["completion", "tools", "vision"], "parameters": "temperature 1", **info},
        "qwen3:4b": {"capabilities": ["completion", "thinking"], **info},
        "fixed:1b": {"capabilities": ["completion"], "parameters": 'stop "a"\nnum_ctx                        2048'},
        "nomic-embed-text:latest": {"capabilities": ["embedding"]},
        "copied:latest": {"capabilities": ["completion"], "remote_model": "gpt-oss:120b"},
    }[question["model"]]


def test_ollama(run, loopback):
    (found,) = found_at(run, loopback, "ollama", serving({**OLLAMA, "/api/show": show}))
    plain = ("stream", "schema", "json")
    assert found == Found(
        kind="ollama",
        url=loopback.url,
        version="0.40.12",
        detail="4 left out: not on this machine",
        models=(
            ServedModel(id="gemma4:latest", context_tokens=4096, capabilities=WIRE, loaded=True),
            ServedModel(id="qwen3:4b", context_tokens=None, capabilities=plain, loaded=False, digest="359d7dd4bcda"),
            ServedModel(id="fixed:1b", context_tokens=2048, capabilities=plain, loaded=False),
        ),
    )
    asked = {json.loads(body)["model"] for line, _, body in loopback.requests if "/api/show" in line}
    assert not {name for name in asked if "cloud" in name}
    assert all(line.split(" ")[0] == "GET" or "/api/show" in line for line, _, _ in loopback.requests)


def test_ollama_without_what_newer_versions_tell(run, loopback):
    answers = {**OLLAMA, "/api/ps": {"models": [{"name": "gemma4:latest"}]}}
    (found,) = found_at(run, loopback, "ollama", serving(answers))
    assert found.models == ()
    assert found.detail == "3 left out: not on this machine; 5 did not answer"


LMSTUDIO = {
    "/api/v1/models": {
        "models": [
            {
                "type": "llm",
                "key": "qwen/qwen3.5-9b",
                "loaded_instances": [
                    {"id": "a", "config": {"context_length": 8192}},
                    {"id": "b", "config": {"context_length": 4096}},
                ],
                "max_context_length": 131072,
                "capabilities": {"vision": False, "trained_for_tool_use": True},
            },
            {
                "type": "llm",
                "key": "google/gemma-3-4b",
                "loaded_instances": [],
                "max_context_length": 131072,
                "capabilities": {"vision": True, "trained_for_tool_use": False},
            },
            {"type": "embedding", "key": "nomic", "loaded_instances": [], "max_context_length": 2048},
        ]
    }
}
LMSTUDIO_V0 = {
    "/api/v0/models": {
        "data": [
            {"id": "a", "type": "llm", "state": "loaded", "max_context_length": 32768, "loaded_context_length": 4096, "capabilities": ["tool_use"]},
            {"id": "b", "type": "vlm", "state": "not-loaded", "max_context_length": 32768},
            {"id": "c", "type": "embeddings", "state": "not-loaded", "max_context_length": 2048},
        ]
    }
}  # fmt: skip


def test_lmstudio(run, loopback):
    (found,) = found_at(run, loopback, "lmstudio", serving(LMSTUDIO))
    assert found.models == (
        ServedModel(
            id="qwen/qwen3.5-9b", context_tokens=4096, capabilities=("stream", "tools", "schema", "json"), loaded=True
        ),
        ServedModel(id="google/gemma-3-4b", capabilities=("stream", "images", "schema", "json"), loaded=False),
    )


def test_lmstudio_before_its_new_interface(run, loopback):
    (found,) = found_at(run, loopback, "lmstudio", serving(LMSTUDIO_V0))
    assert [(one.id, one.context_tokens, one.loaded) for one in found.models] == [("a", 4096, True), ("b", None, False)]
    assert "tools" in found.models[0].capabilities
    assert "images" in found.models[1].capabilities


VLLM = {
    "/v1/models": {
        "object": "list",
        "data": [{"id": "Qwen/Qwen3-8B", "object": "model", "owned_by": "vllm", "root": "x", "max_model_len": 40960}],
    },
    "/version": {"version": "0.19.0"},
}


def test_vllm(run, loopback):
    (found,) = found_at(run, loopback, "vllm", serving(VLLM))
    assert (found.version, found.slots) == ("0.19.0", None)
    (model,) = found.models
    assert (model.id, model.context_tokens, model.loaded) == ("Qwen/Qwen3-8B", 40960, True)
    assert "tools" not in model.capabilities  # needs a switch that the server does not tell


@pytest.mark.skipif(not installed(), reason="the extra 'embedded' is not installed")
def test_the_real_llamacpp(run):
    async def go():
        transport = Transport()
        engine = Engine(EngineOptions(file=SMALL, slots=3), name="e", transport=transport, admit=admit)
        try:
            address = await engine.start()
            seen = await inspect(transport, address, Row("llamacpp", None))
            keyless = await inspect(transport, Address(url=address.url), Row("llamacpp", None))
            found = await discover(transport, [Row("llamacpp", address.url)])
        finally:
            await engine.stop()
            await transport.aclose()
        assert (seen.reachable, seen.slots, seen.code) == (True, 3, None)
        assert seen.latency_ms > 0
        (model,) = seen.models
        assert (model.id, model.context_tokens, model.loaded) == ("small", 512, True)
        assert model.capabilities == ("stream", "schema", "json")  # the template knows no tools
        assert (keyless.reachable, keyless.models) == (True, None)
        assert "does not accept the key" in keyless.detail
        (locked,) = found
        assert (locked.models, locked.detail) == ((), "it wants a key: add it as an [[endpoint]] with its key")

    run(go())


def test_a_llamacpp_of_several_models_tells_the_context_of_none(run, loopback):
    answers = {
        "/props": {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 2},
        "/v1/models": {"data": [{"id": "a", "owned_by": "llamacpp"}, {"id": "b", "owned_by": "llamacpp"}]},
    }
    (found,) = found_at(run, loopback, "llamacpp", serving(answers))
    assert [(one.id, one.context_tokens, one.loaded) for one in found.models] == [("a", None, None), ("b", None, None)]


def test_a_sleeping_llamacpp_has_its_model_but_not_loaded(run, loopback):
    answers = {
        "/props": {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 1, "is_sleeping": True},
        "/v1/models": {"data": [{"id": "a", "owned_by": "llamacpp", "architecture": {"output_modalities": ["text"]}}]},
    }
    (found,) = found_at(run, loopback, "llamacpp", serving(answers))
    assert [(one.id, one.context_tokens, one.loaded) for one in found.models] == [("a", 4096, False)]


def entry(name, state, *, reads=("text",), makes=("text",), **more):
    told = {"input_modalities": list(reads), "output_modalities": list(makes)}
    return {
        "id": name,
        "object": "model",
        "owned_by": "llamacpp",
        "status": {"value": state, **more},
        "architecture": told,
    }


ROUTED = [
    entry("ggml-org/gemma-3-4b-it-GGUF:Q4_K_M", "loaded", reads=("text", "image"), args=["llama-server", "-ctx", "4096"]),
    entry("seen", "unloaded", reads=("text", "image")),
    entry("broken", "unloaded", failed=True, exit_code=1),
    entry("dozing", "sleeping"),
    entry("coming", "downloading", progress={"https://x/m.gguf": {"done": 1, "total": 2}}),
    entry("decides", "unloaded", makes=("decisions",)),
]  # fmt: skip
ROUTER = {"role": "router", "max_instances": 4, "build_info": "b10615-f280b2698"}
OWN = {
    "default_generation_settings": {"n_ctx": 8192},
    "total_slots": 2,
    "modalities": {"vision": True},
    "chat_template_caps": {"supports_tools": True, "supports_tool_calls": True},
}


def router(autoload):
    """A router as documented: what is asked of a model loads it, unless the question says not to."""
    loaded = []

    async def handler(peer):
        while True:
            line, _, _ = await peer.request()
            path, _, query = line.split(" ")[1].partition("?")
            asked = dict(pair.split("=") for pair in query.split("&") if pair)
            if path == "/v1/models":
                await peer.answer(json.dumps({"object": "list", "data": ROUTED}).encode())
            elif path != "/props":
                await peer.answer(b"{}", "404 Not Found")
            elif "model" not in asked:
                await peer.answer(json.dumps(ROUTER | {"models_autoload": autoload}).encode())
            elif asked["model"] == "ggml-org%2Fgemma-3-4b-it-GGUF%3AQ4_K_M":
                await peer.answer(json.dumps(OWN).encode())
            elif asked.get("autoload") == "false":
                await peer.answer(b'{"error":{"message":"model is not loaded"}}', "400 Bad Request")
            else:
                loaded.append(asked["model"])
                await peer.answer(json.dumps(OWN).encode())

    return handler, loaded


def test_a_router_lists_its_models_with_their_state_and_loads_none(run, loopback):
    handler, loaded = router(True)
    (found,) = found_at(run, loopback, "llamacpp", handler)
    plain, sees = ("stream", "schema", "json"), ("stream", "images", "schema", "json")
    assert found.models == (
        ServedModel(id="ggml-org/gemma-3-4b-it-GGUF:Q4_K_M", context_tokens=8192, capabilities=WIRE, loaded=True),
        ServedModel(id="seen", capabilities=sees, loaded=False),
        ServedModel(id="broken", capabilities=plain, loaded=False),
        ServedModel(id="dozing", capabilities=plain, loaded=False),
    )
    assert (found.version, found.slots) == ("b10615-f280b2698", None)
    assert found.detail == "router; 1 still being fetched; 1 failed to load before"
    assert not loaded
    asked = [line for line, _, _ in loopback.requests if "model=" in line]
    assert len(asked) == 1
    assert "&autoload=false " in asked[0]


def test_a_router_that_loads_nothing_by_itself_serves_what_is_loaded(run, loopback):
    (found,) = found_at(run, loopback, "llamacpp", router(False)[0])
    assert [one.id for one in found.models] == ["ggml-org/gemma-3-4b-it-GGUF:Q4_K_M"]
    assert "3 left out: not loaded, and it loads none by itself" in found.detail


SGLANG = {
    "/v1/models": {
        "object": "list",
        "data": [
            {"id": "Qwen/Qwen3-VL", "object": "model", "owned_by": "sglang", "root": "x", "max_model_len": 32768},
            {"id": "an-adapter", "object": "model", "owned_by": "sglang", "parent": "Qwen/Qwen3-VL"},
        ],
    },
    "/model_info": {"model_path": "x", "is_generation": True, "has_image_understanding": True},
    "/server_info": {"api_key": "secret", "version": "0.5"},
    "/get_server_info": {"api_key": "secret", "version": "0.5"},
}


def test_sglang_is_asked_nothing_that_would_tell_its_keys(run, loopback):
    (found,) = found_at(run, loopback, "sglang", serving(SGLANG))
    sees = ("stream", "images", "schema", "json")
    assert found.models == (
        ServedModel(id="Qwen/Qwen3-VL", context_tokens=32768, capabilities=sees, loaded=True),
        ServedModel(id="an-adapter", capabilities=sees, loaded=True),
    )
    assert {line.split(" ")[1] for line, _, _ in loopback.requests} == {"/v1/models", "/model_info"}


def test_sglang_before_it_told_what_it_sees(run, loopback):
    (found,) = found_at(run, loopback, "sglang", serving({"/v1/models": SGLANG["/v1/models"]}))
    assert {one.capabilities for one in found.models} == {("stream", "schema", "json")}


TGI = {
    "/info": {
        "model_id": "meta-llama/Llama-3.1-8B-Instruct",
        "model_sha": "e98",
        "model_pipeline_tag": "text-generation",
        "max_concurrent_requests": 128,
        "max_input_tokens": 4095,
        "max_total_tokens": 4096,
        "router": "text-generation-router",
        "version": "3.3.6",
    },
    "/v1/models": {"object": "list", "data": [{"id": "meta-llama/Llama-3.1-8B-Instruct", "owned_by": "meta-llama/x"}]},
}


def test_tgi(run, loopback):
    (found,) = found_at(run, loopback, "tgi", serving(TGI))
    plain = ("stream", "schema", "json")
    assert found.version == "3.3.6"
    assert found.models == (
        ServedModel(
            id="meta-llama/Llama-3.1-8B-Instruct", context_tokens=4096, capabilities=plain, loaded=True
        ),
    )  # fmt: skip


def test_a_server_that_only_makes_embeddings_is_no_tgi(run, loopback):
    """The sister server answers the same path: https://huggingface.github.io/text-embeddings-inference (2026-11)."""
    info = {"model_id": "BAAI/bge-m3", "model_type": {"embedding": {"pooling": "cls"}}, "max_input_length": 512}
    assert found_at(run, loopback, "tgi", serving({"/info": info})) == ()
    other = TGI["/info"] | {"router": "another-router"}
    assert found_at(run, loopback, "tgi", serving({"/info": other})) == ()


ONE_MODEL = {
    "/props": {"default_generation_settings": {"n_ctx": 4096}, "total_slots": 1, "build_info": "b1"},
    "/v1/models": {"object": "list", "data": [{"id": "m", "owned_by": "llamacpp"}]},
}
NEIGHBOURS = {"vllm": VLLM, "sglang": SGLANG, "tgi": TGI, "llamacpp": ONE_MODEL, "ollama": OLLAMA, "lmstudio": LMSTUDIO}


@pytest.mark.parametrize("server", NEIGHBOURS)
def test_each_server_is_told_apart_from_every_other(run, loopback, server):
    answers = serving(NEIGHBOURS[server] | {"/api/show": show} if server == "ollama" else NEIGHBOURS[server])

    async def go():
        async with loopback.listen(answers):
            transport = Transport()
            try:
                return await discover(transport, [Row(kind, loopback.url) for kind in NEIGHBOURS])
            finally:
                await transport.aclose()

    assert [one.kind for one in run(go())] == [server]


def test_a_kind_is_looked_for_at_each_of_its_addresses(run, loopback):
    async def go():
        async with loopback.listen(serving(TGI)):
            transport = Transport()
            row = Row("tgi", "http://127.0.0.1:1/v1", more_urls=(loopback.url, "http://192.0.2.1:3000/v1"))
            found = await discover(transport, [row])
            await transport.aclose()
            return found

    assert [(one.kind, one.url) for one in run(go())] == [("tgi", loopback.url)]


def test_a_server_of_the_messages_wire_is_told_the_version(run, loopback):
    async def handler(peer):
        while True:
            line, sent, _ = await peer.request()
            known = sent.get("anthropic-version") == "2023-06-01" and sent.get("x-api-key") == "k"
            if line.split(" ")[1] != "/v1/models" or not known:
                await peer.answer(b'{"type":"error","error":{"type":"invalid_request_error"}}', "400 Bad Request")
                continue
            data = [{"type": "model", "id": "claude-x", "display_name": "X", "max_input_tokens": 1000000}]
            await peer.answer(json.dumps({"data": data, "has_more": False}).encode())

    seen = inspected(run, loopback, "anthropic", handler, headers=(("x-api-key", Secret("k")),))
    assert seen.models == (
        ServedModel(id="claude-x", context_tokens=1000000, capabilities=("stream", "schema", "json")),
    )
    assert inspected(run, loopback, "anthropic", handler).code == "unexpected"


def test_gemini_lists_more_than_makes_text(run, loopback):
    models = [
        {"name": "models/gemini-x", "inputTokenLimit": 1048576, "supportedGenerationMethods": ["generateContent"]},
        {"name": "models/embedding-001", "inputTokenLimit": 2048, "supportedGenerationMethods": ["embedContent"]},
        {"name": "models/old"},
    ]
    seen = inspected(run, loopback, "gemini", serving({"/v1/models?pageSize=1000": {"models": models}}))
    assert [(one.id, one.context_tokens) for one in seen.models] == [("gemini-x", 1048576)]


def test_a_list_that_is_not_wrapped(run, loopback):
    models = [{"id": "a/b", "object": "model", "type": "chat", "context_length": 2048}]
    seen = inspected(run, loopback, "together", serving({"/v1/models": models}))
    assert [(one.id, one.context_tokens) for one in seen.models] == [("a/b", 2048)]


def test_any_server_of_the_wire(run, loopback):
    listed = [
        {"id": "a", "max_model_len": 1000},
        {"id": "b", "context_length": 2000},
        {"id": "c", "context_window": 3000},
        {"id": "e", "max_context_length": 4000},
        {"id": "d", "context_length": -1},
        {"id": "bad\u001b[31m", "context_length": 5},
        {"id": "x" * 300},
        {"id": ""},
    ]
    seen = inspected(
        run, loopback, "openai_compatible", serving({"/v1/models": {"data": listed}}, key="k"), key=Secret("k")
    )
    assert [(one.id, one.context_tokens) for one in seen.models] == [
        ("a", 1000),
        ("b", 2000),
        ("c", 3000),
        ("e", 4000),
        ("d", None),
    ]


OTHERS = {
    "a page": b"<!doctype html><title>hello</title>",
    "nothing": b"",
    "another shape": b'{"data": {"id": 1}}',
    "wrong types": b'{"version": 7, "models": [{"name": null, "key": [], "type": 3}], "data": [{"id": {}}]}',
    "deep": b'{"data":' + b"[" * 200_000,
    "deep unknown": b'{"x":' + b'{"y":' * 200_000,
    "large": b'{"data": [' + b'{"id":"a"},' * 600_000 + b'{"id":"b"}]}',
    "not UTF-8": b'{"data": [{"id": "\xff\xfe"}], "version": "\xff"}',
}


LOCAL = ("ollama", "lmstudio", "llamacpp", "vllm", "sglang", "tgi")


@pytest.mark.parametrize("kind", [*LOCAL, "openai_compatible", "anthropic", "gemini", "together"])
@pytest.mark.parametrize("name", OTHERS)
def test_what_is_something_else_is_not_found(run, loopback, kind, name):
    async def handler(peer):
        while True:
            await peer.request()
            await peer.answer(OTHERS[name])

    if kind in LOCAL:
        assert found_at(run, loopback, kind, handler) == ()
    seen = inspected(run, loopback, kind, handler)
    assert (seen.reachable, seen.models) == (True, None)
    assert seen.code in ("unexpected", "upstream_too_large")


def test_any_web_server_on_a_usual_port_is_not_taken_for_a_model_server(run, loopback):
    answers = {"/v1/models": {"data": [{"id": "a", "owned_by": "somebody"}]}, "/version": {"version": "1"}}
    for kind in LOCAL:
        assert found_at(run, loopback, kind, serving(answers)) == ()


def test_a_server_that_keeps_silent_costs_little_time(run, loopback):
    async def handler(peer):
        await peer.request()
        await peer.gone()

    async def go():
        async with loopback.listen(handler):
            transport = Transport()
            loop = asyncio.get_running_loop()
            began = loop.time()
            rows = [Row(kind, loopback.url) for kind in LOCAL]
            assert await discover(transport, rows) == ()
            assert loop.time() - began < 1.5
            await transport.aclose()

    run(go())


def test_a_list_that_drips_ends(run, loopback):
    async def handler(peer):
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not peer.reader.at_eof():
            await peer.send(b" ")
            await asyncio.sleep(0.05)

    assert found_at(run, loopback, "vllm", handler) == ()


def test_only_this_machine_is_asked_and_nothing_is_sent_but_questions(run, loopback):
    async def go():
        async with loopback.listen(serving(VLLM)):
            transport = Transport()
            rows = [Row("vllm", loopback.url), Row("openai", "https://api.openai.com/v1"), Row("scripted", None)]
            rows.append(Row("ollama", "http://192.0.2.1:11434/v1"))
            found = await discover(transport, rows)
            await transport.aclose()
            assert [one.kind for one in found] == ["vllm"]

    run(go())
    for _, headers, body in loopback.requests:
        assert "authorization" not in headers
        assert body == b""


def test_two_kinds_on_one_port_are_one_finding(run, loopback):
    async def go():
        async with loopback.listen(serving(VLLM)):
            transport = Transport()
            found = await discover(transport, [Row("vllm", loopback.url), Row("vllm", loopback.url)])
            await transport.aclose()
            assert len(found) == 1

    run(go())


def test_inspecting_what_is_not_there(run):
    async def go():
        transport = Transport()
        for url, code in (("http://127.0.0.1:1/v1", "connection_refused"), ("http://x.invalid/v1", "no_such_host")):
            seen = await inspect(transport, Address(url=url, limits=Limits()), Row("openai_compatible", None))
            assert (seen.reachable, seen.code, seen.models) == (False, code, None)
            assert seen.detail
        await transport.aclose()

    run(go())
