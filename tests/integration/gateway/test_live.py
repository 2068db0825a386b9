"""Live capacity on real servers: the embedded engine, and the scripted upstream playing the engines' status pages."""

import asyncio
import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.integration.gateway.conftest import PRICE, text_of
from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.call import Hints
from tierwise.core.capacity import CapacityRecord
from tierwise.core.decision import CandidateRecord, Decision
from tierwise.core.label import Tier
from tierwise.gateway.live import LiveSettings
from tierwise.gateway.workflow import Workflow
from tierwise.providers.engine import installed
from tierwise.quality.settings import Gates
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script, ScriptedUpstream
from tierwise.wires import chat

SMALL = str(resources.files("tierwise.registry").joinpath("shipped/banking77/small.gguf"))
OFTEN = LiveSettings(every_s=0.02, stale_s=10.0)
LONG = {"max_tokens": 200, "ignore_eos": True}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def call(text: str = "one two three", hints: Hints = Hints(), **fields: Any) -> Any:
    body = {"model": "auto:w", "messages": [{"role": "user", "content": text}], **fields}
    return chat.decode_request(json.dumps(body).encode(), hints)


def looked_at(decision: Decision, model: str) -> CandidateRecord:
    return next(one for one in decision.candidates if one.model == model)


def capacity(decision: Decision, model: str) -> CapacityRecord:
    found = looked_at(decision, model).capacity
    assert isinstance(found, CapacityRecord)
    return found


@pytest.mark.skipif(not installed(), reason="the extra 'embedded' is not installed")
def test_the_embedded_engine_is_cold_then_ready_and_its_slots_fill_with_our_own_requests(tmp_path: Path) -> None:
    document = Document(
        endpoint=(EndpointRow(name="own", kind="embedded", file=SMALL, context_tokens=512, slots=2, threads=1),),
        model=(ModelRow(id="small", endpoint="own"),),
        workflow=(Workflow(name="w", candidates=("small",), gates=Gates(repetition=False)),),
        live=OFTEN,
    )

    async def scene() -> None:
        async with bootstrap.opened(Settings(document=document, home=tmp_path)) as wired:
            gateway, live = wired.gateway, wired.gateway.facts.live
            await until(lambda: "small" in live.known(monotonic()))
            before = gateway.route(call())
            assert (capacity(before, "small").loaded, capacity(before, "small").slots) == (False, 2)
            assert looked_at(before, "small").expected_latency_ms is None, "it was never loaded here"

            first = await gateway.handle(call(max_tokens=8))
            recorded = await wired.ledger.get(first.decision.id)
            assert recorded is not None
            assert capacity(recorded, "small").loaded is False, "the record says what was known when it was decided"
            for _ in range(3):
                await gateway.handle(call(max_tokens=8))
            await until(lambda: capacity(gateway.route(call()), "small").context_tokens == 512)
            warm = gateway.route(call(max_tokens=8))
            known = capacity(warm, "small")
            assert (known.loaded, known.requests, known.wait_ms) == (True, 0, 0.0)
            assert looked_at(warm, "small").expected_latency_ms == known.answer_ms

            answers = await asyncio.gather(*(gateway.handle(call(stream=True, **LONG)) for _ in range(4)))
            full = capacity(gateway.route(call()), "small")
            assert full.requests == 4, "nobody has read an answer to its end"
            # three of four have to end before a fifth call's turn, two at a time
            assert full.wait_ms == pytest.approx(1.5 * live.pace_ms("small"))
            for answer in answers:
                await text_of(answer)
            assert capacity(gateway.route(call()), "small").requests == 0

            await wired.engines["own"].stop()
            await until(lambda: capacity(gateway.route(call()), "small").loaded is False)
            cold = gateway.route(call(max_tokens=8))
            assert capacity(cold, "small").load_ms == wired.engines["own"].load_ms
            expected = looked_at(cold, "small").expected_latency_ms or 0
            assert expected > (wired.engines["own"].load_ms or 0) > 0

    asyncio.run(scene())


def props(slots: int, context_tokens: int = 4096) -> dict[str, Any]:
    return {"total_slots": slots, "default_generation_settings": {"n_ctx": context_tokens}}


def slots(of: int, busy: int) -> list[dict[str, Any]]:
    return [{"id": n, "is_processing": n < busy} for n in range(of)]


class Town:
    """A gateway before a local server that tells its slots, a second local one, one of our own elsewhere, and outside."""

    def __init__(self, wired: bootstrap.Wired, near: ScriptedUpstream) -> None:
        self.wired, self.gateway, self.near = wired, wired.gateway, near

    def knows(self, model: str, ms: float, times: int = 3) -> None:
        """Let the gateway have seen answers of the model that took so long."""
        for _ in range(times):
            met = self.gateway.facts.live.began(model, None, monotonic())
            self.gateway.facts.live.ended(model)
            self.gateway.facts.live.answered(model, "w", met, 100, 20, ms)

    async def says(self, busy: int, waiting: int) -> None:
        """Let the near server say how busy it is, and wait until the gateway knows."""
        self.near.pages |= {
            "/props": props(2), "/slots": slots(2, busy), "/metrics": f"llamacpp:requests_deferred {waiting}\n",
        }  # fmt: skip
        await until(lambda: capacity(self.gateway.route(call()), "near").requests == busy + waiting)

    def chosen(self, **hints: Any) -> str | None:
        """Return who would be asked."""
        return self.gateway.route(call(hints=Hints(**hints))).chosen


def town(tmp_path: Path, work: Callable[[Town], Any], **flow: Any) -> None:
    async def scene() -> None:
        async with ScriptedUpstream() as near, ScriptedUpstream() as rest:
            document = Document(
                endpoint=(
                    EndpointRow(name="near-server", kind="llamacpp", url=near.url),
                    EndpointRow(name="next-server", kind="scripted", tier=Tier.LOCAL, url=rest.url),
                    EndpointRow(name="mid-server", kind="scripted", tier=Tier.SELF_HOSTED, url=rest.url),
                    EndpointRow(name="far-server", kind="scripted", tier=Tier.FRONTIER, url=rest.url),
                ),
                model=tuple(
                    ModelRow(
                        id=name,
                        endpoint=f"{name}-server",
                        served_name="scripted-1",
                        price=PRICE if name == "far" else None,
                    )
                    for name in ("near", "next", "mid", "far")
                ),
                workflow=(Workflow(**({"name": "w", "trusted": ("near", "next", "mid", "far")} | flow)),),
                live=OFTEN,
            )
            near.pages |= {"/props": props(2), "/slots": slots(2, 0)}
            async with bootstrap.opened(Settings(document=document, home=tmp_path)) as wired:
                made = Town(wired, near)
                made.knows("near", 1000.0)
                await until(lambda: looked_at(wired.gateway.route(call()), "near").capacity is not None)
                await work(made)

    asyncio.run(scene())


def test_a_call_waits_for_a_local_slot_or_goes_to_who_answers_in_time(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        t.knows("next", 3000.0)
        t.knows("mid", 4000.0)
        t.knows("far", 900.0)
        # a request of ours to it is what makes the gateway ask for slots, too
        await t.gateway.handle(call())
        t.knows("near", 1000.0, times=30)
        await t.says(busy=1, waiting=0)
        assert t.chosen(latency_ms=2000) == "near"
        await t.says(busy=2, waiting=0)
        assert t.chosen(latency_ms=2000) == "near", "it is worth the wait: half a second, then one"
        await t.says(busy=2, waiting=3)
        assert t.chosen() == "near", "nobody is in a hurry, and it costs nothing"
        # two seconds of waiting and one of answering
        assert t.chosen(latency_ms=3500) == "near"
        assert t.chosen(latency_ms=2000) == "far"
        t.knows("next", 1500.0, times=30)
        assert t.chosen(latency_ms=2000) == "next", "another local one comes before outside"
        t.knows("next", 9000.0, times=30)
        t.knows("mid", 1500.0, times=30)
        assert t.chosen(latency_ms=2000) == "mid", "and so does one of our own elsewhere"

    town(tmp_path, work)


def test_the_record_says_what_was_known_and_which_target_was_meant(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        await t.gateway.handle(call())
        t.knows("near", 1000.0, times=30)
        await t.says(busy=2, waiting=3)
        t.knows("far", 900.0)
        reply = await t.gateway.handle(call(hints=Hints(latency_ms=2000)))
        record = await t.wired.ledger.get(reply.decision.id)
        assert record is not None
        known = capacity(record, "near")
        assert (known.slots, known.requests, known.loaded, known.context_tokens) == (2, 5, True, 4096)
        assert known.age_s is not None
        assert known.age_s < 10
        assert known.wait_ms == pytest.approx(2000, rel=0.05), "four of two slots' requests have to end before"
        assert looked_at(record, "near").expected_latency_ms == known.wait_ms + (known.answer_ms or 0)
        assert record.latency_target_ms == 2000
        assert record.chosen in ("next", "mid"), "of who has never answered nothing is known, so it is not late"
        assert "within 2 s: near is expected to take" in record.reason

    town(tmp_path, work)


def test_the_target_of_the_workflow_holds_too_and_the_tighter_one_counts(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        for name in ("next", "mid", "far"):
            t.knows(name, 100.0)
        assert t.gateway.route(call()).latency_target_ms == 500
        assert t.gateway.route(call(hints=Hints(latency_ms=9000))).latency_target_ms == 500
        assert t.gateway.route(call(hints=Hints(latency_ms=50))).latency_target_ms == 50
        assert t.chosen() == "next"

    town(tmp_path, work, latency_ms=500)


def test_the_fastest_is_who_answers_first_with_its_queue_counted(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        await t.gateway.handle(call(model="near"))
        t.knows("near", 1000.0, times=30)
        t.knows("far", 2500.0)
        await t.says(busy=1, waiting=0)
        assert t.chosen() == "near"
        await t.says(busy=2, waiting=4)
        assert t.chosen() == "far"

    town(tmp_path, work, strategy="fastest")


def test_a_context_that_is_loaded_smaller_than_promised_is_the_one_that_counts(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        t.near.pages["/props"] = props(2, context_tokens=64)
        await until(lambda: capacity(t.gateway.route(call()), "near").context_tokens == 64)
        decision = t.gateway.route(call("word " * 200))
        assert looked_at(decision, "near").excluded_by == "context"
        assert "context is 64, as it is loaded now" in looked_at(decision, "near").reason

    town(tmp_path, work)


def test_a_server_that_falls_silent_is_not_known_any_more(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        t.gateway.facts.live.stale_s = 0.2
        t.near.pages.clear()
        await until(lambda: capacity(t.gateway.route(call()), "near").loaded is None)
        left = t.gateway.route(call())
        assert looked_at(left, "near").expected_latency_ms is not None, "how long its answers took is still known"

    town(tmp_path, work)


def test_an_outside_api_is_never_asked_how_it_is(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        begun = len(t.near.received)
        await until(lambda: len(t.near.received) > begun + 5)

    town(tmp_path, work)
    asked: list[str] = []

    async def alone() -> None:
        async with ScriptedUpstream() as up:
            up.pages |= {"/props": props(1)}
            document = Document(
                endpoint=(EndpointRow(name="e", kind="llamacpp", tier=Tier.FRONTIER, url=up.url),),
                model=(ModelRow(id="m", endpoint="e", served_name="scripted-1", price=PRICE),),
                live=OFTEN,
            )
            async with bootstrap.opened(Settings(document=document, home=tmp_path)) as wired:
                await wired.gateway.handle(call(model="m"))
            asked.extend(one.path for one in up.received)

    asyncio.run(alone())
    assert asked == ["/v1/chat/completions"]


def test_a_queue_of_our_own_is_counted_before_any_server_says_so(tmp_path: Path) -> None:
    async def work(t: Town) -> None:
        await t.gateway.handle(call(model="near"))
        t.knows("near", 1000.0, times=30)
        await t.says(busy=0, waiting=0)
        t.near.script(*[Script(fault="stall", after=1)] * 3)
        streams = [await t.gateway.handle(call(model="near", stream=True)) for _ in range(3)]
        known = capacity(t.gateway.route(call()), "near")
        assert (known.requests, known.wait_ms) == (3, pytest.approx(1000, rel=0.05))
        for reply in streams:
            assert reply.deltas is not None
            await reply.deltas.aclose()

    town(tmp_path, work)
