"""How do settings become running parts? The only constructor of concrete parts.

Knows every package below; decides nothing. What is opened here is closed here, in the reverse order.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import msgspec

from tierwise.config import Document, Settings
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError, StoreError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Endpoint
from tierwise.economics.budget import Account, window_start
from tierwise.economics.limits import Limits
from tierwise.evals.probe import Prober
from tierwise.gateway.facts import Facts
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.releases import Releases
from tierwise.gateway.rules import Rules, usual_strategy
from tierwise.gateway.workflow import Workflow
from tierwise.hardware.admit import admit
from tierwise.ledger.history import History
from tierwise.ledger.ids import IdSource
from tierwise.ledger.intent import Intent
from tierwise.ledger.metrics import Metrics
from tierwise.ledger.pepper import PEPPER_BYTES, make_pepper, read_pepper
from tierwise.ledger.store import Ledger
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.providers.address import Address
from tierwise.providers.discover import Found, ServedModel, discover, inspect
from tierwise.providers.engine import Engine
from tierwise.providers.engine import version as engine_version
from tierwise.providers.transport import Transport
from tierwise.quality.settings import Gates
from tierwise.registry import kept
from tierwise.registry.catalog import Catalog
from tierwise.registry.demonstration import TASK, demonstration
from tierwise.registry.kinds import kinds, known_models
from tierwise.registry.load import load as load_catalog
from tierwise.registry.load import nearest
from tierwise.registry.probed import outdated
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.server.app import App
from tierwise.server.ring import Configured, Ring

VERSION_TIMEOUT_S = 2.0
T = TypeVar("T")


class Wired(msgspec.Struct, frozen=True, kw_only=True):
    """The running parts of one process."""

    settings: Settings
    rules: Rules
    gateway: Gateway
    ledger: Ledger
    transport: Transport
    engines: Mapping[str, Engine]
    metrics: Metrics
    releases: Releases


def rules_from(settings: Settings) -> Rules:
    """Build what is in force from the settings; raises ConfigError for a reference that leads nowhere."""
    document = settings.document
    catalog = load_catalog(document.endpoint, document.model, settings.secret, kept.read(settings.probes_path))
    return Rules(
        catalog=catalog,
        policy=Policy(document.labels, document.rule),
        labels=document.labels,
        detectors=Detectors(document.labels),
        workflows=_workflows(document, catalog),
        budgets=document.budget,
        fallback=document.fallback,
        breaker=document.breaker,
        default_strategy=usual_strategy(document.labels),
    )


def _workflows(document: Document, catalog: Catalog) -> dict[str, Workflow]:
    found: dict[str, Workflow] = {}
    for workflow in document.workflow:
        if workflow.name in found:
            raise ConfigError(f"two workflows are named {workflow.name!r}", key="workflow.name")
        named = [
            ("candidates", workflow.candidates),
            ("trusted", workflow.trusted),
            ("weights", tuple(workflow.weights)),
        ]
        named.append(("baseline", (workflow.baseline,) if workflow.baseline else ()))
        for field, models in named:
            for model in models:
                if model not in catalog.models:
                    raise ConfigError(
                        f"workflow {workflow.name!r}: {field} names the model {model!r}, which does not exist"
                        f"{nearest(model, catalog.models)}",
                        key=f"workflow.{workflow.name}.{field}",
                    )
        found[workflow.name] = workflow
    return found


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Wired]:
    """Open ledger, transport and gateway; engines start when they are first needed. Everything ends with the block."""
    rules = rules_from(settings)
    async with AsyncExitStack() as stack:
        ledger = await Ledger.open(settings.ledger_path, settings.document.ledger)
        stack.push_async_callback(ledger.close)
        release, written = await ledger.release(), settings.policy
        settings = settings.under(release)
        rules = rules_from(settings)
        transport = Transport()
        stack.push_async_callback(transport.aclose)
        rules = await rechecked(settings, rules, transport)
        engines = _engines(rules.catalog, transport, stack)
        metrics = Metrics(lambda: ledger.pending_rows)
        gateway = Gateway(
            rules,
            Facts(rules.breaker, await _accounts(rules, ledger), Limits(settings.document.limit)),
            ledger=ledger,
            transport=transport,
            reach=_Reach(engines),
            new_id=IdSource(time.time_ns, _Randomness()).next,
            observe=metrics.count,
        )
        stack.push_async_callback(gateway.aclose)
        releases = Releases(gateway, ledger, written, release)
        following = asyncio.create_task(releases.follow())
        stack.callback(following.cancel)
        yield Wired(
            settings=settings,
            rules=rules,
            gateway=gateway,
            ledger=ledger,
            transport=transport,
            engines=engines,
            metrics=metrics,
            releases=releases,
        )


def _engines(catalog: Catalog, transport: Transport, stack: AsyncExitStack) -> dict[str, Engine]:
    """Make the engines that start when first needed and end with the stack."""
    engines = {
        endpoint.name: Engine(endpoint.engine, name=endpoint.name, transport=transport, admit=admit)
        for endpoint in catalog.endpoints.values()
        if endpoint.engine is not None
    }
    for engine in engines.values():
        stack.push_async_callback(engine.stop)
    return engines


# what endpoints really do


def promised(settings: Settings) -> Catalog:
    """Return what exists as the rows say it, whatever was probed."""
    return load_catalog(settings.document.endpoint, settings.document.model, settings.secret)


@asynccontextmanager
async def prober(settings: Settings, most_tokens: int) -> AsyncIterator[Prober]:
    """Open what asks endpoints directly; an engine that it starts ends with the block."""
    async with AsyncExitStack() as stack:
        transport = Transport()
        stack.push_async_callback(transport.aclose)
        reach = _Reach(_engines(promised(settings), transport, stack))
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


def dry_gateway(settings: Settings) -> Gateway:
    """Return a gateway that can only decide: it has no ledger and reaches nobody."""
    rules = rules_from(settings)
    new_id = IdSource(time.time_ns, _Randomness()).next
    facts = Facts(rules.breaker, ())
    return Gateway(rules, facts, ledger=_NoLedger(), transport=Transport(), reach=_Reach({}), new_id=new_id)


def application(wired: Wired) -> App:
    """Return the HTTP application in front of the gateway."""
    document = wired.settings.document
    keys = []
    for row in document.key:
        secret = wired.settings.secret(row.secret)
        if secret is None:
            raise ConfigError(f"key {row.name!r}: its secret {row.secret} is not set", key="key.secret")
        keys.append(Configured(secret=secret, grant=row.grant, expires=row.expires_ts))

    def ready() -> str | None:
        catalog = wired.gateway.rules.catalog
        usable = any(m.endpoint not in catalog.unusable for m in catalog.models.values())
        return None if usable else "no endpoint can be asked"

    return App(
        wired.gateway,
        decisions=wired.ledger,
        ring=Ring(keys, wired.ledger, lambda: pepper(wired.settings, make=False)),
        settings=document.server,
        metrics=wired.metrics.render,
        ready=ready,
        warning=lambda: wired.releases.warning,
    )


def pepper(settings: Settings, *, make: bool) -> bytes:
    """Return the secret that keys are hashed with; `make` it if there is none. Raises ConfigError."""
    reference = settings.document.server.key_pepper
    if reference is None:
        return (make_pepper if make else read_pepper)(settings.pepper_path)
    secret = settings.secret(reference)
    try:
        given = bytes.fromhex(secret.reveal()) if secret else b""
    except ValueError:
        given = b""
    if len(given) != PEPPER_BYTES:
        raise ConfigError(f"{reference} must hold {2 * PEPPER_BYTES} hexadecimal digits", key="server.key_pepper")
    return given


def reader(settings: Settings) -> History | None:
    """Open the ledger for reading only, also beside a running server; None where nothing was recorded yet."""
    return History(settings.ledger_path) if settings.ledger_path.exists() else None


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's one coroutine on the fast event loop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


class _Randomness:
    """Random bytes from the system, fetched in larger pieces: a system call for each id was measured at 50 µs."""

    def __init__(self) -> None:
        self._left = b""

    def __call__(self, count: int) -> bytes:
        """Return so many bytes, each given out once."""
        if len(self._left) < count:
            self._left = os.urandom(4096)
        taken, self._left = self._left[:count], self._left[count:]
        return taken


class _NoLedger:
    """Refuses: a dry run that would record something is a mistake."""

    async def intent(self, intent: Intent) -> object:
        """Refuse."""
        raise StoreError("a dry run records nothing")

    async def outcome(self, decision: Decision) -> object:
        """Refuse."""
        raise StoreError("a dry run records nothing")

    async def session_label(self, key_id: str | None, session: str) -> Label | None:
        """Know no sessions."""
        return None


class _Reach:
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


def address_of(endpoint: Endpoint) -> Address:
    """Return where a configured endpoint listens, and with which key."""
    bearer = endpoint.key_header == "authorization"
    return Address(
        url=endpoint.url,
        key=endpoint.key if bearer else None,
        headers=() if bearer or endpoint.key is None else ((endpoint.key_header, endpoint.key),),
        ca_file=endpoint.ca_file,
        limits=endpoint.limits,
    )


async def _accounts(rules: Rules, ledger: Ledger) -> list[Account]:
    now = time.time()
    found = []
    for budget in rules.budgets:
        spent = await ledger.spent_usd(window_start(budget.window, now), budget.scope)
        found.append(Account(budget, spent=spent, now=now))
    return found


# what exists when nothing was written


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


async def discovered(settings: Settings, transport: Transport) -> tuple[Settings, list[str]]:
    """Fill in what exists where no file says it: the shipped models, servers on this machine, keys that are set.

    Returns the settings to use and what was found, in words. With a file, the settings come back as they are.
    """
    if settings.file is not None:
        return settings, []
    endpoints, models, workflow = shipped_rows()
    words = [f"{row.id}: shipped model, embedded, knows only {TASK}" for row in models]
    found = await discover(transport, [row for row in kinds().values() if row.discover])
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


async def looked_around(settings: Settings) -> Settings:
    """Return the settings with what exists filled in."""
    return (await looked_around_told(settings))[0]


async def looked_around_told(settings: Settings) -> tuple[Settings, list[str]]:
    """Return the settings with what exists filled in, and what was found, in words."""
    if settings.file is not None:
        return settings, []
    transport = Transport()
    try:
        return await discovered(settings, transport)
    finally:
        await transport.aclose()


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
