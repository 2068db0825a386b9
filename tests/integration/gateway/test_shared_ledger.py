"""Two gateways over one ledger in PostgreSQL: one budget, one book, and no answer that is not in it."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

import pytest

from tests.integration.gateway.conftest import Build, House
from tests.postgres.server import Server
from tierwise.core.call import Hints
from tierwise.core.errors import BudgetExceeded, ConfigError, StoreError
from tierwise.core.label import Label
from tierwise.economics.budget import Budget
from tierwise.ledger.settings import LedgerSettings
from tierwise.postgres.connect import Place

MOST = {"max_completion_tokens": 100}
BUDGET = Budget(scope="all", limit_usd=Decimal("0.02"), window="30d")

Shared = Callable[..., AbstractAsyncContextManager[House]]


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 90))


@pytest.fixture
def own_server(postgres: Server) -> Any:
    server = Server()
    yield server
    server.close()


def sharing(house: Build, server: Server, place: Place) -> Shared:
    """Return what opens a gateway over this database."""
    settings = LedgerSettings(url=str(place), password="env:LEDGER_PASSWORD")
    return lambda **document: house(ledger=settings, environ={"LEDGER_PASSWORD": server.password}, **document)


def test_two_gateways_spend_one_budget_and_number_one_ledger(house: Build, postgres: Server) -> None:
    shared = sharing(house, postgres, postgres.database())

    async def work() -> None:
        slow = {"far": "scripted-far?fault=slow_first&delay_ms=500"}
        async with shared(served=slow, budget=(BUDGET,)) as one, shared(served=slow, budget=(BUDGET,)) as two:
            calls = [h.ask(model="far", **MOST) for _ in range(15) for h in (one, two)]
            replies = await asyncio.gather(*calls, return_exceptions=True)
            refused = [reply for reply in replies if isinstance(reply, BudgetExceeded)]
            assert 0 < len(refused) < 30
            assert sum(not isinstance(reply, BaseException) for reply in replies) == 30 - len(refused)
            assert one.asked()["far"] + two.asked()["far"] == 30 - len(refused), "who is refused asks nobody"
            spent = await one.wired.ledger.spent_usd(0)
            assert spent == Decimal("0.000024") * (30 - len(refused))
            seqs = [decision.seq async for decision in two.wired.ledger.iterate()]
            assert seqs == list(range(1, 31)), "refusals are recorded too"
            accounts = [h.gateway.facts.accounts[0] for h in (one, two)]
            while any((a.spent, a.reserved) != (spent, 0) for a in accounts):  # each hears of the other's within a beat
                await asyncio.sleep(0.02)

    run(work())


def test_a_session_keeps_its_label_at_the_other_gateway(house: Build, postgres: Server) -> None:
    shared = sharing(house, postgres, postgres.database())

    async def work() -> None:
        async with shared() as one, shared() as two:
            for gateway, label in ((one, Label.INTERNAL), (two, Label.CONFIDENTIAL), (one, Label.RESTRICTED)):
                await gateway.ask(hints=Hints(session="s", label=label))
                for each in (one, two):  # also the one that has known the session with a lower label
                    reply = await each.ask("thanks", hints=Hints(session="s"))
                    assert reply.decision.label.value == label

    run(work())


@pytest.mark.parametrize("stream", [False, True])
def test_without_its_ledger_a_gateway_asks_nobody_and_heals_by_itself(
    house: Build, own_server: Server, stream: bool
) -> None:
    shared = sharing(house, own_server, own_server.database())

    async def work() -> None:
        async with shared(budget=(BUDGET,)) as h:
            await h.ask(model="far", **MOST)
            before = h.asked()
            await asyncio.to_thread(own_server.stop, hard=True)
            for _ in range(3):
                with pytest.raises(StoreError, match="check the address"):
                    await h.ask(model="far", stream=stream, **MOST)
            assert h.asked() == before
            await asyncio.to_thread(own_server.start)
            reply = await h.ask(model="far", **MOST)
            assert (await h.recorded(reply.decision.id)).outcome == "answered"
            [account] = h.gateway.facts.accounts
            while (account.spent, account.reserved) != (Decimal("0.000048"), 0):
                await asyncio.sleep(0.02)

    run(work())


def test_a_password_that_is_not_set_is_said_before_anything_is_tried(house: Build) -> None:
    async def work() -> None:
        with pytest.raises(ConfigError, match="env:NOT_SET is not set"):
            async with house(ledger=LedgerSettings(url="postgresql://me@db.invalid/x", password="env:NOT_SET")):
                pass

    run(work())


def test_records_are_not_forgotten_before_a_budget_is_done_with_them(house: Build) -> None:
    async def work() -> None:
        with pytest.raises(ConfigError, match="would forget what was spent"):
            async with house(ledger=LedgerSettings(keep="29d"), budget=(BUDGET,)):
                pass

    run(work())
