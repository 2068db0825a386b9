"""How are many calls made, so that a kill loses no answer? Each is on the disk before anything is made of it.

Knows neither scorers nor judges. Calls are made in order, a bounded number at once; what is made of an answer happens
apart, so that it slows no call that is being timed.
Invariant: a call whose answer stands in the file is never made again; one that was cut short is, and says so.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tierwise.core.call import Hints
from tierwise.core.errors import TierwiseError
from tierwise.evals import answers
from tierwise.evals.answers import Answered, Answers, Key
from tierwise.evals.asking import Ask
from tierwise.evals.evidence import Observation
from tierwise.evals.item import Item
from tierwise.evals.outcome import Heard, accepted, outcome_of, text_of

PATIENCE_S = 120.0
"""For so long a call waits for a subject that rests after failures or wants to be left alone."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0

Progress = Callable[[int, int], None]
Made = Callable[[Answered], None]


def ignore(_done: int, _all: int) -> None:
    """Tell nobody how far it is."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One call to make. `session` is its name in the ledger; `body` writes the request when its turn comes."""

    key: Key
    item: Item
    workflow: str
    session: str
    body: Callable[[], bytes]


class Making(msgspec.Struct, frozen=True, kw_only=True):
    """How calls are made. `cut` names, by session, records that an earlier process left without an answer."""

    ask: Ask
    at_once: int
    progress: Progress = ignore
    cut: Mapping[str, str] = {}
    patience_s: float = PATIENCE_S


async def make_all(calls: Sequence[Planned], file: Path, how: Making, made: Made) -> None:
    """Make every call whose answer is not in the file yet, and give all answers to `made`, in a thread of its own.

    Raises StoreError, InvalidCall or ConfigError where it cannot go on; what was answered until then stays.
    """
    done = {one.key: one for one in answers.read(file)}
    left = [one for one in calls if one.key not in done]
    desk, waiting = _Desk(how), asyncio.Queue[Answered | None]()
    for call in calls:
        if call.key in done:
            waiting.put_nowait(done[call.key])
    kept, loop, over = Answers(file), asyncio.get_running_loop(), len(calls) - len(left)
    shared, failed = iter(left), list[TierwiseError]()
    with ThreadPoolExecutor(1, "tierwise-answers") as disk, ThreadPoolExecutor(1, "tierwise-made") as apart:

        async def work() -> None:
            nonlocal over
            for call in shared:
                try:
                    answered = await desk.made(call)
                    await loop.run_in_executor(disk, kept.add, answered)
                except TierwiseError as error:
                    failed.append(error)
                if failed:  # what is under way elsewhere is brought to its end: it may cost money
                    return
                waiting.put_nowait(answered)
                over += 1
                how.progress(over, len(calls))

        async def follow() -> None:
            while (answered := await waiting.get()) is not None:
                await loop.run_in_executor(apart, made, answered)

        try:
            async with asyncio.TaskGroup() as following:
                following.create_task(follow())
                async with asyncio.TaskGroup() as working:
                    for _ in range(how.at_once):
                        working.create_task(work())
                waiting.put_nowait(None)
        except BaseExceptionGroup as group:
            raise _first(group) from None
        finally:
            kept.close()
    if failed:
        raise failed[0]


def _first(group: BaseExceptionGroup) -> BaseException:
    """Return what went wrong, where several things did: an error with words for people before any other."""
    flat = [_first(one) if isinstance(one, BaseExceptionGroup) else one for one in group.exceptions]
    return next((one for one in flat if isinstance(one, TierwiseError)), flat[0])


class _Desk:
    """Makes calls, and measures them."""

    def __init__(self, how: Making) -> None:
        self._how, self._under_way = how, 0
        self._given_up: set[str] = set()

    async def made(self, call: Planned) -> Answered:
        """Make one call. Who rests is waited for; who rested for too long is not, until it answers again."""
        item, subject, repeat = call.key
        body, hints = call.body(), Hints(workflow=call.workflow, label=call.item.label, session=call.session)
        until, wait_s = time.monotonic() + self._how.patience_s, FIRST_WAIT_S
        heard, observed = await self._timed(call, body, hints)
        while heard.resting and subject not in self._given_up:
            if time.monotonic() + wait_s > until:
                self._given_up.add(subject)
                break
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            heard, observed = await self._timed(call, body, hints)
        if not heard.resting:
            self._given_up.discard(subject)
        if (before := self._how.cut.get(call.session)) is not None:
            observed = msgspec.structs.replace(observed, detail=f"{observed.detail} [made again: {before}]".strip())
        choices = heard.answer.choices if heard.answer is not None else ()
        text = text_of(choices[0]) if choices else None
        return Answered(item=item, subject=subject, repeat=repeat, text=text, observed=observed)

    async def _timed(self, call: Planned, body: bytes, hints: Hints) -> tuple[Heard, Observation]:
        self._under_way += 1
        at_once, ts, began = self._under_way, time.time(), time.perf_counter()
        try:
            heard = await self._how.ask(body, hints)
        finally:
            self._under_way -= 1
        took_ms = (time.perf_counter() - began) * 1000
        observed = observation(heard, call.key, call.item)
        return heard, msgspec.structs.replace(observed, started=ts, duration_ms=took_ms, at_once=at_once)


def observation(heard: Heard, key: Key, item: Item) -> Observation:
    """Return what the record of a call shows; neither when it was made nor how good the answer is."""
    outcome, detail = outcome_of(heard)
    decision, last = heard.decision, heard.last
    attempts = decision.attempts if decision is not None else ()
    usages = [one.usage for one in attempts if one.usage is not None]
    return Observation(
        item=item.id,
        cluster=item.cluster,
        split=item.split,
        subject=key[1],
        repeat=key[2],
        outcome=outcome,
        confidence=None if last is None else last.confidence,
        accepted=accepted(last),
        reached=None if last is None else last.model,
        served=None if last is None else last.served_model,
        first_byte_ms=None if last is None else last.first_byte_ms,
        input_tokens=sum(one.read for one in usages) if usages else None,
        output_tokens=sum(one.written for one in usages) if usages else None,
        cost_usd=None if decision is None else decision.total_cost_usd,
        attempts=len(attempts),
        decision=None if decision is None else decision.id,
        detail=detail,
    )
