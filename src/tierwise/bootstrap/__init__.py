"""How do settings become running parts? The only constructor of concrete parts.

Knows every package below; decides nothing. What is opened here is closed here, in the reverse order.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import msgspec

from tierwise.bootstrap import pages
from tierwise.bootstrap.endpoints import Reach, engines_of, how_busy, looked, prober, rechecked, version_of
from tierwise.bootstrap.rules import prices_at, promised, rules_from
from tierwise.bootstrap.stored import (
    books,
    pepper,
    reading,
    records,
    release_book,
    signer,
    store,
    witness_files,
    witness_places,
)
from tierwise.config import Settings
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError
from tierwise.economics.budget import Account
from tierwise.economics.limits import Limits
from tierwise.evals import certificates
from tierwise.gateway.clock import Clock
from tierwise.gateway.drifting import Drifting
from tierwise.gateway.facts import Facts
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.observed import Observed, budgets_left, capacities, collector_at, observed
from tierwise.gateway.polling import Polling
from tierwise.gateway.priced import DayPrices
from tierwise.gateway.releases import Releases, of_workflows
from tierwise.gateway.rules import Rules
from tierwise.gateway.shadows import Shadows
from tierwise.gateway.status import status
from tierwise.gateway.trials import BY_ITSELF, Trials
from tierwise.incidents.clerk import Clerk
from tierwise.incidents.conditions import CONDITIONS
from tierwise.incidents.desk import Desk, drifting
from tierwise.incidents.notices import Notices
from tierwise.incidents.senders import Sender, sender_of
from tierwise.incidents.settings import rows_of
from tierwise.incidents.watch import LEDGER, Watch
from tierwise.ledger.declassified import Declassifications
from tierwise.ledger.ids import IdSource
from tierwise.ledger.notary import Notary, Witness
from tierwise.ledger.nothing import Nothing
from tierwise.ledger.protocol import Store
from tierwise.ledger.randomness import Randomness
from tierwise.ledger.timed import Timed
from tierwise.providers.address import Address
from tierwise.providers.engine import Engine
from tierwise.providers.transport import Transport
from tierwise.server.app import App, Telling
from tierwise.server.decided import Decided
from tierwise.server.drawing import Drawing
from tierwise.server.login import Login
from tierwise.server.pages import Pages
from tierwise.server.reports import Reports
from tierwise.server.ring import Configured, Ring
from tierwise.telemetry.families import gauge
from tierwise.telemetry.metrics import Metrics

__all__ = [
    "Reach",
    "Wired",
    "application",
    "books",
    "collector",
    "dry_gateway",
    "engines_of",
    "looked",
    "opened",
    "pepper",
    "prices_at",
    "prober",
    "promised",
    "reading",
    "rechecked",
    "records",
    "release_book",
    "rules_from",
    "run",
    "senders",
    "signer",
    "store",
    "version_of",
    "witness_files",
    "witness_places",
]

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
    drawing: Drawing


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
        transport = _transport(stack)
        rules = await certificates.asked(await rechecked(settings, rules, transport), settings, transport)
        engines = engines_of(rules.catalog, transport, stack)
        accounts = await _accounts(rules, ledger, clock())
        observing = await stack.enter_async_context(AsyncExitStack())
        seen = await observing.enter_async_context(
            observed(settings.document.telemetry, collector(settings), rules, lambda: gateway.rules.labels)
        )
        active = Declassifications(settings.declassified_path).active
        facts = Facts(rules.breaker, accounts, Limits(settings.document.limit), clock, active)
        new_id = IdSource(time.time_ns, Randomness()).next
        watch = Watch(settings.document.incidents, facts, lambda: gateway.rules, new_id, clock)
        # Apart from what goes to models: a limit on connections holds for all who share them.
        aside = _transport(stack)
        drift = Drifting(lambda: gateway.rules, facts, drifting(await ledger.incidents()))
        desk = _desk(settings, watch, ledger, aside, clock, drift)

        def observe(decision: Decision, duration_s: float) -> None:
            watch.finished(decision)
            drift.finished(decision)
            seen.observe(decision, duration_s)

        gateway = Gateway(
            rules,
            facts,
            ledger=Timed(ledger, seen.metrics.wrote, watch.unwritten),
            transport=transport,
            reach=Reach(engines),
            new_id=new_id,
            observe=observe,
        )
        notary = _notary(settings, ledger, aside, lambda: watch.saw("unverified", LEDGER))
        notary.begin()
        stack.push_async_callback(_together, desk.aclose, notary.close, observing.aclose)
        stack.push_async_callback(gateway.aclose)
        releases = Releases(gateway, ledger, written, [one for one in (release, *settings.rollouts) if one])
        proven = certificates.Followed(gateway, settings, transport)
        shadows = Shadows(gateway)
        gateway.answered = shadows.offer
        stack.push_async_callback(shadows.aclose)
        stack.push_async_callback((drawing := Drawing(pages.orders(settings))).aclose)
        _gauges(seen.metrics, ledger, desk, notary, shadows, facts)
        trials, prices = _trials(settings, gateway, ledger, new_id), DayPrices(gateway, settings.document.price, clock)
        polling = Polling(lambda: gateway.rules, facts.live, how_busy(engines, aside), settings.document.live)
        for one in (releases, desk, proven, trials, prices, polling):
            stack.callback(asyncio.create_task(one.follow()).cancel)
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
            drawing=drawing,
        )


def _transport(stack: AsyncExitStack) -> Transport:
    transport = Transport()
    stack.push_async_callback(transport.aclose)
    return transport


def _gauges(metrics: Metrics, ledger: Store, desk: Desk, notary: Notary, shadows: Shadows, facts: Facts) -> None:
    """Have what stands there now told with the metrics."""
    metrics.watch(lambda: budgets_left(facts.accounts, facts.clock()))
    metrics.watch(desk.open_now)
    for tell in capacities(facts.live):
        metrics.watch(tell)
    metrics.watch(lambda: gauge("tierwise.ledger.pending_rows", "Rows that wait for the disk.", ledger.pending_rows))
    metrics.watch(lambda: gauge("tierwise.audit.failing", "Signers and witnesses that fail.", notary.failing))
    metrics.watch(lambda: gauge("tierwise.shadows.dropped", "Copies of calls that were dropped.", shadows.dropped))


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


def _desk(settings: Settings, watch: Watch, ledger: Store, transport: Transport, clock: Clock, drift: Drifting) -> Desk:
    """Make what follows incidents. Raises ConfigError for a notifier that cannot be told."""
    clerk = Clerk(books(settings).incidents(clock))
    told = Notices(clerk, senders(settings, transport), os.urandom(8).hex())
    return Desk(watch, clerk, ledger, told, settings.document.incidents.quiet_s, clock, drift)


def dry_gateway(settings: Settings) -> Gateway:
    """Return a gateway that can only decide: it has no ledger and reaches nobody."""
    rules = rules_from(settings)
    new_id = IdSource(time.time_ns, Randomness()).next
    facts = Facts(rules.breaker, (), declassified=Declassifications(settings.declassified_path).active)
    return Gateway(rules, facts, ledger=Nothing(), transport=Transport(), reach=Reach({}), new_id=new_id)


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

    ring = Ring(keys, wired.ledger, lambda: pepper(wired.settings, make=False))
    app = App(
        wired.gateway,
        decisions=Decided(wired.ledger, books(wired.settings).remarks()),
        reports=Reports(wired.settings.home),
        ring=ring,
        settings=document.server,
        telling=Telling(
            metrics=wired.observed.metrics.render,
            ready=lambda: (ready(), wired.releases.warning or wired.notary.warning),
            status=lambda: status(wired.gateway, wired.engines),
        ),
        pages=Pages(ring, Login(_cookie_secret(wired.settings)), wired.drawing, wired.transport),
    )
    wired.observed.metrics.watch(
        lambda: gauge("tierwise.connections.open", "Connections of callers.", app.connections())
    )
    return app


def _cookie_secret(settings: Settings) -> bytes:
    """Return what cookies are sealed with: what keys are hashed with, so that gateways of one ledger share it.

    Where there is none, cookies last as long as this process.
    """
    try:
        return pepper(settings, make=False)
    except ConfigError:
        return os.urandom(32)


def senders(settings: Settings, transport: Transport) -> list[Sender]:
    """Return who is told of incidents. Raises ConfigError for a secret that is not set, or a wrong address."""
    rows = rows_of(settings.document.notify)
    return [sender_of(row, settings.secret, settings.environ, transport) for row in rows]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's one coroutine on the fast event loop where there is one."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


async def _accounts(rules: Rules, ledger: Store, now: float) -> list[Account]:
    accounts = [Account(budget, spent=Decimal(0), now=now) for budget in rules.budgets]
    await ledger.enforce(accounts)
    return accounts
