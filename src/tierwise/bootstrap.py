"""How do settings become running parts? The only constructor of concrete parts.

Knows every package below; decides nothing. What is opened here is closed here, in the reverse order.
"""

import asyncio
import importlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tierwise.audit.notes import Signer
from tierwise.config import Document, Settings
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError
from tierwise.core.model import Endpoint
from tierwise.core.secret import Secret
from tierwise.economics.budget import Account
from tierwise.economics.limits import Limits
from tierwise.evals import certificates
from tierwise.evals.probe import Prober
from tierwise.gateway.clock import Clock
from tierwise.gateway.decide import of_policy
from tierwise.gateway.drifting import Drifting
from tierwise.gateway.facts import Facts
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.observed import Observed, budgets_left, collector_at, observed
from tierwise.gateway.releases import Releases, of_workflows
from tierwise.gateway.rules import Rules, environments, usual_strategy
from tierwise.gateway.shadows import Shadows
from tierwise.gateway.soundness import refuse
from tierwise.gateway.trials import BY_ITSELF, Trials
from tierwise.gateway.workflow import Workflow
from tierwise.hardware.admit import admit
from tierwise.incidents.clerk import Clerk
from tierwise.incidents.conditions import CONDITIONS
from tierwise.incidents.desk import Desk, drifting
from tierwise.incidents.notices import Notices
from tierwise.incidents.senders import Sender, sender_of
from tierwise.incidents.settings import rows_of
from tierwise.incidents.watch import LEDGER, Watch
from tierwise.ledger.audit_key import make_signer, read_signer
from tierwise.ledger.books import Books
from tierwise.ledger.declassified import Declassifications
from tierwise.ledger.history import History
from tierwise.ledger.ids import IdSource
from tierwise.ledger.notary import Notary, Witness, WitnessFile
from tierwise.ledger.nothing import Nothing
from tierwise.ledger.pepper import given_pepper, make_pepper, read_pepper
from tierwise.ledger.postgres import PostgresLedger
from tierwise.ledger.postgres_history import PostgresHistory
from tierwise.ledger.protocol import Reader, Records, Releasing, Store
from tierwise.ledger.randomness import Randomness
from tierwise.ledger.store import Ledger
from tierwise.ledger.timed import Timed
from tierwise.ledger.writer import Options
from tierwise.policy.detect import Detectors
from tierwise.policy.judge import Policy
from tierwise.providers.address import Address, address_of
from tierwise.providers.deposit import Deposit
from tierwise.providers.discover import inspect
from tierwise.providers.engine import Engine
from tierwise.providers.engine import version as engine_version
from tierwise.providers.transport import Transport
from tierwise.registry import kept
from tierwise.registry.catalog import Catalog
from tierwise.registry.kinds import kinds
from tierwise.registry.load import load as load_catalog
from tierwise.registry.load import nearest
from tierwise.registry.probed import outdated
from tierwise.server.app import App
from tierwise.server.decided import Decided
from tierwise.server.ring import Configured, Ring
from tierwise.telemetry.families import gauge

VERSION_TIMEOUT_S = 2.0
T = TypeVar("T")


class Wired(msgspec.Struct, frozen=True, kw_only=True):
    """The running parts of one process."""

    settings: Settings
    rules: Rules
    gateway: Gateway
    ledger: Store
    transport: Transport
    engines: Mapping[str, Engine]
    observed: Observed
    releases: Releases
    shadows: Shadows
    notary: Notary
    watch: Watch


def rules_from(settings: Settings) -> Rules:
    """Build what is in force from the settings; raises ConfigError for a reference that leads nowhere, or a leak."""
    document = settings.document
    probed = kept.read(settings.probes_path)
    catalog = load_catalog(document.endpoint, document.model, settings.secret, probed, settings.prices)
    longest = max(document.budget, key=lambda budget: budget.window_s, default=None)
    if longest and document.ledger.keep_s is not None and document.ledger.keep_s < longest.window_s:
        raise ConfigError(
            f"ledger.keep is shorter than the window of a budget ({longest.window}), which would forget what was spent",
            key="ledger.keep",
        )
    rules = Rules(
        catalog=catalog,
        policy=Policy(document.labels, document.rule, environments(document.workflow)),
        labels=document.labels,
        detectors=Detectors(document.labels, clock=time.monotonic, load=importlib.import_module),
        workflows=_workflows(document, catalog),
        budgets=document.budget,
        fallback=document.fallback,
        breaker=document.breaker,
        default_strategy=usual_strategy(document.labels),
        ledger=document.ledger,
        secrets=tuple(_secrets(settings, catalog)),
        trace_to=document.telemetry.pass_on_to,
    )
    refuse(rules, document.rule)
    for release in settings.rollouts:
        rules = rules.rolled_out(release)
    return msgspec.structs.replace(rules, certified=certificates.certified(rules, settings))


def _secrets(settings: Settings, catalog: Catalog) -> Iterator[Secret]:
    """Give the keys that this gateway shows and takes, as far as they are set."""
    yield from (endpoint.key for endpoint in catalog.endpoints.values() if endpoint.key is not None)
    document = settings.document
    named = [row.secret for row in document.key] + list(document.telemetry.headers.values())
    named += [one for one in (document.ledger.password, document.server.key_pepper) if one is not None]
    yield from (secret for name in named if (secret := settings.secret(name)) is not None)


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
        clock = Clock()
        ledger = await store(settings, clock)
        stack.push_async_callback(ledger.close)
        release, written = await ledger.release(), settings.policy
        settings = msgspec.structs.replace(settings.under(release), rollouts=await of_workflows(ledger))
        rules = rules_from(settings)
        transport = Transport()
        stack.push_async_callback(transport.aclose)
        rules = await certificates.asked(await rechecked(settings, rules, transport), settings, transport)
        engines = _engines(rules.catalog, transport, stack)
        accounts = await _accounts(rules, ledger, clock())
        observing = await stack.enter_async_context(AsyncExitStack())
        seen = await observing.enter_async_context(
            observed(settings.document.telemetry, collector(settings), rules, lambda: gateway.rules.labels)
        )
        metrics = seen.metrics
        metrics.watch(
            lambda: gauge("tierwise.ledger.pending_rows", "Rows that wait for the disk.", ledger.pending_rows)
        )
        metrics.watch(lambda: budgets_left(accounts, clock()))
        active = Declassifications(settings.declassified_path).active
        facts = Facts(rules.breaker, accounts, Limits(settings.document.limit), clock, active)
        new_id = IdSource(time.time_ns, Randomness()).next
        watch = Watch(settings.document.incidents, facts, lambda: gateway.rules, new_id, clock, of_policy)
        # Apart from what goes to models: a limit on connections holds for all who share them.
        aside = Transport()
        stack.push_async_callback(aside.aclose)
        drift = Drifting(lambda: gateway.rules, facts, drifting(await ledger.incidents()))
        desk = _desk(settings, watch, ledger, aside, clock, drift)
        metrics.watch(desk.open_now)

        def observe(decision: Decision, duration_s: float) -> None:
            watch.finished(decision)
            drift.finished(decision)
            seen.observe(decision, duration_s)

        gateway = Gateway(
            rules,
            facts,
            ledger=Timed(ledger, metrics.wrote, watch.unwritten),
            transport=transport,
            reach=_Reach(engines),
            new_id=new_id,
            observe=observe,
        )
        notary = _notary(settings, ledger, aside, lambda: watch.saw("unverified", LEDGER))
        metrics.watch(lambda: gauge("tierwise.audit.failing", "Signers and witnesses that fail.", notary.failing))
        notary.begin()
        stack.push_async_callback(_together, desk.aclose, notary.close, observing.aclose)
        stack.push_async_callback(gateway.aclose)
        releases = Releases(gateway, ledger, written, [one for one in (release, *settings.rollouts) if one])
        proven = certificates.Followed(gateway, settings, transport)
        shadows = Shadows(gateway)
        gateway.answered = shadows.offer
        stack.push_async_callback(shadows.aclose)
        metrics.watch(lambda: gauge("tierwise.shadows.dropped", "Copies of calls that were dropped.", shadows.dropped))
        trials = _trials(settings, gateway, ledger, new_id)
        for work in (releases.follow(), desk.follow(), proven.follow(), trials.follow()):
            stack.callback(asyncio.create_task(work).cancel)
        yield Wired(
            settings=settings,
            rules=rules,
            gateway=gateway,
            ledger=ledger,
            transport=transport,
            engines=engines,
            observed=seen,
            releases=releases,
            shadows=shadows,
            notary=notary,
            watch=watch,
        )


def _trials(settings: Settings, gateway: Gateway, ledger: Store, new_id: Callable[[], str]) -> Trials:
    """Make what looks after canaries."""
    book = books(settings).incidents()

    def note(subject: str) -> None:
        book.note([CONDITIONS["canary"].sighting(new_id(), subject, time.time())])

    return Trials(gateway, ledger, release_book(settings, BY_ITSELF), note)


async def _together(*ends: Callable[[], Awaitable[object]]) -> None:
    """End at the same time what waits for somebody outside, each for so long: the waits are not to add up."""
    for found in await asyncio.gather(*(end() for end in ends), return_exceptions=True):
        if isinstance(found, BaseException):
            raise found


def collector(settings: Settings) -> Address | None:
    """Return where spans and metrics go, None for nowhere; `ConfigError` for a header that is not set."""
    return collector_at(settings.document.telemetry, settings.secret)


def _notary(settings: Settings, ledger: Store, transport: Transport, unverified: Callable[[], None]) -> Notary:
    """Return who signs the ledger's log, and tells the witnesses; `unverified` as in `Notary`. Raises ConfigError."""
    told: list[Witness] = [*witness_files(settings), *witness_places(settings, transport)]
    return Notary(ledger, signer(settings, make=True), settings.document.audit.every_s, told, unverified)


def witness_files(settings: Settings) -> list[WitnessFile]:
    """Return the witnesses that can be read here."""
    rows = settings.document.audit.witness
    return [WitnessFile(Path(one.path).expanduser(), one.every_s) for one in rows if one.path is not None]


def witness_places(settings: Settings, transport: Transport) -> list[Deposit]:
    """Return the witnesses that are only written to."""
    return [
        Deposit(transport, Address(url=one.url, key=_token(settings, one.key), ca_file=one.ca_file), one.every_s)
        for one in settings.document.audit.witness
        if one.url is not None
    ]


def _token(settings: Settings, reference: str | None) -> Secret | None:
    token = None if reference is None else settings.secret(reference)
    if reference is not None and token is None:
        raise ConfigError(f"audit.witness: key {reference} is not set", key="audit.witness.key")
    return token


def signer(settings: Settings, *, make: bool) -> Signer:
    """Return who signs the ledger's log; `make` the key if there is none. Raises ConfigError."""
    reference = settings.document.audit.key
    if reference is None:
        return (make_signer if make else read_signer)(settings.audit_key_path)
    text = settings.secret(reference)
    if text is None:
        raise ConfigError(f"audit.key: {reference} is not set", key="audit.key")
    return Signer.parse(text)


def _desk(settings: Settings, watch: Watch, ledger: Store, transport: Transport, clock: Clock, drift: Drifting) -> Desk:
    """Make what follows incidents. Raises ConfigError for a notifier that cannot be told."""
    clerk = Clerk(books(settings).incidents(clock))
    told = Notices(clerk, senders(settings, transport), os.urandom(8).hex())
    return Desk(watch, clerk, ledger, told, settings.document.incidents.quiet_s, clock, drift)


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
    document = settings.document
    return load_catalog(document.endpoint, document.model, settings.secret, prices=settings.prices)


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
    new_id = IdSource(time.time_ns, Randomness()).next
    facts = Facts(rules.breaker, (), declassified=Declassifications(settings.declassified_path).active)
    return Gateway(rules, facts, ledger=Nothing(), transport=Transport(), reach=_Reach({}), new_id=new_id)


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

    app = App(
        wired.gateway,
        decisions=Decided(wired.ledger, books(wired.settings).remarks()),
        ring=Ring(keys, wired.ledger, lambda: pepper(wired.settings, make=False)),
        settings=document.server,
        metrics=wired.observed.metrics.render,
        ready=ready,
        warning=lambda: wired.releases.warning or wired.notary.warning,
    )
    wired.observed.metrics.watch(
        lambda: gauge("tierwise.connections.open", "Connections of callers.", app.connections())
    )
    return app


async def store(settings: Settings, clock: Clock) -> Store:
    """Open the ledger where the settings say: a file, or a database that several processes share."""
    row, place = settings.document.ledger, settings.ledger_place
    options = Options(
        durability=row.durability,
        keep_s=row.keep_s,
        content_keep_s=row.content_keep_s,
        signer=signer(settings, make=True),
        clock=clock,
        believed=Clock,
    )
    if place is not None:
        return await PostgresLedger.open(place, options)
    return await Ledger.open(settings.ledger_path, options=options)


def books(settings: Settings) -> Books:
    """Return who changes the ledger beside running gateways."""
    return Books(settings.ledger_path, settings.ledger_place)


def release_book(settings: Settings, who: str) -> Releasing:
    """Return who adds releases to the ledger; `who` stands in each."""
    return books(settings).releases(who)


def senders(settings: Settings, transport: Transport) -> list[Sender]:
    """Return who is told of incidents. Raises ConfigError for a secret that is not set, or a wrong address."""
    rows = rows_of(settings.document.notify)
    return [sender_of(row, settings.secret, settings.environ, transport) for row in rows]


def records(settings: Settings, since_ts: float) -> Records:
    """Return the records since this Unix time, for reading very many of them."""
    return books(settings).records(since_ts)


def pepper(settings: Settings, *, make: bool) -> bytes:
    """Return the secret that keys are hashed with; `make` it if there is none. Raises ConfigError."""
    reference = settings.document.server.key_pepper
    if reference is None:
        return (make_pepper if make else read_pepper)(settings.pepper_path)
    secret = settings.secret(reference)
    return given_pepper(secret.reveal() if secret else None, reference)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Reader | None]:
    """Open the ledger for reading only, also beside a running server; None where nothing was recorded yet."""
    found: Reader | None = None
    if settings.ledger_place is not None:
        found = PostgresHistory(settings.ledger_place)
    elif settings.ledger_path.exists():
        found = History(settings.ledger_path)
    try:
        yield found
    finally:
        if found is not None:
            await found.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's one coroutine on the fast event loop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


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


async def _accounts(rules: Rules, ledger: Store, now: float) -> list[Account]:
    accounts = [Account(budget, spent=Decimal(0), now=now) for budget in rules.budgets]
    await ledger.enforce(accounts)
    return accounts
