"""A model on trial in gateways that serve: who gets there, what is stopped, and what a restart remembers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tests.integration.gateway.conftest import Build, House, text_of
from tests.integration.gateway.test_shared_ledger import sharing
from tests.postgres.server import Server
from tierwise import bootstrap
from tierwise.core.call import Hints
from tierwise.core.decision import Decision
from tierwise.core.errors import TierwiseError
from tierwise.core.label import Label
from tierwise.economics.budget import Budget
from tierwise.gateway.overlay import Canary, Limits, Overlay, Shadow, canonical
from tierwise.gateway.workflow import Workflow
from tierwise.ledger.queries import Filter
from tierwise.ledger.releases import Release, of_workflow
from tierwise.ledger.remarks import Remark

FLOW = Workflow(name="w", candidates=("mid",), trusted=("mid",))
IN_FLOW = Hints(workflow="w")
REFUSING = {"near": "scripted-near?fault=empty_content"}
HALF = Decimal("0.5")


def overlay(model: str = "near", **more: Any) -> Overlay:
    canary = Canary(model=model, share=HALF, salt="s", limits=Limits(margin=0.05))
    return Overlay(**{"candidates": ("mid",), "trusted": ("mid",), "canary": canary} | more)


async def release(home: House, what: Overlay | None) -> Release:
    """Release a workflow as the command does, and wait until this gateway follows."""
    ledger, subject = home.wired.ledger, of_workflow("w")
    book = bootstrap.release_book(home.wired.settings, "ann")
    after = await ledger.release_version(subject)
    body = None if what is None else canonical(what)
    made = await asyncio.to_thread(book.add, body, "because", after=after, subject=subject)
    await home.wired.releases.look()
    assert home.wired.releases.numbers[subject] == made.number
    return made


async def until(holds: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(30):
        while not (found := await holds()):
            await asyncio.sleep(0.02)
        return found


async def served(home: House, count: int, **more: Any) -> list[Decision]:
    """Ask so many calls of the workflow, one after the other; each is answered."""
    found = []
    for number in range(count):
        reply = await home.ask(f"question {number}", hints=IN_FLOW, **more)
        assert await text_of(reply)
        found.append(await home.recorded(reply.decision.id))
    return found


def arms(decisions: list[Decision]) -> Counter[str | None]:
    return Counter(one.rollout.arm if one.rollout else None for one in decisions)


async def copies(home: House) -> list[Decision]:
    every = home.wired.ledger.iterate(Filter(workflow="w"))
    return [one async for one in every if one.rollout and one.rollout.arm == "shadow"]


@asynccontextmanager
async def one_file(house: Build, _request: pytest.FixtureRequest, **document: Any) -> AsyncIterator[list[House]]:
    async with house(**document) as home:
        yield [home]


@asynccontextmanager
async def one_database(house: Build, request: pytest.FixtureRequest, **document: Any) -> AsyncIterator[list[House]]:
    server: Server = request.getfixturevalue("postgres")
    shared = sharing(house, server, server.database())
    async with shared(**document) as one, shared(**document) as two:
        yield [one, two]


@pytest.mark.parametrize("opened", [one_file, one_database])
def test_a_canary_that_does_harm_is_stopped_by_itself_and_no_caller_goes_without_an_answer(
    house: Build, request: pytest.FixtureRequest, opened: Any
) -> None:
    async def scene() -> None:
        async with opened(house, request, workflow=(FLOW,), served=REFUSING) as homes:
            home, subject = homes[0], of_workflow("w")
            await release(home, overlay())
            for each in homes:
                await until(lambda each=each: _is(each.wired.releases.numbers.get(subject) == 1))  # type: ignore[misc]

            async def stopped() -> bool:
                for each in homes:
                    await served(each, 4)
                return await home.wired.ledger.release_version(subject) > 1

            await until(stopped)
            made = await home.wired.ledger.release(2, subject)
            assert made is not None and made.who == "Tierwise, by itself"
            assert "canary near stopped: failed" in made.why
            for each in homes:
                await until(lambda each=each: _is(each.wired.releases.numbers[subject] == 2))  # type: ignore[misc]
                assert arms(await served(each, 12)) == {None: 12}
            assert await home.wired.ledger.release_version(subject) == 2, "it is stopped once"
            (incident,) = await until(lambda: home.wired.ledger.incidents("open"))
            assert (incident.kind, incident.condition) == ("drift", "canary")
            assert incident.subject == "workflow:w, canary near"
            records = [one async for one in home.wired.ledger.iterate()]
            drawn = [one for one in records if one.rollout and one.rollout.arm == "canary"]
            assert {tuple(a.model for a in one.attempts) for one in drawn} == {("near", "mid")}
            assert {one.outcome for one in records} == {"answered"}

    asyncio.run(asyncio.wait_for(scene(), 90))


async def _is(true: bool) -> bool:
    return true


def test_a_restart_in_the_middle_forgets_nothing_of_the_trial(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,), served=REFUSING) as home:
            await release(home, overlay())
            before = await served(home, 8)
        async with house(workflow=(FLOW,), served=REFUSING) as home:
            assert home.wired.releases.numbers == {of_workflow("w"): 1}
            after: list[Decision] = []

            async def stopped() -> bool:
                after.extend(await served(home, 2))
                return await home.wired.ledger.release_version(of_workflow("w")) == 2

            await until(stopped)
            made = await home.wired.ledger.release(2, of_workflow("w"))
            assert made is not None
            counted = int(made.why.partition("failed: ")[2].split()[2])
            assert arms(before)["canary"] <= counted <= arms(before + after)["canary"]
            assert counted > arms(after)["canary"], "what came before the restart counts"

    asyncio.run(asyncio.wait_for(scene(), 90))


def test_what_people_say_of_answers_stops_a_canary_whose_answers_pass_every_gate(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,)) as home:
            await release(home, overlay())
            book = bootstrap.books(home.wired.settings).remarks()
            for decision in await served(home, 60):
                score = 0.0 if decision.chosen == "near" else 1.0
                said = Remark(decision=decision.id, score=score, who="ann")
                await asyncio.to_thread(book.add, said)
            made = await until(lambda: home.wired.ledger.release(2, of_workflow("w")))
            assert "judged" in made.why and "failed" not in made.why

    asyncio.run(asyncio.wait_for(scene(), 90))


def test_a_canary_that_is_as_good_stays_and_is_never_promoted_by_itself(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,)) as home:
            await release(home, overlay())
            decisions = await served(home, 60)
            counts = arms(decisions)
            assert counts["canary"] > 10 and counts["stable"] > 10 and sum(counts.values()) == 60
            assert {one.chosen for one in decisions if one.rollout and one.rollout.arm == "stable"} == {"mid"}
            chances = {tuple((c.model, c.probability) for c in one.candidates) for one in decisions}
            assert chances == {(("mid", 0.5), ("near", 0.5))}
            trials = len([one async for one in home.wired.ledger.iterate()])
            assert trials == 60
            assert await home.wired.ledger.release_version(of_workflow("w")) == 1

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_policy_binds_the_canary_and_the_shadow_as_it_binds_every_hop(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,)) as home:
            far = Shadow(model="far", share=Decimal(1))
            await release(home, overlay("far", shadow=far))
            secret = Hints(workflow="w", label=Label.CONFIDENTIAL)
            for number in range(20):
                reply = await home.ask(f"q {number}", hints=secret)
                record = await home.recorded(reply.decision.id)
                assert (record.chosen, bool(record.rollout)) == ("mid", False), "nobody is drawn who may not go there"
            found = await until(lambda: _all(home, 20))
            assert home.asked()["far"] == 0
            assert {one.outcome for one in found} == {"refused"}
            assert await home.wired.ledger.incidents("all") == [], "nobody insisted: nobody asked for these"

    asyncio.run(asyncio.wait_for(scene(), 60))


async def _all(home: House, count: int) -> list[Decision] | None:
    found = await copies(home)
    return found if len(found) == count else None


@pytest.mark.parametrize("stream", [False, True])
def test_a_shadow_gets_a_copy_with_a_record_of_its_own_and_changes_nothing(house: Build, stream: bool) -> None:
    async def scene() -> None:
        budget = Budget(scope="workflow:w", limit_usd=Decimal(1), window="30d")
        async with house(workflow=(FLOW,), budget=(budget,)) as home:
            await release(home, overlay(canary=None, shadow=Shadow(model="far", share=Decimal(1))))
            hints, most = Hints(workflow="w", session="s"), {"max_completion_tokens": 100, "stream": stream}
            first = await home.ask("my dog is called Rex", hints=hints, **most)
            assert await text_of(first)
            (copy,) = await until(lambda: _all(home, 1))
            assert copy.rollout.of == first.decision.id
            assert (copy.outcome, copy.chosen, copy.strategy) == ("answered", "far", "pinned")
            assert copy.total_cost_usd and await home.wired.ledger.spent_usd(0, "workflow:w") == copy.total_cost_usd
            assert home.asked() == {"near": 0, "mid": 1, "far": 1}
            turns = [("user", "my dog is called Rex"), ("assistant", "ok"), ("user", "and who is he?")]
            messages = [{"role": role, "content": text} for role, text in turns]
            again = await home.ask(hints=hints, messages=messages, **most)
            assert await text_of(again)
            assert again.decision.chosen == "mid", "the session stays with who answered the caller"

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_shadow_that_hangs_holds_up_nobody_and_what_does_not_fit_is_dropped(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,), served={"near": "scripted-near?fault=hang"}) as home:
            await release(home, overlay(canary=None, shadow=Shadow(model="near", share=Decimal(1))))
            assert len(await served(home, 80)) == 80, "while no copy is ever answered"
            assert home.asked()["near"] <= 2
            assert home.wired.shadows.dropped > 0
        async with house(workflow=(FLOW,)) as home:
            (one, *_) = found = await copies(home)
            assert (one.outcome, len(found) <= 2) == ("cancelled", True), "what was under way is closed in the ledger"
            assert await home.wired.ledger.open_calls() == []

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_call_that_names_its_model_is_in_no_trial(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,)) as home:
            await release(home, overlay(shadow=Shadow(model="near", share=Decimal(1))))
            assert arms(await served(home, 10, model="mid")) == {None: 10}
            assert home.asked() == {"near": 0, "mid": 10, "far": 0}

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_conversation_that_began_before_the_trial_stays_where_it_is(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,)) as home:
            turns: list[dict[str, str]] = [{"role": "user", "content": "hello"}]
            first = await home.ask(hints=IN_FLOW, messages=turns)
            turns += [{"role": "assistant", "content": await text_of(first)}]
            await release(home, overlay())
            for number in range(12):
                turns += [{"role": "user", "content": f"and {number}?"}]
                reply = await home.ask(hints=IN_FLOW, messages=turns)
                record = await home.recorded(reply.decision.id)
                assert (record.chosen, record.rollout.held, record.rollout.arm) == ("mid", True, "stable")  # type: ignore[union-attr]
                turns += [{"role": "assistant", "content": await text_of(reply)}]

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_a_release_of_a_model_that_does_not_exist_changes_nothing_and_is_said(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,)) as home:
            with pytest.raises(KeyError):
                await release(home, overlay("nobody"))
            assert "names the model 'nobody'" in (home.wired.releases.problem or "")
            assert arms(await served(home, 5)) == {None: 5}
            await release(home, None)
            assert home.wired.releases.problem is None
            await release(
                home, msgspec.structs.replace(overlay(), canary=None, first="near", candidates=("mid", "near"))
            )
            assert [one.chosen for one in await served(home, 3)] == ["near"] * 3
            await release(home, None)
            assert [one.chosen for one in await served(home, 3)] == ["mid"] * 3

    asyncio.run(asyncio.wait_for(scene(), 60))


def test_no_answer_is_kept_from_a_caller_while_releases_come_and_go(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(FLOW,)) as home:
            failed: list[TierwiseError] = []
            ended = False

            async def caller() -> None:
                while not ended:
                    try:
                        assert await text_of(await home.ask("q", hints=IN_FLOW))
                    except TierwiseError as error:
                        failed.append(error)

            callers = [asyncio.create_task(caller()) for _ in range(4)]
            for _ in range(5):
                await release(home, overlay())
                await release(home, None)
            ended = True
            await asyncio.gather(*callers)
            assert failed == []

    asyncio.run(asyncio.wait_for(scene(), 60))
