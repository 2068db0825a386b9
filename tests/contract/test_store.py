"""What every store promises, whatever keeps it: durable, exactly once, money in all accounts or in none, it heals."""

import asyncio
import random
import time
from collections.abc import Coroutine
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from tests.contract.stores import KINDS, Open, opener
from tests.unit.ledger.samples import DECISIONS, START, a_decision, an_id, an_intent
from tierwise.core.decision import Decision, Labelled
from tierwise.core.errors import InvalidCall, StoreError
from tierwise.core.label import Label
from tierwise.economics.budget import Account, Budget
from tierwise.gateway.clock import Clock
from tierwise.ledger.encode import encode_decision
from tierwise.ledger.protocol import Store
from tierwise.ledger.queries import Filter
from tierwise.ledger.writer import Options


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 90))


@pytest.fixture(params=KINDS)
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return opener(request.param, request, tmp_path)[0]


class held:  # noqa: N801  # reads as a statement
    """A store that is closed at the end of the block."""

    def __init__(self, opened: Open, options: Options | None = None) -> None:
        self._opened, self._options = opened, options

    async def __aenter__(self) -> Store:
        self._store = await self._opened(self._options)
        return self._store

    async def __aexit__(self, *_: object) -> None:
        await self._store.close()


def account(limit: str, scope: str = "all", window: Any = "30d") -> Account:
    return Account(Budget(scope=scope, limit_usd=Decimal(limit), window=window), spent=Decimal(0), now=0)


def now(number: int, **changes: object) -> dict[str, object]:
    """Return the changes that put a call of today's window into the ledger."""
    return {"ts": time.time(), **changes}


# durable, exactly once


def test_a_call_from_intent_to_outcome(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            assert await store.intent(an_intent(1)) is None
            pending = await store.get(an_id(1))
            assert pending is not None
            assert pending.outcome == "pending"
            assert await store.count() == 0
            assert await store.outcome(a_decision(1)) == 1
            assert await store.outcome(a_decision(2)) == 2, "an outcome without an intent, such as a refusal"
            assert [decision.seq for decision in await store.latest(10)] == [2, 1]
            assert [decision.id async for decision in store.iterate()] == [an_id(1), an_id(2)]
            assert store.pending_rows == 0
        async with held(opened) as store:
            assert await store.outcome(a_decision(3)) == 3, "the next number follows"
            assert await store.get(an_id(2).upper()[:20]) is not None

    run(work())


def test_an_outcome_twice_is_harmless_and_another_for_the_same_call_is_refused_alone(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            assert await store.outcome(a_decision(1)) == 1
            results = await asyncio.gather(
                store.outcome(a_decision(2)),
                store.outcome(a_decision(1)),
                store.outcome(a_decision(1, outcome="failed")),
                store.outcome(a_decision(3)),
                store.outcome(a_decision(3)),
                return_exceptions=True,
            )
            assert [results[0], results[1], results[3], results[4]] == [2, 1, 3, 3]
            assert isinstance(results[2], StoreError)
            assert "already has a record" in str(results[2])
            await store.intent(an_intent(9))
            await store.intent(an_intent(9))
            with pytest.raises(StoreError, match="already has"):
                await store.intent(an_intent(9, chosen="larger"))
            assert [decision.seq for decision in await store.latest(10)] == [3, 2, 1]

    run(work())


def test_many_at_once_get_numbers_without_gaps(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            await asyncio.gather(*(store.intent(an_intent(number)) for number in range(3000)))
            seqs = await asyncio.gather(*(store.outcome(a_decision(number)) for number in range(3000)))
            assert sorted(seqs) == list(range(1, 3001))
            assert [d.seq async for d in store.iterate()] == list(range(1, 3001))

    run(work())


def test_the_row_of_a_cancelled_caller_is_written(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            task = asyncio.create_task(store.outcome(a_decision(1)))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await store.outcome(a_decision(2)) == 2
            assert store.pending_rows == 0

    run(work())


def test_a_call_that_is_cancelled_at_once_leaves_one_record_and_no_intent(opened: Open) -> None:
    async def work() -> None:
        mine = account("10")
        async with held(opened) as store:
            await store.enforce([mine])
            beginning = asyncio.create_task(store.intent(an_intent(1, **now(1, reserved_usd=Decimal(3))), [mine]))
            await asyncio.sleep(0)
            beginning.cancel()
            assert await store.outcome(a_decision(1, **now(1, outcome="cancelled"))) == 1
            assert (mine.spent, mine.reserved) == (0, 0)
        async with held(opened) as store:
            assert store.interrupted == 0

    run(work())


@pytest.mark.parametrize("options", [Options(max_pending_rows=3), Options(max_pending_bytes=2000)])
def test_too_much_at_once_is_refused_and_nothing_else_is(opened: Open, options: Options) -> None:
    async def work() -> None:
        async with held(opened, options) as store:
            results = await asyncio.gather(
                *(store.intent(an_intent(number)) for number in range(20)), return_exceptions=True
            )
            refused = [result for result in results if result is not None]
            assert 10 < len(refused) < 20
            assert all(isinstance(result, StoreError) and "overloaded" in str(result) for result in refused)
            await store.intent(an_intent(30))
            for number, result in enumerate(results):
                assert (await store.get(an_id(number)) is None) == (result is not None)

    run(work())


def test_closed_is_closed(opened: Open) -> None:
    async def work() -> None:
        store = await opened()
        waiting = asyncio.gather(*(store.outcome(a_decision(number)) for number in range(50)))
        await asyncio.sleep(0)
        await store.close()
        assert await waiting == list(range(1, 51)), "what was queued before is written"
        await store.close()
        with pytest.raises(StoreError, match="closed"):
            await store.intent(an_intent(60))
        with pytest.raises(StoreError, match="closed"):
            await store.key_version()

    run(work())


def test_however_many_calls_a_dead_process_left_open_each_is_closed_once(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            await asyncio.gather(*(store.intent(an_intent(number)) for number in range(1500)))
            await asyncio.gather(*(store.outcome(a_decision(number)) for number in range(0, 1500, 3)))
        async with held(opened) as store:
            assert store.interrupted == 1000
            found = [decision async for decision in store.iterate()]
            assert [decision.seq for decision in found] == list(range(1, 1501))
            assert sum(decision.outcome == "interrupted" for decision in found) == 1000
        async with held(opened) as store:
            assert store.interrupted == 0

    run(work())


def test_what_a_dead_process_had_reserved_counts_and_an_amount_is_rounded_up_to_a_picodollar(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            await store.intent(an_intent(1, reserved_usd=Decimal("0.5"), workflow="w"))
            await store.outcome(a_decision(2, total_cost_usd=Decimal("0.000123456789012345"), workflow="v"))
            assert store.interrupted == 0
        async with held(opened) as store:
            (decision,) = await store.latest(10, Filter(outcome="interrupted"))
            assert (decision.id, decision.seq, decision.total_cost_usd) == (an_id(1), 2, None)
            assert await store.spent_usd(0, "workflow:w") == Decimal("0.5")
            assert await store.spent_usd(0, "workflow:v") == Decimal("0.000123456790")

    run(work())


# what may be asked


def test_what_was_written_is_what_is_read(opened: Open) -> None:
    kept: dict[str, Decision] = {}

    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(decision=DECISIONS)
    def collect(decision: Decision) -> None:
        kept[decision.id] = decision

    collect()

    async def work() -> None:
        async with held(opened) as store:
            written = []
            for decision in kept.values():
                try:
                    written.append((decision, await store.outcome(decision)))
                except StoreError as error:
                    assert "cannot be recorded" in str(error)
            for decision, seq in written:
                found = await store.get(decision.id)
                assert found is not None
                assert found.seq == seq
                assert encode_decision(found) == encode_decision(decision).replace(b'"seq":null', b'"seq":%d' % seq)

    run(work())


def test_text_that_one_store_cannot_hold_spoils_nothing_and_is_kept_whole(opened: Open) -> None:
    nul = "a\x00b"

    async def work() -> None:
        async with held(opened) as store:
            await asyncio.gather(
                store.intent(an_intent(1, session=nul, key_id=nul, label=Labelled(value=Label.RESTRICTED))),
                *(store.intent(an_intent(number)) for number in range(2, 10)),
            )
            assert await store.session_label(nul, nul) == Label.RESTRICTED
            await store.outcome(a_decision(1, session=nul, key_id=nul, workflow=nul, requested_model=nul))
            found = await store.get(an_id(1))
            assert found is not None
            assert (found.session, found.workflow, found.requested_model) == (nul, nul, nul)
            assert await store.session_label(nul, nul) == Label.INTERNAL
            assert await store.latest(5, Filter(workflow=nul)) == [found]
            assert await store.get("a\x00bcdefg") is None

    run(work())


def test_what_a_session_carried_is_asked_from_a_moment_on(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            label = Labelled(value=Label.RESTRICTED)
            early = a_decision(1, session="s", key_id="k", label=label)
            late = an_intent(2, session="s", key_id="k", label=Labelled(value=Label.INTERNAL))
            await store.outcome(early)
            await store.intent(msgspec.structs.replace(late, ts=early.ts + 9.0))
            assert await store.session_label("k", "s") == Label.RESTRICTED
            assert await store.session_label("k", "s", early.ts) == Label.RESTRICTED
            assert await store.session_label("k", "s", early.ts + 1.0) == Label.INTERNAL
            assert await store.session_label("k", "s", early.ts + 10.0) is None

    run(work())


@pytest.mark.parametrize("which", [Filter(workflow="a"), Filter(since_ts=START + 5.0), Filter(outcome="failed")])
def test_filters_mean_the_same_everywhere(opened: Open, which: Filter) -> None:
    async def work() -> None:
        async with held(opened) as store:
            for number in range(10):
                outcome = "failed" if number % 3 == 0 else "answered"
                await store.outcome(a_decision(number, workflow="ab"[number % 2], outcome=outcome))
            everything = [decision async for decision in store.iterate()]
            fitting = [
                d for d in everything
                if (which.workflow in (None, d.workflow)) and d.ts >= which.since_ts
                and which.outcome in (None, d.outcome)
            ]  # fmt: skip
            assert 0 < len(fitting) < 10
            assert [decision async for decision in store.iterate(which)] == fitting
            assert await store.latest(100, which) == fitting[::-1]
            assert await store.latest(1, which) == fitting[-1:]

    run(work())


def test_an_id_is_found_by_its_beginning_unless_that_is_short_or_not_its_own(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            await store.outcome(a_decision(1))
            await store.intent(an_intent(2))
            with pytest.raises(InvalidCall, match="at least 6"):
                await store.get(an_id(1)[:5])
            with pytest.raises(InvalidCall, match="several ids"):
                await store.get(an_id(1)[:6])
            assert await store.get("zzzzzzzz") is None
            assert await store.session_label(None, "unknown") is None

    run(work())


def test_pruning_goes_on_beside_writing_and_numbers_are_never_used_again(opened: Open) -> None:
    async def work() -> None:
        async with held(opened) as store:
            await asyncio.gather(*(store.outcome(a_decision(number)) for number in range(1500)))
            pruned, *seqs = await asyncio.gather(
                store.prune(START + 1400.0), *(store.outcome(a_decision(number)) for number in range(2000, 2050))
            )
            assert pruned == 1400
            assert sorted(seqs) == list(range(1501, 1551))
            assert await store.prune(START + 10_000.0) == 150
        async with held(opened) as store:
            assert await store.outcome(a_decision(5000)) == 1551

    run(work())


# money


def test_an_amount_is_set_aside_with_the_intent_grows_and_leaves_with_the_record(opened: Open) -> None:
    async def work() -> None:
        mine, theirs = account("10"), account("1", "workflow:w")
        async with held(opened) as store:
            await store.enforce([mine, theirs])
            assert (
                await store.intent(an_intent(1, **now(1, workflow="w", reserved_usd=Decimal("0.4"))), [mine, theirs])
                is None
            )
            assert (mine.reserved, theirs.reserved) == (Decimal("0.4"), Decimal("0.4"))
            assert await store.hold(an_id(1), Decimal("0.9"), [mine, theirs]) is None
            assert await store.hold(an_id(1), Decimal("1.1"), [mine, theirs]) is theirs, "one has too little"
            assert [(i.id, usd) for i, usd in await store.holds()] == [(an_id(1), Decimal("0.9"))], "others can see it"
            assert (mine.reserved, theirs.reserved) == (Decimal("0.9"), Decimal("0.9")), "then none has changed"
            assert (
                await store.intent(an_intent(2, **now(2, workflow="w", reserved_usd=Decimal("0.2"))), [mine, theirs])
                is theirs
            )
            assert (await store.get(an_id(2))) is not None, "the intent stands and holds nothing"
            assert mine.reserved == Decimal("0.9")
            done = a_decision(1, **now(1, workflow="w", total_cost_usd=Decimal("0.25")))
            await store.outcome(done)
            await store.outcome(done)
            assert (mine.spent, mine.reserved) == (Decimal("0.25"), 0)
            assert (theirs.spent, theirs.reserved) == (Decimal("0.25"), 0)
            assert await store.hold(an_id(2), Decimal("0.75"), [mine, theirs]) is None, "what is left, to the cent"
        again = account("10"), account("1", "workflow:w")
        async with held(opened) as store:
            assert store.interrupted == 1
            await store.enforce(again)
            assert [a.spent for a in again] == [Decimal("1.00"), Decimal("1.00")], (
                "what an interrupted call held counts as spent"
            )
            assert [a.reserved for a in again] == [0, 0]
            found = await store.get(an_id(2))
            assert found is not None
            assert (found.outcome, found.total_cost_usd) == ("interrupted", None)

    run(work())


def test_a_call_that_held_nothing_costs_nothing_when_its_process_dies(opened: Open) -> None:
    async def work() -> None:
        poor = account("0.1")
        async with held(opened) as store:
            await store.enforce([poor])
            assert await store.intent(an_intent(1, **now(1, reserved_usd=Decimal(5))), [poor]) is poor
        async with held(opened) as store:
            assert store.interrupted == 1
            assert await store.spent_usd(0) == 0

    run(work())


@pytest.mark.parametrize("step_s", [-3600, 3600, 365 * 86_400])
def test_a_step_of_this_machines_clock_neither_frees_a_budget_nor_deletes_a_record(opened: Open, step_s: int) -> None:
    steps = [0]
    clock = Clock(lambda: time.time() + steps[-1])

    async def work() -> None:
        mine = account("1", window="1h")
        async with held(opened, Options(clock=clock)) as store:
            await store.enforce([mine])
            await store.outcome(a_decision(1, **now(1)))
            assert await store.intent(an_intent(2, **now(2, reserved_usd=Decimal("0.9"))), [mine]) is None
            steps.append(step_s)
            assert await store.intent(an_intent(3, **now(3, reserved_usd=Decimal("0.2"))), [mine]) is mine
        async with held(opened, Options(clock=clock, keep_s=30 * 86_400)) as store:
            await asyncio.gather(*(store.outcome(a_decision(number, **now(number))) for number in range(4, 9)))
            assert await store.count() == 8, "the two that were open are closed as interrupted"

    run(work())


@pytest.mark.parametrize("rounds", [3])
def test_ten_thousand_parallel_admissions_never_overshoot_and_none_too_few(opened: Open, rounds: int) -> None:
    cent = Decimal("0.01")

    async def work() -> None:
        wide, narrow = account("60"), account("25", "workflow:w")
        chance = random.Random(7)

        async def admit(store: Store, number: int) -> bool:
            accounts = [wide, narrow] if number % 2 else [wide]
            intent = an_intent(number, **now(number, reserved_usd=cent))
            admitted = await store.intent(intent, accounts) is None
            assert wide.spent + wide.reserved <= wide.budget.limit_usd
            assert narrow.spent + narrow.reserved <= narrow.budget.limit_usd
            return admitted

        async with held(opened, Options(max_pending_rows=20_000)) as store:
            await store.enforce([wide, narrow])
            spent = Decimal(0)
            for at in range(rounds):
                room = {"wide": 60 - spent, "narrow": 25 - narrow.spent}
                numbers = range(at * 10_000, at * 10_000 + 10_000)
                expected = []
                for number in numbers:
                    if room["wide"] >= cent and (number % 2 == 0 or room["narrow"] >= cent):
                        expected.append(number)
                        room["wide"] -= cent
                        room["narrow"] -= cent * (number % 2)
                results = await asyncio.gather(*(admit(store, number) for number in numbers))
                assert [n for n, admitted in zip(numbers, results, strict=True) if admitted] == expected
                costs = {number: Decimal(chance.choice(["0", "0.005", "0.01"])) for number in expected}
                done = [
                    a_decision(n, **now(n, workflow="w" if n % 2 else None, total_cost_usd=cost))
                    for n, cost in costs.items()
                ]
                await asyncio.gather(*map(store.outcome, done))
                spent += sum(costs.values())
                assert (wide.reserved, narrow.reserved) == (0, 0)
                assert wide.spent == spent == await store.spent_usd(0)
                assert narrow.spent == await store.spent_usd(0, "workflow:w")

    run(work())
