"""What was admitted is given back on every way out, and a crowd passes neither a limit nor a budget."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.conftest import Build, House, text_of
from tierwise.core.errors import BudgetExceeded, LimitExceeded, TierwiseError
from tierwise.core.grant import Grant, Rate
from tierwise.core.label import Label
from tierwise.economics.budget import Budget
from tierwise.economics.limits import Limit
from tierwise.gateway.gateway import Reply

ONE = (Limit(scope="all", concurrent=1, tokens_per_minute=100_000),)


def played(scene: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a scene to its end in a loop of its own."""

    @functools.wraps(scene)
    def test(*arguments: Any, **named: Any) -> None:
        asyncio.run(scene(*arguments, **named))

    return test


async def ask(house: House, grant: Grant | None = None, **fields: Any) -> Reply:
    call = house.call(**fields)
    return await house.gateway.handle(msgspec.structs.replace(call, grant=grant, key_id=grant.name if grant else None))


async def answered(house: House) -> None:
    await ask(house, model="near")


async def failed(house: House) -> None:
    with pytest.raises(TierwiseError):
        await ask(house, model="mid")


async def refused(house: House) -> None:
    with pytest.raises(TierwiseError):
        await ask(house, Grant(name="k", label=Label.PUBLIC), model="near")


async def read_to_its_end(house: House) -> None:
    await text_of(await ask(house, model="near", stream=True))


async def left_in_the_middle(house: House) -> None:
    reply = await ask(house, model="near", stream=True)
    assert reply.deltas is not None
    await anext(reply.deltas)
    await reply.deltas.aclose()


async def broken_in_the_middle(house: House) -> None:
    with pytest.raises(TierwiseError):
        await text_of(await ask(house, model="far", stream=True))


async def cancelled(house: House) -> None:
    task = asyncio.create_task(ask(house, model="near"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


WAYS = [answered, failed, refused, read_to_its_end, left_in_the_middle, broken_in_the_middle, cancelled]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@played
async def test_every_way_out_makes_room_for_the_next(house: Build, way: Any) -> None:
    served = {"mid": "scripted-mid?fault=error&status=400", "far": "scripted-far?fault=cut&after=2"}
    async with house(served=served, limit=ONE) as built:
        for _ in range(2):
            await way(built)
            async with asyncio.timeout(5):
                while True:  # the record of a caller who has left is finished behind his back
                    try:
                        await answered(built)
                        break
                    except LimitExceeded:
                        await asyncio.sleep(0.01)


@played
async def test_what_is_refused_for_its_rate_is_recorded_and_reaches_nobody(house: Build) -> None:
    async with house(limit=(Limit(scope="key:k", requests_per_minute=1),)) as built:
        grant = Grant(name="k")
        await ask(built, grant, model="near")
        with pytest.raises(LimitExceeded) as caught:
            await ask(built, grant, model="near")
        assert caught.value.decision is not None
        record = await built.recorded(caught.value.decision.id)
        assert (record.outcome, record.key_id, record.attempts) == ("refused", "k", ())
        assert "requests a minute" in (record.error or "")
        assert built.asked()["near"] == 1
        with pytest.raises(LimitExceeded):
            await ask(built, Grant(name="k", label=Label.PUBLIC), model="near")


@played
async def test_asking_for_what_is_forbidden_counts(house: Build) -> None:
    async with house() as built:
        grant = Grant(name="k", models=("near",), rate=Rate(requests_per_minute=3))
        refusals = []
        for _ in range(5):
            with pytest.raises(TierwiseError) as caught:
                await ask(built, grant, model="far")
            refusals.append(type(caught.value).__name__)
        assert refusals == ["PolicyDenied"] * 3 + ["LimitExceeded"] * 2


@played
async def test_a_crowd_passes_neither_limit_nor_budget(house: Build) -> None:
    budget = Budget(scope="team:red", limit_usd=Decimal("0.005"))
    async with house(budget=(budget,), limit=(Limit(scope="all", concurrent=40),)) as built:
        grants = [Grant(name=f"k{n}", team="red") for n in range(10)]

        async def one(number: int) -> str:
            try:
                await ask(built, grants[number % 10], model="far", max_tokens=10)
            except (LimitExceeded, BudgetExceeded) as error:
                return type(error).__name__
            return "answered"

        for _ in range(3):
            told = await asyncio.gather(*(one(n) for n in range(200)))
            assert told.count("answered") <= 40
        spent = await built.wired.ledger.spent_usd(0, "team:red")
        account = built.gateway.facts.accounts[0]
        assert 0 < spent <= budget.limit_usd
        assert (account.spent, account.reserved) == (spent, 0)


@played
async def test_an_answer_that_nobody_limits_is_set_aside_at_its_longest(house: Build) -> None:
    """One such answer may be 128,000 tokens long, at $10 a million: two at once could pass the limit."""
    budget = Budget(scope="all", limit_usd=Decimal(2))
    async with house(budget=(budget,)) as built:
        told = await asyncio.gather(*(ask(built, model="far") for _ in range(3)), return_exceptions=True)
        assert [type(one) for one in told if not isinstance(one, Reply)] == [BudgetExceeded] * 2
        assert (await ask(built, model="far", max_tokens=100)).answer is not None
