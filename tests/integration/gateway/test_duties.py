"""Every duty that a rule can write is carried out on every hop: first try, repetition, fallback, escalation, embedding."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.integration.gateway.conftest import Build, House, text_of
from tierwise.core.answer import assemble
from tierwise.core.call import Hints
from tierwise.core.errors import TierwiseError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Capability
from tierwise.gateway.gateway import Reply
from tierwise.gateway.workflow import Workflow
from tierwise.policy.settings import Obligation, Rule, Then, When
from tierwise.testing import Script
from tierwise.wires import embeddings

ABLE: tuple[Capability, ...] = ("stream", "tools", "thinking")
CASCADE = Workflow(name="w", candidates=("near", "mid", "far"), strategy="cascade")
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]


def under(duty: Obligation, **when: Any) -> tuple[Rule, ...]:
    return (Rule(when=When(**when), then=Then(obligations=(duty,))),)


def run(scene: Awaitable[None]) -> None:
    asyncio.run(scene)  # type: ignore[arg-type]


def sent(h: House, name: str) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in h.upstreams[name].asked]


async def calls_of(reply: Reply) -> list[dict[str, Any]]:
    """Return the calls of tools in a reply, as a Chat Completions caller gives them back."""
    answer = reply.answer
    if answer is None:
        assert reply.deltas is not None
        answer = assemble([delta async for delta in reply.deltas])
    return [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments or "{}"}}
        for call in answer.choices[0].tool_calls
    ]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", ["error", "rate_limit", "bad_json", "empty_body", "drop", "refusal"])
def test_under_no_fallback_whatever_happens_nobody_else_is_asked(house: Build, fault: str, stream: bool) -> None:
    async def scene() -> None:
        served = {"near": f"scripted-near?fault={fault}"}
        async with house(served=served, workflow=(CASCADE,), rule=under("no_fallback", label=Label.PUBLIC)) as h:
            with contextlib.suppress(TierwiseError):
                await text_of(await h.ask(model="auto:w", stream=stream))
            assert h.asked()["near"] >= 1
            assert (h.asked()["mid"], h.asked()["far"]) == (0, 0)

    run(scene())


def test_without_the_duty_the_same_fault_falls_back(house: Build) -> None:
    async def scene() -> None:
        async with house(served={"near": "scripted-near?fault=bad_json"}, workflow=(CASCADE,)) as h:
            await h.ask(model="auto:w")
            assert h.asked() == {"near": 1, "mid": 1, "far": 0}

    run(scene())


def test_nothing_falls_back_to_a_target_that_is_asked_alone_or_not_at_all(house: Build) -> None:
    async def scene() -> None:
        served = {name: f"scripted-{name}?fault=bad_json" for name in ("near", "mid")}
        async with house(served=served, workflow=(CASCADE,), rule=under("no_fallback", tier=Tier.FRONTIER)) as h:
            with pytest.raises(TierwiseError) as caught:
                await h.ask(model="auto:w")
            assert h.asked() == {"near": 1, "mid": 1, "far": 0}
            assert caught.value.decision is not None
            far = next(c for c in caught.value.decision.candidates if c.model == "far")
            assert far.reason == "not asked after another: no_fallback"
            await h.ask(model="far")
            assert h.asked()["far"] == 1

    run(scene())


def test_an_embedding_does_not_fall_back_under_the_duty_either(house: Build) -> None:
    async def scene() -> None:
        wires = dict.fromkeys(("near", "mid", "far"), ("embeddings",))
        rule = under("no_fallback", label=Label.PUBLIC)
        async with house(wires=wires, able=("embeddings",), workflow=(CASCADE,), rule=rule) as h:
            h.upstreams["near"].script(Script(fault="error"), Script(fault="error"))
            body = json.dumps({"model": "auto", "input": "words"}).encode()
            with pytest.raises(TierwiseError):
                await h.gateway.handle(embeddings.decode_request(body, Hints(workflow="w")))
            assert h.asked() == {"near": 2, "mid": 0, "far": 0}  # the same one is tried once more

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("tier", "fault", "outcome"),
    [
        (Tier.LOCAL, "none", "review"),
        (Tier.SELF_HOSTED, "none", "answered"),
        (Tier.SELF_HOSTED, "bad_json", "review"),
        (Tier.LOCAL, "bad_json", "review"),
        (Tier.FRONTIER, "bad_json", "answered"),
    ],
)
def test_an_answer_waits_for_a_person_where_any_target_that_was_asked_is_under_the_duty(
    house: Build, tier: Tier, fault: str, outcome: str, stream: bool
) -> None:
    async def scene() -> None:
        served = {"near": f"scripted-near?fault={fault}"}
        async with house(served=served, workflow=(CASCADE,), rule=under("human_review", tier=tier)) as h:
            reply = await h.ask(model="auto:w", stream=stream)
            assert await text_of(reply) == "hello there"
            record = await h.recorded(reply.decision.id)
            assert record.outcome == outcome
            assert record.review == ({"state": "waiting"} if outcome == "review" else None)
            assert record.obligations == (("human_review",) if outcome == "review" else ())

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_under_no_store_an_endpoint_is_not_asked_to_keep_the_answer_on_any_hop(house: Build, stream: bool) -> None:
    async def scene() -> None:
        served = {"near": "scripted-near?fault=bad_json", "mid": "scripted-mid?fault=bad_json"}
        inside = (Tier.LOCAL, Tier.FRONTIER)
        async with house(served=served, workflow=(CASCADE,), rule=under("no_store", tier=inside)) as h:
            reply = await h.ask(model="auto:w", stream=stream, store=True)
            await text_of(reply)
            assert {name: [body.get("store") for body in sent(h, name)] for name in h.upstreams} == {
                "near": [None],
                "mid": [True],
                "far": [None],
            }
            assert (await h.recorded(reply.decision.id)).dropped == ("store",)

    run(scene())


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("stream", [False, True])
def test_under_no_store_thinking_is_not_kept_for_the_next_turn(house: Build, stream: bool, kept: bool) -> None:
    """Of a caller whose wire cannot give it back; the duty lies on the hop that answers, after another one failed."""

    async def scene() -> None:
        served = {"near": "scripted-near?fault=bad_json", "mid": "scripted-mid?thinking=hm"}
        rule = () if kept else under("no_store", tier=Tier.SELF_HOSTED)
        wires = {"mid": ("messages",)}
        async with house(served=served, workflow=(CASCADE,), rule=rule, wires=wires, able=ABLE) as h:
            asking = {"tools": TOOLS, "reasoning_effort": "high", "stream": stream}
            made = await calls_of(await h.ask("look", model="auto:w", **asking))
            turns = [
                {"role": "user", "content": "look"},
                {"role": "assistant", "content": None, "tool_calls": made},
                {"role": "tool", "tool_call_id": made[0]["id"], "content": "seen"},
            ]
            await text_of(await h.ask(model="mid", messages=turns, tools=TOOLS, stream=stream, reasoning_effort="high"))
            blocks = [block["type"] for turn in sent(h, "mid")[-1]["messages"] for block in turn["content"]]
            assert ("thinking" in blocks) is kept

    run(scene())
