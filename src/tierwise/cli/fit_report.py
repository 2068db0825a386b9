"""How is a machine told to a person, and a plan, and a list of models? Lines of words and one table.

Pure. Invariant: what was measured, what is a maker's figure and what is an estimate are told apart.
"""

from collections.abc import Iterator, Sequence

import msgspec

from tierwise.cli.options import plain, table
from tierwise.hardware.fit import mib
from tierwise.hardware.memory import Memory
from tierwise.hardware.plan import Evidence, Offer, Plan, Wish
from tierwise.hardware.snapshot import Device, Machine
from tierwise.hardware.speed import Speed


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A model and how it would best run here. `to_buy`: parts on which it would run whole, where it does not here.

    `pull` is what `tierwise pull` gets it by.
    """

    model: str
    source: str
    note: str
    wish: Wish
    plan: Plan
    pull: str | None = None
    to_buy: tuple[Offer, ...] = ()


VERDICTS = {"fits": "fits", "does_not_fit": "does not fit", "unknown": "cannot be promised"}
SOURCES: dict[Evidence, str] = {
    "header": "each tensor in the header",
    "sizes": "the size of the file",
    "catalogue": "an estimate from the number of parameters",
}


def machine_lines(here: Machine) -> Iterator[str]:
    """Tell what the machine has."""
    cpu = here.cpu
    fast = f", {cpu.fast_cores} of them fast" if cpu.fast_cores else ""
    physical = f" ({cpu.physical_cores} physical{fast})" if cpu.physical_cores else ""
    wsl = " inside of Windows" if here.wsl else ""
    yield f"Machine: {here.system}{wsl}, {cpu.name or 'processor without a name'}, {here.cores} cores{physical}"
    if cpu.features:
        yield f"  instructions: {' '.join(cpu.features)}"
    bound = ", bounded by a container" if here.memory_limit == "container" else ""
    rate = here.memory_bandwidth_gb_s
    speed = f"read at {rate:.1f} GB/s (the best measured here)" if rate else "its bandwidth could not be measured"
    free, total = _size(here.memory_available_bytes), _size(here.memory_total_bytes)
    yield f"  memory: {free} free of {total}{bound}; {speed}"
    if here.disk_free_bytes is not None:
        yield f"  disk: {mib(here.disk_free_bytes)} free where models are kept"
    for device in here.devices:
        yield f"  {_device(device)}"
    if not here.devices:
        yield "  no device beside the processor"
    yield from (f"  note: {note}" for note in here.notes)


def _size(count: int | None) -> str:
    return "unknown" if count is None else mib(count)


def _device(device: Device) -> str:
    shared = " of the machine's memory" if device.unified else ""
    rate = f", {device.bandwidth_gb_s:.0f} GB/s (its maker's figure)" if device.bandwidth_gb_s else ""
    free, total = _size(device.memory_free_bytes), _size(device.memory_total_bytes)
    driver = f", driver {device.driver}" if device.driver else ""
    return f"{device.kind}: {device.name}, {free} free of {total}{shared}{rate}{driver}"


def plan_lines(judged: Judged) -> Iterator[str]:
    """Tell how a model would best run, or what stands against it and what would do."""
    plan = judged.plan
    yield f"{judged.model}: {VERDICTS[plan.verdict.fit]}"
    least = f"even as {plan.quantization} with {plan.setup.context_tokens:,} tokens of context it "
    yield f"  {least if plan.verdict.fit == 'does_not_fit' and plan.memory else ''}{plan.verdict.reason}"
    if plan.verdict.fit != "does_not_fit":
        yield from _setup(plan)
    if plan.memory:
        yield f"  memory: {', '.join(_parts(plan.memory))}"
    yield f"  weights are from {SOURCES[plan.evidence]} ({judged.source})"
    yield from (["  " + judged.note] if judged.note else [])
    if judged.pull and plan.verdict.fit == "fits":
        alone = "" if plan.device is None else " (it counts on the processor alone)"
        yield f"  to have it answer: tierwise pull {judged.pull}{alone}"
    if judged.to_buy:
        wish = f"{judged.wish.context_tokens:,} tokens of context at {judged.wish.least_tokens_per_s:g} tokens a second"
        yield f"  whole, as {judged.to_buy[0].plan.quantization} with {wish}, it would run on:"
    for offer in judged.to_buy:
        size, speed = _size(offer.part.memory_total_bytes), told(offer.plan.decode)
        yield f"    {offer.part.name} ({size}): {speed}"


def _setup(plan: Plan) -> Iterator[str]:
    setup = plan.setup
    where = "on the processor"
    apart = ", experts in the machine's memory" if setup.experts_on_host else ""
    if plan.device is not None:
        count = "all" if setup.layers_on_device >= plan.layers else f"{setup.layers_on_device} of {plan.layers}"
        where = f"{count} layers on {plan.device}{apart}"
    many = f" for each of {setup.sequences} conversations" if setup.sequences > 1 else ""
    context = f"{setup.context_tokens:,} tokens of context{many}"
    yield f"  plan: {plan.quantization}, {context}, cache {setup.k_type}, {where}"
    if plan.memory is not None:
        yield f"  writes {told(plan.decode)}"
    if plan.prefill is not None:
        yield f"  reads a prompt at {told(plan.prefill)}"


def told(speed: Speed | None) -> str:
    """Tell a speed as its range, with what it rests on."""
    if speed is None:
        return "at a pace that cannot be told: a bandwidth is not known"
    return f"{_figure(speed.low)} to {_figure(speed.high)} tokens a second ({speed.evidence})"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2g}"


def _parts(memory: Memory) -> Iterator[str]:
    parts = {
        "weights": memory.weights_bytes,
        "context": memory.cache_bytes,
        "state": memory.recurrent_bytes,
        "computing": memory.compute_bytes,
        "runtime": memory.runtime_bytes,
    }
    yield from (f"{name} {mib(count)}" for name, count in parts.items() if count)


def table_lines(rows: Sequence[Judged]) -> str:
    """Tell of each model of the catalogue what it would come to here."""
    head = ("model", "verdict", "quantization", "context", "memory", "tokens/s", "where")
    lines = table(head, [_row(one) for one in rows])
    return f"Open models, estimated from their numbers of parameters:\n{lines}"


def _row(judged: Judged) -> tuple[str, ...]:
    plan = judged.plan
    fits = plan.verdict.fit != "does_not_fit"
    pace = f"{_figure(plan.decode.low)}-{_figure(plan.decode.high)}" if plan.decode else "–"
    layers = (
        "" if plan.whole_on_device else f", {min(plan.setup.layers_on_device, plan.layers)} of {plan.layers} layers"
    )
    where = "processor" if plan.device is None else f"{plain(plan.device)}{layers}"
    context = f"{plan.setup.context_tokens:,}"
    some = (plan.quantization, context if fits else "–", _size(plan.at_least_bytes), pace, where if fits else "–")
    return (judged.model, VERDICTS[plan.verdict.fit], *some)
