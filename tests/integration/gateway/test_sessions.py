"""Does a conversation stay with the model that began it, and is it said why?"""

import asyncio
from decimal import Decimal

import pytest

from tests.integration.gateway.conftest import Build, text_of
from tierwise.core.call import Hints
from tierwise.core.label import Tier
from tierwise.core.model import Capability
from tierwise.gateway.workflow import Workflow
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import ScriptedUpstream

ABLE: tuple[Capability, ...] = ("stream", "thinking")
DRAWN = Workflow(name="drawn", candidates=("near", "mid"), strategy="weighted", weights={"near": 1.0, "mid": 1.0})


def test_the_turns_of_a_conversation_have_one_model_and_conversations_have_several(house: Build) -> None:
    async def scene() -> None:
        began = set()
        async with house(workflow=(DRAWN,)) as h:
            for number in range(12):
                turns = [{"role": "user", "content": f"question {number}"}]
                first = await h.ask(model="auto:drawn", messages=turns)
                began.add(first.decision.chosen)
                for _ in range(3):
                    turns += [{"role": "assistant", "content": "so"}, {"role": "user", "content": "and then?"}]
                    reply = await h.ask(model="auto:drawn", messages=turns, stream=True)
                    await text_of(reply)
                    record = await h.recorded(reply.decision.id)
                    assert record.chosen == first.decision.chosen
                    assert "stays with" in record.reason or "drawn with" in record.reason
        assert began == {"near", "mid"}

    asyncio.run(scene())


def test_a_named_session_stays_although_its_turns_have_nothing_in_common(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(DRAWN,)) as h:
            hints = Hints(session="s1")
            chosen = set()
            for number in range(8):
                turns = [{"role": "assistant", "content": "x"}, {"role": "user", "content": f"{number}"}]
                reply = await h.ask(model="auto:drawn", messages=turns, hints=hints)
                chosen.add(reply.decision.chosen)
        assert len(chosen) == 1

    asyncio.run(scene())


def test_a_conversation_leaves_for_another_when_the_gain_is_larger_than_its_cache(house: Build) -> None:
    async def scene() -> None:
        async with house(workflow=(Workflow(name="w", candidates=("mid", "far"), strategy="cascade"),)) as h:
            turns = [{"role": "user", "content": "begin"}]
            pinned = await h.ask(model="far", messages=turns)
            assert pinned.decision.total_cost_usd != Decimal(0)
            turns += [{"role": "assistant", "content": "so"}, {"role": "user", "content": "and then?"}]
            reply = await h.ask(model="auto:w", messages=turns)
            assert reply.decision.chosen == "mid"
            assert "gains more than the session with far would lose" in reply.decision.reason

    asyncio.run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_that_only_its_maker_reads_keeps_the_conversation_there(house: Build, stream: bool) -> None:
    async def scene() -> None:
        async with ScriptedUpstream(models=("m",)) as upstream:
            endpoints = tuple(
                EndpointRow(name=name, kind="scripted", url=upstream.url, wires=("messages",), tier=Tier.SELF_HOSTED)
                for name in ("plain", "thinker")
            )
            models = (
                ModelRow(id="plain", endpoint="plain", served_name="m", strength=90, capabilities=ABLE),
                ModelRow(id="thinker", endpoint="thinker", served_name="m?thinking=hm", strength=10, capabilities=ABLE),
            )
            async with house(endpoint=endpoints, model=models) as h:
                turns = [{"role": "user", "content": "begin"}]
                first = await h.ask(model="thinker", messages=turns, stream=stream, reasoning_effort="high")
                await text_of(first)
                turns += [{"role": "assistant", "content": "so"}, {"role": "user", "content": "and then?"}]
                for _ in range(2):
                    reply = await h.ask(messages=turns, stream=stream, reasoning_effort="high")
                    await text_of(reply)
                    assert reply.decision.chosen == "thinker"
                    assert reply.decision.reason == "stays with thinker, which holds the session: it has thought in it"

    asyncio.run(scene())
