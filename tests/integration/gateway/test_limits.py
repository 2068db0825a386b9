"""What was admitted is given back on every way out, and a crowd passes neither a limit nor a budget."""

import asyncio
import contextlib
import functools
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.conftest import PRICE, TIERS, Build, House, text_of
from tierwise.core.errors import BudgetExceeded, GateFailed, LimitExceeded, TierwiseError
from tierwise.core.grant import Grant, Rate
from tierwise.core.label import Label
from tierwise.core.model import Limits as EndpointLimits
from tierwise.economics.budget import Budget
from tierwise.economics.limits import Limit
from tierwise.economics.price import worst_cost_usd
from tierwise.fallback.plan import FallbackSettings
from tierwise.gateway.gateway import Reply
from tierwise.gateway.workflow import Match, Workflow
from tierwise.registry.settings import ModelRow

ONCE = FallbackSettings(retries_same=0, max_attempts=1)
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


@played
async def test_what_an_earlier_attempt_has_cost_stays_set_aside_beside_the_next(house: Build) -> None:
    """The budget has room for either, and not for both: the first is paid, so the second is not asked."""
    rows = [ModelRow(id=name, endpoint=f"{name}-server", served_name=f"scripted-{name}", price=PRICE) for name in TIERS]
    rows[1] = msgspec.structs.replace(rows[1], served_name="scripted-mid?fault=truncation")
    flow = Workflow(name="w", candidates=("mid", "far"), strategy="cascade")
    asked = {"model": "auto:w", "messages": [{"role": "user", "content": "word " * 40}], "max_tokens": 100}
    for more, second in ((Decimal("0.00001"), 0), (Decimal("0.01"), 1)):
        async with house(model=tuple(rows), workflow=(flow,)) as built:
            one = worst_cost_usd(PRICE, built.call(**asked).features.input_tokens_est, 100)
        budget = Budget(scope="all", limit_usd=one + more, window="30d")
        async with house(model=tuple(rows), workflow=(flow,), budget=(budget,)) as built:
            with contextlib.suppress(GateFailed):
                await ask(built, **asked)
            assert (built.asked()["mid"], built.asked()["far"]) == (1, second)
            assert built.gateway.facts.accounts[0].spent <= budget.limit_usd


UNKNOWN = {
    "it hangs until its time is up": ("fault=hang", 1),
    "it hangs up without an answer": ("fault=reset", 1),
    "it refuses": ("fault=error&status=400", 0),
    "it is overloaded": ("fault=error&status=503", 0),
}


@pytest.mark.parametrize(("fault", "counted"), UNKNOWN.values(), ids=UNKNOWN)
@played
async def test_a_bill_that_nobody_tells_counts_as_what_was_set_aside(house: Build, fault: str, counted: int) -> None:
    budget = Budget(scope="all", limit_usd=Decimal(1))
    times = EndpointLimits(first_byte_timeout_s=0.2)
    async with house(served={"far": f"scripted-far?{fault}"}, budget=(budget,), limits=times, fallback=ONCE) as built:
        with pytest.raises(TierwiseError) as caught:
            await ask(built, model="far", max_tokens=1000)
        assert caught.value.decision is not None
        (attempt,) = caught.value.decision.attempts
        assert attempt.cost_usd is None
        assert ((attempt.unknown_usd or 0) > Decimal("0.01")) is bool(counted), attempt
        account = built.gateway.facts.accounts[0]
        assert (account.spent, account.reserved) == (attempt.unknown_usd or 0, 0)
        assert await built.wired.ledger.spent_usd(0) == account.spent


@played
async def test_a_caller_who_leaves_pays_for_an_answer_that_nobody_waited_for(house: Build) -> None:
    budget = Budget(scope="all", limit_usd=Decimal(1))
    times = EndpointLimits(drain_timeout_s=0.05)
    async with house(served={"far": "scripted-far?fault=hang"}, budget=(budget,), limits=times) as built:
        task = asyncio.create_task(ask(built, model="far", max_tokens=1000))
        while not built.asked()["far"]:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await built.gateway.aclose()
        assert await built.wired.ledger.spent_usd(0) > Decimal("0.01")


@played
async def test_what_an_endpoint_says_of_its_refusal_is_told_and_not_recorded(house: Build) -> None:
    async with house(served={"far": "scripted-far?fault=error&status=400"}) as built:
        with pytest.raises(TierwiseError) as caught:
            await ask(built, model="far")
        said = str(caught.value).partition(": ")[2]
        assert said, "the scripted upstream says something"
        decision = caught.value.decision
        assert decision is not None
        record = msgspec.json.encode(await built.recorded(decision.id)).decode()
        assert said not in record
        assert "Refused 400" in record


@played
async def test_a_workflow_bound_to_a_key_labels_its_calls_whatever_they_name(house: Build) -> None:
    bound = Workflow(name="clinic", match=Match(key=("k",)), label=Label.RESTRICTED)
    async with house(workflow=(bound, Workflow(name="open"))) as built:
        for grant, label in ((Grant(name="k"), Label.RESTRICTED), (Grant(name="other"), Label.INTERNAL)):
            reply = await ask(built, grant, model="auto:open")
            assert reply.decision.label.value == label
