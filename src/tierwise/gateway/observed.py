"""What may be seen of a gateway at work? Its metrics, and where a collector is named its spans.

Joins what counts and writes with what is in force and with the way out. Invariant: a label that the ceilings of this
moment keep from the collector's tier is kept from it, whichever policy was in force when the call was decided.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from time import monotonic

from tierwise.core.capacity import CapacityRecord
from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError
from tierwise.core.label import Label
from tierwise.core.model import Limits
from tierwise.core.secret import Secret
from tierwise.economics.budget import Account
from tierwise.gateway.live import Live
from tierwise.gateway.rules import Rules
from tierwise.policy.settings import LabelSettings, ceilings
from tierwise.providers.address import Address, parse
from tierwise.providers.outlet import outlet
from tierwise.registry.kinds import kinds
from tierwise.telemetry.export import Exporter, Made
from tierwise.telemetry.families import Family, Point, without_workflows
from tierwise.telemetry.known import Known, known
from tierwise.telemetry.metrics import Metrics
from tierwise.telemetry.names import naming
from tierwise.telemetry.settings import TelemetrySettings

PROTOBUF = "application/x-protobuf"
MAX_ANSWER_BYTES = 64 * 1024
_log = logging.getLogger("tierwise.telemetry")


class Observed:
    """What is counted, and the way out for spans where there is one."""

    def __init__(self, metrics: Metrics, exporter: Exporter | None = None) -> None:
        self.metrics, self.exporter = metrics, exporter

    def observe(self, decision: Decision, duration_s: float) -> None:
        """Count a finished decision and let it go out."""
        self.metrics.count(decision, duration_s)
        if self.exporter is not None:
            self.exporter.put(decision, duration_s)


@asynccontextmanager
async def observed(
    settings: TelemetrySettings, collector: Address | None, rules: Rules, in_force: Callable[[], LabelSettings]
) -> AsyncIterator[Observed]:
    """Observe until the block ends; then what waits is sent, for a while. `in_force` are the labels of the moment."""
    metrics = Metrics(_known(rules))
    if collector is None:
        yield Observed(metrics)
        return

    def reaches(label: Label) -> bool:
        return ceilings(in_force())[label].rank >= settings.lies_on.rank

    made = Made(
        known=_known(rules),
        naming=naming(settings.names, openinference=settings.openinference),
        reaches=reaches,
        version=version("tierwise"),
    )
    exporter = Exporter(settings, made, lambda: outlet(collector))
    metrics.watch(exporter.exported)
    metrics.watch(exporter.dropped)

    def offer() -> None:
        if settings.metrics:
            own = tuple(metrics.families())
            if not all(map(reaches, Label)):  # of the calls of a workflow some may have labels that do not go there
                own = tuple(map(without_workflows, own))
            exporter.offer((*own, *metrics.conventions(made.naming)))

    async def repeat() -> None:
        while True:
            await asyncio.sleep(settings.metrics_every_s)
            try:
                offer()
            except Exception:  # a defect of ours must not end the metrics in silence
                _log.exception("the metrics could not be made")

    exporter.start()
    repeating = asyncio.create_task(repeat())
    try:
        yield Observed(metrics, exporter)
    finally:
        repeating.cancel()
        try:
            offer()
        finally:
            await exporter.aclose()


def collector_at(settings: TelemetrySettings, secret: Callable[[str], Secret | None]) -> Address | None:
    """Return where spans and metrics go, None for nowhere; `ConfigError` for a header that is not set."""
    if settings.url is None:
        return None
    headers = []
    for name, reference in settings.headers.items():
        value = secret(reference)
        if value is None:
            raise ConfigError(f"telemetry.headers: {name}: {reference} is not set", key="telemetry.headers")
        headers.append((name, value))
    wait_s = settings.timeout_s
    limits = Limits(
        connect_timeout_s=wait_s,
        first_byte_timeout_s=wait_s,
        idle_timeout_s=wait_s,
        total_timeout_s=wait_s,
        max_connections=2,
        max_answer_bytes=MAX_ANSWER_BYTES,
    )
    address = Address(
        url=settings.url, headers=tuple(headers), ca_file=settings.ca_file, limits=limits, media_type=PROTOBUF
    )
    try:
        parse(address)  # what is wrong with it is told at the start, not in a thread that nobody watches
    except ConfigError as error:
        raise ConfigError(f"telemetry: {error}", key="telemetry.url") from error
    return address


def budgets_left(accounts: Sequence[Account], now: float) -> Family:
    """Tell of each budget what is left; whose key or team it is stays in the configuration."""
    points = []
    for number, account in enumerate(accounts):
        budget = account.budget
        kind = budget.scope.partition(":")[0]
        scope = budget.scope if kind == "workflow" else kind
        labels = {"budget": str(number), "scope": scope, "window": budget.window}
        points.append(Point(labels=labels, value=account.left(now)))
    told = "What is left of a budget, by its number in the configuration."
    return Family(name="tierwise.budget.remaining", kind="gauge", unit="USD", text=told, points=tuple(points))


def capacities(live: Live) -> tuple[Callable[[], Family], ...]:
    """Return what tells of each model its slots, its requests and what a call would take."""

    def told(name: str, text: str, unit: str, of: Callable[[CapacityRecord], float | None]) -> Callable[[], Family]:
        def family() -> Family:
            known = ((model, of(record)) for model, record in sorted(live.known(monotonic()).items()))
            points = tuple(Point(labels={"model": model}, value=value) for model, value in known if value is not None)
            return Family(name=name, kind="gauge", unit=unit, text=text, points=points)

        return family

    return (
        told("tierwise.model.slots", "Requests that a model answers at the same time.", "", lambda one: one.slots),
        told("tierwise.model.requests", "Requests that run or wait at a model.", "", lambda one: one.requests),
        told("tierwise.model.loaded", "Whether a model is loaded: 0 or 1.", "", _loaded),
        told("tierwise.model.latency.expected", "What a call of usual size would take now.", "s", _latency_s),
    )


def _loaded(record: CapacityRecord) -> int | None:
    return None if record.loaded is None else int(record.loaded)


def _latency_s(record: CapacityRecord) -> float | None:
    return None if record.latency_ms is None else record.latency_ms / 1000


def _known(rules: Rules) -> Known:
    providers = {name: row.genai_provider or name for name, row in kinds().items()}
    return known(rules.catalog.endpoints, rules.catalog.models.values(), rules.workflows, providers)
