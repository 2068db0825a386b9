"""Releases of the policy reach gateways that serve: no request fails by it, and none goes where it may not any more."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integration.gateway.conftest import Build, House, text_of
from tests.integration.gateway.test_shared_ledger import sharing
from tests.postgres.server import Server
from tierwise import bootstrap
from tierwise.config import parse
from tierwise.core.call import Hints
from tierwise.core.errors import StoreError, TierwiseError, Unreachable
from tierwise.core.label import Label
from tierwise.core.model import Endpoint
from tierwise.gateway.facts import Facts
from tierwise.gateway.gateway import Gateway
from tierwise.gateway.releases import Releases
from tierwise.ledger.history import History
from tierwise.ledger.ids import IdSource
from tierwise.policy.released import Written, canonical
from tierwise.providers.address import Address, address_of

INSIDE = '[[rule]]\nname = "inside"\nwhen.tier = "frontier"\nthen.deny = true\n'
HERE = '[[rule]]\nname = "here"\nwhen.tier = ["frontier", "self_hosted"]\nthen.deny = true\n'
FALCON = '[labels.patterns.falcon]\npattern = "Falcon"\nlabel = "restricted"\n'
MASKED = '[[rule]]\nname = "masked"\nthen.obligations = ["pseudonymise"]\n'


def text(toml: str) -> bytes:
    document = parse(toml)
    return canonical(Written(labels=document.labels, rule=document.rule))


async def release(home: House, toml: str | None) -> None:
    """Release a policy as the command does: on a connection of its own, beside the gateways that write."""
    newest = await home.wired.ledger.release_version()
    book = bootstrap.release_book(home.wired.settings, "ann")
    await asyncio.to_thread(book.add, None if toml is None else text(toml), "because", after=newest)


@asynccontextmanager
async def another(
    home: House, reach: Callable[[Endpoint], Awaitable[Address]] | None = None
) -> AsyncIterator[tuple[Gateway, Releases]]:
    """Open a second gateway over the same records, with a reader of its own for the releases."""

    async def address(endpoint: Endpoint) -> Address:
        return address_of(endpoint)

    wired, history = home.wired, History(home.wired.settings.ledger_path)
    gateway = Gateway(
        wired.rules,
        Facts(wired.rules.breaker, ()),
        ledger=wired.ledger,
        transport=wired.transport,
        reach=reach or address,
        new_id=IdSource(time.time_ns, os.urandom).next,
    )
    yield gateway, Releases(gateway, history, wired.settings.policy, [])
    await gateway.aclose()
    await history.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


Pair = tuple[tuple[Gateway, Releases], tuple[Gateway, Releases]]


@asynccontextmanager
async def over_one_file(house: Build, _request: pytest.FixtureRequest) -> AsyncIterator[tuple[Pair, list[House]]]:
    async with house() as home, another(home) as (second, following):
        follow = asyncio.create_task(following.follow())
        yield ((home.gateway, home.wired.releases), (second, following)), [home]
        follow.cancel()


@asynccontextmanager
async def over_one_database(house: Build, request: pytest.FixtureRequest) -> AsyncIterator[tuple[Pair, list[House]]]:
    server: Server = request.getfixturevalue("postgres")
    shared = sharing(house, server, server.database())
    async with shared() as one, shared() as two:
        yield ((one.gateway, one.wired.releases), (two.gateway, two.wired.releases)), [one, two]


@pytest.mark.parametrize("opened", [over_one_file, over_one_database])
def test_two_gateways_take_up_a_release_and_its_rollback_while_they_serve(
    house: Build, request: pytest.FixtureRequest, opened: Any
) -> None:
    async def scene() -> None:
        async with opened(house, request) as (pair, homes):
            home, gateways = homes[0], [gateway for gateway, _ in pair]
            failed: list[TierwiseError] = []
            served = [0, 0]
            ended = False

            async def caller(place: int) -> None:
                while not ended:
                    try:
                        reply = await gateways[place].handle(home.call("a question", stream=served[place] % 2 == 0))
                        assert await text_of(reply)
                    except TierwiseError as error:
                        failed.append(error)
                    served[place] += 1

            async def more() -> None:
                counts = list(served)
                await until(lambda: all(now > before + 8 for now, before in zip(served, counts, strict=True)))

            async def taken_up(number: int) -> float:
                await until(lambda: all(releases.number == number for _, releases in pair))
                return time.time()

            callers = [asyncio.create_task(caller(place)) for place in (0, 1) * 4]
            await more()
            digest = home.gateway.rules.policy.digest
            assert sum(each.asked()["far"] for each in homes) > 0, "the strongest model is asked first"
            await release(home, INSIDE)
            taken = await taken_up(1)
            await more()
            until_then = time.time()
            await release(home, None)
            back = await taken_up(2)
            await more()
            ended = True
            await asyncio.gather(*callers)

            assert failed == []
            assert [gateway.rules.policy.digest for gateway in gateways] == [digest, digest]
            records = await home.wired.ledger.latest(10_000)
            assert len(records) == sum(served), "each request stands once"
            # The stated instant: both gateways say that the release is in force.
            far = [a for r in records for a in r.attempts if a.model == "far" and "Policy" not in (a.error or "")]
            assert not [a for a in far if taken < a.started < until_then]
            assert [r for r in records if r.ts > taken and r.policy_digest != digest], "calls were served under it"
            assert max(a.started for a in far) > back, "after the rollback the strongest is asked again"

    asyncio.run(asyncio.wait_for(scene(), 90))


@pytest.mark.parametrize(
    ("toml", "called", "asked"),
    [(HERE, "hello", 0), (FALCON, "Falcon flies", 0), (MASKED, "hi", 0), (INSIDE, "hello", 1)],
)
def test_a_later_hop_of_an_open_call_needs_both_the_old_and_the_new_policy(
    house: Build, toml: str, called: str, asked: int
) -> None:
    async def scene() -> None:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def reach(endpoint: Endpoint) -> Address:
            if endpoint.name == "far-server":  # the first hop fails, after the release
                reached.set()
                await go_on.wait()
                raise Unreachable("nobody listens there any more")
            return address_of(endpoint)

        async with house() as home, another(home, reach) as (gateway, following):
            asking = asyncio.create_task(gateway.handle(home.call(called)))
            await reached.wait()
            await release(home, toml)
            await following.look()
            go_on.set()
            if toml is MASKED:  # no hop was prepared for the duty
                with pytest.raises(TierwiseError):
                    await asking
            else:
                assert await text_of(await asking)
            assert home.asked() == {"far": 0, "mid": asked, "near": 0 if asked or toml is MASKED else 1}

    asyncio.run(scene())


def test_a_hop_that_was_allowed_when_its_endpoint_began_to_start_is_judged_before_it_is_asked(
    house: Build,
) -> None:
    async def scene() -> None:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def reach(endpoint: Endpoint) -> Address:
            if endpoint.name == "far-server":
                reached.set()
                await go_on.wait()
            return address_of(endpoint)

        async with house() as home, another(home, reach) as (gateway, following):
            asking = asyncio.create_task(gateway.handle(home.call("hello")))
            await reached.wait()
            await release(home, INSIDE)
            await following.look()
            go_on.set()
            reply = await asking
            assert home.asked() == {"far": 0, "mid": 1, "near": 0}
            assert "inside" in reply.decision.reason

    asyncio.run(scene())


def test_an_open_call_is_not_sent_masked_by_patterns_that_a_release_has_changed_since(house: Build) -> None:
    async def scene() -> None:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def reach(endpoint: Endpoint) -> Address:
            reached.set()
            await go_on.wait()
            return address_of(endpoint)

        open_to_all = '[labels]\nceilings = { confidential = "frontier", restricted = "frontier" }\n'
        before = parse(open_to_all + FALCON + MASKED)
        async with house(labels=before.labels, rule=before.rule) as home, another(home, reach) as (gateway, following):
            asking = asyncio.create_task(gateway.handle(home.call("Falcon and Eagle", model="far")))
            await reached.wait()
            await release(home, open_to_all + FALCON.replace('"Falcon"', '"Falcon|Eagle"') + MASKED)
            await following.look()
            go_on.set()
            with pytest.raises(TierwiseError, match="found otherwise"):
                await asking
            assert home.asked() == {"far": 0, "mid": 0, "near": 0}

    asyncio.run(scene())


def test_a_looser_release_opens_nothing_to_a_call_that_is_open(house: Build) -> None:
    async def scene() -> None:
        strict, loose = parse(INSIDE), "[labels]\n"
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def reach(endpoint: Endpoint) -> Address:
            if endpoint.name == "mid-server":
                reached.set()
                await go_on.wait()
                raise Unreachable("nobody listens there any more")
            return address_of(endpoint)

        async with house(rule=strict.rule) as home, another(home, reach) as (gateway, following):
            asking = asyncio.create_task(gateway.handle(home.call("hello")))
            await reached.wait()
            await release(home, loose)
            await following.look()
            go_on.set()
            assert await text_of(await asking)
            assert home.asked() == {"far": 0, "mid": 0, "near": 1}
            await text_of(await gateway.handle(home.call("hello")))
            assert home.asked()["far"] == 1, "the next call is decided by the new one"

    asyncio.run(scene())


def test_a_release_outlives_a_restart_and_a_damaged_one_starts_nothing(house: Build) -> None:
    async def scene() -> None:
        async with house() as home:
            await release(home, INSIDE)
        async with house() as home:
            assert home.wired.releases.number == home.wired.settings.release == 1
            assert (await home.ask("hello", hints=Hints(label=Label.PUBLIC))).decision.chosen == "mid"
            await release(home, HERE)
            damage(home)
            await home.wired.releases.look()
            assert "damaged" in (home.wired.releases.problem or "")
            assert (await home.ask("hello")).decision.chosen == "mid", "what was in force stays"
        with pytest.raises(StoreError, match="release 2 of the policy is damaged"):
            async with house():
                pass

    asyncio.run(scene())


def damage(home: House) -> None:
    with sqlite3.connect(home.wired.settings.ledger_path) as db:
        db.execute("UPDATE releases SET body = '{}' WHERE number = 2")
    db.close()
