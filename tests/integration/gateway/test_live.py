"""Live capacity on real servers: the embedded engine, and the scripted upstream playing the engines' status pages."""

import asyncio
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
    import json

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
