"""Whatever is configured and whatever fails inside: no marked byte arrives outside, and it is answered inside all the same.

Random worlds: endpoints of every wire, strategies, gates, retries; random requests of every caller wire with a canary in a
random place, labelled by the caller, by a workflow, by a session, or by nobody but a detector; random faults of everything
inside. `TIERWISE_WORLDS` says how many; a failing one is run again by its seed.
"""

import asyncio
import json
import os
import random
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.figures import note
from tierwise import bootstrap
from tierwise.config import Document, Settings
from tierwise.core.call import Call, Hints
from tierwise.core.errors import TierwiseError
from tierwise.core.label import Label, Tier
from tierwise.core.model import Capability
from tierwise.core.usage import Price
from tierwise.fallback.plan import FallbackSettings
from tierwise.gateway.workflow import Workflow
from tierwise.quality.settings import Gates
from tierwise.registry.settings import EndpointRow, ModelRow
from tierwise.testing import Script, ScriptedUpstream
from tierwise.wires.known import CALLERS

WORLDS = int(os.environ.get("TIERWISE_WORLDS", "40"))
REQUESTS = 12
CANARY = "kestrel-0417-lumen"
CARD = "4929 7315 8642 0978"
ABLE: tuple[Capability, ...] = ("stream", "tools", "images", "files", "schema", "json", "thinking")
WIRES = ("chat", "responses", "messages", "gemini", "ollama")
FAULTS = (
    Script(fault="error", status=503), Script(fault="error", status=400), Script(fault="error", status=429),
    Script(fault="in_band_error", after=0), Script(fault="in_band_error", after=1), Script(fault="cut", after=1),
    Script(fault="empty_content"), Script(fault="html"), Script(fault="refusal"), Script(fault="loop"),
    Script(fault="truncation"), Script(fault="context"), Script(fault="drop"),
)  # fmt: skip


class World:
    """One random configuration, and requests for it."""

    def __init__(self, seed: int, inside: ScriptedUpstream, outside: ScriptedUpstream) -> None:
        self.draw = random.Random(seed)
        self.inside, self.outside = inside, outside
        draw = self.draw
        self.endpoints = [self._endpoint(f"{tier}-{n}", tier) for tier in Tier for n in range(draw.randint(1, 2))]
        models = [
            ModelRow(
                id=f"at-{e.name}", endpoint=e.name, served_name="m", capabilities=(*ABLE, "logprobs"), price=_price(e),
                strength=draw.choice([None, 10, 90]),
            )
            for e in self.endpoints
        ]  # fmt: skip
        models += [
            ModelRow(
                id=f"vectors-{e.name}", endpoint=e.name, served_name="m", capabilities=("embeddings",), price=_price(e)
            )
            for e in self.endpoints
            if "chat" in (e.wires or ())
        ]
        self.models = models
        names = tuple(m.id for m in models if m.id.startswith("at-"))
        flow = Workflow(
            name="flow",
            candidates=names,
            strategy=draw.choice(["cheapest_sufficient", "best", "fastest", "cascade", "weighted"]),
            trusted=tuple(draw.sample(names, draw.randint(0, len(names)))),
            on_gate_failure=draw.choice(["fail", "flag", "review"]),
            gates=Gates(refusal=draw.random() < 0.5, hold_back_chars=draw.choice([0, 10, 400])),
        )
        secret = Workflow(
            name="secret", candidates=names, label=Label.RESTRICTED, strategy=draw.choice(["best", "cascade"])
        )
        self.document = Document(
            endpoint=tuple(self.endpoints),
            model=tuple(models),
            workflow=(flow, secret),
            fallback=FallbackSettings(max_attempts=draw.randint(1, 3), retries_same=draw.randint(0, 1)),
        )

    def _endpoint(self, name: str, tier: Tier) -> EndpointRow:
        upstream = self.outside if tier is Tier.FRONTIER else self.inside
        wire = self.draw.choice(WIRES)
        url = upstream.generate_url if wire == "gemini" else upstream.url
        wires = (wire, "embeddings") if wire == "chat" else (wire,)
        return EndpointRow(name=name, kind="scripted", url=url, tier=tier, wires=wires)

    def request(self, number: int) -> tuple[Call, bool]:
        """Return a request, and whether anything in it or about it says that it is to stay inside."""
        draw = self.draw
        wire = draw.choice(["chat", "chat", "responses", "messages", "count_tokens", "embeddings"])
        how = draw.choice(["caller", "workflow", "session", "detector", "nobody"])
        canary = f"card {CARD}" if how == "detector" else CANARY if how != "nobody" else "plain words"
        model = draw.choice(["auto", "auto", "auto:flow", "tier:frontier", draw.choice(self.models).id])
        hints = Hints()
        if how == "caller":
            hints = Hints(label=Label.RESTRICTED)
        elif how == "session":
            hints = Hints(session=f"s{number}", label=Label.RESTRICTED)
        elif how == "workflow":
            model = "auto:secret"
        body = _body(draw, wire, canary) | {"model": model}
        if wire not in ("count_tokens", "embeddings"):
            body["stream"] = draw.random() < 0.5
        return CALLERS[wire].decode_request(json.dumps(body).encode(), hints), how != "nobody"


def _price(endpoint: EndpointRow) -> Price | None:

    return (
        Price(input_usd_per_mtok=Decimal(1), output_usd_per_mtok=Decimal(1)) if endpoint.tier is Tier.FRONTIER else None
    )


def _body(draw: random.Random, wire: str, canary: str) -> dict[str, Any]:
    """Put the canary somewhere."""
    if wire == "embeddings":
        return {"input": draw.choice([canary, ["a", canary]])}
    place = draw.choice(["user", "system", "earlier", "arguments", "result", "tool", "name", "metadata", "unknown"])
    said = {place: canary}
    arguments = {"city": said.get("arguments", "x")}
    schema = {"type": "object", "properties": {"city": {"type": "string", "description": said.get("tool", "where")}}}
    more: dict[str, Any] = {"metadata": {"note": said["metadata"]}} if "metadata" in said else {}
    if "unknown" in said:
        more["later_field"] = {"deep": [said["unknown"]]}
    user, earlier = said.get("user", "go on"), said.get("earlier", "so")
    result, system = said.get("result", "rain"), said.get("system", "be brief")
    match wire:
        case "chat":
            call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": json.dumps(arguments)}}
            turns = [
                {"role": "system", "content": system}, {"role": "user", "content": earlier},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": result},
                {"role": "user", "content": user} | ({"name": said["name"]} if "name" in said else {}),
            ]  # fmt: skip
            return more | {
                "messages": turns,
                "tools": [{"type": "function", "function": {"name": "look", "parameters": schema}}],
            }
        case "responses":
            items = [
                {"role": "user", "content": earlier},
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": json.dumps(arguments)},
                {"type": "function_call_output", "call_id": "c1", "output": result},
                {"role": "user", "content": user},
            ]
            tool = {"type": "function", "name": "look", "parameters": schema, "strict": False}
            system += f" {said['name']}" if "name" in said else ""
            return more | {"instructions": system, "input": items, "tools": [tool]}
        case _:
            turns = [
                {"role": "user", "content": earlier},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": arguments}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": result},
                                             {"type": "text", "text": user}]},
            ]  # fmt: skip
            more.pop("metadata", None)
            if "metadata" in said:
                more["metadata"] = {"user_id": said["metadata"]}
            system += f" {said['name']}" if "name" in said else ""
            limit = {} if wire == "count_tokens" else {"max_tokens": 50}
            return (
                more
                | limit
                | {"system": system, "messages": turns, "tools": [{"name": "look", "input_schema": schema}]}
            )


async def _explore(seed: int, home: Path) -> tuple[int, int]:
    """Run one world; return how many marked requests there were, and how many were answered."""
    async with AsyncExitStack() as stack:
        inside = await stack.enter_async_context(ScriptedUpstream(models=("m",)))
        outside = await stack.enter_async_context(ScriptedUpstream(models=("m",)))
        world = World(seed, inside, outside)
        wired = await stack.enter_async_context(bootstrap.opened(Settings(document=world.document, home=home)))
        marked = answered = 0
        for number in range(REQUESTS):
            call, is_marked = world.request(number)
            inside.script(*world.draw.choices(FAULTS, k=world.draw.choice([0, 0, 1, 2, 4])))
            before = len(outside.received)
            try:
                reply = await wired.gateway.handle(call)
                if reply.deltas is not None:
                    async for _ in reply.deltas:
                        pass
                    await reply.deltas.aclose()
                answered += is_marked
            except TierwiseError:
                pass
            inside._scripts.clear()
            marked += is_marked
            if is_marked:
                assert len(outside.received) == before, f"world {seed}, request {number}: a marked request went outside"
        leaked = [r for r in outside.received if CANARY.encode() in r.body or CARD[:9].encode() in r.body]
        assert not leaked
        return marked, answered


@pytest.mark.parametrize("part", range(4))
def test_no_marked_byte_arrives_outside(tmp_path: Path, part: int) -> None:
    marked = answered = 0
    for seed in range(part, WORLDS, 4):
        of, done = asyncio.run(_explore(seed, tmp_path / str(seed)))
        marked, answered = marked + of, answered + done
    note(
        "perimeter", worlds=len(range(part, WORLDS, 4)), marked=marked, answered_inside=answered, marked_bytes_outside=0
    )
    assert marked >= WORLDS
    assert answered >= marked // 5, "and what is marked is still answered inside"
