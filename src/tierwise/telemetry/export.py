"""How do spans and metrics get out? A bounded queue, and a thread of its own that empties it.

A call pays for putting a reference into the queue and for nothing else. How a collector is reached is handed in.
Invariant: whatever the collector does, no call waits for it; what cannot be sent is dropped and counted.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol, get_args

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.label import Label
from tierwise.telemetry import otlp
from tierwise.telemetry.families import Family, Point
from tierwise.telemetry.known import Known
from tierwise.telemetry.names import SCHEMA_URLS, Naming
from tierwise.telemetry.settings import TelemetrySettings
from tierwise.telemetry.spans import Span, Value, sampled, spans

BATCH = 256
TRIES, FIRST_WAIT_S, LONGEST_WAIT_S = 4, 1.0, 30.0
TRACES, METRICS = "/v1/traces", "/v1/metrics"
PASSING = frozenset((429, 502, 503, 504))
"""Answers after which the same may be sent again; every other one is final."""
Lost = Literal["queue_full", "refused", "unreachable", "failed", "shutting_down"]
_log = logging.getLogger("tierwise.telemetry")


class Collector(Protocol):
    """A way to the collector, for the loop that it was opened in."""

    async def post(self, path: str, body: bytes, timeout_s: float) -> int:
        """Send, follow no redirect, and return the status. Raises TierwiseError where there is none."""


Opened = Callable[[], AbstractAsyncContextManager[Collector]]


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What spans are made with. `reaches` says of a label whether it may go to the collector, at this moment."""

    known: Known
    naming: Naming
    reaches: Callable[[Label], bool]
    version: str = ""


class Exporter:
    """Spans and metrics on their way out. `put` and `offer` belong to the event loop, the rest to a thread."""

    def __init__(self, settings: TelemetrySettings, made: Made, opened: Opened) -> None:
        self._settings, self._made, self._opened = settings, made, opened
        self._queue: deque[tuple[Decision, float]] = deque()
        self._most = settings.max_queued
        self._families: bytes | None = None
        self._lost = dict.fromkeys(get_args(Lost), 0)
        self.sent = 0
        self.reached: bool | None = None
        self._started_ns = time.time_ns()
        self._stop_at: float | None = None
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="tierwise-telemetry", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def put(self, decision: Decision, duration_s: float) -> None:
        """Queue a finished decision, or drop it where too many wait."""
        if len(self._queue) >= self._most or self._stop_at is not None:
            self._lost["queue_full"] += 1
            return
        self._queue.append((decision, duration_s))
        if len(self._queue) == BATCH:
            self._wake.set()

    def offer(self, families: Iterable[Family]) -> None:
        """Hand over the metrics as they stand; those that were not sent yet are replaced."""
        times = (self._started_ns, time.time_ns())
        self._families = otlp.metrics(families, self._resource(), self._scope(), self._schema(), times)

    def exported(self) -> Family:
        """Return how much was sent, as a metric."""
        told = "Decisions whose spans the collector took."
        return Family(name="tierwise.telemetry.exported", kind="counter", text=told, points=(Point(value=self.sent),))

    def dropped(self) -> Family:
        """Return how much was not, and why, as a metric."""
        points = tuple(Point(labels={"why": why}, value=number) for why, number in self._lost.items())
        told = "Decisions whose spans were not sent."
        return Family(name="tierwise.telemetry.dropped", kind="counter", text=told, points=points)

    async def aclose(self) -> None:
        """Send what waits, for `flush_s` at most."""
        self._stop_at = time.monotonic() + self._settings.flush_s
        self._stopped.set()
        self._wake.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, self._settings.flush_s + 1)

    # in the thread

    def _run(self) -> None:
        try:
            asyncio.run(self._send_all())
        except Exception:
            _log.exception("telemetry ended unexpectedly; nothing is sent any more")
        finally:
            self._lost["shutting_down"] += len(self._queue)
            self._queue.clear()

    async def _send_all(self) -> None:
        async with self._opened() as collector:
            while self._stop_at is None:
                await asyncio.to_thread(self._wake.wait, self._settings.every_s)
                self._wake.clear()
                await self._round(collector)
            await self._round(collector)

    async def _round(self, collector: Collector) -> None:
        while self._queue and self._time_left() > 0:
            count, body = self._batch()
            if body:
                await self._send(collector, TRACES, body, count)
        families, self._families = self._families, None
        if families is not None and self._time_left() > 0:
            await self._send(collector, METRICS, families, 0)

    def _batch(self) -> tuple[int, bytes]:
        """Write the spans of some decisions; the loop that serves calls gets its turn after each of them."""
        found: list[Span] = []
        count = 0
        while self._queue and count < BATCH:
            decision, duration_s = self._queue.popleft()
            try:
                if sampled(decision, self._settings.sample):
                    found += self._spans(decision, duration_s)
                    count += 1
            except Exception:
                self._lost["failed"] += 1
                _log.exception("the spans of a decision could not be made")
            time.sleep(0)
        if not found:
            return 0, b""
        return count, otlp.traces(_in_turn(found), self._resource(), self._scope(), self._schema())

    def _spans(self, decision: Decision, duration_s: float) -> tuple[Span, ...]:
        made = self._made
        reaches = made.reaches(decision.label.value)
        return spans(decision, duration_s, made.known, made.naming, reaches=reaches)

    async def _send(self, collector: Collector, path: str, body: bytes, count: int) -> None:
        """Send with a few repeats; `count` decisions are lost if it cannot be done."""
        why: Lost = "unreachable"
        for turn in range(TRIES):
            try:
                status = await collector.post(path, body, min(self._settings.timeout_s, self._time_left()))
            except TierwiseError:
                status, why = 0, "unreachable"
            else:
                why = "refused"
            self.reached = status == 200
            if self.reached:
                self.sent += count
                return
            if status and status not in PASSING:
                break
            wait_s = min(FIRST_WAIT_S * 2**turn, LONGEST_WAIT_S)
            if turn + 1 == TRIES or not await self._waited(wait_s):
                break
        self._lost[why] += count

    async def _waited(self, wait_s: float) -> bool:
        """Wait before a repeat; False where there is no time for one, or the end has come."""
        if self._stop_at is None:
            await asyncio.to_thread(self._stopped.wait, wait_s)
        return self._stop_at is None

    def _time_left(self) -> float:
        return self._settings.timeout_s if self._stop_at is None else self._stop_at - time.monotonic()

    def _resource(self) -> dict[str, Value]:
        found: dict[str, Value] = {"service.name": self._settings.service}
        return found | ({"service.version": self._made.version} if self._made.version else {})

    def _scope(self) -> tuple[str, str]:
        return "tierwise", self._made.version

    def _schema(self) -> str:
        return SCHEMA_URLS[self._made.naming.profile]


def _in_turn(found: list[Span]) -> Iterator[Span]:
    for one in found:
        yield one
        time.sleep(0)
