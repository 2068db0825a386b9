"""How is an endpoint reached, and what runs there? Addresses, engines of our own, versions and probes."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from tierwise.bootstrap.rules import promised, rules_from
from tierwise.config import Settings
from tierwise.core.capacity import Capacity
from tierwise.core.model import Endpoint
from tierwise.evals.probe import Prober
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.live import LiveSettings
from tierwise.gateway.polling import Polling
from tierwise.gateway.rules import Rules
from tierwise.hardware.admit import admit
from tierwise.providers.address import Address, address_of
from tierwise.providers.discover import inspect
from tierwise.providers.engine import Engine
from tierwise.providers.engine import version as engine_version
from tierwise.providers.status import ANY, asked, status
from tierwise.providers.transport import Transport
from tierwise.registry import kept
from tierwise.registry.catalog import Catalog
from tierwise.registry.kinds import kinds
from tierwise.registry.probed import outdated

VERSION_TIMEOUT_S = 2.0


@asynccontextmanager
async def prober(settings: Settings, most_tokens: int) -> AsyncIterator[Prober]:
    """Open what asks endpoints directly; an engine that it starts ends with the block."""
    async with AsyncExitStack() as stack:
        transport = Transport()
        stack.push_async_callback(transport.aclose)
        reach = Reach(engines_of(promised(settings), transport, stack))
        yield Prober(transport, reach, most_tokens=most_tokens, seed=int.from_bytes(os.urandom(8)))


async def version_of(endpoint: Endpoint, transport: Transport) -> str | None:
    """Return which version runs there; None where that cannot be told, soon."""
    if endpoint.engine is not None:
        return engine_version(endpoint.engine)
    try:
        async with asyncio.timeout(VERSION_TIMEOUT_S):
            return (await inspect(transport, address_of(endpoint), kinds()[endpoint.kind])).version
    except TimeoutError:
        return None


async def rechecked(settings: Settings, rules: Rules, transport: Transport) -> Rules:
    """Return the rules without results of endpoints that run another version by now; where none is told they stay."""
    endpoints = rules.catalog.endpoints
    probes = [one for one in rules.catalog.probes.values() if one.version is not None and not one.stale]
    names = {one.endpoint for one in probes} - rules.catalog.unusable.keys()
    versions = await asyncio.gather(*(version_of(endpoints[name], transport) for name in names))
    old = outdated(probes, dict(zip(names, versions, strict=True)))
    if not old:
        return rules
    kept.keep(settings.probes_path, old)
    return rules_from(settings)


def engines_of(catalog: Catalog, transport: Transport, stack: AsyncExitStack) -> dict[str, Engine]:
    """Make the engines that start when first needed and end with the stack."""
    engines = {
        endpoint.name: Engine(endpoint.engine, name=endpoint.name, transport=transport, admit=admit)
        for endpoint in catalog.endpoints.values()
        if endpoint.engine is not None
    }
    for engine in engines.values():
        stack.push_async_callback(engine.stop)
    return engines


def how_busy(
    engines: Mapping[str, Engine], transport: Transport
) -> Callable[[Endpoint, bool], Awaitable[Mapping[str, Capacity] | None]]:
    """Return what asks an endpoint how busy it is; engines of our own are not asked, they are known."""

    async def ask(endpoint: Endpoint, briefly: bool) -> Mapping[str, Capacity] | None:
        engine = engines.get(endpoint.name)
        if engine is not None:
            return {ANY: engine.capacity}
        if not asked(endpoint.kind):
            return None
        return await status(transport, address_of(endpoint), endpoint.kind, briefly=briefly)

    return ask


async def looked(gateway: Gateway) -> None:
    """Ask servers that are ours once how busy they are, so that the gateway decides by it."""
    transport = Transport()
    try:
        await Polling(lambda: gateway.rules, gateway.facts.live, how_busy({}, transport), LiveSettings()).look()
    finally:
        await transport.aclose()


class Reach:
    """Where an endpoint answers: its configured address, or the engine that has to run for it."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines
        self._known: dict[str, Address] = {}

    async def __call__(self, endpoint: Endpoint) -> Address:
        engine = self._engines.get(endpoint.name)
        if engine is not None:
            return await engine.start()
        address = self._known.get(endpoint.name)
        if address is None:
            address = self._known[endpoint.name] = address_of(endpoint)
        return address
