"""Who answered what, how well, how fast, for how much? Asks every subject every item, and writes evidence.

Knows no command and no statistics. An answer is on the disk before it is scored, so a kill at any moment loses none:
only calls that were under way are made again, and each says which record was cut short.
Invariant: item, subject and repeat stand in the evidence once at most.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tierwise.core.call import Hints
from tierwise.core.errors import TierwiseError
from tierwise.evals import answers
from tierwise.evals.answers import Answered, Answers, Key
from tierwise.evals.asking import Ask
from tierwise.evals.evidence import Header, Observation, Subject, Writer
from tierwise.evals.item import Item
from tierwise.evals.order import order, session_of
from tierwise.evals.outcome import Heard, accepted, outcome_of, text_of
from tierwise.evals.runs import ANSWERS, EVIDENCE
from tierwise.evals.scorers.score import Scorer

PATIENCE_S = 120.0
"""For so long a call waits for a subject that rests after failures or wants to be left alone."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 15.0

Progress = Callable[[int, int], None]
Bodies = Callable[[Item, Subject], bytes]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done. `body` is the request of an item to a subject; `cut` names records that a kill cut short."""

    header: Header
    items: Mapping[str, Item]
    body: Bodies
    scorer: Scorer
    cut: Mapping[str, str] = {}

    @property
    def calls(self) -> list[Key]:
        """Every call, in order."""
        return list(order(tuple(self.items.values()), [one.name for one in self.header.subjects], self.header.repeats))


async def run(
    plan: Plan, folder: Path, ask: Ask, progress: Progress = lambda _done, _all: None, patience_s: float = PATIENCE_S
) -> None:
    """Make every call that was not made yet, and score every answer that was not scored yet.

    `folder` holds the run's evidence, begun already. Raises StoreError, InvalidCall or ConfigError where it cannot go
    on; what was answered until then stays.
    """
    writer, known = Writer.resume(folder / EVIDENCE)
    scored = {(one.item, one.subject, one.repeat) for one in known.observations}
    done = {one.key: one for one in answers.read(folder / ANSWERS)}
    calls = plan.calls
    desk = _Desk(plan, ask, patience_s)
    with ThreadPoolExecutor(1, "tierwise-answers") as disk, ThreadPoolExecutor(1, "tierwise-scores") as scoring:
        kept, loop = Answers(folder / ANSWERS), asyncio.get_running_loop()
        waiting: asyncio.Queue[Answered | None] = asyncio.Queue()
        over = len(done)

        async def make(key: Key) -> None:
            nonlocal over
            answered = await desk.made(key)
            await loop.run_in_executor(disk, kept.add, answered)
            waiting.put_nowait(answered)
            over += 1
            progress(over, len(calls))

        async def score() -> None:
            while (answered := await waiting.get()) is not None:
                await loop.run_in_executor(scoring, _judge, plan, writer, answered)

        try:
            for answered in done.values():
                if answered.key not in scored:
                    waiting.put_nowait(answered)
            async with asyncio.TaskGroup() as group:
                group.create_task(score())
                await _at_once([key for key in calls if key not in done], make, plan.header.criteria.concurrency)
                waiting.put_nowait(None)
        except BaseExceptionGroup as group_of:
            raise _first(group_of) from None
        finally:
            kept.close()
            writer.close()


async def _at_once(keys: Sequence[Key], make: Callable[[Key], Awaitable[None]], most: int) -> None:
    """Make calls in order, so many at once."""
    left = iter(keys)

    async def work() -> None:
        for key in left:
            await make(key)

    async with asyncio.TaskGroup() as group:
        for _ in range(most):
            group.create_task(work())


def _first(group: BaseExceptionGroup) -> BaseException:
    """Return what went wrong first, where several things did: an error with words for people before any other."""
    flat: list[BaseException] = []
    for one in group.exceptions:
        flat += [_first(one)] if isinstance(one, BaseExceptionGroup) else [one]
    return next((one for one in flat if isinstance(one, TierwiseError)), flat[0])


def _judge(plan: Plan, writer: Writer, answered: Answered) -> None:
    writer.add(scored(answered, plan.scorer, plan.items[answered.item]))


def scored(answered: Answered, scorer: Scorer, item: Item) -> Observation:
    """Return the observation with what the scorer says of the answer; without an answer it stays as it is."""
    before = answered.observed
    if before.outcome != "answered" or answered.text is None:
        return before
    said = scorer.score(answered.text, item.reference, item)
    if said.value is None:
        return msgspec.structs.replace(before, outcome=said.problem or "scorer_failed", detail=said.why)
    return msgspec.structs.replace(before, score=said.value, scores=said.details)


class _Desk:
    """Makes calls, and measures them."""

    def __init__(self, plan: Plan, ask: Ask, patience_s: float) -> None:
        self._plan, self._ask, self._patience_s = plan, ask, patience_s
        self._subjects = {one.name: one for one in plan.header.subjects}
        self._under_way = 0
        self._given_up: set[str] = set()

    async def made(self, key: Key) -> Answered:
        """Make one call."""
        item, subject = self._plan.items[key[0]], self._subjects[key[1]]
        session = session_of(self._plan.header.run, key)
        hints = Hints(workflow=self._plan.header.workflow, label=item.label, session=session)
        body = self._plan.body(item, subject)
        waits_until, wait_s = time.monotonic() + self._patience_s, FIRST_WAIT_S
        while True:
            self._under_way += 1
            at_once, ts, began = self._under_way, time.time(), time.perf_counter()
            try:
                heard = await self._ask(body, hints)
            finally:
                self._under_way -= 1
            took_ms = (time.perf_counter() - began) * 1000
            if not heard.resting or subject.name in self._given_up:
                break
            if time.monotonic() + wait_s > waits_until:
                self._given_up.add(subject.name)
                break
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
        if not heard.resting:
            self._given_up.discard(subject.name)
        observed = observation(heard, key, item, started=ts, duration_ms=took_ms, at_once=at_once)
        if (before := self._plan.cut.get(session)) is not None:
            observed = msgspec.structs.replace(observed, detail=f"{observed.detail} [made again: {before}]".strip())
        choices = heard.answer.choices if heard.answer is not None else ()
        text = text_of(choices[0]) if choices else None
        return Answered(item=key[0], subject=key[1], repeat=key[2], text=text, observed=observed)


def observation(heard: Heard, key: Key, item: Item, *, started: float, duration_ms: float, at_once: int) -> Observation:
    """Return what a call showed, but for its score."""
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
        started=started,
        duration_ms=duration_ms,
        first_byte_ms=None if last is None else last.first_byte_ms,
        input_tokens=sum(one.read for one in usages) if usages else None,
        output_tokens=sum(one.written for one in usages) if usages else None,
        cost_usd=None if decision is None else decision.total_cost_usd,
        at_once=at_once,
        attempts=len(attempts),
        decision=None if decision is None else decision.id,
        detail=detail,
    )
