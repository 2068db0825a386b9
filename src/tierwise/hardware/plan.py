"""How would a model best run on a machine? Which quantization, context, cache and layers on a device, and does it fit?

Pure: machine, files and a pace go in, a `Plan` comes out. It knows no model by name. Invariant: a false "fits" is the
worse mistake: it is said only where every byte is known to fit into memory that is free now, with room left over; where
something is not known the answer is "unknown", and weights alone can make it "does_not_fit".
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, Protocol

import msgspec

from tierwise.core.model import ENGINE_CHECKPOINTS
from tierwise.hardware.fit import RESERVE_BYTES, Verdict, mib
from tierwise.hardware.layers import Shape
from tierwise.hardware.memory import CacheType, Memory, Setup, bytes_read_per_token, looks, memory
from tierwise.hardware.snapshot import Device, Machine
from tierwise.hardware.speed import Part, Share, Speed, Work
from tierwise.hardware.weights import Weights

DEVICE_RESERVE_BYTES: Final = 768 * 1024 * 1024
"""Left free on a device: its driver's own context, which is not there before the first use, and what is lost between
blocks of memory."""
SLACK_BYTES: Final = 150 * 1024 * 1024
SLACK_SHARE: Final = 0.03
"""How far an engine's own sum may lie above ours: so much, or this share of the whole, whichever is more."""
LEAST_CONTEXT_TOKENS: Final = 512
TOKENS_BEFORE: Final = 4096
"""A speed is told for a token that has so many before it, or the whole context where that is shorter."""
UNQUANTIZED: Final = frozenset({"F32", "F16", "BF16"})

LEAST_BITS: Final = 4.0
"""For each weight: coarser ones are taken only where nothing finer fits, since answers suffer."""
LEAST_TOKENS_PER_S: Final = 8.0
"""Somewhat faster than people read."""

Evidence = Literal["header", "sizes", "catalogue"]
"""Where the bytes of the weights come from: each tensor of the header, the sizes of files, or a count of parameters."""


class Pace(Protocol):
    """How fast work goes on parts; None where nobody can say."""

    def decode(self, work: Work, shares: Sequence[Share]) -> Speed | None:
        """Return how fast an answer is written."""
        ...

    def prefill(self, work: Work, prompt_tokens: int, shares: Sequence[Share]) -> Speed | None:
        """Return how fast a prompt is read."""
        ...


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A model's weights in one quantization. `shape` None: its architecture is not known."""

    quantization: str
    shape: Shape | None
    weights: Weights
    parameters: int
    evidence: Evidence = "header"


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted: room for so many tokens in each of so many conversations, at least at such a pace."""

    context_tokens: int
    sequences: int = 1
    least_tokens_per_s: float = LEAST_TOKENS_PER_S
    cache_types: tuple[CacheType, ...] = ("f16", "q8_0")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to run it, and whether it fits. `device` None: on the processor alone. `layers` counts all, as engines do:
    with the output.

    `at_least_bytes` is what is surely needed, which is all that is known where `memory` is None.
    """

    verdict: Verdict
    quantization: str
    bits_per_weight: float
    evidence: Evidence
    setup: Setup
    at_least_bytes: int
    layers: int = 0
    device: str | None = None
    whole_on_device: bool = False
    memory: Memory | None = None
    decode: Speed | None = None
    prefill: Speed | None = None


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """A part that would do, and how the model would run on it."""

    part: Device
    plan: Plan


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model may lie: rooms in bytes, None where not known. `spread` is over how many cards.

    `every_room` is what the machine has anywhere: more than that surely does not fit.
    """

    name: str | None
    part: Part | None
    host: Part
    device_room: int | None
    host_room: int | None
    every_room: int | None
    unified: bool = False
    spread: int = 1


def best(here: Machine, candidates: Sequence[Candidate], wish: Wish, pace: Pace) -> Plan:
    """Return the plan to take.

    First come four bits a weight, then a pace up to the one that is wanted, then finer weights, then a finer cache,
    then more on a device. Where the wanted context does not fit, half of it is tried, and so on.
    """
    some = [one for one in candidates if one.quantization not in UNQUANTIZED] or list(candidates)
    some.sort(key=lambda one: -one.weights.total_bytes)
    places = tuple(_places(here))
    unsure: list[Plan] = []
    for context in _contexts(wish.context_tokens):
        every = [plan for one in some for plan in _plans(one, context, wish, places, pace)]
        if fitting := [plan for plan in every if plan.verdict.fit == "fits"]:
            return max(fitting, key=lambda plan: _rank(plan, wish))
        unsure = unsure or [plan for plan in every if plan.verdict.fit == "unknown"]
    return min(unsure or every, key=lambda plan: (plan.bits_per_weight < LEAST_BITS and bool(unsure), _size(plan)))


def _size(plan: Plan) -> tuple[int, bool]:
    return plan.at_least_bytes, plan.device is None


def _contexts(wanted: int) -> Iterator[int]:
    while True:
        yield wanted
        if wanted <= LEAST_CONTEXT_TOKENS:
            return
        wanted = max(LEAST_CONTEXT_TOKENS, wanted // 2)


def _rank(plan: Plan, wish: Wish) -> tuple[bool, float, int, int, int, float]:
    pace = plan.decode.mid if plan.decode else 0.0
    cache = -wish.cache_types.index(plan.setup.k_type)
    weights = plan.memory.weights_bytes if plan.memory else 0
    fine, fast = plan.bits_per_weight >= LEAST_BITS, min(pace, wish.least_tokens_per_s)
    return fine, fast, weights, cache, plan.setup.layers_on_device, pace


def _plans(one: Candidate, context: int, wish: Wish, places: Sequence[_Place], pace: Pace) -> Iterator[Plan]:
    for cache in wish.cache_types if one.shape else wish.cache_types[:1]:
        for place in places:
            setup = Setup(
                context_tokens=context, sequences=wish.sequences, k_type=cache, v_type=cache,
                checkpoints=ENGINE_CHECKPOINTS,
            )  # fmt: skip
            layers = _most_layers(one, setup, place)
            if layers or place.name is None:
                yield _plan(one, msgspec.structs.replace(setup, layers_on_device=layers), place, pace)
            if place.name is not None and layers < _every_layer(one.shape) and one.weights.expert_bytes:
                apart = msgspec.structs.replace(setup, experts_on_host=True)
                if layers := _most_layers(one, apart, place):
                    yield _plan(one, msgspec.structs.replace(apart, layers_on_device=layers), place, pace)


def _every_layer(shape: Shape | None) -> int:
    """Return what an engine counts as all layers: those that are run, those that are not, and the output."""
    return len(shape.layers) + shape.unused_blocks + 1 if shape else 0


def _most_layers(one: Candidate, setup: Setup, place: _Place) -> int:
    """Return how many layers the device can hold."""
    low, high = 0, 0 if place.name is None else _every_layer(one.shape)
    while low < high:
        middle = (low + high + 1) // 2
        found = memory(one.shape, one.weights, msgspec.structs.replace(setup, layers_on_device=middle))
        if found is not None and (place.device_room is None or _on_device(one, found, place) <= place.device_room):
            low = middle
        else:
            high = middle - 1
    return low


def _on_device(one: Candidate, found: Memory, place: _Place) -> int:
    """Return what devices must have free. Each of several has its own buffers, and ends between two layers."""
    apiece = found.compute_bytes + max((block.total_bytes for block in one.weights.blocks), default=0)
    return found.on_device_bytes + (place.spread - 1) * apiece + (0 if place.unified else _slack(found.on_device_bytes))


def _slack(count: int) -> int:
    return max(SLACK_BYTES, int(count * SLACK_SHARE))


def _plan(one: Candidate, setup: Setup, place: _Place, pace: Pace) -> Plan:
    found = memory(one.shape, one.weights, setup)
    every = _every_layer(one.shape)
    plan = Plan(
        verdict=_verdict(one, found, place),
        quantization=one.quantization,
        bits_per_weight=round(8 * one.weights.total_bytes / max(1, one.parameters), 2),
        evidence=one.evidence,
        setup=setup,
        at_least_bytes=found.total_bytes if found else one.weights.total_bytes,
        layers=every,
        device=place.name,
        whole_on_device=0 < every <= setup.layers_on_device and not setup.experts_on_host,
        memory=found,
    )
    if one.shape is None or plan.verdict.fit == "does_not_fit":
        return plan
    work, shares = _work(one, one.shape, setup), _shares(_portion(one, one.shape, setup), place)
    reading = pace.prefill(work, min(setup.context_tokens, TOKENS_BEFORE), shares)
    return msgspec.structs.replace(plan, decode=pace.decode(work, shares), prefill=reading)


def _portion(one: Candidate, shape: Shape, setup: Setup) -> float:
    """Return the portion of the reading that a device does; experts that are kept apart are read on the host."""
    portion = setup.layers_on_device / _every_layer(shape)
    if not setup.experts_on_host or shape.experts is None:
        return portion
    read = bytes_read_per_token(shape, one.weights, setup).weights_bytes
    return portion * max(0.0, 1 - one.weights.expert_bytes * shape.experts.used / shape.experts.count / max(1, read))


def _verdict(one: Candidate, found: Memory | None, place: _Place) -> Verdict:
    if found is None:
        return _bound(one.weights.total_bytes, place)
    on_host = found.total_bytes if place.unified else found.on_host_bytes
    need = on_host + _slack(on_host)
    where = "" if place.name is None or place.unified else " beside the device"
    text = f"needs {mib(on_host)} of memory{where}, and {mib(_slack(on_host))} to be sure"
    if place.host_room is None:
        return Verdict(fit="unknown", reason=f"{text}; how much is free is not known")
    text += f"; {mib(max(0, place.host_room))} can be used"
    if need > place.host_room:
        return Verdict(fit="does_not_fit", reason=text)
    if place.name is not None:
        device = f"{mib(_on_device(one, found, place))} on {place.name}"
        if place.device_room is None:
            return Verdict(fit="unknown", reason=f"{text}; {device}, whose free memory is not known")
        text += f"; {device}, where {mib(place.device_room)} can be used"
    return Verdict(fit="fits", reason=text)


def _bound(weights_bytes: int, place: _Place) -> Verdict:
    """Judge by the weights alone: they can show that it does not fit, never that it does."""
    text = f"its weights alone need {mib(weights_bytes)}"
    if place.every_room is not None and weights_bytes > place.every_room:
        return Verdict(fit="does_not_fit", reason=f"{text}; {mib(max(0, place.every_room))} can be used")
    return Verdict(fit="unknown", reason=f"{text}; what it keeps for its context is not known for this architecture")


def _work(one: Candidate, shape: Shape, setup: Setup) -> Work:
    """Return what a token costs in one conversation, the others being quiet."""
    before = min(setup.context_tokens, TOKENS_BEFORE)
    read = bytes_read_per_token(shape, one.weights, setup, before)
    share = min(1.0, read.weights_bytes / max(1, one.weights.total_bytes))
    output = (one.weights.output_bytes or one.weights.tied_bytes) / max(1, one.weights.total_bytes)
    return Work(
        active_bytes=read.weights_bytes,
        active_parameters=int(one.parameters * share),
        total_bytes=one.weights.total_bytes,
        layers=len(shape.layers),
        moe=shape.experts is not None,
        cache_bytes=read.cache_bytes + read.recurrent_bytes,
        looks=looks(shape, before),
        output_parameters=int(one.parameters * min(output, share)),
    )


def _shares(portion: float, place: _Place) -> list[Share]:
    shares = [Share(part=place.part, portion=portion)] if place.part and portion else []
    return shares + ([Share(part=place.host, portion=1 - portion)] if portion < 1 else [])


def _places(here: Machine) -> Iterator[_Place]:
    """Return the processor alone, each device, and cards of one kind together."""
    free = here.memory_available_bytes
    room = None if free is None else free - RESERVE_BYTES
    cards = tuple(device for device in here.devices if not device.unified)
    beside = _room(cards)
    alone = _Place(
        name=None,
        part=None,
        host=Part(kind="cpu", name=here.cpu.name or "", bandwidth_gb_s=here.memory_bandwidth_gb_s),
        device_room=0,
        host_room=room,
        every_room=None if room is None or beside is None else max(0, room) + beside,
    )
    yield alone
    alike = {(one.kind, one.name): one for one in sorted(here.devices, key=lambda one: one.memory_free_bytes or 0)}
    for one in alike.values():  # of cards that are alike the one with the most free
        found = msgspec.structs.replace(alone, name=one.name, part=_part((one,)), device_room=_room((one,)))
        yield msgspec.structs.replace(found, unified=one.unified)
    for kind in dict.fromkeys(card.kind for card in cards):
        own = tuple(card for card in cards if card.kind == kind)
        if len(own) > 1:
            name = f"{len(own)} devices ({', '.join(dict.fromkeys(card.name for card in own))})"
            found = msgspec.structs.replace(alone, name=name, part=_part(own), device_room=_room(own))
            yield msgspec.structs.replace(found, spread=len(own))


def _room(devices: tuple[Device, ...]) -> int | None:
    free = [device.memory_free_bytes for device in devices]
    reserves = DEVICE_RESERVE_BYTES * sum(not device.unified for device in devices)
    return None if None in free else max(0, sum(count or 0 for count in free) - reserves)


def _part(devices: tuple[Device, ...]) -> Part:
    """Return what computes: several cards take turns, so that the slowest bounds them."""
    first = devices[0]
    return Part(
        kind=first.kind,
        name=first.name,
        bandwidth_gb_s=_least(device.bandwidth_gb_s for device in devices),
        tflops=_least(device.tflops for device in devices),
    )


def _least(figures: Iterable[float | None]) -> float | None:
    every = list(figures)
    known = [one for one in every if one is not None]
    return min(known) if known and len(known) == len(every) else None


def offers(
    parts: Sequence[Device], candidate: Candidate, wish: Wish, here: Machine, pace: Pace, most: int = 5
) -> tuple[Offer, ...]:
    """Return the smallest parts on which a model would run whole, with its context and at its pace, and how.

    A part is judged as if nineteen twentieths of its memory were free; one that is a whole computer, as that computer.
    """
    found = []
    for part in parts:
        if part.memory_total_bytes is None:
            continue
        free = part.memory_total_bytes * 19 // 20
        with_it = msgspec.structs.replace(here, devices=(msgspec.structs.replace(part, memory_free_bytes=free),))
        if part.unified:
            with_it = msgspec.structs.replace(with_it, memory_available_bytes=free, memory_total_bytes=free)
        plan = best(with_it, (candidate,), wish, pace)
        paced = plan.decode is not None and plan.decode.mid >= wish.least_tokens_per_s
        roomy = plan.setup.context_tokens == wish.context_tokens
        if plan.verdict.fit == "fits" and plan.whole_on_device and paced and roomy:
            found.append(Offer(part=part, plan=plan))
    found.sort(key=lambda one: (one.part.memory_total_bytes or 0, -(one.part.bandwidth_gb_s or 0)))
    return tuple(found[:most])
