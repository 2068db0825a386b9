"""What does llama.cpp's server say about itself? With one model, or as a router of several that it loads on demand.

https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (2026-11); one model checked against xllamacpp.
Invariant: no question loads a model, and a model that it would fetch or not load is not one that it serves.
"""

import asyncio
from urllib.parse import quote

import msgspec

from tierwise.core.errors import ProviderError
from tierwise.core.model import Capability
from tierwise.providers.asker import MAX_MODELS, Asker, ServedModel, Told, count, listed, shown, sound

_PARALLEL = 8


class _SlotSettings(msgspec.Struct):
    n_ctx: int | None = None


class _Modalities(msgspec.Struct):
    vision: bool = False
    audio: bool = False


class _TemplateCan(msgspec.Struct):
    supports_tools: bool = False
    supports_tool_calls: bool = False


class _Props(msgspec.Struct):
    role: str = ""
    models_autoload: bool = True
    default_generation_settings: _SlotSettings | None = None
    total_slots: int | None = None
    modalities: _Modalities = msgspec.field(default_factory=_Modalities)
    chat_template_caps: _TemplateCan = msgspec.field(default_factory=_TemplateCan)
    build_info: str | None = None
    is_sleeping: bool = False


class _Status(msgspec.Struct):
    value: str = ""
    failed: bool = False


class _Architecture(msgspec.Struct):
    input_modalities: list[str] = []
    output_modalities: list[str] = []


class _Entry(msgspec.Struct):
    id: str
    status: _Status = msgspec.field(default_factory=_Status)
    architecture: _Architecture = msgspec.field(default_factory=_Architecture)


class _List(msgspec.Struct):
    data: list[_Entry]


async def ask_llamacpp(asker: Asker) -> Told | None:
    """Ask llama.cpp, whose `n_ctx` in `/props` is that of one slot."""
    props = await asker.get(asker.root, "/props", _Props)
    if props is None or (props.role != "router" and props.default_generation_settings is None):
        return None
    answer = await asker.get(asker.address, "/models", _List)
    if answer is None:
        return None
    if props.role == "router":
        return await _routed(asker, props, answer)
    alone = len(answer.data) == 1  # what is told of one model says nothing about another
    models = [
        ServedModel(
            id=one.id,
            context_tokens=_context(props) if alone else None,
            capabilities=_able(asker, props) if alone else asker.able(),
            loaded=not props.is_sleeping if alone else None,
        )
        for one in answer.data
        if _speaks(one)
    ]
    return Told(models=listed(models), slots=count(props.total_slots), version=shown(props.build_info))


async def _routed(asker: Asker, router: _Props, answer: _List) -> Told:
    """Say what a router serves; the models that are loaded are asked how they are."""
    entries = [one for one in answer.data if sound(one.id) and _speaks(one)][:MAX_MODELS]
    here = [one for one in entries if one.status.value != "downloading"]
    served = [one for one in here if router.models_autoload or one.status.value == "loaded"]
    gate = asyncio.Semaphore(_PARALLEL)

    async def props(one: _Entry) -> _Props | None:
        if one.status.value != "loaded":
            return None
        async with gate:
            try:  # should it be unloaded in between, the question must not load it again
                return await asker.get(asker.root, f"/props?model={quote(one.id, safe='')}&autoload=false", _Props)
            except ProviderError:
                return None

    told = await asyncio.gather(*map(props, served))
    models = [_model(asker, one, own) for one, own in zip(served, told, strict=True)]
    notes = [
        (len(entries) - len(here), "still being fetched"),
        (len(here) - len(served), "left out: not loaded, and it loads none by itself"),
        (sum(one.status.failed for one in served), "failed to load before"),
    ]
    return Told(
        models=tuple(models),
        version=shown(router.build_info),
        detail="; ".join(["router", *(f"{number} {what}" for number, what in notes if number)]),
    )


def _model(asker: Asker, one: _Entry, props: _Props | None) -> ServedModel:
    reads = one.architecture.input_modalities
    return ServedModel(
        id=one.id,
        context_tokens=None if props is None else _context(props),
        capabilities=asker.able(images="image" in reads, audio="audio" in reads)
        if props is None
        else _able(asker, props),
        loaded=one.status.value == "loaded",
    )


def _speaks(one: _Entry) -> bool:
    """Say whether it makes text: a decision model answers on an interface of its own. Older servers do not tell."""
    makes = one.architecture.output_modalities
    return not makes or "text" in makes


def _context(props: _Props) -> int | None:
    return count(props.default_generation_settings.n_ctx if props.default_generation_settings else None)


def _able(asker: Asker, props: _Props) -> tuple[Capability, ...]:
    can = props.chat_template_caps
    return asker.able(
        tools=can.supports_tools and can.supports_tool_calls,
        images=props.modalities.vision,
        audio=props.modalities.audio,
    )
