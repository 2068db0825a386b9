"""Is a canary that runs here still fit to run? Reads what became of both arms, and stops one that does harm.

Every gateway over one ledger looks, and all come to the same conclusion; who is first makes the release, and the others
follow it as they follow any.
Invariant: nothing is promoted here; a canary is stopped only by a release that says why, and its incident is durable
before that.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Protocol

import msgspec

from tierwise.core.decision import Decision
from tierwise.core.errors import ConfigError, StoreError
from tierwise.gateway.arms import Arms, Conclusion
from tierwise.gateway.overlay import Canary, Rollout, canonical
from tierwise.gateway.rules import Rules
from tierwise.ledger.history import EVERYTHING
from tierwise.ledger.protocol import Releasing
from tierwise.ledger.queries import Filter
from tierwise.ledger.releases import POLICY, Release, of_workflow
from tierwise.ledger.remarks import Remark

POLL_S = 1.0
SLACK_S = 3600.0
"""Clocks of gateways and of their ledger may differ; a record names its release, so that reading more is no error."""
MOST_WHY_CHARS = 500
BY_ITSELF = "Tierwise, by itself"
_log = logging.getLogger("tierwise.trials")


class Source(Protocol):
    """Where records, remarks and releases are read."""

    async def get(self, id_or_prefix: str) -> Decision | None:
        """Return one decision."""

    def iterate(self, which: Filter = EVERYTHING) -> AsyncIterator[Decision]:
        """Give the decisions that fit, in the order in which they were recorded."""

    async def remarks_after(self, seq: int, since_ts: float = 0.0) -> list[Remark]:
        """Return the next remarks on any decision."""

    async def release(self, number: int | None = None, subject: str = POLICY) -> Release | None:
        """Return a release."""


class InForce(Protocol):
    """Whose rules are looked at."""

    rules: Rules


class Reading:
    """What was read of one canary so far."""

    def __init__(self, workflow: str, number: int, canary: Canary, since_ts: float) -> None:
        self.arms = Arms(number, canary.limits)
        self._workflow, self._since_ts = workflow, since_ts - SLACK_S
        self._said = 0

    async def more(self, source: Source) -> Conclusion:
        """Read what is new, and say what is shown by now."""
        which = Filter(workflow=self._workflow, since_ts=self._since_ts, after_seq=self.arms.last_seq)
        async for decision in source.iterate(which):
            self.arms.add(decision)
        while remarks := await source.remarks_after(self._said, self._since_ts):
            for remark in remarks:
                self._said = remark.seq
                meant = await source.get(remark.decision)
                if meant is not None and meant.workflow == self._workflow:
                    self.arms.hear(remark, meant)
        return self.arms.conclusion()


class Trials:
    """Looks after the canaries of one gateway. `note` makes an incident of a subject durable; it blocks."""

    def __init__(self, gateway: InForce, source: Source, book: Releasing, note: Callable[[str], None]) -> None:
        self._gateway, self._source, self._book, self._note = gateway, source, book, note
        self._readings: dict[str, Reading] = {}

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(POLL_S)
            try:
                await self.look()
            except StoreError:
                _log.warning("canaries cannot be looked after now", exc_info=True)
            except Exception:  # a defect of ours must not end the following in silence
                _log.exception("canaries could not be looked after")

    async def look(self) -> None:
        """Look at each canary in force, and stop one that does harm."""
        rollouts = self._gateway.rules.rollouts
        self._readings = {name: one for name, one in self._readings.items() if name in rollouts}
        for name, rollout in rollouts.items():
            if rollout.overlay.canary is not None:
                await self._look_at(name, rollout, rollout.overlay.canary)

    async def _look_at(self, name: str, rollout: Rollout, canary: Canary) -> None:
        reading = self._readings.get(name)
        if reading is None or reading.arms.release != rollout.number:
            release = await self._source.release(rollout.number, of_workflow(name))
            reading = Reading(name, rollout.number, canary, 0.0 if release is None else release.ts)
            self._readings[name] = reading
        found = await reading.more(self._source)
        if found.state == "harmful":
            await asyncio.to_thread(self._stop, name, rollout, canary, found)

    def _stop(self, name: str, rollout: Rollout, canary: Canary, found: Conclusion) -> None:
        self._note(f"workflow:{name}, canary {canary.model}")
        body = canonical(msgspec.structs.replace(rollout.overlay, canary=None))
        why = f"canary {canary.model} stopped: {found.why}"[:MOST_WHY_CHARS]
        try:
            self._book.add(body, why, after=rollout.number, subject=of_workflow(name))
        except ConfigError:
            _log.info("the canary of %s was stopped or changed by somebody else", name)
        else:
            _log.warning("workflow %s: %s", name, why)
