"""What is not asked in the caller's own words: JSON that nothing enforces, loops of tools, embeddings and the like."""

import asyncio
import json
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.integration.gateway.conftest import PRICE, Build, House, text_of
from tierwise.core.decision import Decision
from tierwise.core.errors import GateFailed, NoCandidate, TierwiseError
from tierwise.core.label import Tier
from tierwise.core.model import Capability
from tierwise.policy.settings import Rule, Then, When
from tierwise.registry.settings import ModelRow
from tierwise.testing import Script
from tierwise.wires import messages

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WANTED = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}
PLAIN: tuple[Capability, ...] = ("stream", "tools")
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": SCHEMA}}]


def rows(**capabilities: tuple[Capability, ...]) -> tuple[ModelRow, ...]:
    return tuple(
        ModelRow(
            id=name, endpoint=f"{name}-server", served_name=f"scripted-{name}", price=PRICE if name == "far" else None,
            capabilities=capabilities.get(name),
        )
        for name in ("near", "mid", "far")
    )  # fmt: skip


def run(scene: Awaitable[None]) -> None:
    asyncio.run(scene)  # type: ignore[arg-type]


def sent(h: House, name: str) -> list[dict[str, Any]]:
    return [json.loads(request.body) for request in h.upstreams[name].asked]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("said", ['{"city":"Köln"}', 'Sure:\n```json\n{"city":"Köln"}\n```', 'It is {"city":"Köln"}.'])
def test_a_schema_is_asked_for_in_words_where_nothing_enforces_it(house: Build, said: str, stream: bool) -> None:
    async def scene() -> None:
        async with house(model=rows(near=PLAIN)) as h:
            h.upstreams["near"].script(Script(text=said))
            reply = await h.ask("where?", model="near", response_format=WANTED, stream=stream)
            assert json.loads(await text_of(reply)) == {"city": "Köln"}
            (body,) = sent(h, "near")
            assert "response_format" not in body
            assert '"required":["city"]' in body["messages"][0]["content"]
            record = await h.recorded(reply.decision.id)
            assert (record.dropped, len(record.attempts)) == ((), 1)
            assert record.attempts[0].gate is not None
            assert "schema" in record.attempts[0].gate.name

    run(scene())


@pytest.mark.parametrize("stream", [False, True])
def test_json_that_does_not_fit_is_mended_once_by_who_wrote_it(house: Build, stream: bool) -> None:
    async def scene() -> None:
        async with house(model=rows(near=PLAIN)) as h:
            h.upstreams["near"].script(Script(text='{"town":"Köln"}'), Script(text='{"city":"Köln"}'))
            reply = await h.ask("where?", model="near", response_format=WANTED, stream=stream)
            assert json.loads(await text_of(reply)) == {"city": "Köln"}
            again = sent(h, "near")[1]["messages"]
            assert again[-2] == {"role": "assistant", "content": '{"town":"Köln"}'}
            assert "city" in again[-1]["content"]
            record = await h.recorded(reply.decision.id)
            assert [attempt.verdict for attempt in record.attempts] == ["escalate", "ok"]

    run(scene())


def test_json_that_never_fits_is_not_handed_over(house: Build) -> None:
    async def scene() -> None:
        async with house(model=rows(near=PLAIN)) as h:
            h.upstreams["near"].script(*[Script(text="no JSON at all")] * 3)
            with pytest.raises(GateFailed):
                await h.ask("where?", model="near", response_format=WANTED)
            assert len(sent(h, "near")) == 2

    run(scene())


def loop(call_id: str, **more: Any) -> dict[str, Any]:
    called = {"id": call_id, "type": "function", "function": {"name": "look", "arguments": "{}"}}
    return {
        "tools": TOOLS,
        "messages": [
            {"role": "user", "content": "please look"},
            {"role": "assistant", "content": None, "tool_calls": [called]},
            {"role": "tool", "tool_call_id": call_id, "content": "rain"},
        ],
    } | more


async def begun(h: House, **more: Any) -> tuple[str, Decision]:
    """Ask for a tool call; return its id and the record."""
    reply = await h.ask("please look", tools=TOOLS, **more)
    if reply.answer is None:
        assert reply.deltas is not None
        ids = [
            tool.id async for delta in reply.deltas for piece in delta.pieces for tool in piece.tool_calls if tool.id
        ]
        return ids[0], await h.recorded(reply.decision.id)
    return reply.answer.choices[0].tool_calls[0].id, reply.decision


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_loop_goes_back_to_who_made_the_call(house: Build, stream: bool) -> None:
    async def scene() -> None:
        async with house() as h:
            ident, first = await begun(h, model="tier:self_hosted", stream=stream)
            assert first.chosen == "mid"
            reply = await h.ask(**loop(ident))
            assert (reply.decision.chosen, reply.decision.reason) == ("mid", "continues the tool loop of mid")
            assert {c.model: c.excluded_by for c in reply.decision.candidates if not c.allowed} == {
                "near": "tool_loop", "far": "tool_loop",
            }  # fmt: skip
            # the next turn of the human's is free again
            fresh = await h.ask(messages=[*loop(ident)["messages"], {"role": "assistant", "content": "It rains."},
                                          {"role": "user", "content": "thanks"}], tools=TOOLS)  # fmt: skip
            assert fresh.decision.chosen == "far"

    run(scene())


def test_a_tool_loop_is_not_split_when_its_endpoint_fails(house: Build) -> None:
    async def scene() -> None:
        async with house() as h:
            ident, _ = await begun(h, model="tier:self_hosted")
            before = h.asked()
            h.upstreams["mid"].script(*[Script(fault="error", status=500)] * 3)
            with pytest.raises(TierwiseError):
                await h.ask(**loop(ident))
            assert (h.asked()["near"], h.asked()["far"]) == (before["near"], before["far"])

    run(scene())


def test_a_loop_whose_maker_is_unknown_is_free(house: Build) -> None:
    async def scene() -> None:
        async with house() as h:
            reply = await h.ask(**loop("call_of_yesterday"))
            assert reply.decision.chosen == "far"

    run(scene())


def test_policy_does_not_yield_to_a_tool_loop(house: Build) -> None:
    async def scene() -> None:
        async with house() as h:
            ident, first = await begun(h)
            assert first.chosen == "far"
            body = loop(ident)
            body["messages"][2]["content"] = "the card is 4556 7375 8689 9855"
            with pytest.raises(TierwiseError, match=r"policy|loop"):
                await h.ask(**body)
            assert h.asked()["far"] == 1

    run(scene())


def test_a_model_for_embeddings_is_none_for_answers(house: Build) -> None:
    async def scene() -> None:
        async with house(model=rows(near=("embeddings",))) as h:
            with pytest.raises(NoCandidate, match="embeddings only"):
                await h.ask(model="near")

    run(scene())


def test_where_a_rule_requires_all_an_endpoint_that_would_lose_something_is_left_out(house: Build) -> None:
    async def scene() -> None:
        rule = Rule(name="whole", when=When(tier=(Tier.FRONTIER, Tier.SELF_HOSTED)), then=Then(require="all"))
        async with house(rule=(rule,)) as h:
            chat_call = await h.ask(seed=7)
            assert chat_call.decision.chosen == "far"  # the same wire loses nothing
            body = {"model": "auto", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
            whole = await h.gateway.handle(messages.decode_request(json.dumps(body).encode()))
            assert whole.decision.chosen == "far"
            lossy = json.dumps(body | {"container": "c-1"}).encode()
            reply = await h.gateway.handle(messages.decode_request(lossy))
            assert (reply.decision.chosen, reply.decision.dropped) == ("near", ("container",))
            left_out = {c.model: (c.excluded_by, c.reason) for c in reply.decision.candidates if not c.allowed}
            assert left_out["far"] == ("rule:whole", "cannot be told container")

    run(scene())
