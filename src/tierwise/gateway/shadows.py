"""Who gets a copy of an answered call, and when? Asked aside, after the caller; what comes of it is only recorded.

A copy is a call like any other: its own intent and record, its label, its budgets. It is asked of one named model,
changes nothing that is known of sessions, and takes nothing of its key's rate.
Invariant: what waits is bounded in number and bytes; where it does not fit it is dropped and counted, never waited for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from tierwise.core.call import Call
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.rollout import RolloutRecord
from tierwise.gateway.canary import Caller, drawn, unit_of
from tierwise.gateway.facts import Facts
from tierwise.gateway.gateway import Reply
from tierwise.gateway.rules import Rules
from tierwise.wires.known import APART

MAX_WAITING, MAX_WAITING_BYTES = 64, 16 * 1024 * 1024
AT_ONCE = 2
DELAY_S = 0.05
"""After the record is closed, so that the caller's answer is on its way before anything is asked."""
_log = logging.getLogger("tierwise.shadows")


class Serving(Protocol):
    """The gateway that copies go through."""

    rules: Rules
    facts: Facts

    def handle(self, call: Call) -> Awaitable[Reply]:
        """Serve a call."""


class Shadows:
    """The copies of one gateway. One event loop owns it."""

    def __init__(self, gateway: Serving, asked: Callable[[], None] = lambda: None) -> None:
        self._gateway, self._asked = gateway, asked
        self._waiting: deque[Call] = deque()
        self._bytes = 0
        self._working: set[asyncio.Task[None]] = set()
        self._closed = False
        self.dropped = 0

    def offer(self, call: Call, decision: Decision) -> None:
        """Take a copy of a call that was answered, if it is drawn and there is room."""
        copy = self._copy(call, decision)
        if copy is None:
            return
        size, facts = len(copy.body), self._gateway.facts
        accounts = facts.accounts_for(decision.workflow, decision.key_id, decision.team)
        full = len(self._waiting) >= MAX_WAITING or self._bytes + size > MAX_WAITING_BYTES
        if full or self._closed or any(account.over_soft_limit() for account in accounts):
            self.dropped += 1
            return
        self._waiting.append(copy)
        self._bytes += size
        if len(self._working) < AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._work())
            self._working.add(task)
            task.add_done_callback(self._working.discard)

    async def aclose(self) -> None:
        """Drop what waits, and leave what is being asked: its records are closed as cancelled."""
        self._closed = True
        self.dropped += len(self._waiting)
        self._waiting.clear()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    def _copy(self, call: Call, decision: Decision) -> Call | None:
        rollout = self._gateway.rules.rollouts.get(decision.workflow or "")
        shadow = None if rollout is None else rollout.overlay.shadow
        if rollout is None or shadow is None or call.copy is not None or call.wire in APART:
            return None
        if decision.outcome not in ("answered", "flagged", "review") or decision.strategy == "pinned":
            return None
        caller = Caller(id=decision.id, key_id=decision.key_id, session=decision.session)
        unit = unit_of(f"shadow {rollout.number}", caller)
        if not drawn(unit, shadow.share):
            return None
        record = RolloutRecord(release=rollout.number, arm="shadow", unit=unit, of=decision.id)
        hints = msgspec.structs.replace(call.hints, workflow=decision.workflow)
        return msgspec.structs.replace(call, model=shadow.model, copy=record, hints=hints, trace=None)

    async def _work(self) -> None:
        await asyncio.sleep(DELAY_S)
        while self._waiting:
            copy = self._waiting.popleft()
            self._bytes -= len(copy.body)
            try:
                reply = await self._gateway.handle(copy)
                if reply.deltas is not None:
                    async for _ in reply.deltas:
                        pass
            except TierwiseError as error:  # it stands in its record, where one could be written
                _log.debug("the copy of %s failed: %s", copy.copy.of if copy.copy else "", error)
            except Exception:  # a defect of ours must not end the others in silence
                _log.exception("the copy of a call failed unexpectedly")
            self._asked()
