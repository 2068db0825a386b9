"""What does a server say about itself? One function for each kind of server that can be asked more than `/models`.

Invariant: only what a server said is reported. Its context is the one it has now, not the largest that it could have;
what it does not say is None or left out, and a model that it would fetch from elsewhere is not one of this machine.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from tierwise.core.errors import ProviderError
from tierwise.providers.asker import MAX_MODELS, Asker, ServedModel, Told, count, listed, shown, sound
from tierwise.providers.lists import Answer, ask_any, ask_bare, ask_gemini, ask_versioned
from tierwise.providers.llamacpp import ask_llamacpp

_PARALLEL = 8

Ask = Callable[[Asker], Awaitable[Told | None]]


def question(kind: str) -> Ask:
    """Return how to ask a server of this kind; the answer None means that it is no such server."""
    return _QUESTIONS.get(kind, ask_any)


# vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html (2026-11)


class _Version(msgspec.Struct):
    version: str


async def ask_vllm(asker: Asker) -> Told | None:
    """Ask vLLM, which tells the context as `max_model_len` and itself as the owner; slots it does not tell."""
    answer = await asker.get(asker.address, "/models", Answer)
    if answer is None or not any(one.owned_by == "vllm" for one in answer.data):
        return None
    version = await asker.get(asker.root, "/version", _Version)
    models = [
        ServedModel(id=one.id, context_tokens=one.context_tokens, capabilities=asker.able(), loaded=True)
        for one in answer.data
    ]
    return Told(models=listed(models), version=shown(version.version) if version else None)


# SGLang: https://docs.sglang.io/docs/basic_usage/native_api and its entrypoints/openai/protocol.py (2026-11)


class _Understands(msgspec.Struct):
    has_image_understanding: bool = False
    has_audio_understanding: bool = False


async def ask_sglang(asker: Asker) -> Told | None:
    """Ask SGLang, which names itself as the owner. Its version and slots stand in `/server_info` beside its keys,
    which no question of ours may fetch."""
    answer = await asker.get(asker.address, "/models", Answer)
    if answer is None or not any(one.owned_by == "sglang" for one in answer.data):
        return None
    reads = await asker.get(asker.root, "/model_info", _Understands) or _Understands()
    able = asker.able(images=reads.has_image_understanding, audio=reads.has_audio_understanding)
    models = [
        ServedModel(id=one.id, context_tokens=one.context_tokens, capabilities=able, loaded=True) for one in answer.data
    ]
    return Told(models=listed(models))


# TGI: https://github.com/huggingface/text-generation-inference/blob/main/docs/openapi.json (2026-11)


class _Info(msgspec.Struct):
    model_id: str
    max_total_tokens: int
    router: str | None = None
    version: str | None = None


async def ask_tgi(asker: Asker) -> Told | None:
    """Ask TGI, which serves one model; prompt and answer together are at most `max_total_tokens`."""
    info = await asker.get(asker.root, "/info", _Info)
    if info is None or not (info.router or "text-generation").startswith("text-generation"):
        return None
    model = ServedModel(
        id=info.model_id, context_tokens=count(info.max_total_tokens), capabilities=asker.able(), loaded=True
    )
    return Told(models=listed([model]), version=shown(info.version))


# Ollama: https://docs.ollama.com/api (2026-11)


class _Tag(msgspec.Struct):
    name: str
    digest: str | None = None
    remote_model: str | None = None
    remote_host: str | None = None


class _Tags(msgspec.Struct):
    models: list[_Tag]


class _Running(msgspec.Struct):
    name: str
    context_length: int | None = None


class _RunningList(msgspec.Struct):
    models: list[_Running]


class _Shown(msgspec.Struct):
    capabilities: list[str] = []
    parameters: str = ""
    remote_model: str | None = None
    remote_host: str | None = None


async def ask_ollama(asker: Asker) -> Told | None:
    """Ask Ollama, whose context is that of the loaded model, or the one that its model file sets, and else not known.

    Cloud models are left out: they are listed beside the others, but the text leaves this machine.
    """
    version = await asker.get(asker.root, "/api/version", _Version)
    tags = await asker.get(asker.root, "/api/tags", _Tags)
    if version is None or tags is None:
        return None
    running = await asker.get(asker.root, "/api/ps", _RunningList)
    loaded = {one.name: one.context_length for one in running.models} if running is not None else {}
    names = [tag.name for tag in tags.models if sound(tag.name) and not _elsewhere(tag.name, tag)][:MAX_MODELS]
    digests = {tag.name: shown(tag.digest) for tag in tags.models}
    gate = asyncio.Semaphore(_PARALLEL)

    async def show(name: str) -> _Shown | None:
        async with gate:
            try:
                return await asker.post(asker.root, "/api/show", {"model": name}, _Shown)
            except ProviderError:
                return None

    models, unclear, left = [], 0, len(tags.models) - len(names)
    for name, told in zip(names, await asyncio.gather(*map(show, names)), strict=True):
        if told is None:
            unclear += 1
        elif _elsewhere(name, told):
            left += 1
        elif "completion" in told.capabilities:
            able = asker.able(tools="tools" in told.capabilities, images="vision" in told.capabilities)
            context = count(loaded.get(name) or _num_ctx(told.parameters))
            state = name in loaded if running is not None else None
            digest = digests[name]
            models.append(ServedModel(id=name, context_tokens=context, capabilities=able, loaded=state, digest=digest))
    notes = [f"{left} left out: not on this machine"] * bool(left) + [f"{unclear} did not answer"] * bool(unclear)
    return Told(models=tuple(models), version=shown(version.version), detail="; ".join(notes))


def _elsewhere(name: str, told: _Tag | _Shown) -> bool:
    return bool(told.remote_model or told.remote_host) or name.endswith(("-cloud", ":cloud"))


def _num_ctx(parameters: str) -> int | None:
    for line in parameters[:10_000].splitlines():
        name, _, value = line.partition(" ")
        value = value.strip()
        if name == "num_ctx" and value.isdecimal() and len(value) < 20:
            return int(value)
    return None


# LM Studio: https://lmstudio.ai/docs/developer/rest (2026-11); v1 since 0.4, v0 before


class _Config(msgspec.Struct):
    context_length: int | None = None


class _Instance(msgspec.Struct):
    config: _Config = msgspec.field(default_factory=_Config)


class _Can(msgspec.Struct):
    vision: bool = False
    trained_for_tool_use: bool = False


class _Kept(msgspec.Struct):
    key: str
    type: str
    loaded_instances: list[_Instance] = []
    capabilities: _Can = msgspec.field(default_factory=_Can)


class _KeptList(msgspec.Struct):
    models: list[_Kept]


class _KeptV0(msgspec.Struct):
    id: str
    type: str
    state: str = ""
    loaded_context_length: int | None = None
    capabilities: list[str] = []


class _KeptListV0(msgspec.Struct):
    data: list[_KeptV0]


async def ask_lmstudio(asker: Asker) -> Told | None:
    """Ask LM Studio, whose context is told for loaded models; of several instances the smallest counts."""
    kept = await asker.get(asker.root, "/api/v1/models", _KeptList)
    if kept is None:
        return await _ask_lmstudio_v0(asker)
    models = []
    for one in kept.models:
        lengths = [instance.config.context_length for instance in one.loaded_instances]
        known = [length for length in lengths if length is not None]
        context = count(min(known)) if known and len(known) == len(lengths) else None
        able = asker.able(tools=one.capabilities.trained_for_tool_use, images=one.capabilities.vision)
        if one.type == "llm":
            models.append(ServedModel(id=one.key, context_tokens=context, capabilities=able, loaded=bool(lengths)))
    return Told(models=listed(models))


async def _ask_lmstudio_v0(asker: Asker) -> Told | None:
    kept = await asker.get(asker.root, "/api/v0/models", _KeptListV0)
    if kept is None:
        return None
    models = [
        ServedModel(
            id=one.id,
            context_tokens=count(one.loaded_context_length),
            capabilities=asker.able(tools="tool_use" in one.capabilities, images=one.type == "vlm"),
            loaded=one.state == "loaded",
        )
        for one in kept.data
        if one.type in ("llm", "vlm")
    ]
    return Told(models=listed(models))


_QUESTIONS: Final[dict[str, Ask]] = {
    "ollama": ask_ollama,
    "lmstudio": ask_lmstudio,
    "llamacpp": ask_llamacpp,
    "vllm": ask_vllm,
    "sglang": ask_sglang,
    "tgi": ask_tgi,
    "anthropic": ask_versioned,
    "anthropic_compatible": ask_versioned,
    "gemini": ask_gemini,
    "together": ask_bare,
}
