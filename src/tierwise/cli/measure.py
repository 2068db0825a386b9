"""The command `tierwise measure`: how fast a machine of yours serves a model, within a latency target.

Gives the lines of a `[[machine]]` that only measuring can tell. Invariant: nothing outside is asked: that would cost
money and say nothing of a machine of yours.
"""

import asyncio
import os
import random
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from tierwise import bootstrap, config
from tierwise.cli.options import ConfigFile, Json, print_json, say, table
from tierwise.core.errors import InvalidCall, TierwiseError, Unreachable
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint, Model
from tierwise.economics.serving import peak, penalty
from tierwise.evals.throughput import Asker, Load, Measured, Speeds, Unmeasured, at_target, measure, repeated
from tierwise.evals.watts import Meter, Watts
from tierwise.providers.transport import Transport
from tierwise.registry.load import nearest

IDLE_S = 2.0
LOOK_S = 1.0


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """All that was measured at prompts of one length; `speeds` is None where no load held the target."""

    loads: tuple[Measured, ...]
    speeds: Speeds | None
    busy: Watts | None


class Throughput(msgspec.Struct, frozen=True, kw_only=True):
    """All that the command says. Watts are of this machine, and None where the endpoint is on another."""

    model: str
    endpoint: str
    most_first_ms: float
    idle: Watts | None
    found: tuple[Found, ...]


def measure_(
    model: Annotated[str, typer.Argument(help="The model, at an endpoint of yours.")],
    first_token_ms: Annotated[
        float, typer.Option(min=1, help="The latency target: 95 of 100 calls have their first token by then.")
    ] = 2000.0,
    words: Annotated[
        list[int] | None, typer.Option(min=1, max=200_000, help="Words of a prompt; several lengths one after another.")
    ] = None,
    write: Annotated[int, typer.Option(min=2, max=4096, help="Tokens that each call writes at most.")] = 64,
    most_at_once: Annotated[int, typer.Option(min=1, max=1024, help="Calls at once, at most.")] = 32,
    file: ConfigFile = None,
    as_json: Json = False,
) -> None:
    """Measure how many tokens a second a machine of yours reads and writes, while callers wait no longer than a target.

    Calls at once are doubled from 1. Nothing else should ask the endpoint meanwhile. What is sent is made up.
    Power is measured where this machine tells it: the processor's counters, graphics cards.

    Examples:
      tierwise measure llama
      tierwise measure llama --first-token-ms 500 --words 200 --words 2000 --json
    """
    settings = config.load(file)
    catalog = bootstrap.promised(settings)
    if model not in catalog.models:
        raise InvalidCall(f"there is no model {model!r}{nearest(model, catalog.models)}", param="MODEL")
    asked = catalog.models[model]
    endpoint = catalog.endpoints[asked.endpoint]
    if endpoint.tier is Tier.FRONTIER:
        raise InvalidCall(f"{model!r} is outside: only machines of your own are measured", param="MODEL")
    if (why := catalog.unusable.get(endpoint.name)) is not None:
        raise InvalidCall(f"{endpoint.name!r} cannot be asked: {why}", param="MODEL")
    lengths = words or [200]
    found = asyncio.run(_measured(settings, asked, endpoint, lengths, (write, most_at_once, first_token_ms)))
    if as_json:
        print_json(found)
    else:
        print("\n".join(_told(found)))
    if all(one.speeds is None for one in found.found):
        raise typer.Exit(1)


async def _measured(
    settings: config.Settings, model: Model, endpoint: Endpoint, lengths: list[int], limits: tuple[int, int, float]
) -> Throughput:
    write, most_at_once, first_ms = limits
    seed = int.from_bytes(os.urandom(8))
    meter = Meter() if endpoint.tier is Tier.LOCAL else None
    async with AsyncExitStack() as stack:
        transport = Transport()
        stack.push_async_callback(transport.aclose)
        reach = bootstrap.Reach(bootstrap.engines_of(bootstrap.promised(settings), transport, stack))
        ask = Asker(transport, reach, model, endpoint)
        try:
            await ask("Say hello.", 2)  # an engine of ours starts here, and draws what it draws while it waits
            idle = None if meter is None else await _drawn(meter, asyncio.sleep(IDLE_S))
            found = []
            for length in lengths:
                tell = partial(_say, length)
                loads, speeds = await measure(
                    ask, input_words=length, output_tokens=write, most_at_once=most_at_once, most_first_ms=first_ms,
                    seed=seed, tell=tell,
                )  # fmt: skip
                busy = None
                if meter is not None and speeds is not None:
                    tell(f"power, {speeds.at_once} at once")
                    load = Load(at_once=speeds.at_once, input_words=length, output_tokens=write)
                    busy = await _drawn(meter, repeated(ask, load, random.Random(seed + 1)))
                found.append(Found(loads=tuple(loads), speeds=speeds, busy=busy))
        except Unmeasured as error:
            raise _unmeasured(model, error) from error
    return Throughput(model=model.id, endpoint=endpoint.name, most_first_ms=first_ms, idle=idle, found=tuple(found))


def _unmeasured(model: Model, error: Unmeasured) -> TierwiseError:
    return Unreachable(f"{model.id} cannot be measured: {error}")


def _say(length: int, step: str) -> None:
    say(f"{length} words, {step} …")


async def _drawn(meter: Meter, work: Coroutine[Any, Any, object]) -> Watts | None:
    """Return what is drawn while the work is done."""
    task = asyncio.create_task(work)
    await asyncio.to_thread(meter.begin)
    while not task.done():
        await asyncio.wait([task], timeout=LOOK_S)
        await asyncio.to_thread(meter.look)
    drawn = await asyncio.to_thread(meter.end)
    await task
    return drawn


# for people


def _told(found: Throughput) -> Iterator[str]:
    heads = ("at once", "context", "tokens/s written", "read", "first token (p95)", "whole (p95)")
    rows = [
        (
            f"{one.at_once}", f"{one.context_tokens:,}", f"{one.written_per_s:,.1f}", f"{one.read_per_s:,.1f}",
            f"{one.first_ms:,.0f} ms" + ("" if one.first_ms <= found.most_first_ms else " (late)"),
            f"{one.whole_ms:,.0f} ms",
        )
        for each in found.found for one in each.loads
    ]  # fmt: skip
    yield table(heads, rows)
    for each in found.found:
        yield ""
        if each.loads[0].first_ms > found.most_first_ms:
            yield f"No load held {found.most_first_ms:,.0f} ms to the first token."
        elif each.speeds is None:
            yield "Reading takes nearly all the time of such calls, and writing cannot be told from noise: write more"
            yield "with --write, where the model does not end its answers sooner, or read less with --words."
        else:
            yield from _lines(found, each, each.speeds)
            yield from _penalty(found, each)


def _lines(found: Throughput, each: Found, speeds: Speeds) -> Iterator[str]:
    """Give what belongs into a `[[machine]]`."""
    how = f"tierwise measure, {speeds.at_once} at once, {speeds.context_tokens:,} tokens of context"
    yield "[[machine.serves]]          # below the [[machine]] of its endpoint: docs/reference/economics.md"
    yield f'model = "{found.model}"'
    yield _line("output_tokens_per_s", speeds.written_per_s, how)
    yield _line("input_tokens_per_s", speeds.read_per_s, how)
    if found.idle is not None and each.busy is not None:
        yield ""
        yield "[machine.power]             # only what was measured; the rest of the machine draws more"
        for name, watts in (("idle_watts", found.idle), ("busy_watts", each.busy)):
            yield f'{name} = {{ value = "{watts.watts:.1f}", provenance = "measured", source = "{watts.of}" }}'


def _penalty(found: Throughput, each: Found) -> Iterator[str]:
    """Say what the target costs: a token is dearer by what the machine could write without it."""
    runs, held = [one.run for one in each.loads], at_target(each.loads, found.most_first_ms)
    if held is not None and (dearer := penalty(runs, held.run)) > 1:
        told = f"{peak(runs).tokens_per_s:,.1f} tokens/s were written where callers waited longer"
        yield f"# {told}: the target makes a token {dearer:.2f} times as dear"


def _line(name: str, numbers: tuple[float, float, float], how: str) -> str:
    low, value, high = (f"{number:.1f}" for number in numbers)
    return (
        f'{name} = {{ value = "{value}", low = "{low}", high = "{high}", provenance = "measured", source = "{how}" }}'
    )
