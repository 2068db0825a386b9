"""What exists where nothing was written? Shipped models, servers that listen on this machine, keys that are set.

Knows how to ask, not what to do with the answer. Invariant: a configuration file is never added to, and nothing that is
found outside this machine is switched on unasked.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from tierwise.config import Settings
from tierwise.core.errors import ConfigError
from tierwise.core.label import Tier
from tierwise.core.model import Endpoint
from tierwise.gateway.workflow import Workflow
from tierwise.hardware.admit import admit
from tierwise.providers.address import address_of
from tierwise.providers.discover import Found, ServedModel, discover, inspect
from tierwise.providers.engine import installed, missing
from tierwise.providers.transport import Transport
from tierwise.quality.settings import Gates
from tierwise.registry.demonstration import TASK, demonstration
from tierwise.registry.kinds import kinds, known_models
from tierwise.registry.settings import EndpointRow, ModelRow


def shipped_rows() -> tuple[tuple[EndpointRow, ...], tuple[ModelRow, ...], Workflow]:
    """Return the shipped models as embedded endpoints, and the workflow that they know."""
    shipped = demonstration()
    endpoints = tuple(
        EndpointRow(
            name=f"embedded-{name}",
            kind="embedded",
            file=str(shipped.path(name)),
            context_tokens=model.context_tokens,
            threads=1,
        )
        for name, model in shipped.models.items()
    )
    models = tuple(
        ModelRow(id=name, endpoint=f"embedded-{name}", context_tokens=model.context_tokens, tasks=(TASK,))
        for name, model in shipped.models.items()
    )
    thresholds = {
        name: model.threshold_logprob for name, model in shipped.models.items() if model.threshold_logprob is not None
    }
    workflow = Workflow(
        name=TASK,
        candidates=tuple(shipped.models),
        strategy="cascade",
        gates=Gates(min_logprob=thresholds),
        on_gate_failure="flag",
    )
    return endpoints, models, workflow


async def looked_around(settings: Settings) -> Settings:
    """Return the settings with what exists filled in."""
    return (await looked_around_told(settings))[0]


async def looked_around_told(settings: Settings) -> tuple[Settings, list[str]]:
    """Fill in what exists where no file says it: the shipped models, servers on this machine, keys that are set.

    Returns the settings to use and what was found, in words. With a file, the settings come back as they are.
    """
    if settings.file is not None:
        return settings, []
    transport = Transport()
    try:
        found = await discover(transport, [row for row in kinds().values() if row.discover])
    finally:
        await transport.aclose()
    endpoints, models, workflow = shipped_rows()
    words = [f"{row.id}: shipped model, embedded, knows only {TASK}" for row in models]
    near = _near(found, taken={row.id for row in models})
    outside = _outside(settings)
    words += [f"{row.id}: at {row.endpoint}" for row in near[1]]
    for row in outside[0]:
        state = "on" if row.enabled else "off: add --frontier to let calls leave this machine"
        words.append(f"{row.name}: a key is set ({state})")
    document = msgspec.structs.replace(
        settings.document,
        endpoint=(*endpoints, *near[0], *outside[0]),
        model=(*models, *near[1], *outside[1]),
        workflow=(workflow,),
    )
    return msgspec.structs.replace(settings, document=document), words


async def reachable(endpoint: Endpoint, unusable: str | None, served_names: Sequence[str] = ()) -> tuple[bool, str]:
    """Ask an endpoint whether it can be used, without calling a model; returns that and words for people.

    `served_names` are looked for among the models that it lists; that one is missing is told, as lists leave names out.
    """
    if unusable is not None:
        return False, unusable
    if endpoint.engine is not None:
        try:
            admitted = await asyncio.to_thread(admit, endpoint.engine)
        except ConfigError as error:
            return False, str(error)
        if not installed(endpoint.engine.format):
            return False, missing(endpoint.engine.format)
        return True, f"{admitted.file}, starts when first asked"
    transport = Transport()
    try:
        found = await inspect(transport, address_of(endpoint), kinds()[endpoint.kind])
    finally:
        await transport.aclose()
    if not found.reachable or found.locked:
        return False, f"{endpoint.url}: {found.detail}"
    latency = f" in {found.latency_ms:.0f} ms" if found.latency_ms is not None else ""
    return True, f"{endpoint.url} answered{latency}, {_listed(endpoint, found.models, served_names)}"


def _listed(endpoint: Endpoint, models: Sequence[ServedModel] | None, wanted: Sequence[str]) -> str:
    """Say how many models an endpoint lists, and which of the wanted ones it does not."""
    if models is None:
        return "but lists no models: if calls fail, its url is wrong (most end in /v1)"
    count = f"{len(models)} model{'' if len(models) == 1 else 's'}"
    names = {model.id for model in models}
    missing = [name for name in wanted if name not in names and f"{name}:latest" not in names]
    if not missing or endpoint.tier is Tier.FRONTIER:
        return count
    return f"{count}; not in its list: {', '.join(missing)}"


def _near(found: Sequence[Found], taken: set[str]) -> tuple[list[EndpointRow], list[ModelRow]]:
    """Turn servers that listen on this machine into rows."""
    endpoints, models = [], []
    for server in found:
        endpoints.append(EndpointRow(name=server.kind, kind=server.kind, url=server.url, tier=Tier.LOCAL))
        for model in server.models:
            name = model.id if model.id not in taken else f"{server.kind}/{model.id}"
            taken.add(name)
            models.append(
                ModelRow(
                    id=name,
                    endpoint=server.kind,
                    served_name=model.id,
                    context_tokens=model.context_tokens,
                    capabilities=model.capabilities,
                )
            )
    return endpoints, models


def _outside(settings: Settings) -> tuple[list[EndpointRow], list[ModelRow]]:
    """Turn well-known key variables that are set into rows, switched off unless the user asked for them."""
    endpoints, models = [], []
    for kind in kinds().values():
        if kind.key_env is None or kind.tier is not Tier.FRONTIER or settings.secret(f"env:{kind.key_env}") is None:
            continue
        endpoints.append(EndpointRow(name=kind.kind, kind=kind.kind, enabled=settings.frontier))
        models += [
            ModelRow(id=known.served_name, endpoint=kind.kind) for known in known_models() if kind.kind in known.kinds
        ]
    return endpoints, models
