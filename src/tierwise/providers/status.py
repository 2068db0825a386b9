"""How busy is a server, and what has it loaded? Its own status pages, read a moment before a call may need to know.

One function for each kind of server that has such pages; whoever has none is not asked. No question loads a model.
Invariant: what a page does not say is None, and a page that is not as expected says nothing.
"""

import re
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from tierwise.core.capacity import Capacity
from tierwise.core.errors import ProviderError
from tierwise.providers.address import Address
from tierwise.providers.asker import Asker, count, hurried
from tierwise.providers.lists import Answer
from tierwise.providers.questions import ask_lmstudio
from tierwise.providers.transport import Transport

TIMEOUT_S: Final = 1.5
ANY: Final = ""
"""Stands for whatever the server serves, where it serves one model."""
Capacities = dict[str, Capacity]
Read = Callable[[Asker, bool], Awaitable[Capacities]]


def asked(kind: str) -> bool:
    """Say whether servers of this kind tell how they are."""
    return kind in _PAGES


async def status(transport: Transport, address: Address, kind: str, *, briefly: bool = False) -> Capacities:
    """Return how each model is, by the name that the server knows it by, `ANY` for all; nothing where it does not say.

    `briefly` leaves out what would keep an idle server awake.
    """
    asker = hurried(transport, address, wire_can=(), quick_s=TIMEOUT_S, total_s=TIMEOUT_S)
    try:
        return await _PAGES[kind](asker, briefly)
    except ProviderError:
        return {}


# llama.cpp: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md (2026-11). A server that sleeps
# when idle counts every request as work but those to `/health`, `/props` and `/models`.


class _OneSlot(msgspec.Struct):
    is_processing: bool
    n_ctx: int | None = None


class _SlotContext(msgspec.Struct):
    n_ctx: int | None = None


class _Props(msgspec.Struct):
    role: str = ""
    default_generation_settings: _SlotContext | None = None
    total_slots: int | None = None
    is_sleeping: bool = False


class _State(msgspec.Struct):
    value: str = ""


class _Routed(msgspec.Struct):
    id: str
    status: _State = msgspec.field(default_factory=_State)


class _RoutedList(msgspec.Struct):
    data: list[_Routed]


async def _llamacpp(asker: Asker, briefly: bool) -> Capacities:
    props = await asker.get(asker.root, "/props", _Props)
    if props is None:
        return {}
    if props.role != "router":
        return {ANY: await _llamacpp_model(asker, props, "", briefly)}
    answer = await asker.get(asker.address, "/models", _RoutedList)
    found = {}
    for one in answer.data if answer else ():
        if one.status.value != "loaded":
            found[one.id] = Capacity(loaded=False)
            continue
        which = f"?model={quote(one.id, safe='')}&autoload=false"
        own = await asker.get(asker.root, f"/props{which}", _Props)
        if own is not None:
            found[one.id] = await _llamacpp_model(asker, own, which, briefly)
    return found


async def _llamacpp_model(asker: Asker, props: _Props, which: str, briefly: bool) -> Capacity:
    settings = props.default_generation_settings
    known = Capacity(
        slots=count(props.total_slots),
        loaded=not props.is_sleeping,
        context_tokens=count(settings.n_ctx if settings else None),
    )
    if briefly or props.is_sleeping:
        return known
    slots = await asker.get(asker.root, f"/slots{which}", list[_OneSlot])
    if not slots:
        return known
    running, waiting = sum(slot.is_processing for slot in slots), 0
    if running == len(slots):  # only then does anybody wait; how many is told where the server was started to tell it
        told = gauges(await asker.text(asker.root, f"/metrics{which}"), "llamacpp:requests_deferred")
        waiting = told.get(ANY, 0)
    return msgspec.structs.replace(known, slots=len(slots), running=running, waiting=waiting)


# Ollama: https://docs.ollama.com/api/ps (0.40.12, 2026-11). It tells what is loaded, and neither slots nor queue.


class _Running(msgspec.Struct):
    name: str
    context_length: int | None = None


class _RunningList(msgspec.Struct):
    models: list[_Running]


async def _ollama(asker: Asker, _briefly: bool) -> Capacities:
    told = await asker.get(asker.root, "/api/ps", _RunningList)
    if told is None:
        return {}
    found = {one.name: Capacity(loaded=True, context_tokens=count(one.context_length)) for one in told.models}
    short = {name.removesuffix(":latest"): capacity for name, capacity in found.items()}
    return {ANY: Capacity(loaded=False)} | short | found


# vLLM: https://docs.vllm.ai/en/stable/usage/metrics/; SGLang: https://docs.sglang.io/docs/references/production_metrics;
# TGI: https://huggingface.co/docs/text-generation-inference/reference/metrics (all 2026-11). The series of
# several engines add up. How many run at once depends on free memory, so none of them tells a number of slots.


def _metrics(running: str, waiting: str) -> Read:
    async def read(asker: Asker, _briefly: bool) -> Capacities:
        text = await asker.text(asker.root, "/metrics")
        run, wait = gauges(text, running), gauges(text, waiting)
        listed = await asker.get(asker.address, "/models", Answer)
        context = {one.id: one.context_tokens for one in listed.data} if listed else {}
        return {
            name: Capacity(
                running=run.get(name), waiting=wait.get(name), loaded=True, context_tokens=count(context.get(name))
            )
            for name in run.keys() | wait.keys()
        }

    return read


_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})?[ \t]+([0-9.eE+-]+)(?:[ \t]|$)", re.ASCII)
_MODEL = re.compile(r'(?:^|,)\s*model_name="([^"\\]*)"')


def gauges(text: str | None, name: str) -> dict[str, int]:
    """Return one gauge of a page in Prometheus' text format, by the model it is labelled with, else under `ANY`."""
    found: defaultdict[str, float] = defaultdict(float)
    for line in (text or "").splitlines():
        if not line.startswith(name) or (read := _LINE.match(line)) is None or read[1] != name:
            continue
        model = _MODEL.search(read[2] or "")
        try:
            found[model[1] if model else ANY] += float(read[3])
        except ValueError:
            continue
    return {model: int(value) for model, value in found.items() if 0 <= value < 1 << 31}


# LM Studio: https://lmstudio.ai/docs/developer/rest (2026-11)


async def _lmstudio(asker: Asker, _briefly: bool) -> Capacities:
    told = await ask_lmstudio(asker)
    models = told.models if told else ()
    return {one.id: Capacity(loaded=one.loaded, context_tokens=one.context_tokens) for one in models}


_PAGES: Final[Mapping[str, Read]] = {
    "llamacpp": _llamacpp,
    "ollama": _ollama,
    "lmstudio": _lmstudio,
    "vllm": _metrics("vllm:num_requests_running", "vllm:num_requests_waiting"),
    "sglang": _metrics("sglang:num_running_reqs", "sglang:num_queue_reqs"),
    "tgi": _metrics("tgi_batch_current_size", "tgi_queue_size"),
}
